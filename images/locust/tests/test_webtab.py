"""The web UI: a run from a real browser, the Chat tab, the downloads, the login."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import psutil
import pytest
from runs import PATIENT, FakeServer, LocustRun

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def free_port() -> int:
    """A port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(
    url: str, *more: str, env: dict[str, str] | None = None, page: str = "/"
) -> tuple[LocustRun, str]:
    """Locust with its web UI, and the UI's address, once its ``page`` answers."""
    port = free_port()
    flags = ["--host", url, "--web-host", "127.0.0.1", "--web-port", str(port), *PATIENT, *more]
    run = LocustRun(flags, env or {}).start()
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address + page, timeout=5):  # noqa: S310
                return run, address
        except OSError:
            time.sleep(0.1)
    raise AssertionError(run.output)


@pytest.fixture(scope="module")
def chat() -> Iterator[FakeServer]:
    """A fake chat."""
    with FakeServer([]) as server:
        yield server


@pytest.fixture(scope="module")
def lab(chat: FakeServer) -> Iterator[tuple[LocustRun, str]]:
    """Locust's web UI before the fake chat."""
    run, address = started(chat.url)
    yield run, address
    assert run.child is not None
    run.child.terminate()
    run.end()


def measured(address: str) -> float:
    """How many deliveries stand behind the present run's percentiles."""
    return float(chat_summary(address)["rows_ms"].get("deliver", {}).get("count", 0))


def swarm(address: str, **form: str) -> dict[str, object]:
    """Press Start with these fields."""
    data = urllib.parse.urlencode({"user_count": "9", "spawn_rate": "9", **form}).encode()
    with urllib.request.urlopen(f"{address}/swarm", data, timeout=30) as answer:  # noqa: S310
        found: dict[str, object] = json.loads(answer.read())
    return found


def test_a_start_with_wrong_settings_is_refused_with_the_reason(lab: tuple[LocustRun, str]) -> None:
    answer = swarm(lab[1], posters_share="3")
    assert answer["success"] is False and "--posters-share" in str(answer["message"])


def test_before_a_run_the_downloads_say_so(lab: tuple[LocustRun, str]) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{lab[1]}/chat/summary.json", timeout=10)  # noqa: S310


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
def test_a_run_from_a_real_browser(
    chat: FakeServer, lab: tuple[LocustRun, str], tmp_path: Path
) -> None:
    """Start with settings of the form, watch the Chat tab fill, stop, download the report."""
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415

    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(lab[1])
        # What matters is there at once, with defaults that mean something; the rest is folded.
        expect(page.locator("input[name=userCount]")).to_have_value("50")
        expect(page.locator("input[name=rate]")).to_be_visible()
        expect(page.locator("input[name=thinkTime]")).to_be_hidden()
        page.screenshot(path=str(tmp_path / "form.png"), full_page=True)
        page.get_by_role("button", name="More settings").click()
        expect(page.locator("input[name=thinkTime]")).to_be_visible()
        page.fill("input[name=userCount]", "1")
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("nobody would post")
        page.fill("input[name=userCount]", "8")
        page.fill("input[name=spawnRate]", "8")
        page.fill("input[name=rate]", "33")
        page.fill("input[name=postersShare]", "0.5")
        page.get_by_role("button", name="Start", exact=True).click()
        page.get_by_role("tab", name="Chat").click()
        lab_section = page.locator("#chat-lab")
        expect(lab_section).to_contain_text("rate 33 posts/s", timeout=30_000)
        delivered = page.locator('[data-word="delivered"] b')
        expect(delivered).to_have_text(re.compile(r"[1-9][\d,]{2,}"), timeout=30_000)
        expect(lab_section.locator("figure svg path").first).to_have_attribute(
            "d", re.compile("L"), timeout=30_000
        )
        expect(lab_section).to_contain_text("fake-")  # connections by pod
        lab_section.get_by_text("All settings of this run").click()
        expect(lab_section).to_contain_text("--history-limit")
        lab_section.get_by_text("What these words mean").click()
        expect(lab_section.get_by_text("once to each of its readers")).to_be_visible()
        expect(lab_section.get_by_role("link", name="gates.csv")).to_be_visible()
        expect(lab_section.locator("rect.ramp").first).to_be_attached()
        # After a reload an edit begins with what is set, and is refused in its dialog.
        page.reload()
        page.get_by_role("button", name="Edit").click()
        dialog = page.locator("form[data-edit]")
        expect(dialog.locator("input[name=rate]")).to_have_value("33")
        expect(dialog.locator("input[name=topics]")).to_be_hidden()
        dialog.locator("input[name=rate]").fill("0")
        dialog.get_by_role("button", name="Update").click()
        expect(dialog.get_by_role("alert")).to_contain_text("stop it first")
        page.screenshot(path=str(tmp_path / "edit.png"))
        dialog.locator("input[name=rate]").fill("44")
        dialog.get_by_role("button", name="Update").click()
        expect(dialog).to_be_hidden()
        expect(lab_section).to_contain_text("rate 44 posts/s", timeout=30_000)
        # A run drains until its posts are answered, and the chat stands still until it is seen.
        assert chat.child is not None
        chat.child.send_signal(signal.SIGSTOP)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#chat-strip")).to_contain_text("is draining. Waiting for")
        chat.child.send_signal(signal.SIGCONT)
        outcome = page.locator("#chat-outcome")
        expect(outcome).to_contain_text("CLEAN", timeout=60_000)
        expect(page.locator('[data-word="lost"] b')).to_have_text("0")
        page.screenshot(path=str(tmp_path / "chat-tab.png"), full_page=True)
        page.set_viewport_size({"width": 380, "height": 800})
        page.emulate_media(color_scheme="dark")
        page.reload()
        expect(page.locator("#chat-lab .chat-lab.dark")).to_be_visible()
        page.screenshot(path=str(tmp_path / "narrow-dark.png"), full_page=True)
        # Tables scroll in themselves; the section is no wider than the screen.
        assert lab_section.evaluate("node => node.scrollWidth <= node.clientWidth")
        page.set_viewport_size({"width": 1280, "height": 1000})
        page.get_by_role("tab", name="Download Data").click()
        expect(lab_section).to_be_hidden()
        with page.expect_download() as waiting:
            page.get_by_text("Download Chat report.html").click()
        report = tmp_path / "report.html"
        waiting.value.save_as(report)
        page.goto(report.as_uri())
        expect(page.locator("#chat-outcome")).to_contain_text("CLEAN")
        browser.close()
    assert errors == []


