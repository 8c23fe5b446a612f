"""Capacity as a bracket: the highest rate that held twice, the lowest that failed twice, and who
failed there.

A rate is tried until it has held twice or failed twice. The search goes from coarse to fine: it
doubles until a rate fails, confirms that, halves the distance (on the logarithm), and confirms the
rate that held when the bracket is narrow. What to try next depends on the tries alone, so a search
that was cut off goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatload.gates import Limits

#: The gates of every run.
LIMITS = Limits()
#: The bracket is narrow enough when its ends differ by at most this factor.
NARROW = 1.2
#: How often a rate must do the same before that counts.
TWICE = 2
#: How far below the first rate the search goes.
DEEPEST = 64
#: How the gates begin that say that it was no run at that rate, or not on a quiet machine: whatever
#: else failed may come of that.
NOT_ITS_OWN = ("other load", "load seconds", "measured seconds")
#: How the gates end that say that too little was seen.
TOO_FEW = " samples"
#: How the gates begin that say that the generator was out of breath, so that the load was another.
OUT_OF_BREATH = (
    "crowd's", "own lag", "loop lag", "schedule lag", "worker CPU", "longest stall", "clock error",
    "worker silence", "workers lost", "users kept",
)  # fmt: skip
#: How those of them begin that say how late the generator is, or how wrong its clock. A search asks
#: whether a p99 is over its objective, so there all of these are bound by one share of that, which
#: is stricter than a run's gate for some and less strict for others.
LAGS = ("own lag", "loop lag", "schedule lag", "clock error", "crowd's")
#: Those that a healthy generator sees before a server that does not keep up.
NOT_KEPT_UP = ("posts ", "rate kept", "readers unfinished", "topics unread")


#: Posts that a session's limit refused for the moment, as a run's summary counts them.
HELD_BACK = "ack: error rate_limited"
#: What failed where a rate failed twice, in words. Only the first says what the chat can do.
REASONS = {
    "objective": "the objective was missed with a healthy generator",
    "generator": "the generator was out of breath",
    "limit": "posts were held back by the limit of posts a session",
    "both": "it was not the same both times",
}


@dataclass(frozen=True, slots=True)
class Try:
    """One run at a rate (posts/s). held: the objective was kept, by a healthy generator. who: what
    failed, ``objective``, ``generator`` or ``limit`` (the chat refused posts for the moment, since
    a session may post so many times a second, and they waited); empty when it held. why: in words.
    p99: of ``deliver``, ms; None where there is none."""

    rate: float
    held: bool
    who: str = ""
    why: str = ""
    p99: float | None = None


def judge(summary: Mapping[str, Any], objective: float) -> Try | None:
    """What a run at a rate proves, or None when it proves nothing: something else kept the machine
    busy, or it was cut short. objective: greatest ``deliver`` p99, ms; anybody's posts must be
    acknowledged in that time, too: else they pile up where no probe looks."""
    rate = float(summary["rate"])
    p99 = summary["rows_ms"].get("deliver", {}).get("p99")
    past = [gate for gate in summary["gates"] if not _kept(gate, objective)]
    bad = [gate["name"] for gate in past]
    if summary["outcome"] == "BROKEN":
        # Readers that were still reading at the end may be why something looks lost.
        tired = any(name.startswith(OUT_OF_BREATH) for name in bad)
        return Try(rate, False, "generator" if tired else "objective", "the ledger is broken", p99)
    why = "; ".join(_told(gate, objective) for gate in past)
    if any(name.startswith(NOT_ITS_OWN) or name.endswith(TOO_FEW) for name in bad):
        return None
    if any(name.startswith(OUT_OF_BREATH) for name in bad):
        return Try(rate, False, "generator", why, p99)
    if any(not name.startswith(NOT_KEPT_UP) for name in bad):
        return None
    if bad or p99 is None or p99 > objective:
        text = why or f"deliver p99 {p99} ms, over {objective:g} ms"
        return Try(rate, False, "objective", text, p99)
    waited = max(summary["rows_ms"].get(row, {}).get("p99", 0.0) for row in ("ack", "ack_crowd"))
    if waited > objective:
        text = f"posts waited: ack p99 {waited} ms, over {objective:g} ms"
        refused = summary["failures"].get(HELD_BACK, 0)
        if refused:
            return Try(rate, False, "limit", f"{text}; {refused} times rate_limited", p99)
        return Try(rate, False, "objective", text, p99)
    return Try(rate, True, p99=p99)


def _kept(gate: Mapping[str, Any], objective: float) -> bool:
    """Whether a gate held, as a search with that objective (ms) sees it."""
    return bool(gate["value"] <= _bound(objective) if _is_lag(gate) else gate["passed"])


def _is_lag(gate: Mapping[str, Any]) -> bool:
    """Whether a gate is one of LAGS, and its value known: what is unknown is -1."""
    name = gate["name"]
    return name.startswith(LAGS) and not name.endswith(TOO_FEW) and gate["value"] >= 0


def _bound(objective: float) -> float:
    """The greatest lag beside an objective, both in ms."""
    return LIMITS.lag_share * objective


def _told(gate: Mapping[str, Any], objective: float) -> str:
    """A gate that did not hold, with its value and the bound that a search sets it."""
    bound = _bound(objective) if _is_lag(gate) else gate["limit"]
    return f"{gate['name']} {gate['value']:g} {gate['unit']} (bound {bound:g})".replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Bracket:
    """held: the highest rate that held twice, or None. failed: the lowest rate above it that failed
    twice, or None. who: what failed there, one of REASONS; empty where nothing did."""

    held: float | None
    failed: float | None
    who: str

    def sentence(self, people: int, objective: float) -> str:
        """The bracket in words. Where the generator failed, the chat's limit is not known."""
        goal = f"deliver p99 within {objective:g} ms"
        if self.held is None:
            return "No rate held twice yet." if self.failed is None else (
                f"{self.failed:.4g} posts/s to {people} people failed twice ({self.who}), and none "
                "below it held twice yet."
            )  # fmt: skip
        text = f"{self.held:.4g} posts/s to {people} people held twice ({goal})"
        if self.failed is None:
            return f"At least {text}; no rate above it failed twice yet."
        if self.who != "objective":
            return (
                f"At least {text}; {self.failed:.4g} failed twice: {REASONS[self.who]}, so the "
                "chat's own capacity is not known."
            )
        return f"{text}; {self.failed:.4g} failed twice with a healthy generator."


