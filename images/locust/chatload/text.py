"""The contract's rules of text: what is invisible, one line, an address. The one place for them in
Python; the golden cases are those of the Go service. Pure.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right

#: Longest name or topic, content and address, in code points.
MAX_LINE, MAX_CONTENT, MAX_ADDRESS = 64, 4_000, 254

#: Unicode's White_Space.
WHITE_SPACE = frozenset(
    "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
)
# White_Space, Cc, Cf, Zl, Zp, Default_Ignorable_Code_Point and U+2800, as of Unicode 17: first and
# last code points. Written out, because the Unicode versions of Go, browsers and Python differ.
_INVISIBLE = (
    *(0x0000, 0x0020, 0x007F, 0x00A0, 0x00AD, 0x00AD, 0x034F, 0x034F, 0x0600, 0x0605),
    *(0x061C, 0x061C, 0x06DD, 0x06DD, 0x070F, 0x070F, 0x0890, 0x0891, 0x08E2, 0x08E2),
    *(0x115F, 0x1160, 0x1680, 0x1680, 0x17B4, 0x17B5, 0x180B, 0x180F, 0x2000, 0x200F),
    *(0x2028, 0x202F, 0x205F, 0x206F, 0x2800, 0x2800, 0x3000, 0x3000, 0x3164, 0x3164),
    *(0xFE00, 0xFE0F, 0xFEFF, 0xFEFF, 0xFFA0, 0xFFA0, 0xFFF0, 0xFFFB, 0x110BD, 0x110BD),
    *(0x110CD, 0x110CD, 0x13430, 0x1343F, 0x1BCA0, 0x1BCA3, 0x1D173, 0x1D17A, 0xE0000, 0xE0FFF),
)
#: Firsts of invisible and of visible ranges by turns: an odd number of bounds up to a code point
#: means that it is invisible.
_BOUNDS = tuple(bound + i % 2 for i, bound in enumerate(_INVISIBLE))
#: Taken away from both ends of a line.
_TRIMMED = "".join(WHITE_SPACE) + "\u00ad\u200b\u2060\ufeff\u180e\u115f\u1160\u3164\uffa0\u2800"
#: May not stand in a line, besides control characters: separators, and what turns directions.
_TURNS = frozenset("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: RFC 5322's atext, of ASCII.
_BLANKS = " \t"  # RFC 5322: WSP
_ATOM = frozenset(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&'*+-/=?^_`{|}~"
)


def invisible(character: str) -> bool:
    """Whether a reader sees nothing of a character."""
    return bisect_right(_BOUNDS, ord(character)) % 2 == 1


def blank(text: str) -> bool:
    """Whether a reader sees nothing of a text."""
    return all(map(invisible, text))


def line(text: str, limit: int = MAX_LINE) -> str | None:
    """``text`` as one line, in the form in which it is stored, compared and selected; None where
    the contract refuses it. limit: most code points."""
    if not _valid(text):
        return None
    found = unicodedata.normalize("NFC", text).strip(_TRIMMED)
    if blank(found) or len(found) > limit or any(map(_breaks_line, found)):
        return None
    return found


def content(text: str) -> bool:
    """Whether ``text`` may be a message's content."""
    return len(text) <= MAX_CONTENT and _valid(text) and "\0" not in text and not blank(text)


def address(text: str) -> bool:
    """Whether ``text`` is an address, ``local@domain``."""
    if not _valid(text) or len(text) > MAX_ADDRESS:
        return False
    quoted = _quoted_prefix(text)  # it may hold an @, as a literal may
    local, at, domain = text[quoted:].partition("@")
    if not at or (local if quoted else not _dot_atom(local)):
        return False
    return _dot_atom(domain) or _literal(domain)


def fold(text: str) -> str:
    """NFC, then Unicode's simple case folding (str.casefold is the full one)."""
    return "".join(map(_fold, unicodedata.normalize("NFC", text)))


def same_address(one: str, other: str) -> bool:
    """Whether two addresses are the same."""
    return one == other or fold(one) == fold(other)


def broken(topic: str, name: str, email: str, said: str) -> str:
    """Which of a kept message's texts is not what the contract allows; empty when none is."""
    for what, text in (("topic", topic), ("name", name)):
        if line(text) != text:
            return f"a {what} that is not one line"
    if not address(email):
        return "an email that is no address"
    return "" if content(said) else "a content that the contract refuses"


def _valid(text: str) -> bool:
    """Whether it can be written in UTF-8: no half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _breaks_line(character: str) -> bool:
    return unicodedata.category(character) == "Cc" or character in _TURNS


def _fold(character: str) -> str:
    if character == "\ufb05":  # folds since Unicode 15.1
        return "\ufb06"
    folded = character.casefold()
    if len(folded) != 1:
        folded = character.lower()
    return folded if len(folded) == 1 else character


def _printable(character: str) -> bool:
    """Visible ASCII, or beyond ASCII and visible."""
    return "!" <= character <= "~" or (character > "\x7f" and not invisible(character))


def _dot_atom(text: str) -> bool:
    """Atoms joined by single dots."""
    return all(
        atom and all(c in _ATOM or (c > "\x7f" and not invisible(c)) for c in atom)
        for atom in text.split(".")
    )


def _quoted_prefix(text: str) -> int:
    """The length of the quoted string at the beginning; 0 if there is none."""
    if not text.startswith('"'):
        return 0
    escaped = False
    for i, c in enumerate(text[1:]):
        if not _printable(c) and c not in _BLANKS:
            return 0
        if escaped:
            escaped = False
        elif c == "\\":
            escaped = True
        elif c == '"':
            return i + 2
    return 0


def _literal(text: str) -> bool:
    """A domain literal, ``[192.0.2.1]`` say."""
    if len(text) < 2 or text[0] != "[" or text[-1] != "]":
        return False
    return all((_printable(c) or c in _BLANKS) and c not in "[]\\" for c in text[1:-1])
