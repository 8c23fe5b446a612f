"""A small chat server that keeps the wire contract, and can be told to break it.

For tests of the load lab only, so that they know the truth: ``GET /truth`` says how many
deliveries were dropped, doubled and swapped on purpose. One process, asyncio, everything in memory.

    python tests/fakechat.py --port 8123 [--drop 0.01 --double 0.01 --swap 0.01 --seed 1] …

``--help`` lists the kinds of mischief: chances (0 to 1) of what may go wrong with a message, and
instants (seconds after the first post) at which something happens to the server as a whole.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fakepeople import MISCHIEF, FakePeople
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

PAGE = b'<!doctype html><html><head><script src="/app.js"></script></head><body>chat</body></html>'


@dataclass(eq=False)
class Session:
    """One socket. position: index in the log up to which it has been served."""

    writer: asyncio.StreamWriter
    wire: WSConnection
    topics: set[str] | None = None
    position: int = -1
    held: dict[str, Any] | None = None
    frames: int = 0
    #: Address of the account; "" for a guest. filter: what it reads of its topics.
    email: str = ""
    filter: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class FakeChat:
    """The log, the sessions and the mischief."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.rng = random.Random(args.seed)
        self.log: list[dict[str, Any]] = []
        self.people = FakePeople(args, self.log)
        self.keys: dict[str, dict[str, Any]] = {}
        self.sessions: set[Session] = set()
        #: What was done on purpose, and how often.
        self.truth = {"dropped": 0, "doubled": 0, "swapped": 0, "posts": 0, "unavailable": 0}
        self.truth |= {"volatile": 0, "twice": 0, "renamed": 0, "private": 0}
        #: Number of ids given, and when the first post came.
        self.given = 0
        self.began: float | None = None
        #: Keys that are never answered, and the one session that is shown each such message.
        self.secret: dict[str, Session] = {}
        self.refuse_cursors = args.refuse_cursors
        self.news = asyncio.Event()

    # -- HTTP ------------------------------------------------------------------------------------

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection: plain HTTP requests, or a WebSocket."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b" ", 2)[1].decode()
                if b"upgrade: websocket" in head.lower():
                    await self.websocket(reader, writer, head)
                    break
                headers = dict(
                    line.decode().lower().split(": ", 1) for line in head.split(b"\r\n")[1:-2]
                )
                sent = await reader.readexactly(int(headers.get("content-length", 0)))
                token = headers.get("authorization", "").removeprefix("bearer ")
                method = head.split(b" ", 1)[0].decode()
                status, kind, body = self.answer(method, urlsplit(target), sent, token)
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        writer.close()

    def answer(self, method: str, url: Any, sent: bytes, token: str) -> tuple[str, str, bytes]:
        """A plain request."""
        if url.path == "/":
            return "200 OK", "text/html", PAGE
        if url.path == "/app.js":
            return "200 OK", "text/javascript", b"'use strict'"
        if url.path == "/healthz":
            return "200 OK", "text/plain", b"ok"
        if url.path == "/truth":
            return "200 OK", "application/json", json.dumps(self.truth | self.people.truth).encode()
        if url.path == "/api/v1/messages" and method == "GET":
            query = {k: v[0] for k, v in parse_qs(url.query).items()}
            email = (self.people.who(token) or {"email": ""})["email"]
            if not self.people.member(query.get("topic", ""), email):
                return "404 Not Found", "application/json", b"{}"
            page, more = self.page(
                query.get("topic"), query.get("before"), int(query.get("limit", 50))
            )
            body = json.dumps({"messages": page, "more": more}).encode()
            return "200 OK", "application/json", body
        if url.path.startswith("/api/v1/"):
            status, told = self.people.call(method, url.path, json.loads(sent or b"{}"), token)
            self.wake()
            body = b"" if told is None else json.dumps(told).encode()
            return status, "application/json", body
        return "404 Not Found", "text/plain", b"no"

    def page(
        self, topic: str | None, before: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], bool]:
        """The messages just before ``before``, oldest first, and whether there are older ones."""
        found = [
            m
            for m in self.log
            if (topic is None or m["topic"] == topic) and (before is None or m["id"] < before)
        ]
        page = found[-limit:] if limit else []
        if self.args.short_pages:
            page = page[-self.args.short_pages :]  # the byte budget: fewer, and `more`
        return page, len(found) > len(page)

    # -- WebSocket -------------------------------------------------------------------------------

    async def websocket(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes
    ) -> None:
        """One session from its handshake to its end."""
        session = Session(writer, WSConnection(ConnectionType.SERVER))
        session_task: asyncio.Task[None] | None = None
        data = head
        try:
            while data:
                session.wire.receive_data(data)
                for event in session.wire.events():
                    if isinstance(event, Request):
                        protocols = list(event.subprotocols)
                        chosen = "chat.v1" if "chat.v1" in protocols else None
                        await self.put(session, AcceptConnection(subprotocol=chosen))
                    elif isinstance(event, RejectConnection):
                        return
                    elif isinstance(event, Ping):
                        await self.put(session, event.response())
                    elif isinstance(event, CloseConnection):
                        await self.put(session, event.response())
                        return
                    elif isinstance(event, TextMessage):
                        hello = await self.frame(session, json.loads(event.data))
                        if hello:
                            self.sessions.add(session)
                            session_task = asyncio.create_task(self.feed(session))
                data = await reader.read(65536)
        finally:
            self.sessions.discard(session)
            if session_task:
                session_task.cancel()

    async def put(self, session: Session, event: Any) -> None:
        """Write one WebSocket event."""
        session.writer.write(session.wire.send(event))
        await session.writer.drain()

    async def say(self, session: Session, body: dict[str, Any]) -> None:
        """Write one frame."""
        await self.put(session, TextMessage(data=json.dumps(body)))

    async def frame(self, session: Session, body: dict[str, Any]) -> bool:
        """One client frame. True for a hello."""
        kind = body["type"]
        if kind == "hello":
            await self.hello(session, body)
            return True
        if kind == "post":
            asyncio.get_running_loop().create_task(self.post(session, body))
        elif kind == "history":
            page, more = self.page(body.get("topic"), body.get("before"), body.get("limit", 50))
            await self.say(
                session, {"type": "history", "ref": body["ref"], "messages": page, "more": more}
            )
        return False

    async def hello(self, session: Session, body: dict[str, Any]) -> None:
        """Take up the position that the client asks for."""
        topics = body.get("topics")
        session.topics = None if topics in (None, ["*"]) else set(topics)
        session.filter = body.get("filter", "")
        session.email = (self.people.who(body.get("token", "")) or {"email": ""})["email"]
        session.position = len(self.log)
        cursor = body.get("cursor")
        mine = [m for m in self.log if session.topics is None or m["topic"] in session.topics]
        limit = body.get("limit", 50)
        answer = {
            "type": "welcome",
            "server": f"fake-{self.args.port}",
            "cursor": str(session.position),
            "recovered": False,
            "messages": mine[-limit:] if limit else [],
            "more": len(mine) > limit,
        }
        if self.args.mute:
            answer |= {"messages": [], "more": True}
        if cursor is not None and not self.refuse_cursors:
            missed = self.log[int(cursor) :]
            answer["recovered"] = True
            answer["messages"] = [
                m for m in missed if session.topics is None or m["topic"] in session.topics
            ]
        await self.say(session, answer)

    async def post(self, session: Session, body: dict[str, Any]) -> None:
        """Append a post, unless its key is known; answer it, unless told to lose the answer."""
        args = self.args
        if self.rng.random() < args.unavailable:
            self.truth["unavailable"] += 1
            await self.say(
                session,
                {
                    "type": "error",
                    "code": "unavailable",
                    "message": "later",
                    "key": body["key"],
                    "retry_after_ms": 20,
                },
            )
            return
        self.as_a_whole()
        if body["key"] in self.secret:
            return
        known = self.keys.get(body["key"])
        if body.get("ephemeral"):
            await self.pass_by(session, body)
            return
        if known is None:
            if self.people.refused(body, session.email):
                refusal = {"type": "error", "code": "not_found", "message": "no such topic"}
                await self.say(session, {**refusal, "key": body["key"]})
                return
            body = self.people.sign(body, session.email)
            known = self.append(body)
            if self.rng.random() < args.lose_acks:
                session.writer.transport.abort()
                return
            if self.rng.random() < args.twice:
                self.truth["twice"] += 1
                self.append(body)
            if self.rng.random() < args.secret:
                self.secret[body["key"]] = min(self.sessions, key=id)
                return
        said = known["id"]
        if self.rng.random() < args.rename:
            self.truth["renamed"] += 1
            said += "x"
        await self.say(
            session, {"type": "ack", "key": known["key"], "id": said, "time": known["time"]}
        )

    def append(self, body: dict[str, Any]) -> dict[str, Any]:
        """Give a post its id and put it into the log, unless it is to be acknowledged and lost."""
        self.truth["posts"] += 1
        fields = ("key", "topic", "name", "email", "content", "reply_to", "account", "verified")
        made = {k: body[k] for k in fields if k in body}
        self.given += 1
        made["id"] = f"{self.given:024d}"
        made["time"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        self.keys[body["key"]] = made
        first, last = self.args.swallow
        if self.rng.random() < self.args.volatile or first <= self.given < last:
            self.truth["volatile"] += 1
        else:
            self.log.append(made)
            self.people.appended(made)
        if first <= self.given + 1 == last:
            self.refuse_cursors = True
            self.hang_up()
        self.wake()
        return made

    def wake(self) -> None:
        """Something came into the log, or changed in it: sessions look, updates go out."""
        self.news.set()
        self.news = asyncio.Event()
        updates = self.people.updates()
        if updates:
            asyncio.get_running_loop().create_task(self.tell(updates))

    async def tell(self, updates: list[dict[str, Any]]) -> None:
        """New numbers, to those who read their topics."""
        await asyncio.sleep(0.2)  # they must not precede their message
        for session in list(self.sessions):
            mine = [one for one in updates if one["topic"] in (session.topics or ())]
            if mine:
                with suppress(ConnectionError):
                    await self.say(session, {"type": "updates", "updates": mine})

    async def pass_by(self, session: Session, body: dict[str, Any]) -> None:
        """An ephemeral message: to whoever is there, and into the log only by mischief."""
        made = self.people.sign(body, session.email)
        if self.people.keeps():
            self.append(made)
        fields = ("key", "topic", "name", "email", "content", "account", "verified")
        message = {k: made[k] for k in fields if k in made}
        message["time"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        for other in list(self.sessions):
            if self.people.shown(other.topics, other.email, other.filter, message):
                with suppress(ConnectionError):
                    await self.say(other, {"type": "ephemeral", "messages": [message]})
        await self.say(session, {"type": "ack", "key": body["key"], "time": message["time"]})

    def hang_up(self) -> None:
        """Close every socket without a word."""
        for session in list(self.sessions):
            session.writer.transport.abort()

    def as_a_whole(self) -> None:
        """What happens to the server as a whole, at its time."""
        args, now = self.args, time.monotonic()
        if self.began is None:
            self.began = now
        if args.forget_at and now - self.began > args.forget_at:
            args.forget_at = 0.0
            self.refuse_cursors = True
            self.log.clear()
            self.hang_up()
        if args.stall_at and now - self.began > args.stall_at:
            args.stall_at = 0.0
            time.sleep(args.stall_ms / 1000)
        if args.freeze_at and now - self.began > args.freeze_at:
            time.sleep(600)  # until it is killed

    async def feed(self, session: Session) -> None:
        """Deliver the log to a session from its position on, mischief included."""
        with suppress(ConnectionError):
            while True:
                news = self.news
                while session.position < len(self.log):
                    message = self.log[session.position]
                    session.position += 1
                    shown = self.people.shown
                    if not shown(session.topics, session.email, session.filter, message):
                        continue
                    if self.args.mute or self.secret.get(message["key"], session) is not session:
                        continue
                    out = self.mischief(session, message)
                    if out:
                        await self.say(
                            session,
                            {
                                "type": "messages",
                                "messages": out,
                                "cursor": str(session.position),
                            },
                        )
                        session.frames += 1
                    if self.args.close_after and session.frames >= self.args.close_after:
                        session.writer.transport.abort()
                        return
                try:
                    await asyncio.wait_for(news.wait(), 0.3 if session.held else None)
                except TimeoutError:
                    # Nothing overtook the message that was held back: no swap after all.
                    held, session.held = session.held, None
                    body = {"type": "messages", "messages": [held], "cursor": str(session.position)}
                    await self.say(session, body)

    def mischief(self, session: Session, message: dict[str, Any]) -> list[dict[str, Any]]:
        """What is delivered instead of ``message``: it, nothing, it twice, or it after the next.

        No two acts touch the same message, so that each can be counted.
        """
        if session.held is not None:
            first, session.held = session.held, None
            if self.args.private_order:
                self.truth["private"] += 1
                ids = first["id"], message["id"]
                return [{**message, "id": ids[0]}, {**first, "id": ids[1]}]
            if first["topic"] == message["topic"]:
                self.truth["swapped"] += 1
                return [message, first]
            return [first, message]
        args, chance = self.args, self.rng.random()
        if chance < args.drop:
            self.truth["dropped"] += 1
            return []
        if chance < args.drop + args.double:
            self.truth["doubled"] += 1
            return [message, message]
        odd = args.private_order and int(message["id"]) % 7 == 0 and id(session) % 64 < 32
        if odd or chance < args.drop + args.double + args.swap:
            session.held = message
            return []
        return [message]


async def main(args: argparse.Namespace) -> None:
    """Serve until killed, and at most ten minutes."""
    chat = FakeChat(args)
    server = await asyncio.start_server(chat.serve, "127.0.0.1", args.port)
    port = server.sockets[0].getsockname()[1]
    args.port = port
    print(f"listening on 127.0.0.1:{port}", flush=True)
    async with server:
        with suppress(TimeoutError):
            await asyncio.wait_for(server.serve_forever(), 600)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    for chance, text in (
        ("drop", "a delivery is left out"),
        ("double", "a delivery comes twice"),
        ("swap", "a delivery comes after the next one of its topic"),
        ("unavailable", "a post is refused for now"),
        ("lose-acks", "the socket closes instead of an acknowledgement"),
        ("volatile", "a post is acknowledged and never logged"),
        ("twice", "a post is logged twice, under two ids"),
        ("rename", "an acknowledgement names another id"),
        ("secret", "a post is never acknowledged, and shown to one session only"),
    ):
        parser.add_argument(f"--{chance}", type=float, default=0.0, help=text)
    for chance, text in MISCHIEF:
        parser.add_argument(f"--{chance}", type=float, default=0.0, help=text)
    parser.add_argument(
        "--refuse-cursors", action="store_true", help="honour no cursor, and say so"
    )
    parser.add_argument("--mute", action="store_true", help="show nothing, and say there is more")
    parser.add_argument(
        "--private-order", action="store_true", help="some sessions: another order, ids to match"
    )
    parser.add_argument("--close-after", type=int, default=0, help="frames until a socket closes")
    parser.add_argument("--short-pages", type=int, default=0, help="most messages of a page")
    parser.add_argument(
        "--swallow",
        type=lambda text: tuple(map(int, text.split(":"))),
        default=(0, 0),
        help="FIRST:LAST: these posts are acknowledged and lost; then sockets close, cursors fail",
    )
    for instant in ("forget-at", "stall-at", "freeze-at"):
        parser.add_argument(f"--{instant}", type=float, default=0.0)
    parser.add_argument("--stall-ms", type=float, default=200.0)
    asyncio.run(main(parser.parse_args()))
