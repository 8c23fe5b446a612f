"""The fake chat's accounts, rooms and conversation, and how it breaks their promises.

Beside tests/fakechat.py, which owns the log and the sockets. Everything holds at once: one process.
"""

from __future__ import annotations

import argparse
import random
import string
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chatload import filters

#: Kinds of mischief: chances, and what they do.
MISCHIEF = (
    ("leak", "a room's message goes to a stranger"),
    ("ghost", "a removed member is shown what is sent within a second of the removal"),
    ("tell", "a stranger's question about a room is answered 403"),
    ("lose-room", "a room's message is not shown to a member"),
    ("miscount", "a vote is acknowledged and not counted"),
    ("forget-reply", "a reply is not counted"),
    ("undelete", "a deletion is answered, and the content stays"),
    ("keep", "an ephemeral message is put into the log"),
    ("misfilter", "a filtered reader is shown what does not match"),
    ("hide", "a filtered reader is not shown what matches"),
)

Answer = tuple[str, Any]
NOT_FOUND: Answer = ("404 Not Found", {"code": "not_found"})
NO_CONTENT: Answer = ("204 No Content", None)


@dataclass(eq=False)
class Room:
    """One private room; its members by address, the creator first."""

    topic: str
    name: str
    members: list[str]
    #: Address → until when (monotonic) it is still shown what is said, though it was removed.
    ghosts: dict[str, float] = field(default_factory=dict)


