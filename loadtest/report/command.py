"""The command line of the report."""

from __future__ import annotations

import argparse
import sys
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


def main() -> int:
    """Run one of the words. 2: something that is needed is not there."""
    parser = argparse.ArgumentParser(prog="loadtest/report/run", description=__doc__)
    parser.add_argument("what", choices=("build", "costs", "journey", "screens"))
    parser.add_argument("--out", type=Path, help="another file (build) or folder than the usual")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="build: data")
    args = parser.parse_args()
    try:
        if args.what == "build":
            build(args.results, args.out or ROOT / "report.pdf")
        elif args.what == "costs":
            from report.measure import costs  # noqa: PLC0415

            costs.run(args.out or ROOT / "results/costs")
        elif args.what == "journey":
            from report.measure import journey  # noqa: PLC0415

            journey.run(args.out or ROOT / "results/journey")
        else:
            from report.measure import screens  # noqa: PLC0415

            screens.run(args.out or ROOT / "docs/images")
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
