"""One message from the key press to another person's screen, hop by hop.

Set up as in the manifest, on this machine: a Redis master that writes to disk before it answers, a
replica that has to confirm, a Sentinel; two chat pods. Ann writes in a real browser on pod A; Ben
looks at a real browser on pod B. Two bare clients listen too, so that the server's part can be told
from the browser's: one tails the log in Redis as every pod does, one is a WebSocket on
pod B. All read one clock. One message at a time, with random pauses: nothing is loaded, the path
itself is measured.

Leaves ``results/journey``: ``hops.csv`` (each message, milliseconds since the key press) and
``made.json``. Limits: browsers give times in steps of 0.1 ms; all of it, two browsers too,
shares this machine's processors.
"""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import websocket
from playwright.sync_api import Page, sync_playwright

from lab.experiment import machine, output_of, say
from lab.local import LabError, Process, chat_binary, free_ports
from report.measure import stamp

#: Messages measured, after some that only warm everything up.
MESSAGES, WARM_UP = 300, 20
#: Least and greatest pause between two messages, seconds: longer than a frame of a screen and in
#: step with nothing.
PAUSES = (0.08, 0.18)
#: Seed of the pauses.
SEED = 7
#: Hops in the order of the journey; all but the first are milliseconds since the key press.
HOPS = ("sent", "log", "ack", "socket", "frame", "shown")
#: What a message's content begins with; its number follows.
WORD = b"journey "

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync"),
]

#: Runs in each page before its own code: notes when a message's key was pressed, its frame left,
#: its ack came, a frame with it came, and when it had been painted (a task after the frame in
#: which the log's rows changed).
PROBE = """
(() => {
  const notes = (window.notes = { key: {}, sent: {}, ack: {}, frame: {}, shown: {} });
  const now = () => performance.timeOrigin + performance.now();
  const numbers = (text) => [...text.matchAll(/journey (\\d+)/g)].map((found) => found[1]);
  const keys = {};
  const first = (notes, n, at) => { if (!(n in notes)) notes[n] = at; };
  addEventListener("keydown", (event) => {
    if (event.key === "Enter") for (const n of numbers(event.target.value ?? ""))
      first(notes.key, n, performance.timeOrigin + event.timeStamp);
  }, true);
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", (event) => {
        const at = now();
        const frame = JSON.parse(event.data);
        if (frame.type === "ack" && frame.key in keys) first(notes.ack, keys[frame.key], at);
        if (frame.type === "messages")
          for (const one of frame.messages)
            for (const n of numbers(one.content)) first(notes.frame, n, at);
      });
    }
    send(data) {
      const at = now();
      super.send(data);
      const frame = JSON.parse(data);
      if (frame.type === "post") for (const n of numbers(frame.content)) {
        keys[frame.key] = n;
        first(notes.sent, n, at);
      }
    }
  };
  const painted = new MessageChannel();
  let waiting = [];
  painted.port1.onmessage = () => {
    const at = now();
    for (const n of waiting) first(notes.shown, n, at);
    waiting = [];
  };
  const watch = () => new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes)
      waiting.push(...numbers(node.textContent ?? ""));
    // Rows change within an animation frame; this task runs once that frame is painted.
    if (waiting.length) painted.port2.postMessage(0);
  }).observe(document.body, { childList: true, subtree: true });
  document.body ? watch() : addEventListener("DOMContentLoaded", watch);
})();
"""


def redis_process(folder: Path, port: int, *more: str) -> Process:
    """A Redis as the manifest's: on the disk before it answers."""
    data = folder / f"redis-{port}"
    data.mkdir()
    command = [
        shutil.which("redis-server") or "redis-server",
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(data), "--save", ""),
        *("--appendonly", "yes", "--appendfsync", "always", *more),
    ]
    return Process(f"redis-{port}", command, folder, dict(os.environ))


def sentinel_process(folder: Path, port: int, master: int) -> Process:
    """One Sentinel that watches the master."""
    conf = folder / "sentinel.conf"
    conf.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor chat 127.0.0.1 {master} 1\n",
        encoding="utf-8",
    )
    command = [shutil.which("redis-server") or "redis-server", str(conf), "--sentinel"]
    return Process("sentinel", command, folder, dict(os.environ))


