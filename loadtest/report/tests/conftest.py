"""Tests of the report. They read ``results/`` with code of their own, not with the builder's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from report.tests import data

ROOT = data.ROOT
sys.path[:0] = [str(ROOT / "loadtest"), str(ROOT / "images/locust")]


def build(out: Path) -> Path:
    """Build the report in a process of its own, as ``make report`` does."""
    environment = {**os.environ, "LOADTEST_PYTHON": "this"}
    environment.pop("SOURCE_DATE_EPOCH", None)
    more = ["--results", str(data.RESULTS)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "loadtest/run"), "report", "build", "--out", str(out), *more],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return out


def text_of(pdf: Path) -> str:
    """The text of a PDF as laid out, with ordinary spaces and no commas in numbers."""
    if shutil.which("pdftotext") is None:
        pytest.fail("pdftotext is missing: apt-get install poppler-utils")
    done = subprocess.run(
        ["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True
    )
    text = done.stdout.replace("\u00a0", " ").replace("−", "-")
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report, built now."""
    return build(tmp_path_factory.mktemp("report") / "report.pdf")


@pytest.fixture(scope="session", params=["fresh", "committed"])
def text(request: pytest.FixtureRequest, fresh: Path) -> str:
    """The text of the report built now, and of the one at the top level. If only tests of the
    latter fail, ``make report`` has not been run since results changed."""
    return text_of(fresh if request.param == "fresh" else ROOT / "report.pdf")
