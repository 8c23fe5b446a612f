"""The mark that every load message carries at the start of its content.

``~cl2|run|poster|seq|size|intended|lag|`` and then padding up to ``size`` characters. A reader
learns from it whose message this is, when it should have been posted and when it was; since the
padding is known too, any change of the content shows.
"""

from __future__ import annotations

from typing import NamedTuple

#: First characters of every marked content; the digit is the version of this format.
MAGIC = "~cl2|"
#: Number of ``|`` separated parts before the padding, the magic included.
_PARTS = 7
#: Padding text, repeated: letters, so that a human looking at the chat sees harmless words.
_PAD = "load test message padding "
#: Longest content the wire contract allows, in code points.
MAX_CONTENT = 4000
#: The longest padding there can be; shorter ones are its beginning.
_PADDING = _PAD * (MAX_CONTENT // len(_PAD) + 1)


class Mark(NamedTuple):
    """A message's place in the run.

    run: the run's name. poster: the poster's name, unique in the run. seq: 0, 1, 2, … within one
    (topic, poster) stream. intended: when the post was due, µs of the lab's clock. lag: µs from
    then until it was really sent.
    """

    run: str
    poster: str
    seq: int
    intended: int
    lag: int

    @property
    def sent(self) -> int:
        """When it was first put on the wire, µs of the lab's clock."""
        return self.intended + self.lag


def write(mark: Mark, size: int) -> str:
    """The content of a message of about ``size`` characters that carries ``mark``.

    Shorter than the mark is not possible; longer than the contract's 4,000 is cut to it.
    """
    size = min(size, MAX_CONTENT)
    # The size is written into the text it counts, so it is laid out with a fixed width first.
    head = f"{MAGIC}{mark.run}|{mark.poster}|{mark.seq}|%04d|{mark.intended}|{mark.lag}|"
    length = len(head)  # "%04d" is as long as the four digits that replace it
    total = max(size, length)
    return head % total + _PADDING[: total - length]


def read(content: str) -> Mark | None:
    """The mark of a content, or None when it carries none (someone else's message).

    Raises ValueError for a mark that is damaged, or a content that is not to the letter what was
    posted with it: the server changed what it was given.
    """
    if not content.startswith(MAGIC):
        return None
    parts = content.split("|", _PARTS)
    if len(parts) <= _PARTS:
        raise ValueError("a marked content is cut short")
    _, run, poster, seq, size, intended, lag, padding = parts
    if len(content) != int(size):
        raise ValueError(f"a marked content of {size} characters arrived with {len(content)}")
    if not _PADDING.startswith(padding):
        raise ValueError("a marked content arrived with another padding")
    return Mark(run, poster, int(seq), int(intended), int(lag))
