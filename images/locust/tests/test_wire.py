"""The frames, against the golden frames of the Go service."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatload import wire

GOLDEN = Path(__file__).parents[2] / "chat/internal/wire/testdata"
MESSAGE = {
    "id": "0001",
    "key": "k",
    "topic": "general",
    "name": "Ada",
    "email": "ada@example.org",
    "time": "2026-11-23T10:00:00.000Z",
    "content": "hi",
}


#: Kinds of frames that the decoder does not read.
PASSED_OVER = {"updates", "ephemeral", "rooms"}


def golden(name: str) -> list[dict[str, Any]]:
    """One file of golden frames; a docker context has none, the repository does."""
    path = GOLDEN / name
    if not path.exists():
        pytest.skip(f"the Go service's golden frames are not here ({path.name})")
    found = json.loads(path.read_text())
    assert isinstance(found, list) and found
    return found


def test_every_golden_server_frame_decodes() -> None:
    kinds = set()
    for item in golden("server_frames.json"):
        frame = wire.decode(json.dumps(item["frame"]))
        kinds.add(item["frame"]["type"])
        # What the lab's conversation and rooms are read by comes from elsewhere.
        assert isinstance(frame, wire.Other) == (item["frame"]["type"] in PASSED_OVER), item["name"]
        if isinstance(frame, wire.Other):
            continue
        # What was decoded is what was there, field by field.
        for field, value in item["frame"].items():
            if field == "messages":
                assert [m._asdict() for m in frame.messages] == [  # type: ignore[union-attr]
                    {key: m[key] for key in MESSAGE} for m in value
                ]
            elif field != "type" and hasattr(frame, field):
                assert getattr(frame, field) == value, (item["name"], field)
    assert (
        kinds == {"welcome", "messages", "ack", "history", "presence", "error", "bye"} | PASSED_OVER
    )


def test_our_client_frames_are_among_the_golden_shapes() -> None:
    """Each frame we encode has only fields that a golden frame of its type which decodes has."""
    allowed: dict[str, set[str]] = {}
    for item in golden("client_frames.json"):
        if item["code"] == "":
            body = json.loads(item["frame"])
            allowed.setdefault(body["type"], set()).update(body)
    ours = [
        wire.hello(["a"], "c", 5),
        wire.subscribe(["a"]),
        wire.post("k", "t", "n", "e@x.org", "c"),
        wire.history("r", "t", "id", 5),
    ]
    for raw in ours:
        body = json.loads(raw)
        assert set(body) <= allowed[body["type"]], body


def test_unknown_fields_and_types_are_ignored() -> None:
    frame = wire.parse({"type": "ack", "key": "k", "id": "i", "time": "t", "new": 1})
    assert frame == wire.Ack("k", "i", "t")
    assert wire.parse({"type": "ack", "key": "k", "id": "i"}) == wire.VoteAck("k", "i")
    assert wire.parse({"type": "ack", "key": "k", "time": "t"}) == wire.EphemeralAck("k", "t")
    assert wire.parse({"type": "typing"}) == wire.Other("typing")
    assert wire.message({**MESSAGE, "votes": 3}).id == "0001"


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"type": 3},
        {"type": "messages", "messages": []},
        {"type": "messages", "messages": [{**MESSAGE, "id": ""}]},
        {"type": "messages", "messages": [{**MESSAGE, "content": 3}]},
        {"type": "messages", "messages": [{k: v for k, v in MESSAGE.items() if k != "topic"}]},
        {"type": "messages", "messages": "x"},
        {"type": "ack", "key": "k"},
        {"type": "presence", "online": True},
        {"type": "welcome", "server": "s", "cursor": "c", "recovered": 1, "messages": []},
        {"type": "error", "code": "internal", "message": "m", "retry_after_ms": "5"},
        {"type": "bye", "reason": "drain"},
    ],
)
def test_what_the_contract_forbids_is_said(body: object) -> None:
    with pytest.raises(wire.WireError):
        wire.parse(body)


def test_text_that_is_not_json_is_said() -> None:
    with pytest.raises(wire.WireError, match="not JSON"):
        wire.decode("{")


def test_retryable_codes() -> None:
    assert wire.ErrorFrame("unavailable", "", "k", None, None).retryable
    assert not wire.ErrorFrame("bad_message", "", "k", None, None).retryable


def test_the_same_bytes_are_decoded_once_and_others_are_not_taken_for_them() -> None:
    item = {"id": "1", "key": "k", "topic": "t", "name": "n", "email": "e", "time": "z"}
    frames = [
        json.dumps({"type": "messages", "messages": [{**item, "content": text}]}).encode()
        for text in ("a", "b")
    ]
    decoder = wire.Decoder()
    first, second = decoder(frames[0]), decoder(frames[1])
    assert first == wire.decode(frames[0]) and second == wire.decode(frames[1]) != first
    assert decoder(bytes(bytearray(frames[0]))) is first
    for number in range(3 * wire.Decoder.LIMIT):
        decoder(frames[0].replace(b'"a"', b'"%d"' % number))
    assert len(decoder._frames) <= wire.Decoder.LIMIT
