"""Screenshots of Locust's web interface during a real run on this machine.

Leaves ``docs/images/locust-start.png`` (the form), ``locust-charts.png`` (Locust's own charts) and
``locust-chat.png`` (the Chat tab when the run has ended). The run is light: it is there to be seen.
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from lab.experiment import say
from lab.local import Local
from lab.scenario import load
from report.measure.journey import CHROMIUM, FLAGS

#: Seconds that the run goes on before the pictures: long enough for a curve.
SECONDS = 25
WIDTH, HEIGHT = 1180, 1000


def start(page: Page, folder: Path) -> None:
    """Fill the form, take its picture, press Start."""
    page.fill("input[name=userCount]", "40")
    page.fill("input[name=spawnRate]", "10")
    page.get_by_text("Custom parameters").click()
    page.fill("input[name=rate]", "15")
    page.wait_for_timeout(600)  # the form unfolds
    page.screenshot(path=folder / "locust-start.png")
    page.get_by_role("button", name="Start", exact=True).click()


def run(folder: Path) -> None:
    """Take the pictures into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screens-") as scratch, sync_playwright() as playwright:
        artefacts = Path(scratch) / "artefacts"
        with Local(load("smoke"), artefacts, web_port=18_089) as lab:
            lab.start_load()
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto("http://127.0.0.1:18089/")
            start(page, folder)
            say(f"a run of {SECONDS} s")
            time.sleep(SECONDS)
            page.get_by_role("tab", name="Charts").click()
            page.wait_for_timeout(1500)  # the charts draw themselves in
            page.screenshot(path=folder / "locust-charts.png", full_page=True)
            page.get_by_role("tab", name="Chat").click()
            page.get_by_role("button", name="Stop").click()
            outcome = page.locator("#chat-outcome")
            expect(outcome).to_contain_text(re.compile("CLEAN|INVALID"), timeout=60_000)
            page.screenshot(path=folder / "locust-chat.png", full_page=True)
            browser.close()
