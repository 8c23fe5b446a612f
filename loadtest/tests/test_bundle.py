"""Artefacts travel through a Job's log."""

from pathlib import Path

import pytest
import yaml

from chatload.bundle import bundled
from chatload.schedule import VARIABLE
from lab.cluster import objects_for, unpack
from lab.local import LabError
from lab.scenario import load


def test_what_is_printed_is_what_arrives(tmp_path: Path) -> None:
    folder = tmp_path / "from"
    folder.mkdir()
    (folder / "summary.json").write_text('{"outcome": "clean"}')
    (folder / "series.csv").write_text("second\n" * 5000)
    (folder / ".half.part").write_text("not finished")
    log = f"[12:00] locust says\n{bundled(folder)}\nbye\n"
    unpack(log, tmp_path / "to")
    arrived = {path.name: path.read_text() for path in (tmp_path / "to").iterdir()}
    assert set(arrived) == {"summary.json", "series.csv"}
    assert arrived["series.csv"] == "second\n" * 5000


def test_a_log_without_artefacts_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no artefacts"):
        unpack("Traceback …", tmp_path)


def test_the_job_is_the_scenarios() -> None:
    text = yaml.safe_dump_all(objects_for(load("step")))
    assert "namespace" not in text and VARIABLE in text
    job, policy = objects_for(load("steady"))
    assert policy["kind"] == "NetworkPolicy"
    pod = job["spec"]["template"]["spec"]  # type: ignore[index]
    assert pod["imagePullSecrets"] == [{"name": "regcred"}]
    arguments = pod["containers"][0]["args"]
    assert arguments[:4] == ["--workers=2", "--probes=1", "--generator=python", "--"]
    assert arguments[arguments.index("-u") + 1] == "200"
    assert arguments[arguments.index("--rate") + 1] == "12"
