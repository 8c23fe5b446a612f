"""README, docs and report tell the same story: the headline figures of all three are extracted and
held against the data.

Costs are measured more than once, by the docs' own test too, and differ a little each time. A text
agrees when the figure or range that it states meets the span of the measured rounds, widened by
:data:`SLACK` on both sides.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from report.tests import data
from report.tests.conftest import ROOT, text_of

#: Share by which measurements of the same thing on this kind of machine differ.
SLACK = 0.25
NUMBER = r"([\d.]+)(?: (?:to|–|and) ([\d.]+))?"
#: Headline → (words that a statement of it holds, the figure in it, the measured span).
HEADLINES = {
    "memory of an idle connection": ("idle connection", NUMBER + r" Ki?B\b"),
    "Redis, ratio to a bare XADD": ("XADD", NUMBER + r" ×"),
}
#: What need not be stated there; if it is, it must agree.
MAY_LACK = {("README.md", headline) for headline in HEADLINES}


def span(headline: str) -> tuple[float, float]:
    """Least and greatest measured value."""
    if headline == "memory of an idle connection":
        values = data.rounds("chat", "bytes_per_idle_connection")
        return min(values) / 1024, max(values) / 1024
    name = "BenchmarkAppend/topics=1/batch={}/tails=3"
    values = [data.benchmark(name.format(size), "×raw-xadd") for size in (64, 256)]
    return min(values), max(values)


def statements(text: str, words: str) -> list[str]:
    """The sentences, table rows and list items of a text that hold some words."""
    joined = re.sub(r"(?<![|.:])\n(?![|\n*#-])", " ", text)
    parts = re.split(r"\n|(?<=[a-z)]\.) ", re.sub(r"[ \t]+", " ", joined).replace("`", ""))
    return [part for part in parts if words in part]


def stated(text: str, headline: str) -> list[tuple[float, float]]:
    """(from, to) of each statement of a headline in a text."""
    words, figure = HEADLINES[headline]
    out = []
    for statement in statements(text, words):
        found = re.search(figure, statement)
        if found:
            low = float(found[1])
            out.append((low, float(found[2] or low)))
    return out


@pytest.mark.parametrize("headline", HEADLINES)
@pytest.mark.parametrize("where", ["README.md", "docs/performance.md", "report.pdf"])
def test_headline_figures_agree_with_the_data(where: str, headline: str) -> None:
    path: Path = ROOT / where
    text = text_of(path) if path.suffix == ".pdf" else path.read_text(encoding="utf-8")
    found = stated(text, headline)
    if (where, headline) in MAY_LACK and not found:
        pytest.skip(f"{where} does not state {headline}")
    assert found, f"{where} states no {headline}"
    low, high = span(headline)
    first = found[0]
    assert first[0] <= high * (1 + SLACK) and first[1] >= low * (1 - SLACK), (first, low, high)


def test_the_extraction_finds_what_it_should() -> None:
    text = (
        "Costs.\n\n| RSS of an idle connection, all topics | 8.2 to 9.0 KiB |\n| other | 1 KiB |\n"
    )
    assert stated(text, "memory of an idle connection") == [(8.2, 9.0)]
    text = "It costs Redis 1.1 × a bare `XADD` here. Not\nthis 5 × at all."
    assert stated(text, "Redis, ratio to a bare XADD") == [(1.1, 1.1)]
    assert stated("nothing of the kind", "memory of an idle connection") == []
