"""The kinds of people: what each does, and that a new one is as easy as the README says."""

from __future__ import annotations

import re
from pathlib import Path

from runs import GENERATOR, PATIENT, FakeServer, LocustRun

README = GENERATOR.parents[1] / "loadtest/README.md"


def test_the_readmes_kind_runs_as_it_stands_there(tmp_path: Path) -> None:
    example = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    assert "class Commuter(Visitor)" in example
    file = tmp_path / "locustfile.py"
    file.write_text((GENERATOR / "locustfile.py").read_text() + "\n\n" + example)
    with FakeServer([]) as server:
        flags = ["-f", str(file), "--headless", "--only-summary", "--host", server.url]
        flags += ["-u", "20", "-r", "50", "-t", "8s", "--rate", "20", "--churn-share", "0"]
        run = LocustRun([*flags, *PATIENT], {"PYTHONPATH": str(GENERATOR)}).start()
        assert run.end() == 0, run.output
    summary = run.summary()
    # Nobody else resumes: churners have no share.
    assert summary["rows_ms"]["resume"]["count"] > 0
    assert summary["ledger"]["lost"] == 0 < summary["ledger"]["delivered"]
