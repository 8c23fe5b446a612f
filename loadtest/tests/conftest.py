"""Tests of the runner. They import no Locust: gevent's patches would reach the runner's threads."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "loadtest"), str(ROOT / "images/locust")]


@pytest.fixture(scope="session")
def chat_binary() -> Path:
    """The real chat server; tests that need it are skipped, saying so, when it is not built."""
    path = Path(os.environ.get("CHAT_BIN", ROOT / "bin/chat"))
    if not path.is_file():
        pytest.skip("no chat server: run `make build`, or set CHAT_BIN")
    return path
