"""Every scenario file is good; wrong ones are named."""

import pytest

from lab.command import options_of
from lab.faults import local_plan
from lab.scenario import Fault, changed, load, names, parse

WANTED = {
    "smoke", "steady", "step", "spike", "soak", "breakpoint", "churn", "reconnect-storm",
    "hot-topic", "many-topics", "slow-readers",
}  # fmt: skip


def test_every_wanted_scenario_is_there_and_good() -> None:
    assert set(names()) >= WANTED
    for name in names():
        scenario = load(name)
        assert scenario.about and scenario.duration > 0


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "mapping"),
        ({"user": 3}, "unknown: user"),
        ({"users": 0}, "users must be positive"),
        ({"options": {"rte": 3}}, "unknown options: rte"),
        ({"options": {"rate": -1}}, "--rate"),
        ({"stages": [{"seconds": 3}]}, "stages"),
        ({"faults": [{"at": 5, "do": "explode"}]}, "fault"),
        ({"faults": [{"at": 5, "do": "kill", "pod": 7}]}, "not there"),
        ({"faults": [{"when": 5}]}, "when"),
        ({"kind": "walk"}, "kind"),
    ],
)
def test_wrong_scenarios_are_named(body: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse(body, "mine")


def test_the_command_line_changes_a_scenario_and_keeps_the_rest() -> None:
    scenario = changed(load("steady"), users=7, options={"rate": 3.0})
    assert (scenario.users, scenario.options["rate"]) == (7, 3.0)
    assert scenario.replicas == load("steady").replicas
    with pytest.raises(ValueError, match="stages"):
        changed(load("step"), users=5)
    assert options_of(["topics=3", "visit-page=false"]) == {"topics": 3, "visit_page": False}
    with pytest.raises(ValueError, match="--set"):
        options_of(["nonsense"])


def test_faults_become_steps() -> None:
    assert local_plan(Fault(5, "freeze", 1, seconds=2), 2) == [
        (5, "freeze", "pod-1"),
        (7, "thaw", "pod-1"),
    ]
    assert local_plan(Fault(5, "kill_all", restart_after=1), 2) == [
        (5, "kill", "pod-0"),
        (5, "kill", "pod-1"),
        (6, "start", "pod-0"),
        (6, "start", "pod-1"),
    ]
    assert local_plan(Fault(5, "kill_redis", restart_after=2), 2) == [
        (5, "kill", "redis"),
        (7, "start", "redis"),
    ]
