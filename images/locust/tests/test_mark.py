"""What a load message carries in its content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload import mark

NAMES = st.text("abcdefghijklmnop0123456789-_.", min_size=1, max_size=12)


@given(NAMES, NAMES, st.integers(0, 10**9), st.integers(0, 10**16), st.integers(1, 4000))
def test_a_mark_survives_the_journey(
    run: str, poster: str, seq: int, intended: int, size: int
) -> None:
    put = mark.Mark(run, poster, seq, intended, 12)
    content = mark.write(put, size)
    assert mark.read(content) == put
    assert len(content) == max(size, len(mark.write(put, 1)))
    assert content.strip() == content or size > 1  # padding never makes it blank


def test_others_messages_carry_no_mark() -> None:
    assert mark.read("hello") is None


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-1], lambda c: c + "x", lambda c: c[:20], lambda c: c[:-1] + "x"]
)
def test_a_changed_content_is_noticed(damage: object) -> None:
    content = mark.write(mark.Mark("r", "p", 1, 2, 3), 300)
    with pytest.raises(ValueError, match="content"):
        mark.read(damage(content))  # type: ignore[operator]


def test_the_longest_message_keeps_to_the_contract() -> None:
    assert len(mark.write(mark.Mark("r", "p", 1, 2, 3), 10**6)) == mark.MAX_CONTENT
