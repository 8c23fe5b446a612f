"""The mark that every load message carries at the start of its content.

``~cl1|run|poster|seq|size|intended|lag|acked|acked_id|`` and then padding up to ``size``
characters. A reader learns from it whose message this is, when it should have been posted, and
what the poster already knew to be in the log, which is what lets the ledger prove the head of a
reader's account (see :mod:`chatload.ledger`).
"""

from __future__ import annotations

from typing import NamedTuple

#: First characters of every marked content; the digit is the version of this format.
MAGIC = "~cl1|"
#: Number of ``|`` separated parts before the padding, the magic included.
_PARTS = 9
#: Padding text, repeated: letters, so that a human looking at the chat sees harmless words.
_PAD = "load test message padding "
#: Longest content the wire contract allows, in code points.
MAX_CONTENT = 4000


class Mark(NamedTuple):
    """A message's place in the run.

    run: the run's name. poster: the poster's name, unique in the run. seq: 0, 1, 2, … within one
    (topic, poster) stream. intended: when the post was due, µs of the lab's clock. lag: µs from
    then until it was really sent. acked, acked_id: sequence and id of the stream's last
    acknowledged message when this one was made; -1 and "" when there was none.
    """

    run: str
    poster: str
    seq: int
    intended: int
    lag: int
    acked: int
    acked_id: str


def write(mark: Mark, size: int) -> str:
    """The content of a message of about ``size`` characters that carries ``mark``.

    Shorter than the mark is not possible; longer than the contract's 4,000 is cut to it.
    """
    size = min(size, MAX_CONTENT)
    # The size is written into the text it counts, so it is laid out with a fixed width first.
    head = (
        f"{MAGIC}{mark.run}|{mark.poster}|{mark.seq}|%04d|{mark.intended}|{mark.lag}"
        f"|{mark.acked}|{mark.acked_id}|"
    )
    length = len(head)  # "%04d" is as long as the four digits that replace it
    total = max(size, length)
    head = head % total
    missing = total - length
    return head + (_PAD * (missing // len(_PAD) + 1))[:missing] if missing else head


def read(content: str) -> Mark | None:
    """The mark of a content, or None when it carries none (someone else's message).

    Raises ValueError for a mark that is damaged or a content whose length is not the one its
    mark names: the server changed what it was given.
    """
    if not content.startswith(MAGIC):
        return None
    parts = content.split("|", _PARTS)
    if len(parts) <= _PARTS:
        raise ValueError("a marked content is cut short")
    _, run, poster, seq, size, intended, lag, acked, acked_id, _padding = parts
    if len(content) != int(size):
        raise ValueError(f"a marked content of {size} characters arrived with {len(content)}")
    return Mark(run, poster, int(seq), int(intended), int(lag), int(acked), acked_id)
