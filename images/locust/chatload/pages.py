"""Pages of history: what each must be, and how a topic is read back to its beginning.

A page may hold fewer messages than asked for, one at the least, with ``more`` true (the contract's
byte budget): so whoever wants all reads on until ``more`` is false.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from urllib.parse import quote
from urllib.request import Request, urlopen

from chatload.wire import Message, WireError, message

#: Messages asked for at a time.
PAGE = 200
#: Seconds for one page, how often it is tried, and seconds after which it is not tried anew.
TIMEOUT, TRIES, GIVE_UP = 10.0, 4, 10.0
#: Seconds between the first two tries; twice as long each time.
PAUSE = 0.2


class PageError(Exception):
    """A history could not be read; the text says why, without addresses."""


def faults(
    messages: Sequence[Message], topic: str | None, before: str | None, limit: int
) -> list[str]:
    """What is wrong with a page: it must be no longer than asked for, of its topic, in order, and
    before the id given."""
    ids = [one.id for one in messages]
    wrong = []
    if len(ids) > limit:
        wrong.append("more messages than asked for")
    if topic is None:
        return wrong
    if ids != sorted(set(ids)):
        wrong.append("page out of order")
    if any(one.topic != topic for one in messages):
        wrong.append("page of another topic")
    if before is not None and ids and ids[-1] >= before:
        wrong.append("page not before the message asked for")
    return wrong


def read_back(
    fetch: Callable[[str], bytes], topic: str, progress: Callable[[int], None] = lambda _: None
) -> list[Message]:
    """A topic's whole history, oldest first.

    fetch: gets a path with its query, raises OSError or HTTPException. progress: told how many
    messages were read, after each page. Raises PageError.
    """
    pages: list[list[Message]] = []
    before: str | None = None
    number = 0
    while True:
        query = f"?topic={quote(topic, safe='')}&limit={PAGE}"
        query += f"&before={quote(before, safe='')}" if before else ""
        messages, more = _page(fetch, "/api/v1/messages" + query)
        wrong = faults(messages, topic, before, PAGE)
        if wrong:
            raise PageError(wrong[0])
        pages.append(messages)
        number += len(messages)
        progress(number)
        if not more:
            return [one for page in reversed(pages) for one in page]
        if not messages:
            raise PageError("an empty page that says that there is more")
        before = messages[0].id


def _page(fetch: Callable[[str], bytes], path: str) -> tuple[list[Message], bool]:
    """One page, tried a few times."""
    reason, began = "", time.monotonic()
    for attempt in range(TRIES):
        try:
            body = json.loads(fetch(path))
            return [message(item) for item in body["messages"]], bool(body["more"])
        except (OSError, HTTPException) as error:
            reason = type(error).__name__
            if time.monotonic() - began > GIVE_UP:
                break
            time.sleep(PAUSE * 2**attempt)
        except (ValueError, KeyError, TypeError, WireError) as error:
            raise PageError(f"not a page of messages: {type(error).__name__}") from error
    raise PageError(f"no page after {attempt + 1} tries: {reason}")


def fetcher(target: Callable[[], str]) -> Callable[[str], bytes]:
    """A ``fetch`` over HTTP. target: tells a base URL, asked anew for each page."""

    def fetch(path: str) -> bytes:
        """The body; urlopen raises HTTPError, which is an OSError, for what is not 200."""
        request = Request(target() + path, headers={"Accept": "application/json"})  # noqa: S310
        with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            body: bytes = answer.read()
        return body

    return fetch
