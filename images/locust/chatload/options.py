"""Every setting of the load generator: its default, its check, its flag, its field in the form.

One table (:data:`FIELDS`) makes the command-line flags, the environment variables (``CHATLOAD_…``)
and the fields of the web UI's start form; :class:`Options` is what the rest of the package sees.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from chatload.accounts import ROOM_PEOPLE
from chatload.gates import Limits


@dataclass(frozen=True, slots=True)
class Options:
    """The checked settings of one run. Shares are fractions of all users (0–1)."""

    #: Base URLs of the chat, comma separated; empty: Locust's host. Users spread over them.
    targets: str = ""
    #: The only base URLs that may be loaded, comma separated; empty: any.
    hosts: str = ""
    #: Number of topics of the run, named after it, so that each run starts with empty ones.
    topics: int = 1
    #: How many of the topics a user reads (and a poster posts to).
    topics_per_user: int = 1
    #: 0: topics are equally busy; s > 0: topic k gets a share proportional to 1/k**s (Zipf).
    topic_skew: float = 0.0
    #: Share of users that post.
    posters_share: float = 0.2
    #: Share that reads over HTTP only.
    lurkers_share: float = 0.02
    #: Share that disconnects now and then, and resumes.
    churn_share: float = 0.05
    #: Share that stops reading now and then.
    slow_share: float = 0.0
    #: Posts a second over all workers (open model). 0: closed model, by think time.
    rate: float = 20.0
    #: Mean seconds between two posts of one poster (closed model) or two visits of a lurker.
    think_time: float = 5.0
    #: Characters of a message, its mark included.
    message_size: int = 200
    #: Mean seconds a churner stays, and then stays away.
    churn_stay: float = 10.0
    churn_away: float = 2.0
    #: Seconds a slow reader pauses at a time.
    slow_pause: float = 10.0
    #: Messages of history a user asks for on arrival.
    history_limit: int = 50
    #: Share of users that also read back a page of history on arrival.
    read_back_share: float = 0.2
    #: Whether users load the page and the assets it names.
    visit_page: bool = True
    #: Names the random sequences; the same seed and settings give the same load.
    seed: int = 1
    #: Most seconds to wait, after the load, for acknowledgements and then for deliveries.
    drain_timeout: float = 30.0
    #: Folder for the artefacts; empty: none are written.
    artefacts: str = ""
    #: Limits of the validity gates.
    max_worker_cpu: float = 85.0
    max_loop_lag_ms: float = 20.0
    max_schedule_lag_ms: float = 50.0
    max_clock_error_ms: float = 5.0
    #: The same lags and errors as a share of the deliver p99 that they stand beside.
    max_lag_share: float = 0.1
    #: Longest standstill of a worker, ms.
    max_stall_ms: float = 1_000.0
    #: Least number of deliveries, and of seconds, behind the figures.
    min_samples: int = 1_000
    min_measured_seconds: float = 5.0
    #: How many messages the server keeps; 0: all. What is older cannot be looked up at the end.
    kept_messages: int = 0
    #: Accounts made before the load, and the private rooms that they fill (five people each).
    accounts: int = 0
    rooms: int = 0
    #: Acts a second of all accounts: posts in rooms, or of the conversation.
    people_rate: float = 10.0
    #: Shares of the conversation's acts; the rest are plain posts.
    reply_share: float = 0.0
    vote_share: float = 0.0
    delete_share: float = 0.0
    ephemeral_share: float = 0.0
    #: Share of the accounts that read the conversation through a filter.
    filtered_share: float = 0.0
    #: People on each probe worker, and their posts a second over all probe workers.
    probes: int = 6
    probe_rate: float = 10.0

    @property
    def limits(self) -> Limits:
        """The limits of the validity gates."""
        return Limits(
            self.max_worker_cpu,
            self.max_loop_lag_ms,
            self.max_schedule_lag_ms,
            self.max_clock_error_ms,
            self.max_lag_share,
            self.max_stall_ms,
            self.min_samples,
            self.min_measured_seconds,
        )

    @property
    def readers_share(self) -> float:
        """Share of users that only read: what the other shares leave."""
        return max(
            0.0,
            1.0 - self.posters_share - self.lurkers_share - self.churn_share - self.slow_share,
        )

    @property
    def talks(self) -> bool:
        """Whether the accounts hold a conversation: where they are asked to, or have no rooms."""
        return self.accounts > 0 and (
            not self.rooms or self.acts_share > 0 or self.filtered_share > 0
        )

    @property
    def acts_share(self) -> float:
        """Share of the conversation's acts that are no plain posts."""
        return self.reply_share + self.vote_share + self.delete_share + self.ephemeral_share

    def weights(self) -> dict[str, float]:
        """Locust weight of each user class."""
        return {
            "Reader": self.readers_share,
            "Poster": self.posters_share,
            "Lurker": self.lurkers_share,
            "Churner": self.churn_share,
            "SlowReader": self.slow_share,
        }


