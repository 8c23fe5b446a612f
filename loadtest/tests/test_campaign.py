"""The campaign: what it consists of, what counts as made, what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import campaign, capacity
from lab.experiment import Outcome
from lab.local import LabError
from lab.scenario import Scenario, changed, load

DIGESTS = {"chat": "sha256:a", "generator": "sha256:b", "manifest": "c"}
ENTRIES = """
runs:
  - {name: one, scenario: steady, users: 30, native: true}
  - {name: two, scenario: steady, options: {rate: 7, topics: 3}}
capacity:
  - {name: limit, scenario: breakpoint, replicas: 1}
"""


def leave(folder: Path, scenario: Scenario, outcome: str = "clean", **changes: str) -> None:
    """A run's folder, as far as the campaign looks at it."""
    folder.mkdir(parents=True)
    summary: dict[str, Any] = {
        "outcome": outcome,
        "valid": outcome == "clean",
        "rate": scenario.options.get("rate", 0),
        "ledger": {"delivered": 1},
        "rows_ms": {"deliver": {"p99": 300.0 if scenario.options["rate"] > 50 else 9.0}},
        "gates": [],
        "invalid_because": [] if outcome != "INVALID" else ["other load"],
    }
    made_of = {"digests": {**DIGESTS, **changes}, "scenario": scenario.packed()}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "provenance.json").write_text(json.dumps(made_of))
    for name in ("locust.html", "report.html", "series.csv", "histograms.csv"):
        (folder / name).write_text("x")


@pytest.fixture
def plan(tmp_path: Path) -> campaign.Plan:
    path = tmp_path / "plan.yaml"
    path.write_text(ENTRIES)
    return campaign.read_plan(path, [1])


def stub(monkeypatch: pytest.MonkeyPatch, outcomes: list[str]) -> list[str]:
    """Instead of runs: folders with these outcomes, the last again and again. Returns the names of
    the folders as they come."""
    made: list[str] = []

    def run(scenario: Scenario, folder: Path, _command: str, **_: object) -> Outcome:
        """A run."""
        made.append(folder.name)
        leave(folder, scenario, outcomes.pop(0) if len(outcomes) > 1 else outcomes[0])
        return Outcome(0, folder, json.loads((folder / "summary.json").read_text()))

    monkeypatch.setattr(campaign, "run", run)
    monkeypatch.setattr(campaign, "quiet", lambda _: None)
    monkeypatch.setattr(campaign, "digests_now", lambda _: dict(DIGESTS))
    return made


class Deployed:
    """Stands in for kubectl: what was asked, and pods with these digests of their images."""

    def __init__(self, **images: str) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._images = images

    def __call__(self, *words: str) -> str:
        self.asked.append(words)
        return ""

    def items(self, _kind: str, selector: str) -> list[dict[str, Any]]:
        """The pod of an app, where there is one."""
        app = selector.partition("=")[2]
        container = {"chat": "chat"}.get(app, "locust")
        if app not in self._images:
            return []
        status = {"name": container, "imageID": f"somewhere@{self._images[app]}"}
        return [{"metadata": {}, "status": {"containerStatuses": [status]}}]


def test_a_cut_off_run_that_left_no_chat_throws_nothing_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kubectl = Deployed(**{"locust-worker": "sha256:b"})
    monkeypatch.setattr(campaign, "Kubectl", lambda _: kubectl)
    campaign.renew(None)
    assert ("scale", "deployment", "chat", "--replicas=1") in kubectl.asked
    with pytest.raises(LabError, match="which chat is deployed"):
        campaign.digests_now(None)
    whole = Deployed(chat="sha256:a", **{"locust-worker": "sha256:b"})
    monkeypatch.setattr(campaign, "Kubectl", lambda _: whole)
    campaign.renew(None)
    assert all(words[0] != "scale" for words in whole.asked)
    assert campaign.digests_now(None)["chat"] == "sha256:a"


def test_the_plan_of_the_project_is_one() -> None:
    plan = campaign.read_plan(campaign.PLAN, [1, 2])
    names = [one.name for one in [*plan.runs, *plan.searches]]
    assert len(set(names)) == len(names) and "room-seed-2" in names
    assert [one.scenario.seconds for one in plan.runs if one.scenario.name == "soak"] == [3600]
    rooms = [one.scenario for one in plan.runs if one.scenario.name == "room"]
    assert len({one.users for one in rooms}) >= 3 and {1, 2, 4, 6} <= {r.replicas for r in rooms}
    assert len({one.options["rate"] for one in rooms}) >= 3
    assert sum(one.native for one in plan.runs if "seed" not in one.name) >= 4
    faults = {fault.do for one in plan.runs for fault in one.scenario.faults}
    assert faults == {"rollout", "kill", "kill_redis", "hand_over"}


def test_a_run_names_the_command_that_makes_it_alone(plan: campaign.Plan) -> None:
    assert plan.runs[0].command == "loadtest/run steady --where cluster --users 30"
    assert plan.runs[1].command.endswith("--where cluster --rate 7 --set topics=3")


