"""The command line of the report."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

from lab.local import ROOT, LabError


def build(measured: Path, out: Path) -> None:
    """Build the PDF. WeasyPrint and matplotlib are only asked for here."""
    try:
        from report import document  # noqa: PLC0415
    except (ImportError, OSError) as error:
        raise LabError(
            f"the report cannot be built ({error}): `make test` makes the Python environment, and "
            "WeasyPrint needs Pango: apt-get install libpango-1.0-0 libpangoft2-1.0-0"
        ) from error
    document.build(ROOT, measured, out)
    print(out)


def main(arguments: Sequence[str]) -> int:
    """Run one of the words. Raises LabError when something that is needed is not there."""
    parser = argparse.ArgumentParser(prog="loadtest/run report", description=__doc__)
    parser.add_argument("what", choices=("build", "native", "costs", "journey", "screens"))
    parser.add_argument("--out", type=Path, help="another file (build) or folder than the usual")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="build: data")
    args = parser.parse_args(arguments)
    if args.what == "build":
        build(args.results, args.out or ROOT / "report.pdf")
        return 0
    # Each of these needs a browser or Go, which building does not.
    module = importlib.import_module(f"report.measure.{args.what}")
    usual = {"costs": "results/costs", "journey": "results/journey", "screens": "docs/images"}
    module.run(args.out or ROOT / usual.get(args.what, "results"))
    return 0
