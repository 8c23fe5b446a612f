"""Artefacts travel through a Job's log."""

from pathlib import Path

import pytest
import yaml

from chatload.bundle import BEGIN, END, bundled
from chatload.schedule import VARIABLE
from lab.cluster import STARTED, Log, objects_for, unpack
from lab.kube import Kubectl
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


class Cut(Kubectl):
    """A kubectl whose logs end where the test says; active: the Job's pods at each question."""

    def __init__(self, logs: list[str], active: list[str]) -> None:
        super().__init__(None)
        self.logs, self.active, self.asked = logs, active, list[tuple[str, ...]]()

    def command(self, *arguments: str) -> list[str]:
        self.asked.append(arguments)
        return ["printf", "%s", self.logs.pop(0)]

    def __call__(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        return self.active.pop(0)


WHOLE = f"{STARTED}7\nrunning\n{BEGIN}\nabc\n{END}\n"


@pytest.mark.parametrize(
    ("logs", "active", "followed"),
    [
        ([WHOLE], [], [True]),
        # The kubelet leaves out the last lines of a pod that ends.
        ([WHOLE[:40], WHOLE], [""], [True, False]),
        # The connection breaks in mid-run; and once more.
        ([WHOLE[:20], WHOLE[:30], WHOLE], ["1", "1"], [True, True, True]),
    ],
)
def test_a_log_that_ends_too_early_is_read_again(
    logs: list[str], active: list[str], followed: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Log, "PAUSE", 0.0)
    kubectl = Cut(logs, active)
    log = Log(kubectl, "loadtest")
    log.start()
    log.join(30)
    assert not log.is_alive() and "".join(log.lines) == WHOLE and log.began.is_set()
    assert ["-f" in one for one in kubectl.asked] == followed and not active


def test_who_looks_away_reads_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Log, "PAUSE", 60.0)
    kubectl = Cut([WHOLE[:20], WHOLE], ["1"])
    log = Log(kubectl, "loadtest")
    log.start()
    log.stop()
    log.join(30)
    assert not log.is_alive() and len(kubectl.asked) == 1


def test_a_job_that_died_without_artefacts_is_read_once_more_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Log, "PAUSE", 0.0)
    kubectl = Cut(["Traceback", "Traceback: all of it"], [""])
    log = Log(kubectl, "loadtest")
    log.start()
    log.join(30)
    assert not log.is_alive() and log.last == "Traceback: all of it"


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