def test_the_plan_names_the_generator_of_runs_that_name_none(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("generator: go\n" + ENTRIES.replace("users: 30", "generator: both"))
    found = campaign.read_plan(path, [1])
    assert [one.scenario.generator for one in found.runs] == ["both", "go"]
    assert "--generator go" in found.runs[1].command
    found = campaign.read_plan(path, [1], "python")
    assert [one.scenario.generator for one in found.runs] == ["both", "python"]


def test_what_is_there_is_not_made_again(
    plan: campaign.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stub(monkeypatch, ["clean"])
    plenty = campaign.Budget(60)
    leave(tmp_path / "results/one", plan.runs[0].scenario)
    assert campaign.make_runs(plan.runs, tmp_path / "results", plenty, None, 0) == (0, [])
    assert campaign.make_runs(plan.runs, tmp_path / "results", plenty, None, 0) == (0, [])
    assert made == ["two"]


@pytest.mark.parametrize("other", ["chat", "generator", "manifest"])
def test_other_images_or_another_manifest_make_another_run(
    plan: campaign.Plan, tmp_path: Path, other: str
) -> None:
    scenario = plan.runs[0].scenario
    leave(tmp_path / "one", scenario, **{other: "changed"})
    assert not campaign.is_made(tmp_path / "one", scenario, DIGESTS)
    leave(tmp_path / "two", scenario)
    assert campaign.is_made(tmp_path / "two", scenario, DIGESTS)
    assert not campaign.is_made(tmp_path / "two", load("smoke"), DIGESTS)
    assert not campaign.is_made(tmp_path / "none", scenario, DIGESTS)


def test_invalid_is_tried_once_more_and_broken_is_kept(
    plan: campaign.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stub(monkeypatch, ["INVALID", "clean", "BROKEN", "BROKEN"])
    plenty = campaign.Budget(60)
    assert campaign.make_runs(plan.runs, tmp_path / "r", plenty, None, 0) == (1, [])
    assert made == ["one", "one", "two"]
    assert campaign.make_runs(plan.runs, tmp_path / "r", plenty, None, 0) == (1, [])
    assert len(made) == 3


def test_a_run_that_cannot_be_made_does_not_end_the_campaign(
    plan: campaign.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stub(monkeypatch, ["clean"])
    works: Callable[..., Outcome] = vars(campaign)["run"]

    def run(scenario: Scenario, folder: Path, command: str, **more: Any) -> Outcome:
        """The first cannot be made."""
        if folder.name == "one":
            raise LabError("no room for it")
        return works(scenario, folder, command, **more)

    monkeypatch.setattr(campaign, "run", run)
    found = campaign.make_runs(plan.runs, tmp_path, campaign.Budget(60), None, 0)
    assert found == (0, ["one"]) and made == ["two"]


def test_what_does_not_fit_the_budget_is_named(
    plan: campaign.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stub(monkeypatch, ["clean"])
    broken, left = campaign.make_runs(plan.runs, tmp_path, campaign.Budget(0.5), None, 0)
    assert (broken, left, made) == (0, ["one", "two"], [])


def test_only_data_is_kept_and_locusts_page_where_it_is_shown(
    plan: campaign.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(monkeypatch, ["clean"])
    campaign.make_runs(plan.runs, tmp_path, campaign.Budget(60), None, 0)
    names = {one: {path.name for path in (tmp_path / one).iterdir()} for one in ("one", "two")}
    assert names["one"] - names["two"] == {"locust.html"}
    assert "report.html" not in names["one"] and "histograms.csv" in names["one"]


def test_of_a_long_run_less_is_kept(
    plan: campaign.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(monkeypatch, ["clean"])
    hour = campaign.Planned("hour", changed(plan.runs[0].scenario, seconds=3600), native=False)
    campaign.make_runs([hour], tmp_path, campaign.Budget(90), None, 0)
    assert {"series.csv"} == {path.name for path in (tmp_path / "hour").glob("*.csv")}


def test_a_search_is_written_down_and_goes_on_where_it_was_cut_off(
    plan: campaign.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stub(monkeypatch, ["clean"])
    search = plan.searches[0]
    assert not campaign.make_search(search, tmp_path, campaign.Budget(0.1), None, 0)
    # Without a step it says nothing, least of all that nothing holds.
    assert made == [] and not (tmp_path / "limit/capacity.json").exists()
    assert campaign.make_search(search, tmp_path, campaign.Budget(600), None, 0)
    found = json.loads((tmp_path / "limit/capacity.json").read_text())
    assert found["complete"] and 40 <= found["held"] <= 50 < found["failed"] <= 60
    assert found["who"] == "objective" and found["pods"] == 1
    # A step that is lost is made again, and no other.
    number = len(made)
    last = tmp_path / "limit" / made[-1]
    (last / "summary.json").unlink()
    (last / "provenance.json").unlink()
    assert campaign.make_search(search, tmp_path, campaign.Budget(600), None, 0)
    assert len(made) == number + 1
    # Steps of other images go, and what was found with them.
    monkeypatch.setattr(campaign, "digests_now", lambda _: {**DIGESTS, "chat": "sha256:z"})
    assert not campaign.make_search(search, tmp_path, campaign.Budget(0.1), None, 0)
    assert not list((tmp_path / "limit").iterdir())


def test_a_search_that_proves_nothing_twice_gives_up_for_now(
    plan: campaign.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stub(monkeypatch, ["INVALID"])
    body = capacity.judge
    monkeypatch.setattr(
        capacity, "judge", lambda s, o: None if s["outcome"] == "INVALID" else body(s, o)
    )
    assert not campaign.make_search(plan.searches[0], tmp_path, campaign.Budget(600), None, 0)
    assert len(made) == campaign.TRIES
