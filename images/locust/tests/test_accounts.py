"""Dealing accounts and rooms out."""

from __future__ import annotations

import pytest

from chatload import options
from chatload.accounts import Account, Hand, deal

ACCOUNTS = [Account(f"n{i}", f"a{i}@x.example", f"A {i}", f"t{i}") for i in range(13)]


def test_a_rooms_people_stay_together_and_nobody_is_dealt_twice() -> None:
    hands = deal(ACCOUNTS, 2, ["one", "two"])
    assert hands["one"].rooms == hands["two"].rooms == 1
    assert hands["one"].accounts[:5] == ACCOUNTS[:5]
    assert hands["two"].accounts[:5] == ACCOUNTS[5:10]
    dealt = [one.email for hand in hands.values() for one in hand.accounts]
    assert sorted(dealt) == sorted(one.email for one in ACCOUNTS)


def test_a_hand_travels() -> None:
    hand = deal(ACCOUNTS, 1, ["one"])["one"]
    assert Hand.unpacked(hand.packed()) == hand
    assert Hand.unpacked(None) == Hand([], 0)
    assert deal(ACCOUNTS, 1, []) == {}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"accounts": 4, "rooms": 1}, "--rooms takes 5"),
        ({"accounts": 4, "reply_share": 0.6, "vote_share": 0.5}, "add up to 1.1"),
        ({"filtered_share": 0.5}, "need --accounts"),
    ],
)
def test_settings_that_do_not_fit(given: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        options.parse(given)


def test_accounts_talk_where_they_have_nothing_else_to_do() -> None:
    assert options.parse({"accounts": 5}).talks
    assert not options.parse({"accounts": 5, "rooms": 1}).talks
    assert options.parse({"accounts": 5, "rooms": 1, "vote_share": 0.1}).talks
    assert not options.parse({}).talks
