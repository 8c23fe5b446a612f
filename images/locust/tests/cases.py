"""Golden cases of the ledger: what happened, and what it proves.

``python tests/cases.py`` writes them to ``tests/golden/ledger/*.json``, which every implementation
of the ledger reads (this one in ``test_golden.py``). Each file is one case::

    about    what it shows
    run      name of the run
    events   in order; each has "do" and, where it is a process's own, "process" (a number)
    again    topic → ids found when strays were looked up a second time
    kept     how many messages the server says it keeps (0: all)
    strays   ids by topic that must be looked up a second time
    verdict  every word of the verdict, summed over canon and processes
    clean    whether no promise was broken

Events: ``welcome`` (reader, topics, messages, more, at: the first one, or one whose cursor was not
honoured), ``send`` (topic, poster, at: takes the stream's next sequence), ``ack`` (topic, poster,
seq, id), ``show`` (reader, messages, resumed_before, outcomes), ``position`` (reader, confirmed,
messages), ``leave`` (reader), ``history`` (topic, messages: as read back; a topic without this
event could not be read). A message is {id, topic, content}; instants are µs of the lab's clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from chatload.mark import Mark, write
from chatload.verdict import BREAKS, Verdict

FOLDER = Path(__file__).parent / "golden/ledger"
RUN = "run"
Body = dict[str, Any]


class Story:
    """Writes down events. A clock ticks by 1,000 µs an event, so causality is plain."""

    def __init__(self) -> None:
        self.events: list[Body] = []
        self.log: dict[str, list[Body]] = {}
        self.now = 0
        self._sent: dict[tuple[str, str], int] = {}
        self._ids = 0

    def do(self, what: str, process: int | None = None, **more: Any) -> None:
        """One event."""
        self.events.append(
            {"do": what, **({} if process is None else {"process": process}), **more}
        )

    def tick(self) -> int:
        """The next instant, µs."""
        self.now += 1_000
        return self.now

    def message(self, topic: str, poster: str, seq: int, sent: int, message_id: str = "") -> Body:
        """A message as it is shown."""
        if not message_id:
            self._ids += 1
            message_id = f"{self._ids:06d}"
        content = write(Mark(RUN, poster, seq, sent - 5, 5), 60)
        return {"id": message_id, "topic": topic, "content": content}

    def send(self, poster: str = "p", topic: str = "a", process: int = 0) -> tuple[int, int]:
        """A post goes out: its sequence and when."""
        at = self.tick()
        seq = self._sent.get((topic, poster), 0)
        self._sent[topic, poster] = seq + 1
        self.do("send", process, topic=topic, poster=poster, at=at)
        return seq, at

    def ack(self, seq: int, message_id: str, poster: str = "p", topic: str = "a") -> None:
        """It is acknowledged."""
        self.do("ack", 0, topic=topic, poster=poster, seq=seq, id=message_id)

    def post(
        self, poster: str = "p", topic: str = "a", *, acked: bool = True, logged: bool = True
    ) -> Body:
        """Sent, logged, acknowledged."""
        seq, at = self.send(poster, topic)
        made = self.message(topic, poster, seq, at)
        if logged:
            self.log.setdefault(topic, []).append(made)
        if acked:
            self.ack(seq, made["id"], poster, topic)
        return made

    def welcome(
        self,
        reader: str,
        *messages: Body,
        topics: Sequence[str] = ("a",),
        more: bool = False,
        process: int = 0,
    ) -> None:
        """A position."""
        self.do(
            "welcome",
            process,
            reader=reader,
            topics=list(topics),
            messages=list(messages),
            more=more,
            at=self.tick(),
        )

    def show(
        self,
        reader: str,
        *messages: Body,
        process: int = 0,
        resumed_before: int = 0,
        outcomes: Sequence[str] = (),
    ) -> None:
        """Delivered; each ``new`` unless ``outcomes`` says otherwise."""
        self.do(
            "show",
            process,
            reader=reader,
            messages=list(messages),
            resumed_before=resumed_before,
            outcomes=list(outcomes) or ["new"] * len(messages),
        )

    def read_back(self, *topics: str) -> None:
        """The history of topics is what the log holds."""
        for topic in topics or ("a",):
            self.do("history", topic=topic, messages=list(self.log.get(topic, [])))


CASES: dict[str, Callable[[], Body]] = {}


def case(make: Callable[[Story], Body]) -> Callable[[Story], Body]:
    """Register a case: a function that tells a story and returns the words that are not 0."""

    def build() -> Body:
        story = Story()
        expected = make(story)
        extra = {
            name: expected.pop(name) for name in ("again", "kept", "strays") if name in expected
        }
        words = {one.name: 0 for one in fields(Verdict) if one.name != "examples"}
        assert not set(expected) - set(words), expected
        return {
            "about": (make.__doc__ or "").strip(),
            "run": RUN,
            "kept": extra.get("kept", 0),
            "events": story.events,
            "strays": extra.get("strays", {}),
            "again": extra.get("again", {}),
            "verdict": {**words, **expected},
            "clean": not any(expected.get(word) for word in BREAKS),
        }

    CASES[make.__name__.replace("_", "-")] = build
    return make


@case
def perfect(s: Story) -> Body:
    """Two readers in two processes, two posters, everything shown to both."""
    s.welcome("r0")
    s.welcome("r1", process=1)
    for n in range(6):
        made = s.post("pq"[n % 2])
        s.show("r0", made)
        s.show("r1", made, process=1)
    s.read_back()
    return {"sent": 6, "acknowledged": 6, "owed": 12, "delivered": 12, "readers": 2}


@case
def lost_in_the_middle(s: Story) -> Body:
    """One of five is never shown to one of two readers."""
    s.welcome("r0")
    s.welcome("r1")
    for n in range(5):
        made = s.post()
        s.show("r0", made)
        if n != 2:
            s.show("r1", made)
    s.read_back()
    return {"sent": 5, "acknowledged": 5, "owed": 10, "delivered": 9, "lost": 1, "readers": 2}


@case
def lost_at_the_end(s: Story) -> Body:
    """The last two are shown to nobody."""
    s.welcome("r0")
    for n in range(5):
        made = s.post()
        if n < 3:
            s.show("r0", made)
    s.read_back()
    return {"sent": 5, "acknowledged": 5, "owed": 5, "delivered": 3, "lost": 2, "readers": 1}


@case
def lost_to_all_of_a_process(s: Story) -> Body:
    """What no reader of a process was shown is missed all the same."""
    s.welcome("r0")
    s.welcome("r1", process=1)
    for n in range(4):
        made = s.post()
        s.show("r0", made)
        if n % 2:
            s.show("r1", made, process=1)
    s.read_back()
    return {"sent": 4, "acknowledged": 4, "owed": 8, "delivered": 6, "lost": 2, "readers": 2}


@case
def duplicated(s: Story) -> Body:
    """Shown twice to one reader."""
    s.welcome("r0")
    made = s.post()
    s.show("r0", made)
    s.show("r0", made, outcomes=["duplicated"])
    s.read_back()
    return {"sent": 1, "acknowledged": 1, "owed": 1, "delivered": 1, "duplicated": 1, "readers": 1}


@case
def reordered(s: Story) -> Body:
    """Two swapped for one reader."""
    s.welcome("r0")
    first, second = s.post("p"), s.post("q")
    s.show("r0", second, first, outcomes=["new", "reordered"])
    s.read_back()
    return {"sent": 2, "acknowledged": 2, "owed": 2, "delivered": 2, "reordered": 1, "readers": 1}


@case
def opposite_orders(s: Story) -> Body:
    """Two readers are shown the same two messages in opposite orders."""
    s.welcome("r0")
    s.welcome("r1")
    first, second = s.post("p"), s.post("q")
    s.show("r0", first, second)
    s.show("r1", second, first, outcomes=["new", "reordered"])
    s.read_back()
    return {"sent": 2, "acknowledged": 2, "owed": 4, "delivered": 4, "reordered": 1, "readers": 2}


@case
def opposite_orders_with_ids_to_match(s: Story) -> Body:
    """Each reader is told ids that ascend, but they are not the same ids."""
    s.welcome("r0")
    s.welcome("r1")
    first, second = s.post("p"), s.post("q")
    s.show("r0", first, second)
    s.show("r1", {**second, "id": first["id"]}, {**first, "id": second["id"]})
    s.read_back()
    return {"sent": 2, "acknowledged": 2, "owed": 4, "delivered": 4, "misnamed": 2, "readers": 2}


@case
def acknowledged_as_another(s: Story) -> Body:
    """The id of the acknowledgement is not the one that is shown and kept."""
    s.welcome("r0")
    for n in range(3):
        seq, at = s.send()
        made = s.message("a", "p", seq, at)
        s.log.setdefault("a", []).append(made)
        s.ack(seq, made["id"] if n != 1 else "000999")
        s.show("r0", made)
    s.read_back()
    return {
        "sent": 3,
        "acknowledged": 3,
        "owed": 3,
        "delivered": 3,
        "misnamed": 1,
        "reordered": 1,
        "readers": 1,
    }


@case
def acknowledged_twice_with_two_ids(s: Story) -> Body:
    """A retry with the same key is answered with another id."""
    s.welcome("r0")
    made = s.post()
    s.ack(0, "000777")
    s.show("r0", made)
    s.read_back()
    return {"sent": 1, "acknowledged": 1, "owed": 1, "delivered": 1, "misnamed": 1, "readers": 1}


@case
def one_message_under_two_ids(s: Story) -> Body:
    """A retry became a second message: shown twice, kept twice."""
    s.welcome("r0")
    made = s.post()
    again = {**made, "id": "000050"}
    s.show("r0", made, again, outcomes=["new", "duplicated"])
    s.log["a"].append(again)
    s.read_back()
    return {
        "sent": 1,
        "acknowledged": 1,
        "owed": 1,
        "delivered": 1,
        "duplicated": 1,
        "misnamed": 2,
        "readers": 1,
    }


@case
def two_readers_two_ids(s: Story) -> Body:
    """The same message has another id for each of two readers in two processes."""
    s.welcome("r0")
    s.welcome("r1", process=1)
    made = s.post()
    s.show("r0", made)
    s.show("r1", {**made, "id": "000050"}, process=1)
    s.read_back()
    return {"sent": 1, "acknowledged": 1, "owed": 2, "delivered": 2, "misnamed": 1, "readers": 2}


@case
def two_messages_under_one_id(s: Story) -> Body:
    """The second message comes under the first one's id."""
    s.welcome("r0")
    first, second = s.post("p"), s.post("q")
    s.show("r0", first, {**second, "id": first["id"]}, outcomes=["new", "reordered"])
    s.read_back()
    return {
        "sent": 2,
        "acknowledged": 2,
        "owed": 2,
        "delivered": 2,
        "reordered": 1,
        "misnamed": 1,
        "readers": 1,
    }


