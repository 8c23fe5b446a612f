"""Power cuts: what was acknowledged is on the disk, and the lab notices when it is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from test_acceptance import PATIENT, faulty, started, summary_of

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        not Path("/dev/fuse").exists() or shutil.which("go") is None,
        reason="no /dev/fuse or no Go: unsynced data cannot be dropped here",
    ),
    pytest.mark.skipif(
        shutil.which("redis-server") is None, reason="no redis-server: apt-get install redis-server"
    ),
]


def test_a_power_cut_loses_nothing_acknowledged_and_the_lab_would_see_it(
    chat_binary: Path, tmp_path: Path
) -> None:
    """The same cut twice: with a log that is synced before it answers, and with one that is synced
    once a second, which no kill -9 tells apart."""
    cut = "{at: 5.2, do: cut_power, restart_after: 1}"
    runs = {}
    for fsync in ("always", "everysec"):
        file = faulty(tmp_path, fsync, cut, seconds=14, fsync=fsync, volatile_disk="true")
        out = tmp_path / f"run-{fsync}"
        runs[fsync] = started(chat_binary, out, file, *PATIENT, "--rate", "60")
    outputs = {name: run.communicate(timeout=200)[0] for name, run in runs.items()}
    for name in runs:
        assert "cut disk" in [what for _, what in summary_of(tmp_path / f"run-{name}")["faults"]]
    kept = summary_of(tmp_path / "run-always")["ledger"]
    assert kept["vanished"] == kept["lost"] == 0, outputs["always"]
    gone = summary_of(tmp_path / "run-everysec")["ledger"]
    assert gone["vanished"] > 0 and runs["everysec"].returncode == 3, outputs["everysec"]
