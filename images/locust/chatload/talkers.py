"""A worker's conversation: accounts that post, reply, vote, delete and say what is not kept, and
read, some through filters. :mod:`chatload.conversation` says what that proves."""

from __future__ import annotations

import random
import time
from typing import Any

import gevent

from chatload.accounts import EVERYWHERE, Account, Api, segment
from chatload.bench import Bench
from chatload.conversation import Listener, Said, TalkBook, check
from chatload.findings import Findings
from chatload.participant import Participant

#: What readers with a filter read: each kind of term, and what people really ask for.
FILTERS = (
    "#even",
    "-#even",
    "is:reply",
    "is:verified lunch",
    '"to the letter" OR #even',
    "-is:reply (tea OR lunch)",
    'from:"Load account" -tea',
)
#: Words of the messages.
WORDS = ("lunch", "tea", "to the letter", "A Letter to the editor", "naught")
#: The latest messages that are replied to, voted on and deleted.
RECENT = 40
#: Pages of a topic's history, when it is read back.
PAGES = 1_000


class TalkCrew:
    """One worker's conversation. accounts: who takes part. rate: acts a second in all."""

    def __init__(
        self,
        bench: Bench,
        api: Api,
        name: str,
        accounts: list[Account],
        rate: float,
        rng: random.Random,
    ) -> None:
        self.bench, self._api, self._accounts, self._rate = bench, api, accounts, rate
        self._rng = rng
        self.topic = f"talk-{bench.ledger.run}-{name}"
        self.book = TalkBook()
        self._people: list[tuple[Participant, Listener]] = []
        self._acts: list[gevent.Greenlet[..., Any]] = []
        #: Messages that may be replied to, voted on and deleted: (key, who posted it).
        self._recent: list[tuple[str, Participant]] = []

    def run(self) -> None:
        """The greenlet: everybody comes, then acts until the load ends."""
        options = self.bench.options
        filtered = round(options.filtered_share * len(self._accounts))
        # Some of them read through a filter, each another.
        for number, account in enumerate(self._accounts):
            text = FILTERS[number % len(FILTERS)] if number < filtered else ""
            listener = Listener(text, account.account, 0)
            self.book.listeners.append(listener)

            def hear(frame: dict[str, Any], now: int, listener: Listener = listener) -> None:
                """Write a frame down."""
                listener.since = listener.since or now
                listener.hear(frame)

            person = Participant(
                self.bench, f"t{self.topic}-{number}", [self.topic], account, self._rng, hear,
                filter=text,
            )  # fmt: skip
            self._people.append((person, listener))
            person.start()
        # Nobody talks before all are there.
        for person, _ in self._people:
            person.connected.wait(EVERYWHERE)
        # Act at random instants until the load ends.
        while not self.bench.draining:
            gevent.sleep(self._rng.expovariate(self._rate))
            person, _ = self._rng.choice(self._people)
            # Who is at it, or when the load ends: not now.
            if not person.turn.locked() and not self.bench.draining:
                self._acts.append(gevent.spawn(self._act, person))

    def stop(self) -> None:
        """Everybody leaves."""
        gevent.killall(self._acts, block=False)
        # Close every connection.
        for person, _ in self._people:
            person.stop()

    def settle(self, wait: float) -> Findings:
        """Wait until acts have ended and everything is as it should be, at most ``wait`` seconds;
        then say what is not."""
        deadline = time.monotonic() + wait
        # Let acts that are under way come to their end.
        while time.monotonic() < deadline and not all(one.dead for one in self._acts):
            gevent.sleep(0.1)
        # Who missed something, or was never there, proves nothing.
        for person, listener in self._people:
            listener.gap = person.gap or person.since is None
        # Numbers arrive a little later than messages: look again until they agree or time is up.
        while True:
            found = check(self.book, self.history())
            # Nothing to wait for any more.
            if found.clean or time.monotonic() > deadline:
                return found
            gevent.sleep(0.5)

    def history(self) -> list[dict[str, Any]] | None:
        """The topic as a guest reads it back; None when it cannot be."""
        found: list[dict[str, Any]] = []
        before = ""
        # Page by page to the beginning.
        for _ in range(PAGES):
            path = f"/api/v1/messages?topic={segment(self.topic)}&limit=200{before}"
            status, body = self._api.ask("GET", path)
            # A page that does not come leaves the history unread.
            if status != 200:
                return None
            page = body["messages"]
            found = page + found
            # The beginning is reached.
            if not body["more"] or not page:
                return found
            before = f"&before={segment(page[0]['id'])}"
        return None

    def _act(self, person: Participant) -> None:
        """One act, of a kind that the shares make likely."""
        options = self.bench.options
        # One act of a person at a time.
        with person.turn:
            # The end came while it waited for its turn.
            if self.bench.draining:
                return
            chance = self._rng.random()
            # Which act, by the shares of the settings.
            for share, act in (
                (options.reply_share, self._reply),
                (options.vote_share, self._vote),
                (options.delete_share, self._delete),
                (options.ephemeral_share, self._pass_by),
            ):
                # This share's turn; else the next one's.
                if chance < share:
                    act(person)
                    return
                chance -= share
            self._say(person)

    def _words(self) -> str:
        """Something to say."""
        tag = " #even" if self._rng.random() < 0.4 else " #evening"
        return f"{self._rng.choice(WORDS)}, {self._rng.choice(WORDS)}{tag}"

    def _say(self, person: Participant, parent: str = "") -> None:
        """A message, perhaps in reply."""
        key = person.key()
        said = self.book.said[key] = Said(self.topic, self._words(), self.bench.now(), parent)
        more = {"reply_to": parent} if parent else {}
        answer = person.post(key, self.topic, said.content, **more)
        # Whether it counts is not known.
        if answer is None:
            self.bench.failure("talk", "a post was not answered")
        elif answer["type"] == "ack":
            said.id = answer["id"]
            self._recent = [*self._recent, (key, person)][-RECENT:]
            self.bench.count("replies" if parent else "talk posts")
        else:
            said.refused = True
            # Its parent may have been deleted meanwhile: that is as it should be.
            if not (parent and answer["code"] == "not_found"):
                self.bench.failure("talk", f"post refused: {answer['code']}")

    def _chosen(self, mine: Participant | None = None) -> Said | None:
        """A recent message that nobody asked to delete; one's own, if it must be."""
        choices = [
            self.book.said[key]
            for key, by in self._recent
            if self.book.said[key].delete_asked is None and mine in (None, by)
        ]
        return self._rng.choice(choices) if choices else None

    def _reply(self, person: Participant) -> None:
        """A reply to a recent message."""
        said = self._chosen()
        self._say(person, said.id if said else "")

    def _vote(self, person: Participant) -> None:
        """A vote on a recent message; some are taken back, some repeated."""
        said, account = self._chosen(), person.account
        # There is nothing yet, or it is a guest.
        if said is None or account is None:
            return
        vote = self._rng.choice((1, 1, -1, 0))
        votes = self.book.votes.setdefault((said.id, account.email), [])
        votes.append((vote, False))
        path = f"/api/v1/messages/{segment(said.id)}/vote"
        status, body = self._api.ask("PUT", path, {"vote": vote}, account.token)
        # Acknowledged: from now on only this vote counts.
        if status == 200 and body["vote"] == vote:
            votes[-1] = (vote, True)
            self.bench.count("votes")
        elif status == 404 and said.delete_asked is not None:
            votes.pop()  # refused: it was deleted meanwhile
        else:
            self.bench.failure("talk", f"vote answered {status}")

    def _delete(self, person: Participant) -> None:
        """One's own message is deleted."""
        said, account = self._chosen(person), person.account
        # There is nothing of its own, or it is a guest.
        if said is None or account is None:
            return
        said.delete_asked = self.bench.now()
        path = f"/api/v1/messages/{segment(said.id)}"
        status, _ = self._api.ask("DELETE", path, token=account.token)
        said.deleted = status == 204
        # Counted when it was done.
        if said.deleted:
            self.bench.count("deletions")
        else:
            self.bench.failure("talk", f"deletion answered {status}")

    def _pass_by(self, person: Participant) -> None:
        """Something that is not to be kept."""
        key = person.key()
        self.book.ephemeral.add(key)
        answer = person.post(key, self.topic, self._words(), ephemeral=True)
        # Counted when it was taken.
        if answer is not None and answer["type"] == "ack":
            self.bench.count("ephemerals")
        else:
            self.bench.failure("talk", "an ephemeral post was not acknowledged")