#: Settings that stay on the command line: the form is for the load, not for files and limits.
_NOT_IN_FORM = {
    "artefacts",
    "targets",
    "hosts",
    "max_worker_cpu",
    "max_loop_lag_ms",
    "max_schedule_lag_ms",
    "max_clock_error_ms",
    "max_lag_share",
    "max_stall_ms",
    "min_samples",
    "min_measured_seconds",
    "kept_messages",
    "probes",
    "probe_rate",
    "read_back_share",
    "history_limit",
    "drain_timeout",
    "churn_away",
    "slow_pause",
    "visit_page",
    "accounts",
    "rooms",
    "people_rate",
    "reply_share",
    "vote_share",
    "delete_share",
    "ephemeral_share",
    "filtered_share",
}

#: Setting → (what the form and --help say, least value, greatest value).
FIELDS: dict[str, tuple[str, float, float]] = {
    "targets": ("Base URLs of the chat, comma separated (default: the host)", 0, 0),
    "hosts": ("The only base URLs that may be loaded, comma separated (empty: any)", 0, 0),
    "topics": ("Number of topics of this run", 1, 100_000),
    "topics_per_user": ("Topics each user reads and posts to", 1, 256),
    "topic_skew": ("0: topics equally busy; 1: Zipf, a few hot ones", 0, 5),
    "posters_share": ("Share of users that post (0–1)", 0, 1),
    "lurkers_share": ("Share of users that read over HTTP only (0–1)", 0, 1),
    "churn_share": ("Share of users that disconnect and resume (0–1)", 0, 1),
    "slow_share": ("Share of users that read slowly (0–1)", 0, 1),
    "rate": ("Posts a second over all workers; 0: by think time", 0, 1e6),
    "think_time": ("Mean seconds between a user's posts (when the rate is 0)", 0.001, 1e6),
    "message_size": ("Characters of a message", 1, 4000),
    "churn_stay": ("Mean seconds a churner stays connected", 0.1, 1e6),
    "churn_away": ("Mean seconds a churner stays away", 0, 1e6),
    "slow_pause": ("Seconds a slow reader pauses at a time", 0, 1e6),
    "history_limit": ("Messages of history asked for on arrival", 0, 200),
    "read_back_share": ("Share of users that read back a page of history (0–1)", 0, 1),
    "visit_page": ("Load the page and its assets first (true/false)", 0, 1),
    "seed": ("Seed of the load", 0, 2**31),
    "drain_timeout": (
        "Most seconds to wait for acks and deliveries at the end",
        1,
        1e4,
    ),
    "artefacts": ("Folder for tables and report (empty: none)", 0, 0),
    "max_worker_cpu": ("Gate: CPU of a worker, percent of a core", 1, 1e3),
    "max_loop_lag_ms": ("Gate: 99th percentile of a worker's loop lag, ms", 0.1, 1e6),
    "max_schedule_lag_ms": ("Gate: 99th percentile of the posts' schedule lag, ms", 0.1, 1e6),
    "max_clock_error_ms": ("Gate: clock error between workers, ms", 0, 1e6),
    "max_lag_share": ("Gate: lags and clock error, as a share of the deliver p99", 0.001, 1e6),
    "max_stall_ms": ("Gate: longest standstill of a worker, ms", 1, 1e6),
    "min_samples": ("Gate: least deliveries behind the percentiles", 1, 1e9),
    "min_measured_seconds": ("Gate: least seconds after the ramp-up", 0, 1e6),
    "kept_messages": ("Messages that the server keeps (0: all)", 0, 1e12),
    "accounts": ("Accounts made before the load, who read and post", 0, 10_000),
    "rooms": ("Private rooms of the accounts, five people each", 0, 2_000),
    "people_rate": ("Acts a second of all accounts", 0.1, 1e4),
    "reply_share": ("Share of the accounts' acts that are replies (0–1)", 0, 1),
    "vote_share": ("Share of the accounts' acts that are votes (0–1)", 0, 1),
    "delete_share": ("Share of the accounts' acts that are deletions (0–1)", 0, 1),
    "ephemeral_share": ("Share of the accounts' acts that are ephemeral posts (0–1)", 0, 1),
    "filtered_share": ("Share of the accounts that read through a filter (0–1)", 0, 1),
    "probes": ("People on each probe worker, who measure", 2, 1_000),
    "probe_rate": ("Posts a second of all probes", 0.1, 1e4),
}


#: How a setting of each type is read.
_CAST: dict[object, Callable[[Any], Any]] = {int: int, float: float, str: str}