@case
def announced_gap_that_lost(s: Story) -> Body:
    """Ten acknowledged, three shown, seven swallowed by an announced gap, none in the history."""
    s.welcome("r0")
    for n in range(10):
        made = s.post(logged=n < 3)
        if n < 3:
            s.show("r0", made)
    s.welcome("r0", *s.log["a"], more=False)
    s.read_back()
    return {
        "sent": 10,
        "acknowledged": 10,
        "owed": 10,
        "delivered": 3,
        "lost": 7,
        "vanished": 7,
        "gaps": 1,
        "readers": 1,
    }


@case
def announced_gap_that_skipped(s: Story) -> Body:
    """What an announced gap swallowed is in the history: skipped, not lost. The rest is owed."""
    s.welcome("r0")
    made = [s.post() for _ in range(8)]
    s.show("r0", *made[:3])
    s.welcome("r0", made[6], made[7], more=True)
    after = s.post()
    s.show("r0", after)
    s.read_back()
    return {
        "sent": 9,
        "acknowledged": 9,
        "owed": 9,
        "delivered": 6,
        "recovered": 2,
        "skipped": 3,
        "gaps": 1,
        "readers": 1,
    }


@case
def lost_after_an_announced_gap(s: Story) -> Body:
    """A gap excuses nothing that was sent after it was announced."""
    s.welcome("r0")
    s.show("r0", s.post())
    s.post()
    s.welcome("r0", topics=["a"], more=True)
    s.post()
    s.show("r0", s.post())
    s.read_back()
    return {
        "sent": 4,
        "acknowledged": 4,
        "owed": 4,
        "delivered": 2,
        "skipped": 1,
        "lost": 1,
        "gaps": 1,
        "readers": 1,
    }


