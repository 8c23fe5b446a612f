"""A foreign client walks through every call of the wire contract.

It knows nothing of the server's code: requests and websocket-client alone. Each walk runs over the
embedded log and over Redis, with two pods on the latter, so that what one pod does the other shows.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import websocket

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHAT = ROOT / "bin" / "chat"
PATIENCE = 20.0  # seconds until what must come counts as missing


class Pods:
    """Chat servers on one log, and the address of each."""

    def __init__(self, folder: pathlib.Path, redis: bool) -> None:
        self.folder, self.redis = folder, redis
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *flags: str) -> str:
        """Start one more server and give its base URL."""
        command = [str(CHAT), "--listen", "127.0.0.1:0", "--data", str(self.folder / "data"), "--post-rate", "0", *flags]
        if self.redis:
            command += ["--redis-url", self.redis_url()]
        log = (self.folder / f"pod{len(self.processes)}.log").open("w")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env={"PATH": os.environ["PATH"], "HOME": str(self.folder)})
        self.processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"the server did not say where it listens: {line!r}"
        base = found.group(0)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(base + "/readyz", timeout=5).status_code == 200:
                    return base
            time.sleep(0.05)
        raise AssertionError("the server does not become ready")

    def redis_url(self) -> str:
        """Start Redis once and give its URL."""
        if not hasattr(self, "_socket"):
            self._socket = self.folder / "redis.sock"
            port = free_port()
            self._url = f"redis://127.0.0.1:{port}/0"
            self.store = subprocess.Popen(
                [
                    "redis-server",
                    "--port",
                    str(port),
                    "--bind",
                    "127.0.0.1",
                    "--dir",
                    str(self.folder),
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                    "--save",
                    "",
                ],
                stdout=subprocess.DEVNULL,
            )
            time.sleep(0.5)
        return self._url

    def stop(self) -> None:
        """End what was started."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)
        if self.redis and hasattr(self, "store"):
            self.store.terminate()
            self.store.wait(10)


def free_port() -> int:
    """Give a port that nobody uses at this moment."""
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Live:
    """One WebSocket: what was received stays until it is asked for."""

    def __init__(self, base: str, **hello: Any) -> None:
        self.ws = websocket.create_connection(base.replace("http", "ws") + "/ws", timeout=PATIENCE)
        self.seen: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.send(type="hello", **hello)

    def send(self, **frame: Any) -> None:
        """Send one frame."""
        self.ws.send(json.dumps(frame))

    def read(self) -> dict[str, Any] | None:
        """Read the next frame; None when the server has closed."""
        while True:
            opcode, data = self.ws.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.closed = int.from_bytes(data[:2], "big")
                return None
            if opcode == websocket.ABNF.OPCODE_PING:
                continue
            if opcode == websocket.ABNF.OPCODE_TEXT:
                return dict(json.loads(data))

    def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Give the next frame of a kind with these fields; what comes before stays in seen."""
        for i, frame in enumerate(self.seen):
            if matches(frame, kind, fields):
                return self.seen.pop(i)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            frame = self.read()
            if frame is None:
                raise AssertionError(f"closed with {self.closed} while waiting for {kind}")
            if matches(frame, kind, fields):
                return frame
            self.seen.append(frame)
        raise AssertionError(f"no {kind} {fields}: {self.seen}")

    def message(self, content: str) -> dict[str, Any]:
        """Give the live message with this content."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for frame in self.seen:
                for m in frame.get("messages", []):
                    if frame["type"] in ("messages", "welcome") and m["content"] == content:
                        return dict(m)
            frame = self.read()
            if frame is None:
                raise AssertionError(f"closed with {self.closed}")
            self.seen.append(frame)
        raise AssertionError(f"no message {content!r}")

    def until_closed(self) -> int:
        """Read to the end and give the close code."""
        while self.read() is not None:
            pass
        assert self.closed is not None
        return self.closed


def matches(frame: dict[str, Any], kind: str, fields: dict[str, Any]) -> bool:
    """Tell whether a frame is of a kind and has these fields."""
    return frame["type"] == kind and all(frame.get(k) == v for k, v in fields.items())


def key() -> str:
    """Make a key that was never used."""
    return uuid.uuid4().hex


