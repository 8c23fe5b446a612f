"""The document as such: the same bytes twice, no number typed by hand, its size, its fonts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lab.results import percentile
from report import facts
from report.figures import Figures, plain
from report.tests.conftest import ROOT, build, text_of

TEMPLATES = sorted((ROOT / "loadtest/report/template").glob("*.html"))
#: Digits that are names, not measurements: sections, percentile names, standards, ports, codes,
#: folders, addresses of links, and the examples of commands.
NAMES = [
    r"<pre>.*?</pre>",
    r"<style>.*?</style>",
    r"<h\d>[^<]*</h\d>|</?h\d|<meta[^>]*>|style=\"[^\"]*\"|class=\"[^\"]*\"|\"[\w-]+\.png\"",
    r"&#?\w+;|web/e2e|make e2e|href=\"[^\"]*\"",
    r"\bp\d\d\b|\bA\.\d+\b|\bRFC \d+\b|\bXEP-\d+\b|\bwrk2\b|kill −9|\bUTC\b",
    r"node port \d+|close code \d+|closed with \d+|\bexit code \d\b|exit code is \d|code \(\d\)",
    r"Exit codes of headless runs: [^.]*\.",
    r"<code>Test\w+</code>|\(section \d\)",
    r"95 % interval|at most 1 % error|95th percentile|\(feature 8\)",
]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_no_number_is_typed_by_hand(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    # Expressions and statements of the template, and its comments, are not text.
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", " ", text, flags=re.S)
    for name in NAMES:
        text = re.sub(name, " ", text, flags=re.S)
    found = re.findall(r"[^\n]{0,40}\d[^\n]{0,20}", text)
    assert not found, found


def test_every_test_that_is_named_exists() -> None:
    named = {
        name
        for path in TEMPLATES
        for name in re.findall(r"\bTest[A-Z0-9]\w+", path.read_text(encoding="utf-8"))
    }
    there = set()
    for path in [*ROOT.glob("images/chat/**/*_test.go"), *ROOT.glob("test/**/*.go")]:
        there |= set(re.findall(r"^func (Test\w+)", path.read_text(encoding="utf-8"), re.M))
    assert named and named <= there, named - there


def test_two_builds_are_the_same_bytes(fresh: Path, tmp_path: Path) -> None:
    assert build(tmp_path / "again.pdf").read_bytes() == fresh.read_bytes()


def test_the_body_has_three_to_five_pages(fresh: Path) -> None:
    pages = text_of(fresh).split("\f")
    first = next(at for at, page in enumerate(pages) if "Appendix: load tests" in page)
    assert 3 <= first <= 5, f"{first} pages before the appendix"


def test_fonts_are_in_the_file(fresh: Path) -> None:
    done = subprocess.run(["pdffonts", str(fresh)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()[2:]
    assert any("Source-Serif" in line or "SourceSerif" in line for line in lines), done.stdout
    # name, type (one or two words), encoding, emb, sub, uni, object, id
    assert all(line.split()[-5] == "yes" for line in lines), done.stdout


def test_no_path_of_this_machine_is_in_the_file(fresh: Path) -> None:
    assert str(ROOT).encode() not in fresh.read_bytes()
    assert str(ROOT) not in text_of(fresh)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (7, "7"),
        (0.5, "0.500"),
        (0.04567, "0.0457"),
        (9.996, "10.0"),
        (12.34, "12.3"),
        (123.4, "123"),
        (99.96, "100"),
        (1234567, "1,234,567"),
        (-3.21, "−3.21"),
    ],
)
def test_numbers_are_written_in_one_way(value: float, shown: str) -> None:
    assert plain(value) == shown


def test_a_missing_number_is_a_dash_and_is_not_noted() -> None:
    figures = Figures()
    assert figures.num(None, "ms") == "–" and figures.shown == []


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([5, 1, 3], 50) == 3
    assert percentile([1, 2, 3, 4], 50) == 2
    assert percentile([1, 2, 3, 4], 95) == 4


def test_a_fact_that_moved_is_an_error_and_not_a_blank() -> None:
    with pytest.raises(facts.Missing, match=r"redis\.conf\.tmpl"):
        facts.load(ROOT).setting("no-such-setting (.*)")