@case
def a_gap_with_nothing_left(s: Story) -> Body:
    """After a restart the server knows no topic and says so: all before is lost."""
    s.welcome("r0")
    for _ in range(4):
        s.show("r0", s.post())
    s.post()
    s.log.clear()
    s.welcome("r0", more=False)
    s.show("r0", s.post())
    s.read_back()
    return {
        "sent": 6,
        "acknowledged": 6,
        "owed": 6,
        "delivered": 5,
        "lost": 1,
        "vanished": 5,
        "gaps": 1,
        "readers": 1,
    }


@case
def absent_from_the_welcome(s: Story) -> Body:
    """The topic is not among the welcome's messages though there are older ones: what was sent
    after the welcome came is owed, what was sent before may have been history."""
    s.post()
    s.post()
    s.welcome("r0", more=True)
    for _ in range(5):
        s.post()
    s.read_back()
    return {"sent": 7, "acknowledged": 7, "owed": 5, "lost": 5, "readers": 1}


@case
def history_at_the_welcome_is_not_owed(s: Story) -> Body:
    """The welcome lists two of five; what follows is shown."""
    made = [s.post() for _ in range(5)]
    s.welcome("r0", *made[3:], more=True)
    s.show("r0", s.post())
    s.read_back()
    return {"sent": 6, "acknowledged": 6, "owed": 1, "delivered": 1, "readers": 1}