def bearer(token: str) -> dict[str, str]:
    """Give the header that says who is speaking."""
    return {"Authorization": f"Bearer {token}"}


def register(base: str, email: str, name: str = "Ann", password: str = "correct horse battery") -> dict[str, Any]:
    """Make an account and give the answer."""
    r = requests.post(base + "/api/v1/accounts", json={"email": email, "name": name, "password": password}, timeout=PATIENCE)
    assert r.status_code == 201, r.text
    return dict(r.json())


def problem(r: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Hold an answer to a problem of the contract."""
    assert r.status_code == status, f"{r.status_code} {r.text}"
    assert r.headers["Content-Type"].startswith("application/problem+json")
    body = dict(r.json())
    assert body["code"] == code, body
    return body


def raw_get(base: str, path: str) -> tuple[int, str]:
    """GET a path as it stands, which requests would mend, and give status and code."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=PATIENCE)
    connection.putrequest("GET", path)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())["code"]


def eventually(check: Any) -> None:
    """Hold check, which asserts, to come true within patience."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            check()
            return
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@pytest.fixture(params=["embedded", "redis"])
def pods(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Pods]:
    """Give a log without servers; what the test starts is ended."""
    p = Pods(tmp_path, request.param == "redis")
    yield p
    p.stop()


def both(pods: Pods, *flags: str) -> tuple[str, str]:
    """Start two pods where the log allows it, else give one twice."""
    first = pods.start(*flags)
    return first, pods.start(*flags) if pods.redis else first


def test_accounts(pods: Pods) -> None:
    """Registration, sign-in, changes, sign-out, deletion."""
    one, two = both(pods)
    made = register(one, "ann@example.org")
    account, token = made["account"], made["token"]
    assert re.fullmatch(r"[a-z2-7]{16}", account["account"]) and account["name"] == "Ann"
    r = requests.post(one + "/api/v1/accounts", json={"email": "ANN@example.org", "name": "B", "password": "correct horse battery"}, timeout=PATIENCE)
    problem(r, 409, "conflict")
    for bad in (
        {"email": "x", "name": "B", "password": "correct horse"},
        {"email": "b@x.org", "name": "B", "password": "short"},
        {"email": "b@x.org", "name": " ", "password": "correct horse"},
    ):
        problem(requests.post(one + "/api/v1/accounts", json=bad, timeout=PATIENCE), 400, "bad_message")
    r = requests.get(two + "/api/v1/session", timeout=PATIENCE)
    assert r.status_code == 200 and r.json()["account"] is None and {"people", "rooms", "conversation"} <= set(r.json()["features"])
    eventually(lambda: _equal(requests.get(two + "/api/v1/session", headers=bearer(token), timeout=PATIENCE).json().get("account"), account))
    problem(requests.get(one + "/api/v1/session", headers=bearer("x" * 43), timeout=PATIENCE), 401, "unauthorised")
    wrong = requests.post(one + "/api/v1/session", json={"email": "ann@example.org", "password": "wrong password"}, timeout=PATIENCE)
    unknown = requests.post(one + "/api/v1/session", json={"email": "nobody@example.org", "password": "wrong password"}, timeout=PATIENCE)
    assert problem(wrong, 401, "unauthorised")["detail"] == problem(unknown, 401, "unauthorised")["detail"]
    again = requests.post(two + "/api/v1/session", json={"email": "Ann@Example.org", "password": "correct horse battery"}, timeout=PATIENCE)
    assert again.status_code == 200 and again.json()["token"] != token and again.json()["account"] == account
    other = again.json()["token"]
    r = requests.patch(one + "/api/v1/account", json={"name": "Anna", "current_password": "not it at all"}, headers=bearer(token), timeout=PATIENCE)
    problem(r, 403, "unauthorised")
    r = requests.patch(
        one + "/api/v1/account",
        json={"name": " Anna ", "password": "an even better one", "current_password": "correct horse battery"},
        headers=bearer(token),
        timeout=PATIENCE,
    )
    assert r.status_code == 200 and r.json() == {"account": {**account, "name": "Anna"}}
    eventually(lambda: _status(requests.get(two + "/api/v1/session", headers=bearer(other), timeout=PATIENCE), 401))
    assert requests.get(one + "/api/v1/session", headers=bearer(token), timeout=PATIENCE).status_code == 200
    live = Live(two, token=token)
    assert live.until("welcome")["you"] == {**account, "name": "Anna"}
    assert requests.delete(one + "/api/v1/session", headers=bearer(token), timeout=PATIENCE).status_code == 204
    assert live.until_closed() == 4004
    token = requests.post(one + "/api/v1/session", json={"email": "ann@example.org", "password": "an even better one"}, timeout=PATIENCE).json()["token"]
    problem(
        requests.delete(one + "/api/v1/account", json={"current_password": "nonsense nonsense"}, headers=bearer(token), timeout=PATIENCE), 403, "unauthorised"
    )
    assert requests.delete(one + "/api/v1/account", json={"current_password": "an even better one"}, headers=bearer(token), timeout=PATIENCE).status_code == 204
    fresh = register(one, "ann@example.org")
    assert fresh["account"]["account"] != account["account"]


def _equal(a: object, b: object) -> None:
    assert a == b


def _status(r: requests.Response, status: int) -> None:
    assert r.status_code == status, f"{r.status_code} {r.text}"


def test_posting_as_somebody(pods: Pods) -> None:
    """An account posts without name and address; nobody else uses its address."""
    one, two = both(pods)
    made = register(one, "ann@example.org")
    token, account = made["token"], made["account"]["account"]
    reader = Live(two)
    reader.until("welcome")
    live = Live(one, token=token)
    live.until("welcome")
    live.send(type="post", key=key(), topic="tea", name="Somebody else", content="from a socket")
    live.until("ack")
    m = reader.message("from a socket")
    assert m["name"] == "Ann" and m["email"] == "ann@example.org" and m["account"] == account and m["verified"] is True
    r = requests.post(one + "/api/v1/messages", json={"key": key(), "topic": "tea", "content": "over HTTP"}, headers=bearer(token), timeout=PATIENCE)
    assert r.status_code == 201 and r.json()["account"] == account and r.json()["verified"] is True
    k = key()
    live.send(type="post", key=k, topic="tea", email="ben@example.org", content="as another")
    assert live.until("error", key=k)["code"] == "bad_message"

    def refused() -> None:
        body = {"key": key(), "topic": "tea", "name": "Thief", "email": "ANN@example.org", "content": "stolen"}
        problem(requests.post(two + "/api/v1/messages", json=body, timeout=PATIENCE), 401, "unauthorised")

    eventually(refused)
    guest = requests.post(
        two + "/api/v1/messages", json={"key": key(), "topic": "tea", "name": "Guest", "email": "guest@example.org", "content": "hello"}, timeout=PATIENCE
    )
    assert guest.status_code == 201 and "verified" not in guest.json() and "account" not in guest.json()
    seen = {}

    def counted() -> None:
        seen.update(reader.until("presence"))
        assert (seen["online"], seen["guests"], seen["users"]) == (2, 1, 1), seen

    eventually(counted)


def test_guests_settings(pods: Pods) -> None:
    """What guests may do is a setting, and registration is another."""
    base = pods.start("--guests", "read", "--registration", "closed")
    body = {"key": key(), "topic": "tea", "name": "Guest", "email": "g@example.org", "content": "hello"}
    problem(requests.post(base + "/api/v1/messages", json=body, timeout=PATIENCE), 401, "unauthorised")
    live = Live(base)
    live.until("welcome")
    live.send(type="post", **body)
    assert live.until("error", key=body["key"])["code"] == "unauthorised"
    r = requests.post(base + "/api/v1/accounts", json={"email": "a@b.c", "name": "A", "password": "long enough"}, timeout=PATIENCE)
    problem(r, 403, "unauthorised")
    pods.stop()
    pods.processes.clear()
    if pods.redis:
        return
    base = pods.start("--guests", "none")
    problem(requests.get(base + "/api/v1/messages", timeout=PATIENCE), 401, "unauthorised")
    problem(requests.get(base + "/api/v1/topics", timeout=PATIENCE), 401, "unauthorised")
    assert requests.get(base + "/", timeout=PATIENCE).status_code == 200
    live = Live(base)
    assert live.until("error")["code"] == "unauthorised"
    assert live.until_closed() == 4004


def test_rooms(pods: Pods) -> None:
    """A room is seen by its members alone, until they are removed."""
    one, two = both(pods)
    people = {n: register(one, f"{n}@example.org", n.title()) for n in ("ann", "ben", "eve")}
    ann, ben, eve = (bearer(people[n]["token"]) for n in ("ann", "ben", "eve"))
    url = one + "/api/v1/rooms"
    problem(requests.post(url, json={"key": key(), "name": "Plans"}, timeout=PATIENCE), 401, "unauthorised")
    r = requests.post(url, json={"key": key(), "name": "Plans", "members": ["nobody@example.org"]}, headers=ann, timeout=PATIENCE)
    assert problem(r, 400, "bad_message")["unknown"] == ["nobody@example.org"]
    k = key()
    made = requests.post(url, json={"key": k, "name": "Plans", "members": ["ben@example.org"]}, headers=ann, timeout=PATIENCE)
    assert made.status_code == 201, made.text
    room = made.json()
    assert re.fullmatch(r"~[a-z2-7]{16}", room["room"]) and room["count"] == 2 and room["creator"] == people["ann"]["account"]["account"]
    assert {m["email"] for m in room["members"]} == {"ann@example.org", "ben@example.org"} and room["created"]
    again = requests.post(url, json={"key": k, "name": "Plans", "members": ["ben@example.org"]}, headers=ann, timeout=PATIENCE)
    assert again.status_code == 200 and again.json()["room"] == room["room"]
    topic = room["room"]
    there = f"{url}/{topic}"

    stranger = Live(two, token=people["eve"]["token"])
    assert stranger.until("rooms")["rooms"] == []
    guest = Live(two)
    guest.until("welcome")
    member = Live(two, token=people["ben"]["token"])
    member.until("welcome")
    eventually(lambda: _equal([r["room"] for r in member.until("rooms")["rooms"]], [topic]))
    r = requests.post(one + "/api/v1/messages", json={"key": key(), "topic": topic, "content": "a secret"}, headers=ann, timeout=PATIENCE)
    assert r.status_code == 201, r.text
    secret = r.json()["id"]
    assert member.message("a secret")["topic"] == topic

    for who in (eve, {}):
        for call in (
            requests.get(one + "/api/v1/messages", params={"topic": topic}, headers=who, timeout=PATIENCE),
            requests.post(
                one + "/api/v1/messages",
                json={"key": key(), "topic": topic, "name": "E", "email": "eve2@example.org" if not who else "eve@example.org", "content": "x"},
                headers=who,
                timeout=PATIENCE,
            ),
            requests.get(one + "/api/v1/messages", params={"reply_to": secret}, headers=who, timeout=PATIENCE),
        ):
            problem(call, 404, "not_found")
        listed = requests.get(one + "/api/v1/topics", headers=who, timeout=PATIENCE).json()["topics"]
        assert all(t["topic"] != topic for t in listed)
        assert all(m["topic"] != topic for m in requests.get(one + "/api/v1/messages", headers=who, timeout=PATIENCE).json()["messages"])
    problem(requests.get(there, headers=eve, timeout=PATIENCE), 404, "not_found")
    problem(requests.patch(there, json={"name": "Mine"}, headers=ben, timeout=PATIENCE), 403, "unauthorised")
    problem(requests.patch(there, json={"name": "Mine"}, headers=eve, timeout=PATIENCE), 404, "not_found")
    asked = Live(two, token=people["eve"]["token"], topics=[topic, "tea"])
    e = asked.until("error")
    assert e["code"] == "not_found" and e["topics"] == [topic]
    asked.send(type="hello", topics=["tea"])
    asked.until("welcome")
    listed = requests.get(two + "/api/v1/topics", headers=ben, timeout=PATIENCE).json()["topics"]
    assert any(t["topic"] == topic and t["room"] == "Plans" for t in listed)
    assert any(m["content"] == "a secret" for m in requests.get(two + "/api/v1/messages", headers=ben, timeout=PATIENCE).json()["messages"])

    for call in ({"filter": "topic:plans"}, {"filter": f"topic:{topic} secret"}):
        r = requests.get(one + "/api/v1/messages", params=call, headers=ann, timeout=PATIENCE)
        assert [m["content"] for m in r.json()["messages"]] == ["a secret"], call
        r = requests.get(one + "/api/v1/messages", params=call, headers=eve, timeout=PATIENCE)
        assert r.json()["messages"] == []

    # a new member sees the past
    assert requests.put(f"{there}/members/eve@example.org", headers=ann, timeout=PATIENCE).status_code == 204
    assert requests.put(f"{there}/members/eve@example.org", headers=ann, timeout=PATIENCE).status_code == 204
    eventually(lambda: _status(requests.get(two + "/api/v1/messages", params={"topic": topic}, headers=eve, timeout=PATIENCE), 200))
    # a removed one sees nothing that was sent after
    assert requests.delete(f"{there}/members/ben@example.org", headers=ann, timeout=PATIENCE).status_code == 204
    after = requests.post(one + "/api/v1/messages", json={"key": key(), "topic": topic, "content": "behind his back"}, headers=ann, timeout=PATIENCE)
    assert after.status_code == 201
    r = requests.get(one + "/api/v1/messages", params={"topic": topic}, headers=ben, timeout=PATIENCE)
    problem(r, 404, "not_found")
    eventually(lambda: _equal(member.until("rooms")["rooms"], []))
    member.send(type="post", key="end", topic="tea", content="the end")
    member.message("the end")
    assert not any("behind his back" in json.dumps(f) for f in member.seen)
    assert not any("secret" in json.dumps(f) for f in guest.seen)
    r = requests.get(two + "/api/v1/messages", headers=ben, timeout=PATIENCE)
    assert r.status_code == 200 and "behind his back" not in r.text

    # handing over, leaving, deleting
    r = requests.patch(there, json={"creator": people["eve"]["account"]["account"], "name": "Better plans"}, headers=ann, timeout=PATIENCE)
    assert r.status_code == 200 and r.json()["creator"] == people["eve"]["account"]["account"] and r.json()["name"] == "Better plans"
    problem(requests.patch(there, json={"creator": people["ben"]["account"]["account"]}, headers=eve, timeout=PATIENCE), 400, "bad_message")
    assert requests.delete(f"{there}/members/ann@example.org", headers=ann, timeout=PATIENCE).status_code == 204
    problem(requests.get(there, headers=ann, timeout=PATIENCE), 404, "not_found")
    assert requests.delete(there, headers=eve, timeout=PATIENCE).status_code == 204
    problem(requests.get(there, headers=eve, timeout=PATIENCE), 404, "not_found")
    problem(requests.get(one + "/api/v1/messages", params={"topic": "~never"}, headers=eve, timeout=PATIENCE), 404, "not_found")


def test_conversation(pods: Pods) -> None:
    """Replies, votes, deleting."""
    one, two = both(pods)
    token = register(one, "ann@example.org")["token"]
    live = Live(two)
    live.until("welcome")
    first = requests.post(
        one + "/api/v1/messages", json={"key": key(), "topic": "tea", "content": "a question"}, headers=bearer(token), timeout=PATIENCE
    ).json()
    reply = {"key": key(), "topic": "tea", "name": "Ben", "email": "ben@example.org", "content": "an answer", "reply_to": first["id"]}
    answer = requests.post(two + "/api/v1/messages", json=reply, timeout=PATIENCE)
    assert answer.status_code == 201 and answer.json()["reply_to"] == first["id"]
    assert live.message("an answer")["reply_to"] == first["id"]
    problem(requests.post(two + "/api/v1/messages", json={**reply, "key": key(), "topic": "coffee"}, timeout=PATIENCE), 404, "not_found")
    assert requests.post(two + "/api/v1/messages", json={**reply, "reply_to": "f" * 24}, timeout=PATIENCE).status_code == 200
    page = requests.get(two + "/api/v1/messages", params={"reply_to": first["id"]}, timeout=PATIENCE).json()
    assert [m["content"] for m in page["messages"]] == ["an answer"] and page["more"] is False
    vote = two + f"/api/v1/messages/{first['id']}/vote"
    r = requests.put(vote, json={"vote": 1, "name": "Ben", "email": "ben@example.org"}, timeout=PATIENCE)
    assert r.status_code == 200 and r.json() == {"id": first["id"], "up": 1, "down": 0, "vote": 1}
    live.send(type="vote", key="v", id=first["id"], vote=-1, name="Ben", email="BEN@example.org")
    assert live.until("ack", key="v")["id"] == first["id"]
    requests.put(vote, json={"vote": 1}, headers=bearer(token), timeout=PATIENCE)

    def told() -> None:
        u = next(u for u in live.until("updates")["updates"] if u["id"] == first["id"])
        assert (u["up"], u["down"], u["replies"]) == (1, 1, 1), u

    eventually(told)
    mine = requests.get(one + "/api/v1/messages", params={"topic": "tea"}, headers=bearer(token), timeout=PATIENCE).json()["messages"][0]
    assert (mine["up"], mine["down"], mine["replies"], mine["vote"]) == (1, 1, 1, 1)
    problem(requests.put(vote, json={"vote": 2, "name": "Ben", "email": "ben@example.org"}, timeout=PATIENCE), 400, "bad_message")
    problem(requests.delete(one + f"/api/v1/messages/{first['id']}", timeout=PATIENCE), 401, "unauthorised")
    problem(requests.delete(one + f"/api/v1/messages/{answer.json()['id']}", headers=bearer(token), timeout=PATIENCE), 403, "unauthorised")
    for _ in range(2):
        assert requests.delete(one + f"/api/v1/messages/{first['id']}", headers=bearer(token), timeout=PATIENCE).status_code == 204
    problem(requests.delete(one + "/api/v1/messages/" + "0" * 24, headers=bearer(token), timeout=PATIENCE), 404, "not_found")

    def blank() -> None:
        m = requests.get(two + "/api/v1/messages", params={"topic": "tea"}, timeout=PATIENCE).json()["messages"][0]
        assert m["content"] == "" and m["deleted"] is True and m["replies"] == 1

    eventually(blank)
    late = Live(two, topics=["tea"])
    assert late.until("welcome")["messages"][0]["content"] == ""
    problem(requests.put(vote, json={"vote": 1, "name": "C", "email": "c@example.org"}, timeout=PATIENCE), 404, "not_found")


def test_ephemeral(pods: Pods) -> None:
    """For whoever is connected now, and nowhere kept."""
    one, two = both(pods)
    here, there = Live(one), Live(two, topics=["tea"])
    here.until("welcome"), there.until("welcome")
    word = "gone-" + key()
    here.send(type="post", key="e", topic="tea", name="Ann", email="ann@example.org", content=word, ephemeral=True)
    ack = here.until("ack", key="e")
    assert "id" not in ack and ack["time"]
    for live in (here, there):
        m = live.until("ephemeral")["messages"][0]
        assert m["content"] == word and "id" not in m
    r = requests.post(one + "/api/v1/messages", json={"key": key(), "name": "A", "email": "a@x.org", "content": "x", "ephemeral": True}, timeout=PATIENCE)
    problem(r, 400, "bad_message")
    here.send(type="post", key="r", topic="tea", name="Ann", email="ann@example.org", content="x", ephemeral=True, reply_to="f" * 24)
    assert here.until("error", key="r")["code"] == "bad_message"
    assert word not in requests.get(two + "/api/v1/messages", timeout=PATIENCE).text
    pods.stop()
    kept = [f for f in pods.folder.rglob("*") if f.is_file() and word.encode() in f.read_bytes()]
    assert kept == []


def test_filters(pods: Pods) -> None:
    """Only what matches is sent; what can't be read says where; views are saved."""
    one, two = both(pods)
    token = register(one, "ann@example.org")["token"]
    live = Live(two, filter='from:ann "good tea" OR #urgent')
    live.until("welcome")
    for content in ("bad coffee", "Good Tea here", "this is #urgent!", "#urgently"):
        requests.post(one + "/api/v1/messages", json={"key": key(), "topic": "tea", "content": content}, headers=bearer(token), timeout=PATIENCE)
    live.message("this is #urgent!")
    got = [m["content"] for f in live.seen if f["type"] == "messages" for m in f["messages"]]
    assert got == ["Good Tea here", "this is #urgent!"]
    page = requests.get(two + "/api/v1/messages", params={"filter": "-tea is:verified", "limit": 2}, timeout=PATIENCE).json()
    assert [m["content"] for m in page["messages"]] == ["this is #urgent!", "#urgently"]
    e = problem(requests.get(two + "/api/v1/messages", params={"filter": "tea before:yesterday"}, timeout=PATIENCE), 400, "bad_message")
    assert e["at"] == 5 and e["expected"]
    live.send(type="history", ref="h", filter="(((")
    e = live.until("error", ref="h")
    assert e["code"] == "bad_message" and e["at"] == 4
    assert problem(requests.get(two + "/api/v1/messages", params={"filter": "x" * 513}, timeout=PATIENCE), 400, "bad_message")["at"] == 513
    mine = bearer(token)
    saved = one + "/api/v1/filters"
    assert requests.put(f"{saved}/Urgent%20things", json={"filter": "#urgent"}, headers=mine, timeout=PATIENCE).status_code == 200
    problem(requests.put(f"{saved}/bad", json={"filter": "("}, headers=mine, timeout=PATIENCE), 400, "bad_message")
    assert requests.get(saved, headers=mine, timeout=PATIENCE).json() == {"filters": [{"name": "Urgent things", "filter": "#urgent"}]}
    assert requests.delete(f"{saved}/Urgent%20things", headers=mine, timeout=PATIENCE).status_code == 204
    problem(requests.delete(f"{saved}/Urgent%20things", headers=mine, timeout=PATIENCE), 404, "not_found")
    problem(requests.get(saved, timeout=PATIENCE), 401, "unauthorised")


