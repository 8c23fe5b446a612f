"""Start and Edit of the web UI: what is refused, and why. Nothing is changed here.

One function answers for both (:func:`check`), because Locust's page sends both to one address:
what comes while a run is on is an edit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from locust.argument_parser import ui_extra_args_dict
from locust.env import Environment
from locust.runners import STATE_STOPPING, MasterRunner
from locust.util.timespan import parse_timespan

from chatload import options as settings
from chatload import targets
from chatload.dispatch import kinds
from chatload.master import Master
from chatload.options import Options
from chatload.probe import is_probe

#: Fields that are Locust's own; ours are those of the settings that the form shows.
LOCUSTS = {"user_count", "spawn_rate", "host", "run_time", "profile", "user_classes", "shape_class"}
#: Kinds of people with a socket, and those among them that post.
SOCKETS, POSTERS = ("Reader", "Poster", "Churner", "SlowReader"), ("Poster",)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a good form asks for. run_time: seconds; 0: until stopped; None: the form has no such
    field (an edit). edit: whether a run is on, which is changed."""

    options: Options
    run_time: float | None
    edit: bool


def check(environment: Environment, master: Master, form: Mapping[str, str]) -> Wanted:
    """Read a form. Raises ValueError with the reason for which it is refused.

    environment: Locust's, with the present settings. form: field → text, as the page sent it.
    """
    run = master.run
    # Users of a run that drains still listen: a start would cut them off and spoil its books.
    if run is not None and run.state == "draining":
        raise ValueError(
            f"run {run.name} is still draining, for at most {run.patience():.0f} s: then start anew"
        )
    # Their on_stop still runs: the dispatcher would count them as there.
    if getattr(environment.runner, "state", "") == STATE_STOPPING:
        raise ValueError("the people of the last run are still leaving: start in a few seconds")
    # Locust would take any setting by its name, also those that are not for the page.
    known = LOCUSTS | set(ui_extra_args_dict())
    foreign = sorted(name for name in form if name not in known)
    # By hand, past the page.
    if foreign:
        raise ValueError(f"{', '.join(foreign)}: no field of this form, but of the command line")
    edit = run is not None and run.state == "running"
    options = settings.parse({**vars(environment.parsed_options), **form})
    seconds = _run_time(form)
    if environment.shape_class is not None:
        # Stages say how many people there are and how long it takes.
        if edit:
            raise ValueError("a run by stages cannot be edited: stop it first")
    else:
        _people(form, options, edit=edit)
    # An edit changes a run; a start chooses a chat and needs workers.
    if edit:
        assert run is not None
        _same_run(run.options, options)
        # A form that repeats the host is no change.
        if form.get("host") and targets.chosen(form["host"], "", "") != run.host.split(","):
            raise ValueError(f"the host cannot change while a run is on (it is {run.host})")
    else:
        targets.chosen(form.get("host", environment.host), options.targets, options.hosts)
        _workers(environment)
    return Wanted(options, seconds, edit)


def _run_time(form: Mapping[str, str]) -> float | None:
    """The run time of a form, seconds."""
    # An edit of Locust's page does not name it.
    if "run_time" not in form:
        return None
    text = form["run_time"].strip()
    # Empty: until stopped.
    if not text:
        return 0.0
    # Locust's own ways to write a time.
    try:
        return float(parse_timespan(text))
    except ValueError:
        raise ValueError(f"run time: {text!r} is not a time; write 90, 90s, 5m or 1h30m") from None


def _people(form: Mapping[str, str], options: Options, *, edit: bool) -> None:
    """Refuse numbers of people with whom nothing would be measured."""
    # The page sends text.
    try:
        people, ramp = int(form["user_count"]), float(form["spawn_rate"])
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from None
    except ValueError:
        raise ValueError("number of users, ramp up: a whole number and a number, please") from None
    # No people: that is Stop.
    if people < 1:
        raise ValueError("number of users: at least 1" + ("; or press Stop" if edit else ""))
    # nan and inf are numbers in Python.
    if not (math.isfinite(ramp) and ramp > 0):
        raise ValueError("ramp up: more than 0 users a second")
    cast = kinds(people, options.weights())
    # A lone reader hears nobody, a lone poster is heard by nobody: the run would prove nothing.
    if not sum(cast[kind] for kind in POSTERS):
        raise ValueError(
            f"nobody would post: of {people} people none is a poster (share"
            f" {options.posters_share:g}); take more people, or a greater --posters-share"
        )
    # A lone poster is heard by nobody.
    if sum(cast[kind] for kind in SOCKETS) < 2:
        raise ValueError(f"nobody would read the posts: {people} people, one with a socket")


def _same_run(now: Options, wanted: Options) -> None:
    """Refuse an edit of what a run cannot change."""
    fixed = [
        f"{settings.flag(one.name)} (it is {getattr(now, one.name)})"
        for one in fields(Options)
        if one.name != "rate" and getattr(now, one.name) != getattr(wanted, one.name)
    ]
    # Name each, with its value, so that it can be put back.
    if fixed:
        raise ValueError(
            f"while a run is on, only people, ramp up and rate can change, not {', '.join(fixed)}:"
            " stop it first"
        )
    # Posters of the closed model think, those of the open one wait for the schedule.
    if (now.rate > 0) != (wanted.rate > 0):
        model = "by a schedule" if now.rate > 0 else "when they have thought"
        raise ValueError(
            f"--rate: in this run people post {model}; between 0 and a number it cannot change:"
            " stop it first"
        )


def _workers(environment: Environment) -> None:
    """Refuse a start that no worker would hear."""
    runner: Any = environment.runner
    # A single process is its own worker.
    if not isinstance(runner, MasterRunner):
        return
    there = runner.clients.ready + runner.clients.running + runner.clients.spawning
    # Locust's page says the same, but only while it is open.
    if not there:
        raise ValueError("no worker is connected: start one, or wait until it is there")
    # Probes get no users: nobody would be started.
    if all(is_probe(worker.id) for worker in there):
        raise ValueError("only probe workers are connected, which take no users: start another")


def present_values(environment: Environment, shown: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the form with what is set now, not with what was set when Locust began.

    shown: Locust's ``extra_options``: field → its description with a ``default_value``.
    """
    now = vars(environment.parsed_options)
    return {
        name: {**field, "default_value": now.get(name, field["default_value"])}
        for name, field in shown.items()
    }