class FakePeople:
    """Accounts, tokens, rooms, votes. args: the chances. log: the chat's, oldest first."""

    def __init__(self, args: argparse.Namespace, log: list[dict[str, Any]]) -> None:
        self._args, self._log, self._rng = args, log, random.Random(args.seed)
        self.truth = {name.replace("-", "_"): 0 for name, _ in MISCHIEF}
        self._accounts: dict[str, dict[str, str]] = {}
        #: token → address.
        self._tokens: dict[str, str] = {}
        self.rooms: dict[str, Room] = {}
        #: (id, address) → vote.
        self._votes: dict[tuple[str, str], int] = {}
        #: Ids whose numbers changed and have not been told.
        self.changed: set[str] = set()

    def _happens(self, name: str) -> bool:
        """Whether this mischief happens now; counted."""
        word = name.replace("-", "_")
        happens: bool = self._rng.random() < getattr(self._args, word)
        self.truth[word] += happens
        return happens

    def who(self, token: str) -> dict[str, str] | None:
        """The account of a token."""
        return self._accounts.get(self._tokens.get(token, ""))

    # -- what a session is shown -----------------------------------------------------------------

    def member(self, topic: str, email: str) -> bool:
        """Whether this address may see this topic."""
        return not topic.startswith("~") or (
            topic in self.rooms and email in self.rooms[topic].members
        )

    def shown(self, topics: set[str] | None, email: str, text: str, message: Any) -> bool:
        """Whether a session is shown a message: by rights, topics and filter, and mischief."""
        topic = message["topic"]
        if topic.startswith("~"):
            room = self.rooms[topic]
            if email in room.members:
                return topics is not None and not self._happens("lose-room")
            if time.monotonic() < room.ghosts.get(email, 0.0):
                return True
            return topics is None and self._happens("leak")
        if topics is not None and topic not in topics:
            return False
        if not text:
            return True
        matcher = filters.parse(text)
        assert matcher is not None
        stamp = datetime.fromisoformat(message["time"].replace("Z", "+00:00"))
        account = message.get("account", "")
        reader = filters.Reader(account=self._accounts[email]["account"] if email else "")
        matched = matcher(
            filters.Message(
                content=message["content"],
                name=message["name"],
                email=message["email"],
                topic=topic,
                account=account,
                reply=bool(message.get("reply_to")),
                time=round(stamp.timestamp() * 1000),
            ),
            reader,
        )
        return not self._happens("hide") if matched else self._happens("misfilter")

    # -- posts over a socket ---------------------------------------------------------------------

    def refused(self, body: Mapping[str, Any], email: str) -> bool:
        """Whether a post is not_found."""
        if not self.member(body["topic"], email):
            return True
        parent = body.get("reply_to")
        if parent is None:
            return False
        found = self.find(parent)
        return found is None or bool(found.get("deleted"))

    def sign(self, body: dict[str, Any], email: str) -> dict[str, Any]:
        """A post with what its account adds."""
        account = self._accounts.get(email)
        if account is None:
            return body
        mine = {"name": account["name"], "email": email, "account": account["account"]}
        return {**body, **mine, "verified": True}

    def keeps(self) -> bool:
        """Whether an ephemeral message is put into the log."""
        return self._happens("keep")

    def appended(self, message: dict[str, Any]) -> None:
        """A message came into the log: it may be a reply."""
        parent = self.find(message.get("reply_to", ""))
        if parent is not None and not self._happens("forget-reply"):
            parent["replies"] = parent.get("replies", 0) + 1
            self.changed.add(parent["id"])

    def updates(self) -> list[dict[str, Any]]:
        """The newest numbers of what changed; forgotten with that."""
        found = [one for one in map(self.find, sorted(self.changed)) if one is not None]
        self.changed.clear()
        names = ("up", "down", "replies")
        return [
            {"id": one["id"], "topic": one["topic"], **{name: one.get(name, 0) for name in names}}
            for one in found
        ]

    def find(self, message_id: str) -> dict[str, Any] | None:
        """A message of the log."""
        return next((one for one in reversed(self._log) if one["id"] == message_id), None)

    # -- HTTP ------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any, token: str) -> Answer:
        """One call other than a page of history."""
        parts = [unquote(one) for one in path.removeprefix("/api/v1/").split("/")]
        if (method, parts) == ("POST", ["accounts"]):
            return self._register(body)
        account = self.who(token)
        if account is None:
            return "401 Unauthorized", {"code": "unauthorised"}
        email = account["email"]
        if (method, parts) == ("POST", ["rooms"]):
            return self._open(body, account)
        if parts[0] == "rooms":
            return self._room(method, parts, email)
        if method == "POST":
            return NOT_FOUND if not self.member(body["topic"], email) else ("400 Bad Request", {})
        message = self.find(parts[1])
        if message is None or not self.member(message["topic"], email):
            told = message is not None and self._happens("tell")
            return ("403 Forbidden", {}) if told else NOT_FOUND
        if method == "PUT":
            return self._vote(message, email, body["vote"])
        return self._delete(message, email)

    def _register(self, body: dict[str, str]) -> Answer:
        """A new account."""
        letters = string.ascii_lowercase + "234567"
        made = {
            "account": "".join(self._rng.choices(letters, k=16)),
            "email": body["email"],
            "name": body["name"],
        }
        self._accounts[made["email"]] = made
        token = f"{self._rng.getrandbits(256):064x}"
        self._tokens[token] = made["email"]
        return "201 Created", {"account": made, "token": token}

    def _open(self, body: dict[str, Any], account: dict[str, str]) -> Answer:
        """A new room."""
        topic = "~" + "".join(self._rng.choices(string.ascii_lowercase, k=16))
        self.rooms[topic] = Room(topic, body["name"], [account["email"], *body["members"]])
        return "201 Created", {"room": topic, "name": body["name"]}

    def _room(self, method: str, parts: list[str], email: str) -> Answer:
        """A room, or one of its members."""
        room = self.rooms.get(parts[1])
        if room is None or email not in room.members:
            told = room is not None and self._happens("tell")
            return ("403 Forbidden", {}) if told else NOT_FOUND
        if method == "GET":
            return "200 OK", {"room": room.topic, "name": room.name}
        other = parts[3]
        if method == "DELETE" and other in room.members:
            room.members.remove(other)
            if self._happens("ghost"):
                room.ghosts[other] = time.monotonic() + 1.0
        elif method == "PUT" and other not in room.members:
            room.members.append(other)
        return NO_CONTENT

    def _vote(self, message: dict[str, Any], email: str, vote: int) -> Answer:
        """One address's vote."""
        if message.get("deleted"):
            return NOT_FOUND
        if not self._happens("miscount"):
            self._votes[message["id"], email] = vote
        mine = [v for (voted, _), v in self._votes.items() if voted == message["id"]]
        message["up"], message["down"] = mine.count(1), mine.count(-1)
        self.changed.add(message["id"])
        numbers = {name: message[name] for name in ("id", "up", "down")}
        return "200 OK", {**numbers, "vote": vote}

    def _delete(self, message: dict[str, Any], email: str) -> Answer:
        """A deletion by who posted it."""
        if message["email"] != email:
            return "403 Forbidden", {}
        if not self._happens("undelete"):
            message |= {"content": "", "deleted": True}
            self.changed.add(message["id"])
        return NO_CONTENT
