"""The people of one private room: they talk, one of them is removed and comes back, and strangers
try to hear something. :mod:`chatload.rooms` says what that proves."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import gevent

from chatload.accounts import EVERYWHERE, Account, Api, segment
from chatload.bench import Bench
from chatload.participant import Participant
from chatload.rooms import Posted, RoomBook

#: Mean seconds that the one who comes and goes is a member, and is not.
STAYS, IS_AWAY = 1.5, 1.0
#: Pages of a room's history, when it is read back.
PAGES = 1_000


class RoomCrew:
    """One room. accounts: a creator, two who stay, one who is removed, one stranger; a guest is a
    stranger as well. rate: posts a second in this room. book: where all is written down."""

    def __init__(
        self,
        bench: Bench,
        api: Api,
        name: str,
        accounts: list[Account],
        rate: float,
        rng: random.Random,
        book: RoomBook,
    ) -> None:
        self.bench, self._api, self._name, self._rate = bench, api, name, rate
        self._rng, self._book = rng, book
        self._creator, self._changing, self._stranger = accounts[0], accounts[3], accounts[4]
        self._staying = accounts[:3]
        self._people: dict[str, Participant] = {}
        self._acts: list[gevent.Greenlet[..., Any]] = []
        self.room = ""

    def run(self) -> None:
        """The greenlet: make the room, let everybody in, act until the load ends."""
        # Without a room there is nothing to check.
        if not self._make():
            self.bench.failure("room", "not made")
            return
        gevent.sleep(EVERYWHERE)
        # Members: two who stay, the creator, and the one who changes.
        for account in (*self._staying, self._changing):
            self._come(f"{self._name}-{len(self._people)}", [self.room], account)
        named = self.room.encode()
        # Two who must hear nothing: an account that is no member, and a guest.
        for name, stranger in ((f"{self._name}-s", self._stranger), (f"{self._name}-g", None)):
            self._come(name, ["*"], stranger, lambda raw: named in raw)
        members = list(self._people.values())[:4]
        # Owed is what comes once they are there.
        for one in members:
            one.connected.wait(EVERYWHERE)
        # Who stays is owed everything from now on.
        for one in members[:3]:
            # Who never connected is owed nothing.
            if one.since is not None:
                self._book.owed[self.room, one.name] = one.since
        self._acts.append(gevent.spawn(self._change, members[3]))
        # Post at random instants until the load ends.
        while not self.bench.draining:
            gevent.sleep(self._rng.expovariate(self._rate))
            poster = self._rng.choice(members)
            # Who is at it, or when the load ends: not now.
            if not poster.turn.locked() and not self.bench.draining:
                self._acts.append(gevent.spawn(self._post, poster))

    def idle(self) -> bool:
        """Whether every act has ended."""
        return all(one.dead for one in self._acts)

    def stop(self) -> None:
        """Everybody leaves."""
        gevent.killall(self._acts, block=False)
        # Close every connection.
        for one in self._people.values():
            one.stop()

    def history(self) -> set[str] | None:
        """The ids of the room's history as its creator reads it back; None when it cannot be."""
        ids: set[str] = set()
        path = f"/api/v1/messages?topic={segment(self.room)}&limit=200"
        before = ""
        # Page by page to the beginning.
        for _ in range(PAGES):
            status, body = self._api.ask("GET", path + before, token=self._creator.token)
            # A page that does not come leaves the history unread.
            if status != 200:
                return None
            page = [one["id"] for one in body["messages"]]
            ids.update(page)
            # The beginning is reached.
            if not body["more"] or not page:
                return ids
            before = f"&before={segment(page[0])}"
        return None

    def finished(self) -> bool:
        """Whether nobody who is owed something lost a cursor."""
        return bool(self.room) and not any(
            one.gap or one.since is None for one in list(self._people.values())[:3]
        )

    def _make(self) -> bool:
        """The room and its members."""
        key = f"{self.bench.ledger.run}:{self._name}"
        asked = self.bench.now()
        members = [one.email for one in (*self._staying[1:], self._changing)]
        body = {"key": key, "name": f"Load room {self._name}", "members": members}
        status, made = self._api.ask("POST", "/api/v1/rooms", body, self._creator.token)
        # The server refused: the run cannot be checked.
        if status not in (200, 201):
            return False
        self.room = made["room"]
        # Note from when on each is a member.
        for number in range(4):
            self._book.join(self.room, f"{self._name}-{number}", asked)
        return True

    def _come(
        self,
        name: str,
        topics: list[str],
        account: Account | None,
        wanted: Callable[[bytes], bool] = lambda _: True,
    ) -> None:
        """Somebody opens a socket."""
        stranger = topics == ["*"]

        def hear(frame: dict[str, Any], now: int) -> None:
            """Write down what comes. What names the room is too much for a stranger."""
            # A stranger may be shown no frame that names the room.
            if stranger:
                # A leak, whatever the frame is.
                if self.room in repr(frame):
                    self._book.heard.append((self.room, name))
                return
            # A member is shown the room's messages.
            for message in frame.get("messages", []):
                # Other topics are not this room's.
                if message["topic"] == self.room:
                    self._book.show(self.room, name, message["key"], now, live=True)

        self._people[name] = person = Participant(
            self.bench, name, topics, account, self._rng, hear, wanted=wanted
        )
        person.start()

    def _post(self, poster: Participant) -> None:
        """One post, written down before it is sent; the sent instant is that of the first try."""
        # One act of a person at a time.
        with poster.turn:
            # The end came while it waited for its turn.
            if self.bench.draining:
                return
            key = poster.key()
            self._book.posts[key] = post = Posted(self.room, self.bench.now())
            answer = poster.post(key, self.room, f"a word in the room from {poster.name}")
        # What was not acknowledged may be there or not.
        if answer is not None and answer["type"] == "ack":
            post.id = answer["id"]
            self.bench.count("room posts")

    def _change(self, person: Participant) -> None:
        """The greenlet of one who is removed and comes back, and of what is asked meanwhile."""
        path = f"/api/v1/rooms/{segment(self.room)}/members/{segment(self._changing.email)}"
        # Out and in again until the load ends.
        while not self.bench.draining:
            gevent.sleep(self._rng.expovariate(1 / STAYS))
            status, _ = self._api.ask("DELETE", path, token=self._creator.token)
            # Not removed: then nothing follows from it.
            if status != 204:
                self.bench.failure("room", f"removal answered {status}")
                continue
            self._book.removed(self.room, person.name, self.bench.now())
            self.bench.count("removals")
            # What is said right behind the answer is what a late pod would still show.
            stays = next(iter(self._people.values()))
            self._post(stays)
            self._look_back(person)
            self._pry()
            gevent.sleep(self._rng.expovariate(1 / IS_AWAY))
            self._book.join(self.room, person.name, self.bench.now())
            status, _ = self._api.ask("PUT", path, token=self._creator.token)
            # Not added again.
            if status != 204:
                self.bench.failure("room", f"adding answered {status}")

    def _look_back(self, person: Participant) -> None:
        """The removed asks for the room's history: what was said since must not be in it."""
        path = f"/api/v1/messages?topic={segment(self.room)}&limit=50"
        status, body = self._api.ask("GET", path, token=self._changing.token)
        now = self.bench.now()
        # What the removed is given is a leak, if it came after the removal.
        if status == 200:
            # As if it had been shown it.
            for message in body["messages"]:
                self._book.show(self.room, person.name, message["key"], now, live=False)

    def _pry(self) -> None:
        """A stranger who knows the room's name, and an id in it, asks for all there is."""
        room, token = segment(self.room), self._stranger.token
        ids = [one.id for one in self._book.posts.values() if one.id and one.room == self.room]
        post = {"key": f"{self.bench.ledger.run}:pry:{time.monotonic_ns()}", "content": "knock"}
        asks: list[tuple[str, str, str, Any]] = [
            ("history", "GET", f"/api/v1/messages?topic={room}", None),
            ("room", "GET", f"/api/v1/rooms/{room}", None),
            ("post", "POST", "/api/v1/messages", {**post, "topic": self.room}),
        ]
        # Ask for the last message by its id.
        if ids:
            last = segment(ids[-1])
            asks += [
                ("vote", "PUT", f"/api/v1/messages/{last}/vote", {"vote": 1}),
                ("deletion", "DELETE", f"/api/v1/messages/{last}", None),
                ("replies", "GET", f"/api/v1/messages?topic={room}&reply_to={last}", None),
            ]
        # What was asked for least: a few removals are enough for all there is.
        counts = Counter(what for _, what, _ in self._book.asked)
        least = min(counts[what] for what, *_ in asks)
        what, method, path, body = self._rng.choice(
            [one for one in asks if counts[one[0]] == least]
        )
        status, _ = self._api.ask(method, path, body, token)
        # Too many requests, or a failure, tells nothing about the room.
        if status and status != 429 and status < 500:
            self._book.asked.append((self.room, what, status))
        self.bench.count("strangers' asks")


def settle(book: RoomBook, crews: list[RoomCrew], wait: float) -> dict[str, set[str] | None]:
    """Wait until acts have ended and those who are owed something have been shown it, at most
    ``wait`` seconds; then read the rooms back."""
    deadline = time.monotonic() + wait
    # Let posts and removals that are under way come to their end.
    while time.monotonic() < deadline and not all(one.idle() for one in crews):
        gevent.sleep(0.1)
    # Then wait for what is owed, as long as there is time.
    while time.monotonic() < deadline and _waiting(book):
        gevent.sleep(0.1)
    return {one.room: one.history() for one in crews if one.room}


def _waiting(book: RoomBook) -> bool:
    """Whether somebody who is owed a message has not been shown it."""
    acked = [(key, one) for key, one in book.posts.items() if one.id]
    return any(
        one.room == room and one.sent > since and not book.live.get((room, person), Counter())[key]
        for (room, person), since in book.owed.items()
        for key, one in acked
    )
