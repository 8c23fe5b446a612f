"""Accounts of a run: made over the API before its load begins, and dealt out to the workers.

The work of a registration (argon2id) is the server's and heavy, so it must not fall into the time
that is measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import gevent
from gevent.pool import Pool

#: Seconds for one call, and how often one that may be tried again is tried.
TIMEOUT, TRIES = 10.0, 6
#: Seconds before the first repetition; twice as long each time.
PAUSE = 0.25
#: Registrations under way at a time: more would only wait in the server's queue.
AT_ONCE = 4
#: Seconds until an account, a token or a membership holds on every pod (the contract's 2 s).
EVERYWHERE = 2.0
#: People that one private room takes: a creator, two who stay, one who is removed, one stranger.
ROOM_PEOPLE = 5


class AccountError(Exception):
    """An account could not be made; the text says why, without addresses."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who is signed in. token: a secret of this run; it is in no artefact and no log."""

    account: str
    email: str
    name: str
    token: str

    def packed(self) -> dict[str, str]:
        """The form that travels to a worker."""
        return asdict(self)


class Api:
    """The chat's HTTP calls. target: tells a base URL, asked anew for each call."""

    def __init__(self, target: Callable[[], str]) -> None:
        self._target = target

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """One call: the status and the decoded JSON (None without one); status 0: no answer."""
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = Request(self._target() + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                return int(answer.status), _decoded(answer.read())
        except HTTPError as error:
            with error:
                return int(error.code), _decoded(error.read())
        except (OSError, HTTPException):
            return 0, None

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """The same, tried again while the answer is one that is worth it. For calls that may be
        repeated."""
        status, answer = 0, None
        for attempt in range(TRIES):
            status, answer = self.call(method, path, body, token)
            if status and status != 429 and status < 500:
                break
            gevent.sleep(PAUSE * 2**attempt)
        return status, answer


def _decoded(raw: bytes) -> Any:
    """JSON of a body; None for what is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


def segment(text: str) -> str:
    """A text as one segment of a path, or one value of a query."""
    return quote(text, safe="")


def make_account(api: Api, run: str, number: int) -> Account:
    """Account ``number`` of a run. Raises AccountError."""
    password = f"load {run} {number} padding"
    body = {"email": f"a{number}.{run}@load.example", "name": f"Load account {number}"}
    status, answer = api.ask("POST", "/api/v1/accounts", {**body, "password": password})
    if status == 409:  # made by a try whose answer was lost
        sign_in = {"email": body["email"], "password": password}
        status, answer = api.ask("POST", "/api/v1/session", sign_in)
    try:
        if status not in (200, 201):
            raise AccountError(f"no account: status {status}")
        made = answer["account"]
        return Account(made["account"], made["email"], made["name"], answer["token"])
    except (KeyError, TypeError) as error:
        raise AccountError("no account: an answer without one") from error


def make_accounts(api: Api, run: str, number: int) -> list[Account]:
    """All accounts of a run, and the time until they hold everywhere. Raises AccountError."""
    pool = Pool(AT_ONCE)
    made: list[Account] = []

    def one(index: int) -> Account | AccountError:
        """An error is returned, so that the pool does not print it."""
        try:
            return make_account(api, run, index)
        except AccountError as error:
            return error

    for found in pool.imap(one, range(number)):
        if isinstance(found, AccountError):
            pool.kill()
            raise found
        made.append(found)
    if made:
        time.sleep(EVERYWHERE)
    return made


@dataclass(frozen=True, slots=True)
class Hand:
    """What one worker gets: its accounts, and how many private rooms it is to fill, each with the
    next :data:`ROOM_PEOPLE` of them."""

    accounts: list[Account]
    rooms: int

    def packed(self) -> dict[str, Any]:
        """The form that travels to a worker."""
        return {"accounts": [one.packed() for one in self.accounts], "rooms": self.rooms}

    @classmethod
    def unpacked(cls, body: Any) -> Hand:
        """A hand from :meth:`packed`; an empty one from nothing."""
        if not body:
            return cls([], 0)
        return cls([Account(**one) for one in body["accounts"]], int(body["rooms"]))


def deal(accounts: Sequence[Account], rooms: int, workers: Sequence[str]) -> dict[str, Hand]:
    """Accounts and rooms over workers, a room's people together: worker → its hand. Pure."""
    hands: dict[str, Hand] = {name: Hand([], 0) for name in workers}
    if not workers:
        return hands
    for number in range(rooms):
        name = workers[number % len(workers)]
        chunk = accounts[number * ROOM_PEOPLE : (number + 1) * ROOM_PEOPLE]
        hands[name] = Hand([*hands[name].accounts, *chunk], hands[name].rooms + 1)
    for number, one in enumerate(accounts[rooms * ROOM_PEOPLE :]):
        hands[workers[number % len(workers)]].accounts.append(one)
    return hands
