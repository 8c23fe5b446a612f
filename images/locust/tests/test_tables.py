"""Our rows in Locust's own tables and charts."""

from __future__ import annotations

from locust.env import Environment

from chatload.tables import show_in_locust, shown_as
from chatload.timing import Slot


def test_rows_of_the_ramp_up_and_of_the_crowd_are_shown() -> None:
    assert shown_as("deliver") == ("deliver", "deliver")
    assert shown_as("deliver_ramp") == ("deliver", "deliver")
    assert shown_as("ack_crowd_ramp") == ("ack (crowd)", "ack")
    assert shown_as("deliver_slow") == ("deliver_slow", "deliver_slow")
    assert shown_as("loop_lag_crowd") is None


def test_deliveries_are_no_requests() -> None:
    """The total, and so the charts, held a request for each delivery, none of the ramp-up."""
    environment, slot = Environment(), Slot()
    slot.row("ack_ramp").record(3_000, 4)
    slot.row("deliver_ramp").record(9_000, 400)
    slot.row("page").record(50_000)
    show_in_locust(environment, slot)
    assert environment.stats.total.num_requests == 4
    assert environment.stats.get("ack", "CHAT").num_requests == 4
    assert environment.stats.get("deliver", "PUSH").num_requests == 400
    assert environment.stats.get("page", "CHAT").num_requests == 1
    assert environment.stats.total.get_response_time_percentile(0.99) == 3