def bracket(tries: Sequence[Try]) -> Bracket:
    """What the tries prove so far."""
    held = [rate for rate in _rates(tries) if _count(tries, rate, held=True) >= TWICE]
    low = max(held, default=None)
    failed = [
        rate
        for rate in _rates(tries)
        if _count(tries, rate, held=False) >= TWICE and (low is None or rate > low)
    ]
    high = min(failed, default=None)
    whose = sorted({one.who for one in tries if one.rate == high and not one.held})
    return Bracket(low, high, whose[0] if len(whose) == 1 else "both" if whose else "")


def next_rate(
    tries: Sequence[Try], start: float, narrow: float = NARROW, ceiling: float = math.inf
) -> float | None:
    """The rate to try next; None when the bracket is narrow and both of its ends are sure. ceiling:
    above this rate a step proves nothing."""
    if not tries:
        return min(start, ceiling)
    # Whether a rate held is open while it has done either only once, or each once.
    low = max((r for r in _rates(tries) if _leans(tries, r, held=True)), default=None)
    high = min(
        (r for r in _rates(tries) if _leans(tries, r, held=False) and r > (low or 0)), default=None
    )
    split = [r for r in _rates(tries) if _split(tries, r)]
    if split:
        return split[0]
    if high is None:
        assert low is not None
        if low < ceiling:
            return min(low * 2, ceiling)
        return low if _count(tries, low, held=True) < TWICE else None
    if _count(tries, high, held=False) < TWICE:
        return high
    if low is None:
        return high / 2 if high > start / DEEPEST else None
    if high / low > narrow:
        return round(math.sqrt(low * high), 3)
    return low if _count(tries, low, held=True) < TWICE else None


def _rates(tries: Sequence[Try]) -> list[float]:
    """The rates that were tried, from low to high."""
    return sorted({one.rate for one in tries})


def _count(tries: Sequence[Try], rate: float, *, held: bool) -> int:
    """How often a rate held, or failed."""
    return sum(one.rate == rate and one.held == held for one in tries)


def _split(tries: Sequence[Try], rate: float) -> bool:
    """Whether a rate held and failed equally often."""
    good, bad = (_count(tries, rate, held=held) for held in (True, False))
    return good == bad


def _leans(tries: Sequence[Try], rate: float, *, held: bool) -> bool:
    """Whether a rate held more often than it failed, or the other way."""
    return _count(tries, rate, held=held) > _count(tries, rate, held=not held)
