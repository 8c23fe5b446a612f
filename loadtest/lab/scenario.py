"""A scenario: load as data. Files live in ``loadtest/scenarios``; unknown names are errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from chatload import options as settings
from chatload.schedule import parse_stages

#: Where the scenario files are.
FOLDER = Path(__file__).resolve().parent.parent / "scenarios"
#: What can be done on purpose to a pod or to Redis (see :mod:`lab.faults`).
FAULTS = (
    "kill", "kill_all", "freeze", "terminate", "kill_redis", "cut_power", "rollout", "hand_over",
)  # fmt: skip
#: What the workers are: Locust's own, or those in Go (``images/locust/generator``), or by
#: turns one and the other, to compare them under one load.
GENERATORS = ("python", "go", "both")
#: When Redis makes its log durable: before it answers, or within a second or two.
FSYNC = ("always", "everysec")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something broken on purpose. at: seconds after the start. do: one of FAULTS. pod: which.
    seconds: how long a frozen pod stays frozen. restart_after: seconds until what was killed is
    started again."""

    at: float
    do: str
    pod: int = 0
    seconds: float = 2.0
    restart_after: float = 1.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. Without stages: ``users`` at ``spawn_rate`` a second for ``seconds``."""

    name: str
    about: str = ""
    #: "run": one run. "breakpoint": search the highest rate that keeps the objective.
    kind: str = "run"
    users: int = 50
    spawn_rate: float = 25.0
    seconds: float = 30.0
    #: Chat pods and Locust workers.
    replicas: int = 2
    workers: int = 2
    #: What the workers and probes are, one of GENERATORS.
    generator: str = "python"
    #: Probe workers beside them, which measure (:mod:`chatload.probe`); 0: the crowd measures.
    probe_workers: int = 1
    #: Most CPU of the machine, percent, that others may use; past it a local run is INVALID.
    max_other_load: float = 5.0
    #: Redis's ``appendfsync``, one of FSYNC; and whether its disk is one that loses what was not
    #: synced when power is cut (``test/volatile``, needs FUSE and Go).
    fsync: str = "everysec"
    volatile_disk: bool = False
    #: Settings of the load (:mod:`chatload.options`), by name.
    options: dict[str, Any] = field(default_factory=dict)
    stages: list[dict[str, float]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    #: breakpoint: first rate tried, posts/s, and the objective for deliver p99, ms.
    start_rate: float = 10.0
    deliver_p99_ms: float = 250.0

    @property
    def duration(self) -> float:
        """Seconds of load."""
        return sum(stage["seconds"] for stage in self.stages) or self.seconds

    def packed(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def parse(body: object, name: str) -> Scenario:
    """A scenario from decoded YAML. Raises ValueError that names what is wrong."""
    if not isinstance(body, Mapping):
        raise ValueError(f"scenario {name}: a mapping is needed")
    known = {one.name for one in fields(Scenario)}
    unknown = set(body) - known
    if unknown:
        raise ValueError(f"scenario {name}: unknown: {', '.join(sorted(unknown))}")
    try:
        faults = [Fault(**fault) for fault in body.get("faults") or []]
        made = Scenario(**{"name": name, **body, "faults": faults})
    except TypeError as error:
        raise ValueError(f"scenario {name}: {error}") from error
    return check(made)


def check(scenario: Scenario) -> Scenario:
    """The scenario itself, if it makes sense; else ValueError."""
    where = f"scenario {scenario.name}"
    if scenario.kind not in ("run", "breakpoint"):
        raise ValueError(f"{where}: kind must be run or breakpoint")
    for name in ("users", "spawn_rate", "seconds", "replicas", "workers", "start_rate"):
        if not getattr(scenario, name) > 0:
            raise ValueError(f"{where}: {name} must be positive")
    if scenario.probe_workers < 0:
        raise ValueError(f"{where}: probe_workers must not be negative")
    unknown = set(scenario.options) - set(settings.FIELDS)
    if unknown:
        raise ValueError(f"{where}: unknown options: {', '.join(sorted(unknown))}")
    settings.parse(scenario.options)
    if scenario.stages:
        parse_stages(json.dumps(scenario.stages))
    if scenario.generator not in GENERATORS:
        raise ValueError(f"{where}: generator is one of {', '.join(GENERATORS)}")
    if scenario.fsync not in FSYNC:
        raise ValueError(f"{where}: fsync is one of {', '.join(FSYNC)}")
    if not scenario.volatile_disk and any(one.do == "cut_power" for one in scenario.faults):
        raise ValueError(f"{where}: cut_power needs volatile_disk: true")
    for fault in scenario.faults:
        if fault.do not in FAULTS:
            raise ValueError(f"{where}: a fault does one of {', '.join(FAULTS)}")
        if not 0 <= fault.pod < scenario.replicas or not 0 <= fault.at < scenario.duration:
            raise ValueError(f"{where}: a fault names a pod or an instant that is not there")
    return scenario


def load(name: str) -> Scenario:
    """The scenario of a name (``smoke``) or of a file (``path/to/my.yaml``)."""
    path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"no scenario {name}; there are: {', '.join(names())}")
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")), path.stem)


def names() -> list[str]:
    """The names of all scenario files."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def changed(scenario: Scenario, **changes: Any) -> Scenario:
    """A copy with some fields changed (None: as it was); ``options`` are merged."""
    given = {key: value for key, value in changes.items() if value is not None}
    if "options" in given:
        given["options"] = {**scenario.options, **given["options"]}
    if ("users" in given or "seconds" in given) and scenario.stages:
        raise ValueError(f"scenario {scenario.name} has stages: --users and --seconds do not apply")
    return check(replace(scenario, **given))
