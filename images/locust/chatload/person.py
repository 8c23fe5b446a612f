"""What a simulated person can do: visit the page, open the socket, read, post, come and go.

``locustfile.py`` says who does what of it. Each action here is one that a person at the page takes;
what is measured of it stands at the action. Those who know locust-plugins' WebSocket user find its
hooks here under other names: ``connect`` is :meth:`Person.open_socket`, ``on_message`` is the
client's, ``send`` is :meth:`Person.post`, ``sleep_with_heartbeat`` is :meth:`Person.sleep`.
"""

from __future__ import annotations

import re
from typing import Any

import gevent
from locust import FastHttpUser
from locust.env import Environment

from chatload.client import ChatClient
from chatload.options import Options
from chatload.pages import faults
from chatload.wire import WireError, message
from chatload.worker import Worker

#: Assets that a page names: scripts, styles, icons.
_ASSETS = re.compile(rb"""(?:src|href)=["']?([^"'\s>]+\.(?:js|css|svg|png|ico|webmanifest))""")
#: Seconds a person waits for the first welcome before it goes on all the same.
FIRST_WELCOME = 30.0
#: Messages on a page of history.
PAGE = 50


def worker_of(environment: Environment) -> Worker:
    """This process's load generator, put there when Locust began (:mod:`chatload.setup`)."""
    worker = getattr(environment, "chat_worker", None)
    assert isinstance(worker, Worker)
    return worker


