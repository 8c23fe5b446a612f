"""The kinds of people: thin, over the client. Which of them there are, and how many, says
:class:`chatload.options.Options` (``weights``).

The hook names are those that users of locust-plugins' WebSocket user know: ``connect``,
``on_message`` is the client's, ``send`` is ``offer``, ``sleep_with_heartbeat`` is ``sleep``.
"""

from __future__ import annotations

import re
from typing import Any

import gevent
from locust import FastHttpUser, task
from locust.env import Environment

from chatload.client import ChatClient
from chatload.pages import faults
from chatload.wire import WireError, message
from chatload.worker import Worker

#: Assets that a page names: scripts, styles, icons.
_ASSETS = re.compile(rb"""(?:src|href)=["']?([^"'\s>]+\.(?:js|css|svg|png|ico|webmanifest))""")
#: Seconds a user waits for its first welcome before it starts its round all the same.
FIRST_WELCOME = 30.0


def worker_of(environment: Environment) -> Worker:
    """The load process's :class:`Worker`, put there by the locustfile when Locust began."""
    worker = getattr(environment, "chat_worker", None)
    assert isinstance(worker, Worker)
    return worker


class ChatUser(FastHttpUser):
    """A person who opens the page. Abstract: the kinds below say what it does then.

    Attributes: ``bench``: the load process; ``name``: unique in the run; ``rng``: this person's
    random numbers; ``topics``: those it reads; ``chat``: its connection, if it has one.
    """

    abstract = True
    #: Whether this kind opens a WebSocket, posts, or is slow (so that being closed is no failure).
    has_socket, posts, slow = True, False, False
    #: No trust in certificates is at stake in a test lab; the in-cluster target is plain HTTP.
    insecure = True

    def __init__(self, environment: Environment) -> None:
        self.bench = worker_of(environment)
        self.name, self.rng, self.topics = self.bench.newcomer(type(self).__name__)
        self.base = self.bench.target(self.rng)
        self.host = self.base
        super().__init__(environment)
        self.chat: ChatClient | None = None

    def wait_time(self) -> float:
        """Rounds pace themselves (:meth:`sleep`)."""
        return 0.0

    def on_start(self) -> None:
        """Arrive: the page, then the socket, then perhaps a look back."""
        if self.bench.options.visit_page:
            self.visit_page()
        if self.has_socket:
            self.connect()
            if self.rng.random() < self.bench.options.read_back_share:
                self.read_back()

    def on_stop(self) -> None:
        """Leave."""
        if self.chat is not None:
            self.chat.stop()
            self.bench.part(self.chat)
        # Kept-alive HTTP connections would stay open as long as the process lives.
        self.client.client.close()

    def connect(self) -> None:
        """Open the socket and wait for the first welcome, as for a page to fill."""
        self.chat = ChatClient(
            self.bench, self.name, self.topics, self.rng, poster=self.posts, slow=self.slow
        )
        self.bench.join(self.chat, poster=self.posts)
        self.chat.start()
        self.chat.connected.wait(FIRST_WELCOME)

    def visit_page(self) -> None:
        """Load the page and, after it, every asset it names; the row ``page`` is all of it."""
        began = self.bench.now()
        with self.client.get("/", name="page", catch_response=True) as answer:
            body = answer.content or b""
            if answer.status_code != 200 or b"<html" not in body.lower():
                answer.failure(f"no page: status {answer.status_code}")
                self.bench.count(f"fail page: status {answer.status_code}")
                return
        for path in sorted(set(_ASSETS.findall(body))):
            address = path.decode("ascii", "replace")
            if "://" in address:
                continue  # another site's: not this server's work
            with self.client.get(
                "/" + address.removeprefix("./").lstrip("/"), name="asset", catch_response=True
            ) as answer:
                if answer.status_code != 200:
                    answer.failure(f"status {answer.status_code}")
                    self.bench.count(f"fail page: asset status {answer.status_code}")
        self.bench.record("page", self.bench.now() - began)

    def read_back(self) -> None:
        """One page of older messages over the socket."""
        if self.chat is not None:
            topic = self.rng.choice(self.topics)
            page = self.chat.ask_history(topic, None, 50)
            if page is not None and page.messages and page.more:
                self.chat.ask_history(topic, page.messages[0].id, 50)

    def sleep(self, mean: float) -> None:
        """Do nothing for a random time of this mean, seconds (exponential: nobody is in phase).

        The client's own greenlet answers pings meanwhile.
        """
        gevent.sleep(self.rng.expovariate(1 / mean) if mean > 0 else 0)


class Reader(ChatUser):
    """Receives everything, says nothing."""

    @task
    def read(self) -> None:
        """Reading happens in the client's reader greenlet."""
        self.sleep(10.0)


class Poster(ChatUser):
    """Receives everything and posts: on the worker's schedule (open model), or when it has thought
    (closed model, when the rate is 0)."""

    posts = True

    @task
    def converse(self) -> None:
        """Think, then post. In the closed model the next thought begins when this post is in."""
        options = self.bench.options
        if options.rate > 0 or self.chat is None:
            self.sleep(10.0)
            return
        self.sleep(options.think_time)
        if self.bench.draining:
            return
        self.chat.offer(self.rng.choice(self.topics), self.bench.now())
        self.chat.outbox.quiet.wait()


class Lurker(ChatUser):
    """Has no socket: reads over HTTP, page by page back into the past."""

    has_socket = False

    @task
    def page_back(self) -> None:
        """The latest page, then up to three older ones."""
        topic, before = self.rng.choice(self.topics), None
        for _ in range(self.rng.randint(1, 4)):
            before = self._page(topic, before)
            if before is None:
                break
            self.sleep(0.5)
        self.sleep(self.bench.options.think_time)

    def _page(self, topic: str, before: str | None) -> str | None:
        """One page over HTTP; the id to continue before, or None at the end."""
        query = f"topic={topic}&limit=50" + (f"&before={before}" if before else "")
        began = self.bench.now()
        with self.client.get(
            f"/api/v1/messages?{query}", name="/api/v1/messages", catch_response=True
        ) as answer:
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                self.bench.count(f"fail history: status {answer.status_code}")
                return None
            try:
                body: dict[str, Any] = answer.json()
                messages = [message(item) for item in body["messages"]]
            except (ValueError, KeyError, TypeError, WireError) as error:
                answer.failure(f"not a page of messages: {type(error).__name__}")
                return None
        self.bench.record("history", self.bench.now() - began)
        for text in faults(messages, topic, before, 50):
            self.bench.failure("history", text)
        return messages[0].id if messages and body.get("more") else None


class Churner(ChatUser):
    """Disconnects now and then, half of the times without a word, and resumes."""

    @task
    def churn(self) -> None:
        """Stay, go, come back."""
        options = self.bench.options
        self.sleep(options.churn_stay)
        if self.chat is None or self.bench.draining:
            return
        self.chat.go_away()
        self.sleep(options.churn_away)
        self.chat.come_back()


class SlowReader(ChatUser):
    """Stops reading now and then; a server that closes it (4001) is right, and it resumes."""

    slow = True

    @task
    def doze(self) -> None:
        """Read, doze, read."""
        self.sleep(5.0)
        if self.chat is not None and not self.bench.draining:
            self.chat.pause(self.bench.options.slow_pause)
            gevent.sleep(self.bench.options.slow_pause)