def chat_summary(address: str) -> dict[str, Any]:
    """The summary behind the Chat tab."""
    with urllib.request.urlopen(f"{address}/chat/data", timeout=30) as answer:  # noqa: S310
        found: dict[str, Any] = json.loads(answer.read())["summary"]
    return found


def test_runs_in_a_row_are_apart_and_a_rate_can_be_edited(lab: tuple[LocustRun, str]) -> None:
    names = set()
    for _ in range(2):
        assert swarm(lab[1], rate="50")["success"]
        # Long enough for its figures to count: a shorter run is INVALID, and rightly so.
        wait_until(lambda: measured(lab[1]) > 60)
        assert swarm(lab[1], rate="60", user_count="12", spawn_rate="5")["success"]
        assert chat_summary(lab[1])["rate"] == 60
        with urllib.request.urlopen(f"{lab[1]}/stop", b"", timeout=60):  # noqa: S310
            pass
        summary = chat_summary(lab[1])
        assert summary["outcome"] == "clean", summary["invalid_because"]
        assert summary["ledger"]["sent"] > 0
        names.add(summary["run"])
    assert len(names) == 2


def wait_until(holds: Callable[[], bool]) -> None:
    """Until ``holds`` does, for at most a minute."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_login_lets_in_who_knows_the_password_and_nobody_else() -> None:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    secret = {"LOCUST_WEB_USER": "ada", "LOCUST_WEB_PASSWORD": "difference"}
    run, address = started("http://127.0.0.1:9", "--web-login", env=secret)
    try:
        for path in ("/chat/data", "/", "/chat/tab.js"):
            with opener.open(f"{address}{path}", timeout=10) as answer:
                assert "/login" in answer.url, path

        def log_in(password: str) -> str:
            data = urllib.parse.urlencode({"username": "ada", "password": password}).encode()
            with opener.open(f"{address}/chat-login", data, timeout=10) as answer:
                return str(answer.url)

        assert "/login" in log_in("wrong")
        assert "/login" not in log_in("difference")
        with opener.open(f"{address}/chat/data", timeout=10) as answer:
            assert json.loads(answer.read())["summary"] is None
    finally:
        assert run.child is not None
        run.child.terminate()
        run.end()


def post(opener: urllib.request.OpenerDirector, address: str, **form: str) -> tuple[str, bytes]:
    """Send a form; where it led to, and the answer."""
    data = urllib.parse.urlencode(form).encode()
    with opener.open(address, data, timeout=30) as answer:
        return str(answer.url), answer.read()


def test_a_stranger_changes_nothing_and_learns_nothing() -> None:
    """The checks of the form ran before the login: they told the host and changed the rate."""
    secret = {"LOCUST_WEB_USER": "ada", "LOCUST_WEB_PASSWORD": "difference"}
    stranger = urllib.request.build_opener()
    friend = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with FakeServer([]) as server:
        flags = ("--web-login", "--web-base-path", "/lab")
        run, address = started(server.url, *flags, env=secret, page="/lab/")
        lab = address + "/lab"
        try:
            pair = {"password": secret["LOCUST_WEB_PASSWORD"]}
            url, _ = post(friend, f"{lab}/chat-login", username="ada", **pair)
            assert url == f"{lab}/"
            good = {"user_count": "9", "spawn_rate": "9", "rate": "50"}
            assert json.loads(post(friend, f"{lab}/swarm", **good)[1])["success"]

            def rate() -> float:
                with friend.open(f"{lab}/chat/data", timeout=10) as answer:
                    summary = json.loads(answer.read())["summary"]
                return float(summary["rate"]) if summary else 0.0

            wait_until(lambda: rate() == 50)
            for path in ("swarm", "chat/check"):
                for form in ({**good, "rate": "60"}, {**good, "rate": "nonsense"}):
                    url, body = post(stranger, f"{lab}/{path}", **form)
                    assert "/lab/login" in url and server.url.encode() not in body
                    assert b"nonsense" not in body
            for path in ("chat/data", "chat/state", "chat/summary.json"):
                with stranger.open(f"{lab}/{path}", timeout=10) as answer:
                    assert "/lab/login" in answer.url
            assert rate() == 50
        finally:
            assert run.child is not None
            run.child.terminate()
            run.end()


def test_edit_keeps_settings_and_the_run_time(lab: tuple[LocustRun, str]) -> None:
    address = lab[1]
    began = time.monotonic()
    assert swarm(address, rate="50", topics="2", run_time="12")["success"]
    wait_until(lambda: (chat_summary(address) or {}).get("state") == "running")
    # A page that is loaded now knows what is set now.
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310
        page = answer.read().decode()
    shown = json.loads(re.findall(r"templateArgs = (.*)", page)[0])["extra_options"]
    assert shown["rate"]["default_value"] == 50 and shown["topics"]["default_value"] == 2
    for form, says in (
        ({"rate": "0"}, "cannot change"),
        ({"topics": "3"}, "--topics (it is 2)"),
        ({"host": "http://127.0.0.1:1"}, "host cannot change"),
    ):
        answered = swarm(address, **form)
        assert answered["success"] is False and says in str(answered["message"])
    assert swarm(address, rate="60", topics="2", user_count="10", spawn_rate="5")["success"]
    wait_until(lambda: chat_summary(address)["state"] == "draining")
    # It ends by itself when it was to end, and takes no new run before its books are closed.
    assert "draining" in str(swarm(address)["message"])
    assert chat_summary(address)["draining"]["seconds"] > 0
    wait_until(lambda: chat_summary(address)["state"] == "finished")
    assert time.monotonic() - began >= 12
    summary = chat_summary(address)
    assert summary["outcome"] == "clean", summary["invalid_because"]
    wait_until(lambda: "leaving" not in str(check(address)))
    assert urllib.request.urlopen(f"{address}/stats/reset", b"", timeout=10).status == 200  # noqa: S310
    assert chat_summary(address) is None


def check(address: str, **form: str) -> dict[str, object]:
    """What Start would say."""
    data = urllib.parse.urlencode({"user_count": "9", "spawn_rate": "9", **form}).encode()
    with urllib.request.urlopen(f"{address}/chat/check", data, timeout=30) as answer:  # noqa: S310
        found: dict[str, object] = json.loads(answer.read())
    return found


def test_stop_is_quick_where_sockets_fail_and_stopped_people_hold_none() -> None:
    with FakeServer([]) as server:
        run, address = started(server.url)
        assert run.child is not None and server.child is not None
        people = psutil.Process(run.child.pid)
        port = int(server.url.rsplit(":", 1)[1])
        try:
            for gone in (False, True):
                assert swarm(address, rate="50")["success"]
                wait_until(lambda: measured(address) > 60)
                if gone:
                    server.child.kill()
                    time.sleep(1)
                began = time.monotonic()
                with urllib.request.urlopen(f"{address}/stop", b"", timeout=100):  # noqa: S310
                    pass
                assert time.monotonic() - began < 30
                assert chat_summary(address)["outcome"] == ("INVALID" if gone else "clean")
                held = [one for one in people.net_connections("tcp") if one.raddr
                        and one.raddr.port == port and one.status == "ESTABLISHED"]  # fmt: skip
                assert held == []
                wait_until(lambda: "leaving" not in str(check(address)))
        finally:
            run.child.terminate()
            run.end()


def test_a_second_stop_waits_for_the_first(lab: tuple[LocustRun, str]) -> None:
    """It took the people down while they were being heard out."""
    address = lab[1]
    wait_until(lambda: bool(check(address)["success"]))
    assert swarm(address, rate="50")["success"]
    wait_until(lambda: measured(address) > 60)

    def stop() -> str:
        with urllib.request.urlopen(f"{address}/stop", b"", timeout=60):  # noqa: S310
            return str(chat_summary(address)["outcome"])

    with ThreadPoolExecutor(3) as clicks:
        assert set(clicks.map(lambda _: stop(), range(3))) == {"clean"}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--host", "http://127.0.0.1:9/room"], "sockets would not follow"),
        (["--headless"], "none is given"),
        (["--host", "http://127.0.0.1:9", "--hosts", "http://chat"], "CHATLOAD_HOSTS"),
    ],
)
def test_wrong_addresses_stop_the_process_at_once(flags: list[str], says: str) -> None:
    run = LocustRun(["--web-port", str(free_port()), *flags]).start()
    assert run.end() == 2 and says in run.output


def test_a_login_without_a_password_does_not_start() -> None:
    run = LocustRun(["--host", "http://127.0.0.1:9", "--web-port", str(free_port()), "--web-login"])
    run.start()
    assert run.end() != 0 and "LOCUST_WEB_PASSWORD" in run.output