def test_part_one_only(pods: Pods) -> None:
    """A client that knows Part One alone: post, ack, history, resume, topics."""
    one, two = both(pods)
    live = Live(one, topics=["tea"], limit=10)
    w = live.until("welcome")
    assert w["recovered"] is False and w["messages"] == [] and w["more"] is False and w["cursor"] and w["time"].endswith("Z")
    live.send(type="post", key="k1", topic=" tea\u200b", name=" Ann ", email="ann@example.org", content="hello")
    ack = live.until("ack", key="k1")
    m = live.message("hello")
    assert m["id"] == ack["id"] and m["time"] == ack["time"] and m["topic"] == "tea" and m["name"] == "Ann"
    live.send(type="post", key="k1", topic="tea", name="Ann", email="ann@example.org", content="hello")
    assert live.until("ack", key="k1")["id"] == ack["id"]
    r = requests.post(
        two + "/api/v1/messages", json={"key": "k1", "topic": "tea", "name": "Eve", "email": "eve@example.org", "content": "mine"}, timeout=PATIENCE
    )
    assert r.status_code == 201 and r.json()["id"] != ack["id"]
    resumed = Live(two, topics=["tea"], cursor=w["cursor"])
    w2 = resumed.until("welcome")
    assert w2["recovered"] is True
    resumed.seen.append(w2)
    resumed.message("mine")
    live.send(type="history", ref="r1", topic="tea", limit=1)
    h = live.until("history", ref="r1")
    assert [x["content"] for x in h["messages"]] == ["mine"] and h["more"] is True
    for query in ("topic=100%", "topic=a;b", "limit=5;x", "limit=", "limit=201", "topic=a&topic=b", "before=zz"):
        assert raw_get(one, f"/api/v1/messages?{query}") == (400, "bad_frame"), query
    topics = requests.get(one + "/api/v1/topics", params={"limit": 1}, timeout=PATIENCE).json()
    assert topics["topics"][0]["topic"] == "tea" and "next" not in topics
    live.send(type="post", key="k2", topic=None, name="Ann", email="ann@example.org", content="x")
    assert live.until("error", key="k2")["code"] in ("bad_frame", "bad_message")
    live.send(type="hello")
    assert live.until("error")["code"] == "bad_frame"
    r = requests.put(one + "/api/v1/messages", timeout=PATIENCE)
    problem(r, 405, "not_found")
