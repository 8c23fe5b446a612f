"""Pictures of Locust's own charts, from the ``locust.html`` that a run left.

Leaves ``locust-charts.png`` beside each page in ``results/``, so that the report can show them and
needs no browser itself.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from lab.experiment import say
from report.measure.journey import CHROMIUM, FLAGS

#: Of the picture, CSS pixels: narrow, so that its letters are large in print.
WIDTH, HEIGHT, SCALE = 700, 1000, 2
#: How much of a chart is not blank, from its top.
USED = 248


def picture(page: Page, html: Path) -> None:
    """Open a page, let its charts draw themselves, keep them."""
    page.goto(html.resolve().as_uri())
    charts = page.locator("canvas")
    charts.first.wait_for()
    page.wait_for_timeout(1500)  # they draw themselves in
    pictures = []
    for canvas in charts.all():
        box = canvas.bounding_box()
        if box is not None:
            used = {"x": box["x"], "y": box["y"], "width": box["width"], "height": float(USED)}
            shot = page.screenshot(full_page=True, clip=used)  # type: ignore[arg-type]
            pictures.append(Image.open(BytesIO(shot)).convert("RGB"))
    width, height = max(one.width for one in pictures), sum(one.height for one in pictures)
    whole, top = Image.new("RGB", (width, height), "white"), 0
    for one in pictures:
        whole.paste(one, (0, top))
        top += one.height
    path = html.with_name("locust-charts.png")
    whole.quantize(64).save(path, optimize=True)
    say(f"{path.parent.name}/{path.name}")


def run(results: Path) -> None:
    """A picture for each page in ``results``."""
    pages = sorted(results.glob("*/locust.html"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE
        )
        for html in pages:
            picture(page, html)
        browser.close()
