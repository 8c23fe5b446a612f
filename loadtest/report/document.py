"""Templates, style and data to PDF; the same bytes for the same data."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from report import charts, diagram, facts, fonts, sources
from report.figures import Figures, percentile, plain

HERE = Path(__file__).resolve().parent
TEMPLATES = HERE / "template"


def picture(kind: str, data: bytes) -> str:
    """A data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def chart(svg: str | None, alt: str) -> Markup:
    """A chart as an image; nothing when there is none."""
    if svg is None:
        return Markup("")
    return Markup('<img class="chart" alt="{}" src="{}">').format(
        alt, picture("image/svg+xml", svg.encode())
    )


def screenshot(root: Path, name: str, alt: str) -> Markup | None:
    """A screenshot that the browser tests left in ``docs/images``; None when they have not."""
    path = root / "docs/images" / name
    if not path.is_file():
        return None
    return Markup('<img class="screen" alt="{}" src="{}">').format(
        alt, picture("image/png", path.read_bytes())
    )


def inline(text: str) -> Markup:
    """Markdown's code, bold and emphasis within a line, as HTML."""
    out = str(Markup.escape(text))
    for mark, tag in (("`", "code"), ("**", "b"), ("*", "i")):
        out = re.sub(f"{re.escape(mark)}(.+?){re.escape(mark)}", rf"<{tag}>\1</{tag}>", out)
    return Markup(out)  # noqa: S704  (escaped above)


def when(text: str) -> datetime:
    """An instant as provenance files write it."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def headline(results: sources.Results) -> dict[str, float]:
    """The figures that README and docs state too; ``tests/test_agreement.py`` compares them."""
    clean = [run for run in results.runs if run.outcome == "clean"]
    out = {
        "runs": float(len(clean)),
        "deliveries": float(sum(run.ledger["delivered"] for run in clean)),
        "acknowledged": float(sum(run.ledger["acknowledged"] for run in clean)),
    }
    if results.costs:
        out["bytes_per_idle"] = results.costs.median("chat", "bytes_per_idle_connection")
        out["us_per_delivery_burst"] = results.costs.median("chat", "cpu_us_per_delivery_burst")
        out["redis_ratio"] = results.costs.benchmarks["BenchmarkAppend/topics=1/batch=64/tails=3"][
            "×raw-xadd"
        ]
    return out


def context(root: Path, measured: Path, figures: Figures) -> dict[str, Any]:
    """Everything that the templates may name. ``measured``: the folder of results."""
    results, known = sources.load(measured), facts.load(root)

    def screen(name: str, alt: str) -> Markup | None:
        """A screenshot by name."""
        return screenshot(root, name, alt)

    functions: dict[str, Callable[..., Any]] = {
        "num": figures.num,
        "pct": figures.pct,
        "times": figures.times,
        "plain": plain,
        "percentile": percentile,
        "chart": chart,
        "screen": screen,
        "inline": inline,
        "locust_pods": diagram.locust,
    }
    return {
        **functions,
        "results": results,
        "facts": known,
        "charts": charts,
        "diagram": diagram.draw(known),
        "headline": headline(results),
        "made": when(results.newest),
        "person": (root / "info.txt").read_text(encoding="utf-8").splitlines(),
    }


def html(root: Path, measured: Path) -> str:
    """The report as one HTML document."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = context(root, measured, Figures())
    style = fonts.css() + (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return environment.get_template("report.html").render(**names, style=style)


def build(root: Path, measured: Path, out: Path) -> None:
    """Write the PDF. Dates in it are those of the newest measurement."""
    text = html(root, measured)
    newest = re.search(r'name="dcterms.created" content="([^"]+)"', text)
    assert newest is not None
    # Font subsets carry a date: this one.
    os.environ["SOURCE_DATE_EPOCH"] = str(int(when(newest[1]).timestamp()))
    # Here, because it looks for Pango when it is imported.
    from weasyprint import HTML  # type: ignore[import-untyped]  # noqa: PLC0415

    # Where this machine keeps its fonts is no part of the document.
    same = text.replace(fonts.css(), "")
    identifier = hashlib.sha256(same.encode()).hexdigest()[:32].encode()
    part = out.with_name(f".{out.name}.part")
    HTML(string=text, base_url=str(root)).write_pdf(part, pdf_identifier=identifier)
    os.replace(part, out)