@case
def hole_at_the_welcome(s: Story) -> Body:
    """What was logged between the welcome's list and the subscription is never shown."""
    made = [s.post() for _ in range(3)]
    s.welcome("r0", *made[1:], more=True)
    s.post()
    s.show("r0", s.post())
    s.read_back()
    return {"sent": 5, "acknowledged": 5, "owed": 2, "delivered": 1, "lost": 1, "readers": 1}


@case
def on_its_way_at_the_welcome(s: Story) -> Body:
    """Sent before the welcome, shown after it, with the position known: owed and delivered."""
    first = s.post("q")
    seq, at = s.send("p")
    s.welcome("r0", first)
    made = s.message("a", "p", seq, at)
    s.log["a"].append(made)
    s.ack(seq, made["id"])
    s.show("r0", made)
    s.read_back()
    return {"sent": 2, "acknowledged": 2, "owed": 1, "delivered": 1, "readers": 1}


@case
def unacknowledged_shown_to_all(s: Story) -> Body:
    """Never acknowledged, but in the log and shown to both: nothing is wrong."""
    s.welcome("r0")
    s.welcome("r1")
    made = s.post(acked=False)
    s.show("r0", made)
    s.show("r1", made)
    s.post("q", acked=False, logged=False)
    s.read_back()
    return {"sent": 2, "indeterminate": 2, "owed": 2, "delivered": 2, "readers": 2}


@case
def unacknowledged_shown_to_one_of_two(s: Story) -> Body:
    """Never acknowledged, in the log, shown to one of two: the other has lost it."""
    s.welcome("r0")
    s.welcome("r1")
    s.show("r0", s.post(acked=False))
    s.read_back()
    return {"sent": 1, "indeterminate": 1, "owed": 2, "delivered": 1, "lost": 1, "readers": 2}


@case
def shown_and_not_in_the_history(s: Story) -> Body:
    """Never acknowledged and shown, but not in the history, nor when it was looked up again."""
    s.welcome("r0")
    made = s.post(acked=False, logged=False)
    s.show("r0", made)
    s.read_back()
    return {
        "sent": 1,
        "indeterminate": 1,
        "delivered": 1,
        "vanished": 1,
        "readers": 1,
        "strays": {"a": [made["id"]]},
    }


@case
def shown_and_later_in_the_history(s: Story) -> Body:
    """It was logged after the history had been read: found when it was looked up again."""
    s.welcome("r0")
    made = s.post(acked=False, logged=False)
    s.show("r0", made)
    s.read_back()
    return {
        "sent": 1,
        "indeterminate": 1,
        "delivered": 1,
        "readers": 1,
        "strays": {"a": [made["id"]]},
        "again": {"a": [made["id"]]},
    }


@case
def acknowledged_and_not_durable(s: Story) -> Body:
    """Acknowledged and shown to everybody, and then not in the history."""
    s.welcome("r0")
    for n in range(3):
        s.show("r0", s.post(logged=n != 1))
    s.read_back()
    return {"sent": 3, "acknowledged": 3, "owed": 3, "delivered": 3, "vanished": 1, "readers": 1}


@case
def sent_by_nobody(s: Story) -> Body:
    """A poster that is not there, and a sequence that was never sent."""
    s.welcome("r0")
    s.show("r0", s.post())
    s.show("r0", s.message("a", "ghost", 0, s.tick()), s.message("a", "p", 7, s.tick()))
    s.read_back()
    return {"sent": 1, "acknowledged": 1, "owed": 1, "delivered": 1, "unexpected": 2, "readers": 1}


