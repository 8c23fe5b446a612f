"""The people with accounts of one load process: private rooms, and a conversation."""

from __future__ import annotations

import random
from typing import Any

import gevent

from chatload import members, rooms
from chatload.accounts import ROOM_PEOPLE, Api, Hand
from chatload.bench import Bench
from chatload.findings import Findings
from chatload.rooms import RoomBook
from chatload.talkers import TalkCrew

#: Most seconds until those who are owed something have been shown it.
WAIT = 10.0


class Crews:
    """All of one run in one process. hand: its accounts and rooms. name: of this process."""

    def __init__(self, bench: Bench, name: str, hand: Hand) -> None:
        options = bench.options
        rng = random.Random(f"{options.seed}/{name}/people")
        api = Api(lambda: bench.target(rng))
        self._book = RoomBook()
        share = len(hand.accounts) / options.accounts if options.accounts else 0.0
        rate = max(0.1, options.people_rate * share)
        # Rooms and conversation get equal parts where there are both.
        talks = options.talks and bool(hand.accounts)
        part = 2 if talks and hand.rooms else 1
        self._rooms = [
            members.RoomCrew(
                bench,
                api,
                f"m{name}-{number}",
                hand.accounts[number * ROOM_PEOPLE : (number + 1) * ROOM_PEOPLE],
                rate / part / hand.rooms,
                rng,
                self._book,
            )
            for number in range(hand.rooms)
        ]
        self._talk = [TalkCrew(bench, api, name, hand.accounts, rate / part, rng)] if talks else []
        self._all: list[members.RoomCrew | TalkCrew] = [*self._rooms, *self._talk]
        self._greenlets: list[gevent.Greenlet[..., Any]] = []

    def start(self) -> None:
        """Everybody comes, in the background."""
        for one in self._all:
            self._greenlets.append(gevent.spawn(one.run))

    def settle(self) -> Findings:
        """The load is over: wait for what is under way, then say what was found.
        Everybody leaves."""
        gevent.joinall(self._greenlets, timeout=WAIT)
        histories = members.settle(self._book, self._rooms, WAIT)
        found = rooms.check(self._book, histories)
        found.unchecked += sum(not one.finished() for one in self._rooms)
        # Where nothing was done, nothing is proved.
        found.unchecked += bool(self._rooms) and not (found.room_posts and found.removals)
        for talk in self._talk:
            found.merge(talk.settle(WAIT))
            found.unchecked += not found.talk_posts
        self.stop()
        return found

    def stop(self) -> None:
        """Everybody leaves."""
        gevent.killall(self._greenlets, block=False)
        for one in self._all:
            one.stop()
