"""Filter expressions: read and match them as the server does.

The ledger asks this module which messages a filtered reader must have got. Grammar and cases are
the wire contract's ("Filters"); the golden cases are those of the Go service.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from chatload.text import WHITE_SPACE, fold, invisible

MAX_LENGTH = 512  # code points
MAX_TERMS = 32
MAX_DEPTH = 8  # parentheses open

_EXPECT = {
    "shorter": "at most 512 characters",
    "fewer": "at most 32 terms",
    "shallow": "at most 8 parentheses open",
    "text": "text without NUL, in UTF-8",
    "term": 'a term: a word, "a phrase", #tag, field:value or (…)',
    "quote": 'a closing "',
    "closing": "a closing )",
    "opening": "an opening ( before this )",
    "phrase": 'a character between "…"',
    "value": "a value directly after the colon",
    "is": "is: with reply, verified or mine",
    "during": "during: with two different times, such as 09:00-17:30 or 22:00-06:00+02:00",
    "instant": "an instant such as 2026-01-31T15:04:05Z, a date such as 2026-01-31,"
    " or -15m, -2h, -7d",
    "empty": "a filter between ( and )",
}

_ENDS_WORD = WHITE_SPACE | frozenset('"()')
_FIELDS = frozenset({"from", "topic", "before", "after", "during", "is"})
_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONG_AGO = 1 << 61  # ms: before every message

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_CLOCK = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_INSTANT = re.compile(
    _DATE.pattern + rf"[Tt]{_CLOCK}:([0-5][0-9])(?:\.([0-9]+))?(?:[Zz]|([+-]){_CLOCK})"
)
_AGO = re.compile(r"-([0-9]+)([mhd])")
_DURING = re.compile(rf"{_CLOCK}-{_CLOCK}(?:([+-]){_CLOCK})?")


class FilterError(ValueError):
    """Where a filter cannot be read (code points from 1), and what was expected there."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(f"at {at}: expected {_EXPECT[what]}")
        self.at = at
        self.expected = _EXPECT[what]


@dataclass(frozen=True)
class Message:
    """What a filter looks at. Times are milliseconds since the Unix epoch."""

    content: str = ""
    name: str = ""
    email: str = ""
    topic: str = ""
    room: str = ""  # the room's name, where the topic is a room
    account: str = ""  # of the poster; empty for a guest
    time: int = 0
    reply: bool = False
    deleted: bool = False  # matches no filter


@dataclass(frozen=True)
class Reader:
    """For whom a filter is evaluated, and when the server read its frame."""

    account: str = ""
    now: int = 0


Matcher = Callable[[Message, Reader], bool]


def parse(text: str) -> Matcher | None:
    """Read a filter; a blank one is none. Raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError(MAX_LENGTH + 1, "shorter")
    if "\0" not in text and all(invisible(c) for c in text):
        return None
    parser = _Parser(text)
    match = parser.filter(0)
    if parser.pos < len(text):
        raise FilterError(parser.pos + 1, "opening")
    return lambda message, reader: not message.deleted and match(message, reader)


def _in_tag(c: str) -> bool:
    return c in "_-" or unicodedata.category(c)[0] in "LM" or unicodedata.category(c) == "Nd"


class _Parser:
    """Recursive descent; errors point at the start of the term that cannot be read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.terms = 0

    def peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def run(self) -> str:
        end = self.pos
        while end < len(self.text) and self.text[end] not in _ENDS_WORD:
            end += 1
        return self.text[self.pos : end]

    def filter(self, depth: int) -> Matcher:
        clauses = [self.clause(depth)]
        while self.run() == "OR":
            self.pos += 2
            clauses.append(self.clause(depth))
        return lambda m, r: any(clause(m, r) for clause in clauses)

    def clause(self, depth: int) -> Matcher:
        terms: list[Matcher] = []
        while True:
            while self.peek() and self.peek() in WHITE_SPACE:
                self.pos += 1
            if self.peek() in ("", ")") or self.run() == "OR":
                break
            terms.append(self.term(depth))
        if not terms:
            raise FilterError(
                self.pos + 1, "opening" if depth == 0 and self.peek() == ")" else "term"
            )
        return lambda m, r: all(term(m, r) for term in terms)

    def term(self, depth: int) -> Matcher:
        start = self.pos
        after = self.text[start + 1 : start + 2]
        if self.peek() == "-" and after not in ("", ")") and after not in WHITE_SPACE:
            self.pos += 1
            of = self.bare(start, depth)
            return lambda m, r: not of(m, r)
        return self.bare(start, depth)

    def bare(self, start: int, depth: int) -> Matcher:
        if self.peek() == "(":
            return self.group(start, depth + 1)
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise FilterError(start + 1, "fewer")
        if self.peek() == '"':
            return _contains(self.phrase(start))
        run = self.run()
        if "\0" in run:
            raise FilterError(start + 1, "text")
        name, colon, value = run.partition(":")
        if colon and name in _FIELDS:
            self.pos += len(name) + 1
            if not value and self.peek() == '"':
                value = self.phrase(start)
            else:
                self.pos += len(value)
            if not value:
                raise FilterError(start + 1, "value")
            return _field(start, name, value)
        self.pos += len(run)
        if run[0] == "#" and len(run) > 1 and all(_in_tag(c) for c in run[1:]):
            return _tag(run)
        return _contains(run)

    def group(self, start: int, depth: int) -> Matcher:
        if depth > MAX_DEPTH:
            raise FilterError(start + 1, "shallow")
        self.pos += 1
        while self.peek() and self.peek() in WHITE_SPACE:
            self.pos += 1
        if self.peek() == ")":
            raise FilterError(start + 1, "empty")
        match = self.filter(depth) if self.peek() else None
        if match is None or not self.peek():
            raise FilterError(self.pos + 1, "closing")
        self.pos += 1
        return match

    def phrase(self, start: int) -> str:
        found: list[str] = []
        self.pos += 1
        while self.peek() not in ("", '"'):
            if self.text[self.pos : self.pos + 2] in ('\\"', "\\\\"):
                self.pos += 1
            found.append(self.peek())
            self.pos += 1
        if not self.peek():
            raise FilterError(self.pos + 1, "quote")
        self.pos += 1
        if not found:
            raise FilterError(start + 1, "phrase")
        if "\0" in found:
            raise FilterError(start + 1, "text")
        return "".join(found)


