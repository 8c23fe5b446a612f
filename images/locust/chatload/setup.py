"""Puts the lab into Locust: its settings, and a load generator or a judge for this process.

:func:`set_up` is called once, by the locustfile, before Locust makes its runner.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

import gevent
from locust import events, runners
from locust import stats as locust_stats
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from chatload import options, targets
from chatload.dispatch import ChatDispatcher
from chatload.master import Master
from chatload.proberunner import be_probe_if_told
from chatload.tables import fine_bucket
from chatload.webtab import add_chat_tab
from chatload.worker import Worker

#: Seconds without a heartbeat until the master calls a worker missing and takes its users from it.
#: Starting hundreds of users keeps a worker busy for longer than Locust's three; that a worker was
#: silent is a gate of our own.
HEARTBEATS_MISSED = 10


def set_up() -> None:
    """Change what Locust has no hook for, and listen where it has."""
    # Three significant digits in Locust's own tables; master and workers must agree.
    locust_stats.bucket_response_time = fine_bucket  # type: ignore[assignment]
    runners.HEARTBEAT_LIVENESS = HEARTBEATS_MISSED
    # A worker that only measures says so to its master, from its first word on.
    be_probe_if_told()
    events.init_command_line_parser.add_listener(add_settings)
    events.init.add_listener(wire_up)


def add_settings(parser: LocustArgumentParser, **_: Any) -> None:
    """Add every setting of the load to the command line and to the web UI's form."""
    options.add_arguments(parser)


def check_settings(environment: Environment) -> None:
    """Raise ValueError for settings with which no run could begin.

    environment: Locust's, with its parsed options. The chat's address may still come from the web
    UI's form, unless there is no form, or one is given already.
    """
    given = vars(environment.parsed_options)
    chosen = options.parse(given)
    targets.bases(chosen.hosts)
    # The master says to its workers what is loaded.
    if isinstance(environment.runner, WorkerRunner):
        return
    if given["headless"] or given["autostart"] or environment.host or chosen.targets:
        targets.chosen(environment.host, chosen.targets, chosen.hosts)


def hand_interrupts_to_main() -> None:
    """Let Ctrl-C end the process's main greenlet, which ends the run in good order.

    Python raises KeyboardInterrupt in whatever runs just then: a reader that it ends hears nothing
    more, and the books call lost what the chat had sent to it. A handler that somebody else has
    set stays.
    """

    def interrupt() -> None:
        """Raise KeyboardInterrupt where Locust waits for it."""
        gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        gevent.signal_handler(signal.SIGINT, interrupt)


def wire_up(environment: Environment, web_ui: Any = None, **_: Any) -> None:
    """Called once, when Locust's runner exists and nothing runs yet.

    environment: Locust's. web_ui: its web interface, None when headless or on a worker.
    Ends the process with code 2 when a setting is wrong.
    """
    # Wrong settings must stop here: later they would stop a run half-way.
    try:
        check_settings(environment)
    except ValueError as error:
        sys.stderr.write(f"locust: {error}\n")
        sys.exit(2)
    hand_interrupts_to_main()
    # Loading took seconds that gevent's loop has not noticed: without this, the timer of
    # --run-time, set next, counts from before and ends the run early.
    gevent.get_hub().loop.update_now()
    environment.dispatcher_class = ChatDispatcher.bound_to(environment)
    # A worker only loads; a master only judges; a single process does both.
    if isinstance(environment.runner, WorkerRunner):
        environment.process_exit_code = 0  # the master's code is the run's
    else:
        environment.chat_master = Master(environment)  # type: ignore[attr-defined]
    if not isinstance(environment.runner, MasterRunner):
        environment.chat_worker = Worker(environment)  # type: ignore[attr-defined]
    # Headless processes and workers have no page.
    if web_ui is not None:
        add_chat_tab(environment, web_ui)
