"""Templates, style and data to PDF; the same bytes for the same data."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lab import charts, results, soak
from lab.results import Run, percentile
from report import diagram, facts, fonts
from report.figures import Figures, plain

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


def when(text: str) -> datetime:
    """An instant as provenance files write it."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def native(run: Run) -> Markup | None:
    """The picture of Locust's own charts of a run; None when there is none."""
    path = run.path / "locust-charts.png"
    if not path.is_file():
        return None
    return Markup('<img class="native" alt="Locust\'s own charts of {}" src="{}">').format(
        run.name, picture("image/png", path.read_bytes())
    )


def digests(runs: Sequence[Run], what: str) -> list[str]:
    """The first digits of the digests of an image over all runs, each once."""
    found = {str(run.provenance["digests"].get(what, "unknown")) for run in runs}
    return sorted(one.removeprefix("sha256:")[:12] for one in found)


def context(root: Path, measured: Path, figures: Figures) -> dict[str, Any]:
    """Everything that the templates may name. ``measured``: the folder of results."""
    found, known = results.load(measured), facts.load(root)
    # The report compares nothing that was run elsewhere with what is deployed.
    every = [run for run in found.runs.values() if run.where == "cluster"]

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
        "growth": soak.growth,
        "screen": screen,
        "native": native,
        "digests": digests,
        "locust_pods": diagram.locust,
    }
    return {
        **functions,
        "results": found,
        "every": every,
        "first": [run for run in every if results.AGAIN not in run.name],
        "facts": known,
        "charts": charts,
        "diagram": diagram.draw(known),
        "made": when(found.newest),
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
    charts.use_fonts((path for *_, path in fonts.face_files()), "Source Sans Pro")
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
