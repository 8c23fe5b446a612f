"""Pictures of Locust's own charts, from the ``locust.html`` that a run left.

Leaves ``locust-charts.png`` beside each page in ``results/``, so that the report can show them and
needs no browser itself.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from lab.experiment import say
from report.measure.journey import CHROMIUM, FLAGS

#: Of the picture, CSS pixels: narrow, so that its letters are large in print.
WIDTH, HEIGHT = 900, 1000


def picture(page: Page, html: Path) -> None:
    """Open a page, let its charts draw themselves, keep them."""
    page.goto(html.resolve().as_uri())
    charts = page.locator("canvas")
    charts.first.wait_for()
    page.wait_for_timeout(1500)  # they draw themselves in
    boxes = [box for one in charts.all() if (box := one.bounding_box()) is not None]
    top, bottom = min(b["y"] for b in boxes), max(b["y"] + b["height"] for b in boxes)
    left, right = min(b["x"] for b in boxes), max(b["x"] + b["width"] for b in boxes)
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    path = html.with_name("locust-charts.png")
    page.screenshot(path=path, full_page=True, clip=clip)  # type: ignore[arg-type]
    say(f"{path.parent.name}/{path.name}")


def run(results: Path) -> None:
    """A picture for each page in ``results``."""
    pages = sorted(results.glob("*/locust.html"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for html in pages:
            picture(page, html)
        browser.close()