#: People, and people started a second, where nobody says otherwise. Locust's own defaults, 1 and 1,
#: would be a lone reader who hears nobody.
PEOPLE, SPAWN_RATE = 50, 10


def flag(name: str) -> str:
    """The command-line flag of a setting."""
    return "--" + name.replace("_", "-")


def add_arguments(parser: Any, **_more: Any) -> None:
    """Add every setting to Locust's argument parser (its ``init_command_line_parser`` event)."""
    group = parser.add_argument_group("Chat load")
    # One flag, environment variable and form field for each setting.
    for one in fields(Options):
        text, _, _ = FIELDS[one.name]
        kind = type(one.default)
        # Flags of truth values take true or false, so that the form and --flag mean the same.
        action = group.add_argument(
            flag(one.name),
            dest=one.name,
            type=_truth if kind is bool else kind,
            default=one.default,
            env_var="CHATLOAD_" + one.name.upper(),
            help=text,
        )
        # An argument group does not know Locust's own keyword, its parser reads the attribute.
        action.include_in_web_ui = one.name not in _NOT_IN_FORM
    parser.set_defaults(num_users=PEOPLE, spawn_rate=SPAWN_RATE)


def _truth(text: str) -> bool:
    """A truth value from its text."""
    lowered = str(text).strip().lower()
    # As in YAML, in forms and in shells.
    if lowered in {"true", "yes", "1", "on"}:
        return True
    # An empty field of a form is no.
    if lowered in {"false", "no", "0", "off", ""}:
        return False
    raise ValueError(f"true or false is wanted, not {text!r}")


def parse(values: Mapping[str, Any]) -> Options:
    """Checked settings from ``values`` (argparse's namespace as a dict, the form, a message).

    Unknown names are ignored: Locust's own options come along. Raises ValueError naming every
    setting that is wrong and what it may be.
    """
    chosen: dict[str, Any] = {}
    wrong: list[str] = []
    # Each setting that is given: read, check, keep.
    for one in fields(Options):
        # Not given: its default.
        if values.get(one.name) is None:
            continue
        kind = type(one.default)
        value = values[one.name]
        # A form sends text, argparse numbers.
        try:
            number = _truth(str(value)) if kind is bool else _CAST[kind](value)
        except ValueError:
            wrong.append(f"{flag(one.name)}: {value!r} is not a {kind.__name__}")
            continue
        _, low, high = FIELDS[one.name]
        # Text has no range; inf and nan are numbers in Python.
        if not isinstance(number, str) and not (math.isfinite(number) and low <= number <= high):
            wrong.append(f"{flag(one.name)}: {value} is not between {low:g} and {high:g}")
        chosen[one.name] = number
    # Relations between settings, once each is good in itself.
    if not wrong:
        options = Options(**chosen)
        shares = 1.0 - options.readers_share
        total = (
            options.posters_share + options.lurkers_share + options.churn_share + options.slow_share
        )
        # A little more than 1 is how floats add up.
        if total > 1.0 + 1e-9:
            wrong.append(f"the shares of users add up to {total:g}, more than 1")
        elif shares > 1.0 or not any(options.weights().values()):
            wrong.append("no kind of user has a share")
        # Distinct topics cannot be more than there are.
        if options.topics_per_user > options.topics:
            wrong.append("--topics-per-user is more than --topics")
        # Each room takes people of its own among the accounts.
        if options.accounts < options.rooms * ROOM_PEOPLE:
            wrong.append(f"--rooms takes {ROOM_PEOPLE} of the --accounts each")
        # As above: floats.
        if options.acts_share > 1.0 + 1e-9:
            wrong.append(f"the shares of acts add up to {options.acts_share:g}, more than 1")
        # What accounts do, nobody does without them.
        if not options.accounts and (options.acts_share or options.filtered_share):
            wrong.append("the shares of acts need --accounts")
    # All that is wrong, at once: nobody likes to be told one by one.
    if wrong:
        raise ValueError("; ".join(wrong))
    return options


def choose_topics(options: Options, rng: random.Random) -> list[int]:
    """Numbers of one user's topics, by the skew: distinct, the hot ones likelier (Zipf)."""
    numbers = range(options.topics)
    # All of them: no choice to make.
    if options.topics_per_user >= options.topics:
        return list(numbers)
    # Efraimidis–Spirakis: weighted sampling without replacement by the largest keys.
    keys = {number: rng.random() ** ((number + 1.0) ** options.topic_skew) for number in numbers}
    return sorted(numbers, key=keys.__getitem__, reverse=True)[: options.topics_per_user]


def topic_name(run: str, number: int) -> str:
    """The name of topic ``number`` of a run."""
    return f"load-{run}-{number}"