class Person(FastHttpUser):
    """A person at the chat. Abstract: the kinds of people stand in the locustfile.

    Key variables: ``bench``, this process's load generator; ``name``, unique in the run; ``rng``,
    this person's own random numbers, so that a seed gives the same load again; ``topics``, those it
    reads; ``chat``, its socket, None while it never had one.
    """

    abstract = True
    #: No trust in certificates is at stake in a test lab; the in-cluster target is plain HTTP.
    insecure = True

    def __init__(self, environment: Environment) -> None:
        """A new person. Waits for the run's settings; RuntimeError when they do not come."""
        self.bench = worker_of(environment)
        self.name, self.rng, self.topics = self.bench.newcomer(type(self).__name__)
        # Where there are several targets, people spread over them.
        self.host = self.bench.target(self.rng)
        super().__init__(environment)
        self.chat: ChatClient | None = None

    @property
    def options(self) -> Options:
        """The run's settings (:mod:`chatload.options`)."""
        return self.bench.options

    @property
    def leaving(self) -> bool:
        """Whether the load is over: nobody goes away now, all are heard out."""
        return self.bench.draining

    def wait_time(self) -> float:
        """Locust's pause between two tasks, seconds: none, for each task paces itself."""
        return 0.0

    def sleep(self, mean: float) -> None:
        """Do nothing for a random time of this mean, seconds: exponential, so that nobody is in
        phase. The socket's own greenlet goes on reading, and answers pings."""
        gevent.sleep(self.rng.expovariate(1 / mean) if mean > 0 else 0)

    # -- the page --------------------------------------------------------------------------------

    def visit_page(self) -> None:
        """Load the page and, after it, every asset it names. Measured: all of it, as ``page``."""
        # A run may be about messages only.
        if not self.options.visit_page:
            return
        began = self.bench.now()
        # The answer is judged here, not by Locust.
        with self.client.get("/", name="page", catch_response=True) as answer:
            body = answer.content or b""
            # An error page is no page.
            if answer.status_code != 200 or b"<html" not in body.lower():
                answer.failure(f"no page: status {answer.status_code}")
                self.bench.count(f"fail page: status {answer.status_code}")
                return
        # Each asset once, as a browser's cache does.
        for path in sorted(set(_ASSETS.findall(body))):
            address = path.decode("ascii", "replace")
            # Another site's asset is not this server's work.
            if "://" not in address:
                self._asset("/" + address.removeprefix("./").lstrip("/"))
        self.bench.record("page", self.bench.now() - began)

    def _asset(self, path: str) -> None:
        """Load one asset of the page."""
        with self.client.get(path, name="asset", catch_response=True) as answer:
            # A page without its script is broken.
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                self.bench.count(f"fail page: asset status {answer.status_code}")

    # -- the socket ------------------------------------------------------------------------------

    def open_socket(self, *, posts: bool = False, slow: bool = False) -> None:
        """Connect and wait for the welcome, as for a page to fill. Measured: ``connect``.

        From now on the socket's greenlet reads (``deliver`` is measured there), reconnects and
        resumes. posts: whether the run's schedule may give this person posts. slow: whether it
        stops reading now and then, so that being closed as too slow is no failure.
        """
        self.chat = ChatClient(
            self.bench, self.name, self.topics, self.rng, poster=posts, slow=slow
        )
        self.bench.join(self.chat, poster=posts)
        self.chat.start()
        self.chat.connected.wait(FIRST_WELCOME)

    def read_history(self) -> None:
        """Some people (``--read-back-share``) look at older messages: one page of a topic, and the
        one before it. Measured: each as ``history``."""
        # Who has no socket, or does not care.
        if self.chat is None or self.rng.random() >= self.options.read_back_share:
            return
        topic = self.rng.choice(self.topics)
        page = self.chat.ask_history(topic, None, PAGE)
        # None: the connection broke first. Without `more`, there is nothing before this page.
        if page is not None and page.messages and page.more:
            self.chat.ask_history(topic, page.messages[0].id, PAGE)

    def read_live(self, mean: float = 10.0) -> None:
        """Stay and read what comes, for about ``mean`` seconds."""
        self.sleep(mean)

    def post(self) -> None:
        """Write a message into one of one's topics, and wait until it is acknowledged. Measured:
        ``ack``. For the closed model: in the open one, the run's schedule gives posts out."""
        if self.chat is not None:
            self.chat.offer(self.rng.choice(self.topics), self.bench.now())
            self.chat.outbox.quiet.wait()

    def go_away(self) -> None:
        """Disconnect, half of the times without a word."""
        if self.chat is not None:
            self.chat.go_away()

    def come_back(self) -> None:
        """Connect again from where one was. Measured: ``resume``, and ``catch_up`` for each message
        that was missed."""
        if self.chat is not None:
            self.chat.come_back()

    def doze(self, seconds: float) -> None:
        """Stop reading for so long, while the server goes on sending."""
        if self.chat is not None:
            self.chat.pause(seconds)
            gevent.sleep(seconds)

    def leave(self) -> None:
        """Leave for good: close the socket and the HTTP connections, hand over posts that wait."""
        if self.chat is not None:
            self.chat.stop()
            self.bench.part(self.chat)
        # Kept-alive HTTP connections would stay open as long as the process lives.
        self.client.client.close()

    # -- without a socket ------------------------------------------------------------------------

    def page_back(self, pages: int) -> None:
        """Read a topic over HTTP: the latest page, then older ones, at most ``pages``. Measured:
        each as ``history``."""
        topic, before = self.rng.choice(self.topics), None
        # Back into the past, page by page.
        for _ in range(pages):
            before = self._page(topic, before)
            # The beginning of the topic, or a failure.
            if before is None:
                return
            self.sleep(0.5)

    def _page(self, topic: str, before: str | None) -> str | None:
        """One page over HTTP, older than the id ``before`` (None: the latest). Returns the id to go
        on before; None at the end."""
        query = f"topic={topic}&limit={PAGE}" + (f"&before={before}" if before else "")
        began = self.bench.now()
        # The answer is judged here, not by Locust.
        with self.client.get(
            f"/api/v1/messages?{query}", name="/api/v1/messages", catch_response=True
        ) as answer:
            # Refused or broken.
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                self.bench.count(f"fail history: status {answer.status_code}")
                return None
            # What is no page of messages is a failure.
            try:
                body: dict[str, Any] = answer.json()
                messages = [message(item) for item in body["messages"]]
            except (ValueError, KeyError, TypeError, WireError) as error:
                answer.failure(f"not a page of messages: {type(error).__name__}")
                return None
        self.bench.record("history", self.bench.now() - began)
        # Out of order, of another topic, too long: each is a failure of its own.
        for text in faults(messages, topic, before, PAGE):
            self.bench.failure("history", text)
        return messages[0].id if messages and body.get("more") else None
