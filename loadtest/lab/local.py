"""Everything on this machine, on loopback: Redis, chat pods, a Locust master and its workers.

Owns every process that it starts, ends only those, and leaves nothing behind. Children get a
session of their own, so that a Ctrl-C at the terminal reaches the runner alone, which then ends
them in order.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from chatload import probe
from chatload.schedule import VARIABLE
from lab.scenario import Scenario

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "images/locust"
#: Seconds for a process to be ready, and to end before it is killed.
START_PATIENCE, END_PATIENCE = 20.0, 10.0


class LabError(RuntimeError):
    """Something that the run needs is not there or did not start; the text says what to do."""


def chat_binary() -> Path:
    """The chat server: ``CHAT_BIN``, or ``bin/chat`` as ``make build`` leaves it."""
    path = Path(os.environ.get("CHAT_BIN", ROOT / "bin/chat"))
    if not path.is_file():
        raise LabError(f"no chat server at {path}: run `make build`, or set CHAT_BIN")
    return path.resolve()


def free_ports(number: int) -> list[int]:
    """Ports that are free on loopback now."""
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Process:
    """One child: how to start it again, where its output goes."""

    def __init__(self, name: str, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self.name = name
        self.command = command
        self.output = folder / f"{name}.log"
        self._env = env
        self._log: IO[bytes] | None = None
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it (again)."""
        self._log = self.output.open("ab")
        self.child = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=self._env,
            cwd=GENERATOR if "locust" in self.name else None,
            start_new_session=True,
        )

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self.child is not None and self.child.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it lives."""
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(number)

    def end(self, patience: float = END_PATIENCE) -> None:
        """Ask it to end, then make it end."""
        if self.child is None:
            return
        if self.running:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        try:
            self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        if self._log is not None:
            self._log.close()

    def tail(self) -> str:
        """The last lines of its output, for an error text."""
        text = self.output.read_text(errors="replace") if self.output.exists() else ""
        return "\n".join(text.splitlines()[-8:])


class Local:
    """The whole set-up of one scenario on this machine. Use as a context manager."""

    def __init__(self, scenario: Scenario, artefacts: Path, *, web_port: int | None = None) -> None:
        self.scenario = scenario
        self.artefacts = artefacts
        #: Port for Locust's web UI; None: headless.
        self.web_port = web_port
        self._folder = Path(tempfile.mkdtemp(prefix="loadlab-"))
        self.pods: list[Process] = []
        self.redis: Process | None = None
        #: The disk that loses what was not synced, if the scenario asks for it.
        self.disk: Process | None = None
        self.redis_port = 0
        self.workers: list[Process] = []
        self.master: Process | None = None
        #: Base URLs of the pods, and of their metrics.
        self.targets: list[str] = []
        self.metrics: list[str] = []

    def __enter__(self) -> Local:
        try:
            self._start_servers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End everything in the order in which it depends on each other."""
        # Each group is told to end at once and then waited for: drains overlap.
        for group in ([self.master], self.workers, self.pods, [self.redis], [self.disk]):
            for process in group:
                if process is not None:
                    process.send(signal.SIGCONT)
                    process.send(signal.SIGTERM)
            for process in group:
                if process is not None:
                    process.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start_servers(self) -> None:
        """Redis, then the pods; each is waited for."""
        env = {**os.environ, "GOMAXPROCS": os.environ.get("GOMAXPROCS", "")}
        env = {key: value for key, value in env.items() if value}
        redis = shutil.which("redis-server")
        if redis is None:
            raise LabError("no redis-server: apt-get install redis-server")
        count = self.scenario.replicas
        self.redis_port, *ports = free_ports(1 + 2 * count)
        data = self._folder / "redis"
        data.mkdir()
        if self.scenario.volatile_disk:
            self._mount(data)
        flags = {
            "port": str(self.redis_port),
            "bind": "127.0.0.1",
            "dir": str(data),
            "appendonly": "yes",
            "appendfsync": self.scenario.fsync,
            "save": "",
        }
        command = [redis, *(part for k, v in flags.items() for part in (f"--{k}", v))]
        self.redis = Process("redis", command, self._folder, env)
        self.redis.start()
        self._wait_port(self.redis, self.redis_port)
        binary = str(chat_binary())
        for number in range(count):
            listen, admin = ports[2 * number : 2 * number + 2]
            command = [
                binary,
                f"--listen=127.0.0.1:{listen}",
                f"--admin-listen=127.0.0.1:{admin}",
                f"--redis-url=redis://127.0.0.1:{self.redis_port}/0",
                f"--name=pod-{number}",
                "--post-rate=0",
                "--drain-settle=0s",
                "--drain-spread=1s",
                "--drain-leave=1s",
            ]
            pod = Process(f"pod-{number}", command, self._folder, env)
            self.pods.append(pod)
            self.targets.append(f"http://127.0.0.1:{listen}")
            self.metrics.append(f"http://127.0.0.1:{admin}/metrics")
            pod.start()
        for pod, target in zip(self.pods, self.targets, strict=True):
            self._wait_http(pod, f"{target}/readyz")

    def _mount(self, data: Path) -> None:
        """Put a disk under Redis that loses what was not synced when power is cut."""
        if not Path("/dev/fuse").exists():
            raise LabError("a volatile disk needs /dev/fuse")
        binary = self._build(ROOT / "test", "./volatile")
        store = self._folder / "store"
        command = [str(binary), str(data), str(store)]
        self.disk = Process("disk", command, self._folder, dict(os.environ))
        self.disk.start()
        self._wait_line(self.disk, "mounted")

    def _build(self, module: Path, package: str) -> Path:
        """A program in Go, built for this run: Go's cache makes that quick."""
        if shutil.which("go") is None:
            raise LabError(f"no Go to build {module.relative_to(ROOT)}: https://go.dev/doc/install")
        name = module.name if package == "." else package.removeprefix("./")
        binary = self._folder / name
        if not binary.exists():
            build = ["go", "build", "-o", str(binary), package]
            done = subprocess.run(build, cwd=module, capture_output=True, text=True, check=False)
            if done.returncode:
                raise LabError(f"{name} does not build:\n{done.stderr}")
        return binary

    def cut_power(self) -> None:
        """The disk forgets what was not synced. Whoever had files open there must be dead."""
        assert self.disk is not None and self.redis is not None and self.redis.child is not None
        self.redis.child.wait(END_PATIENCE)
        self.disk.send(signal.SIGUSR1)
        self._wait_line(self.disk, "power cut")

    def start_load(self) -> None:
        """The Locust master and its workers; headless ones begin at once."""
        scenario = self.scenario
        rpc = free_ports(1)[0]
        env = {**os.environ, "LOCUST_WEB_HOST_DISPLAY_NAME": ""}
        env.pop(VARIABLE, None)
        locust = [sys.executable, "-m", "locust", "-f", "locustfile.py"]
        names = [f"locust-worker-{number}" for number in range(scenario.workers)]
        names += [f"locust-probe-{number}" for number in range(scenario.probe_workers)]
        for number, name in enumerate(names):
            command = [*locust, "--worker"]
            both = scenario.generator == "both" and (number % 2 == 1 or "probe" in name)
            if scenario.generator == "go" or both:
                command = [str(self._build(GENERATOR / "generator", "."))]
            command += ["--master-host", "127.0.0.1", "--master-port", str(rpc)]
            mine = {**env, probe.VARIABLE: "1"} if "probe" in name else env
            worker = Process(name, command, self._folder, mine)
            self.workers.append(worker)
            worker.start()
        command = [
            *locust,
            *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(rpc)),
            *("--expect-workers", str(len(names)), "--expect-workers-max-wait", "30"),
            *("--only-summary", "--host", self.targets[0], "--targets", ",".join(self.targets)),
            *("--artefacts", str(self.artefacts)),
            *("--csv", str(self.artefacts / "locust"), "--html"),
            str(self.artefacts / "locust.html"),
        ]
        for name, value in scenario.options.items():
            command += ["--" + name.replace("_", "-"), str(value).lower()]
        if scenario.stages:
            env = {**env, VARIABLE: json.dumps(scenario.stages)}
        elif self.web_port is None:
            command += ["-u", str(scenario.users), "-r", str(scenario.spawn_rate)]
            command += ["-t", f"{scenario.seconds:g}s"]
        if self.web_port is None:
            command.append("--headless")
        else:
            command += ["--web-host", "127.0.0.1", "--web-port", str(self.web_port)]
        self.artefacts.mkdir(parents=True, exist_ok=True)
        self.master = Process("locust-master", command, self._folder, env)
        self.master.start()
        if self.web_port is not None:
            self._wait_http(self.master, f"http://127.0.0.1:{self.web_port}/")

    def pids(self) -> dict[str, int]:
        """Every process of this set-up that lives, by name."""
        processes = [self.redis, *self.pods, *self.workers, self.master]
        return {
            one.name: one.child.pid
            for one in processes
            if one is not None and one.child is not None and one.running
        }

    def keep_logs(self, folder: Path) -> None:
        """Copy the processes' own output beside the results."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob("*.log"):
            shutil.copy(path, folder / path.name)

    # -- waiting ---------------------------------------------------------------------------------

    def _wait_line(self, process: Process, line: str) -> None:
        """Until a process has printed ``line``."""
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline and process.running:
            if line in process.output.read_text(errors="replace").splitlines():
                return
            time.sleep(0.02)
        raise LabError(f"{process.name} did not say {line!r}:\n{process.tail()}")

    def _wait_port(self, process: Process, port: int) -> None:
        """Until something listens on ``port``."""
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline and process.running:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise LabError(f"{process.name} did not start:\n{process.tail()}")

    def _wait_http(self, process: Process, address: str) -> None:
        """Until ``address`` answers 200."""
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline and process.running:
            try:
                with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise LabError(f"{process.name} is not ready at {address}:\n{process.tail()}")