def ask(port: int, *words: str) -> bytes:
    """One command to a Redis on loopback; the first chunk of its answer, empty when it is away."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            link.sendall(encoded(*words))
            return link.recv(1 << 16)
    except OSError:
        return b""


def encoded(*words: str) -> bytes:
    """A command in Redis's protocol."""
    parts = [f"*{len(words)}\r\n"]
    parts += [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return "".join(parts).encode()


def until(what: str, holds: Callable[[], bool], patience: float = 20.0) -> None:
    """Wait until something holds; LabError when it does not."""
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not after {patience:g} s")
        time.sleep(0.05)


class Tail(threading.Thread):
    """Tails the log in Redis with blocking XREAD, as a pod does, and notes when a message comes."""

    def __init__(self, port: int) -> None:
        super().__init__(name="tail", daemon=True)
        self._port = port
        self.ended = threading.Event()
        #: message number → seconds since the epoch.
        self.seen: dict[int, float] = {}

    def run(self) -> None:
        position = "$"
        with socket.create_connection(("127.0.0.1", self._port)) as link:
            while not self.ended.is_set():
                command = ("XREAD", "BLOCK", "200", "STREAMS", "chat:{p0}:log", position)
                link.sendall(encoded(*command))
                answer = link.recv(1 << 16)
                at = time.time()
                for number in numbers(answer):
                    self.seen.setdefault(number, at)
                found = re.findall(rb"\r\n(\d{13}-\d+)\r\n", answer)
                position = found[-1].decode() if found else position


class Socket(threading.Thread):
    """A bare WebSocket on a pod: notes when a frame with a message comes."""

    def __init__(self, address: str) -> None:
        super().__init__(name="socket", daemon=True)
        self._link = websocket.create_connection(address)
        self._link.send('{"type":"hello","limit":0}')
        #: message number → seconds since the epoch.
        self.seen: dict[int, float] = {}

    def run(self) -> None:
        while True:
            try:
                frame = self._link.recv()
            except (websocket.WebSocketException, OSError):
                return
            at = time.time()
            for number in numbers(frame.encode() if isinstance(frame, str) else frame):
                self.seen.setdefault(number, at)

    def end(self) -> None:
        """Close; the thread ends."""
        self._link.close()
        self.join(5)


def numbers(text: bytes) -> list[int]:
    """The numbers of the messages whose contents are in some bytes."""
    return [int(found) for found in re.findall(WORD + rb"(\d+)", text)]


def open_page(browser: Any, address: str, name: str) -> Page:
    """A person's window: another profile of the browser, introduced and connected."""
    page: Page = browser.new_context().new_page()
    page.add_init_script(PROBE)
    page.goto(address)
    page.get_by_role("status", name="Connection").wait_for(state="attached")
    page.locator('[data-phase="open"]').first.wait_for(state="attached")
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="Email").fill(f"{name.lower()}@example.org")
    return page


def shown(page: Page, number: int) -> bool:
    """Whether a page has painted a message."""
    return bool(page.evaluate(f"'{number}' in notes.shown"))


def write_messages(page: Page, other: Page) -> None:
    """Ann writes, one message at a time; each is seen by Ben before the next."""
    pause = random.Random(SEED)
    box = page.get_by_role("textbox", name="Message")
    for number in range(WARM_UP + MESSAGES):
        box.fill(f"{WORD.decode()}{number}")
        time.sleep(pause.uniform(*PAUSES))
        box.press("Enter")
        until(f"message {number} is shown", partial(shown, other, number))


def run(folder: Path) -> None:
    """Measure into ``folder``."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="journey-")))
        master, replica, sentinel, one, two = free_ports(5)

        def started(process: Process) -> Process:
            """Start it, and end it at the end."""
            process.start()
            stack.callback(process.end)
            return process

        say("starting Redis, a replica, a Sentinel, two pods")
        started(redis_process(place, master))
        until("Redis answers", lambda: ask(master, "PING").startswith(b"+PONG"))
        started(redis_process(place, replica, "--replicaof", f"127.0.0.1 {master}"))
        until(
            "the replica is in step",
            lambda: b"master_link_status:up" in ask(replica, "INFO", "replication"),
        )
        started(sentinel_process(place, sentinel, master))
        until("the Sentinel answers", lambda: ask(sentinel, "PING").startswith(b"+PONG"))
        for name, port in (("a", one), ("b", two)):
            pod = started(
                Process(
                    f"pod-{name}",
                    [
                        str(chat_binary()),
                        f"--listen=127.0.0.1:{port}",
                        "--admin-listen=off",
                        f"--redis-url=redis+sentinel://127.0.0.1:{sentinel}/chat/0",
                        f"--name=pod-{name}",
                        "--post-rate=0",
                        *("--drain-settle=0s", "--drain-spread=0s", "--drain-leave=1s"),
                    ],
                    place,
                    dict(os.environ),
                )
            )
            stamp.wait_ready(pod, f"http://127.0.0.1:{port}/readyz")
        tail, link = Tail(master), Socket(f"ws://127.0.0.1:{two}/ws")
        stack.callback(tail.ended.set)
        stack.callback(link.end)
        tail.start()
        link.start()
        made_on = machine()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            ann = open_page(browser, f"http://127.0.0.1:{one}/", "Ann")
            ben = open_page(browser, f"http://127.0.0.1:{two}/", "Ben")
            say(f"{WARM_UP + MESSAGES} messages")
            write_messages(ann, ben)
            until("every ack is there", lambda: len(ann.evaluate("notes.ack")) >= MESSAGES)
            hers, his = ann.evaluate("notes"), ben.evaluate("notes")
            version = browser.version
            browser.close()
        rows = []
        for number in range(WARM_UP, WARM_UP + MESSAGES):
            name = str(number)
            pressed = hers["key"][name]
            at = (
                hers["sent"][name],
                tail.seen[number] * 1000,
                hers["ack"][name],
                link.seen[number] * 1000,
                his["frame"][name],
                his["shown"][name],
            )
            rows.append([number - WARM_UP, *(round(one - pressed, 3) for one in at)])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "hops.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["message", *(f"{hop}_ms" for hop in HOPS)])
        writer.writerows(rows)
    stamp.leave(
        folder,
        "One message from the key press to another person's screen. `hops.csv`: milliseconds since "
        "the key press at each hop, one line a message.",
        "loadtest/run report journey",
        made_on,
        {
            "chat": output_of([str(chat_binary()), "--version"]),
            "redis": " ".join(output_of(["redis-server", "--version"]).split()[:3]),
            "chromium": version,
        },
    )