def _contains(text: str) -> Matcher:
    wanted = fold(text)
    return lambda m, _: wanted in fold(m.content)


def _tag(text: str) -> Matcher:
    tag = fold(text)

    def match(m: Message, _: Reader) -> bool:
        content = fold(m.content)
        start = content.find(tag)
        while start >= 0:
            around = content[start - 1 : start] if start else "", content[start + len(tag) :][:1]
            if not any(c and _in_tag(c) for c in around):
                return True
            start = content.find(tag, start + 1)
        return False

    return match


def _field(start: int, name: str, value: str) -> Matcher:
    if name == "from":
        wanted = fold(value)
        return lambda m, _: fold(m.email) == wanted or wanted in fold(m.name)
    if name == "topic":
        wanted = fold(value)
        return lambda m, _: wanted in (fold(m.topic), fold(m.room))
    if name == "is":
        return _is(start, value)
    if name == "during":
        return _during(start, value)
    instant = _instant(value)
    if instant is None:
        raise FilterError(start + 1, "instant")
    if name == "after":
        return lambda m, r: m.time >= instant(r)
    return lambda m, r: m.time < instant(r)


def _is(start: int, value: str) -> Matcher:
    if value == "reply":
        return lambda m, _: m.reply
    if value == "verified":
        return lambda m, _: m.account != ""
    if value == "mine":
        return lambda m, r: r.account != "" and m.account == r.account
    raise FilterError(start + 1, "is")


def _during(start: int, value: str) -> Matcher:
    found = _DURING.fullmatch(value)
    if found is None or found.group(1, 2) == found.group(3, 4):
        raise FilterError(start + 1, "during")
    first, last = _minutes(found[1], found[2]), _minutes(found[3], found[4])
    offset = _minutes(found[6], found[7]) if found[5] else 0
    if found[5] == "-":
        offset = -offset

    def match(m: Message, _: Reader) -> bool:
        minute = (m.time // 60_000 + offset) % 1440
        if first < last:
            return first <= minute < last
        return minute >= first or minute < last

    return match


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)


def _instant(value: str) -> Callable[[Reader], int] | None:
    """A moment in milliseconds, or None if value is none; one between two is the later one."""
    if ago := _AGO.fullmatch(value):
        back = min(int(ago[1]) * _UNITS[ago[2]], _LONG_AGO)
        return lambda r: r.now - back
    found = _DATE.fullmatch(value) or _INSTANT.fullmatch(value)
    if found is None:
        return None
    try:  # the calendar repeats every 400 years; Python has no year 0
        year = int(found[1])
        days = date(year or 400, int(found[2]), int(found[3])).toordinal() - (
            0 if year else 146_097
        )
    except ValueError:
        return None
    ms = (days - date(1970, 1, 1).toordinal()) * 86_400_000
    if found.re is _INSTANT:
        fraction = (found[7] or "").rstrip("0")
        ms += (_minutes(found[4], found[5]) * 60 + int(found[6])) * 1000
        ms += int(fraction[:3].ljust(3, "0")) + (len(fraction) > 3)
        if found[8]:
            ms -= _minutes(found[9], found[10]) * (60_000 if found[8] == "+" else -60_000)
    return lambda _: ms