@case
def damaged_and_unasked_for(s: Story) -> Body:
    """A content changed in length, one changed in its padding, a topic not subscribed to."""
    s.welcome("r0")
    made, other = s.post(), s.post(topic="b")
    padding = {**made, "content": made["content"][:-1] + "X"}
    s.show("r0", {**made, "content": made["content"] + "!"}, outcomes=["corrupt"])
    s.show("r0", padding, other, outcomes=["corrupt"] * 2)
    s.show("r0", made)
    s.read_back("a", "b")
    return {"sent": 2, "acknowledged": 2, "owed": 1, "delivered": 1, "corrupt": 3, "readers": 1}


@case
def foreign(s: Story) -> Body:
    """Other people's words, and another run's."""
    s.welcome("r0")
    s.show("r0", {"id": "000900", "topic": "a", "content": "hello"}, outcomes=["foreign"])
    content = write(Mark("other", "p", 0, 1, 1), 60)
    s.show("r0", {"id": "000901", "topic": "a", "content": content}, outcomes=["foreign"])
    s.show("r0", s.post())
    s.read_back()
    return {"sent": 1, "acknowledged": 1, "owed": 1, "delivered": 1, "foreign": 2, "readers": 1}


@case
def resumed(s: Story) -> Body:
    """A resume continues the account; an older cursor excuses its repeats; a later one does not."""
    s.welcome("r0")
    first = s.post()
    s.show("r0", first)
    s.do("position", 0, reader="r0", confirmed=False, messages=[first])
    away = s.post()
    s.show("r0", first, away, resumed_before=s.now + 500, outcomes=["overlap", "new"])
    s.do("position", 0, reader="r0", confirmed=True, messages=[])
    s.show("r0", away, outcomes=["duplicated"])
    s.read_back()
    return {
        "sent": 2,
        "acknowledged": 2,
        "owed": 2,
        "delivered": 2,
        "recovered": 1,
        "overlap": 1,
        "duplicated": 1,
        "readers": 1,
    }


@case
def left_early(s: Story) -> Body:
    """A reader that left is owed only what it got past."""
    s.welcome("r0")
    made = [s.post() for _ in range(6)]
    s.show("r0", made[0], made[1], made[3])
    s.do("leave", 0, reader="r0")
    s.read_back()
    return {
        "sent": 6,
        "acknowledged": 6,
        "owed": 4,
        "delivered": 3,
        "lost": 1,
        "left": 1,
        "readers": 1,
    }


@case
def older_than_what_is_kept(s: Story) -> Body:
    """The server keeps three messages and says so: older ones cannot be looked up."""
    s.welcome("r0")
    for _ in range(5):
        s.show("r0", s.post())
    s.log["a"] = s.log["a"][2:]
    s.read_back()
    return {
        "sent": 5,
        "acknowledged": 5,
        "owed": 5,
        "delivered": 5,
        "unproven": 2,
        "readers": 1,
        "kept": 3,
    }


@case
def history_not_read(s: Story) -> Body:
    """The history could not be read: what the readers were shown still counts."""
    s.welcome("r0")
    s.show("r0", s.post())
    s.post()
    return {
        "sent": 2,
        "acknowledged": 2,
        "owed": 2,
        "delivered": 1,
        "lost": 1,
        "unread": 1,
        "readers": 1,
    }


@case
def two_topics(s: Story) -> Body:
    """A loss in one topic is not made up for by another."""
    s.welcome("r0", topics=("a", "b"))
    one, two = s.post("p", "a"), s.post("p", "b")
    s.show("r0", one)
    s.read_back("a", "b")
    assert two
    return {"sent": 2, "acknowledged": 2, "owed": 2, "delivered": 1, "lost": 1, "readers": 1}


@case
def shown_before_its_turn_in_two_topics(s: Story) -> Body:
    """Between topics there is no order to break."""
    s.welcome("r0", topics=("a", "b"))
    one, two = s.post("p", "a"), s.post("p", "b")
    s.show("r0", two, one)
    s.read_back("a", "b")
    return {"sent": 2, "acknowledged": 2, "owed": 2, "delivered": 2, "readers": 1}


@case
def a_reader_that_joined_late(s: Story) -> Body:
    """Joins when four are there, listed in its welcome, with one reader there from the start."""
    s.welcome("r0")
    made = [s.post() for _ in range(4)]
    s.show("r0", *made)
    s.welcome("r1", *made[2:], more=True)
    last = s.post()
    s.show("r0", last)
    s.show("r1", last)
    s.read_back()
    return {"sent": 5, "acknowledged": 5, "owed": 6, "delivered": 6, "readers": 2}


def texts() -> dict[str, str]:
    """File name → text of every case."""
    return {
        f"{name}.json": json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
        for name, build in CASES.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
