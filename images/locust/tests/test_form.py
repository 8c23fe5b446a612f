"""Start and Edit: what is refused, with which words, and what is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from locust import User, events
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.event import Events
from locust.runners import MasterRunner, WorkerNode

from chatload import form, options
from chatload.dispatch import kinds
from chatload.master import Master
from chatload.run import Run

GOOD = {"user_count": "50", "spawn_rate": "10", "host": "http://chat"}


class Lab(NamedTuple):
    """Locust with the lab's settings."""

    environment: Environment
    master: Master

    @property
    def set(self) -> Any:
        """What is set now."""
        return self.environment.parsed_options


class FakeRunner:
    """A runner that keeps what the master sends."""

    state = "ready"
    worker_count = 1

    def __init__(self) -> None:
        self.sent: list[str] = []

    def register_message(self, *_: Any) -> None:
        """Nothing is ever received."""

    def send_message(self, name: str, *_: Any) -> None:
        """Keep it."""
        self.sent.append(name)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Locust with the lab's settings, started without any of its own."""
    monkeypatch.setattr("sys.argv", ["locust"])
    listeners = events.init_command_line_parser._handlers
    events.init_command_line_parser.add_listener(options.add_arguments)
    environment = Environment(user_classes=[User], events=Events())
    environment.parsed_options = get_parser(default_config_files=[]).parse_args([])
    runner: Any = FakeRunner()
    environment.runner = runner
    yield Lab(environment, Master(environment))
    listeners.remove(options.add_arguments)


def running(lab: Lab, **more: Any) -> Run:
    """A run that is on, with these settings."""
    vars(lab.set).update(more)
    run = lab.master.run = Run("run", options.parse(vars(lab.set)), "http://chat", 1)
    return run


def said(lab: Lab, fields: dict[str, str]) -> str:
    """The reason for which a form is refused."""
    before = dict(vars(lab[0].parsed_options))
    with pytest.raises(ValueError) as refused:
        form.check(*lab, fields)
    assert vars(lab[0].parsed_options) == before
    return str(refused.value)


def test_the_form_as_it_comes_is_good(lab: Lab) -> None:
    shown = {
        "user_count": str(lab.set.num_users),
        "spawn_rate": str(lab.set.spawn_rate),
        "run_time": "",
        "host": "http://chat",
    }
    wanted = form.check(*lab, shown)
    assert not wanted.edit and wanted.run_time == 0
    cast = kinds(lab.set.num_users, wanted.options.weights())
    assert cast["Poster"] >= 5 and cast["Reader"] >= 20


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"host": ""}, "none is given"),
        ({"host": "chat"}, "no scheme"),
        ({"host": "ftp://chat"}, "ftp://"),
        ({"host": "http://chat/room"}, "sockets would not follow"),
        ({"user_count": "1"}, "nobody would post"),
        ({"user_count": "0"}, "at least 1"),
        ({"user_count": "many"}, "whole number"),
        ({"spawn_rate": "0"}, "ramp up"),
        ({"spawn_rate": "nan"}, "ramp up"),
        ({"run_time": "soon"}, "90s"),
        ({"posters_share": "0"}, "nobody would post"),
        ({"posters_share": "1", "lurkers_share": "0", "churn_share": "0", "user_count": "1"},
         "nobody would read"),
        ({"posters_share": "3"}, "--posters-share"),
        # Locust takes every setting by its name, also those that the page does not show.
        ({"artefacts": "/etc"}, "artefacts: no field"),
        ({"targets": "http://elsewhere"}, "targets: no field"),
        ({"hosts": ""}, "hosts: no field"),
    ],
)  # fmt: skip
def test_a_start_is_refused_with_the_reason(lab: Lab, change: dict[str, str], says: str) -> None:
    assert says in said(lab, {**GOOD, **change})


def test_a_start_beside_targets_and_with_bad_targets(lab: Lab) -> None:
    lab.set.targets = "http://a,http://b"
    assert "beside --targets" in said(lab, GOOD)
    assert form.check(*lab, {**GOOD, "host": ""}).options.targets
    lab.set.targets = "http://a,b"
    assert "--targets: 'b' has no scheme" in said(lab, {**GOOD, "host": ""})


def test_only_listed_chats_are_loaded(lab: Lab) -> None:
    lab.set.hosts = "http://chat"
    assert "CHATLOAD_HOSTS" in said(lab, {**GOOD, "host": "http://somebody.example"})
    form.check(*lab, GOOD)


def test_a_start_without_workers(lab: Lab) -> None:
    environment, _ = lab

    class FakeMaster(MasterRunner):
        """Locust's master, which listens nowhere."""

        def __init__(self) -> None:
            from locust.runners import WorkerNodes  # noqa: PLC0415

            self.clients, self.state = WorkerNodes(), "ready"

        def __del__(self) -> None:
            """Nothing was opened."""

    environment.runner = runner = FakeMaster()
    assert "no worker is connected" in said(lab, GOOD)
    runner.clients["a-probe"] = WorkerNode("a-probe")
    assert "only probe workers" in said(lab, GOOD)
    runner.clients["b"] = WorkerNode("b")
    form.check(*lab, GOOD)


def test_no_start_while_a_run_drains(lab: Lab) -> None:
    run = running(lab)
    run.state = "draining"
    assert "still draining" in said(lab, GOOD)
    run.state = "finished"
    runner: Any = lab[0].runner
    runner.state = "stopping"
    assert "still leaving" in said(lab, GOOD)


def test_an_edit_changes_people_ramp_up_and_rate_only(lab: Lab) -> None:
    running(lab, rate=40.0)
    edit = {"user_count": "60", "spawn_rate": "5"}
    wanted = form.check(*lab, {**edit, "rate": "70", "topics": "1"})
    assert wanted.edit and wanted.options.rate == 70 and wanted.run_time is None
    # Without the fields of the settings, everything stays.
    assert form.check(*lab, edit).options.rate == 40
    assert "--topics (it is 1)" in said(lab, {**edit, "topics": "2"})
    assert "host cannot change" in said(lab, {**edit, "host": "http://other"})


@pytest.mark.parametrize(("now", "then"), [(40.0, "0"), (0.0, "40")])
def test_an_edit_does_not_switch_the_model(lab: Lab, now: float, then: str) -> None:
    running(lab, rate=now)
    assert "stop it first" in said(lab, {"user_count": "60", "spawn_rate": "5", "rate": then})


def test_the_form_shows_what_is_set_now(lab: Lab) -> None:
    lab.set.rate = 40.0
    shown = form.present_values(lab[0], {"rate": {"default_value": 20.0, "help_text": "x"}})
    assert shown == {"rate": {"default_value": 40.0, "help_text": "x"}}
