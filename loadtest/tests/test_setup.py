"""Who wants a load run installs what a load run needs, and no more."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_load_run_needs_nothing_of_the_report() -> None:
    recipe = subprocess.run(
        ["make", "--no-print-directory", "-n", "loadtest"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "loadtest/setup" in recipe and "report/" not in recipe
    lab = (ROOT / "loadtest/setup").read_text().lower()
    assert not [word for word in ("apt-get", "libpango", "poppler", "weasyprint") if word in lab]
    report = (ROOT / "loadtest/report/setup").read_text()
    assert "\nloadtest/setup\n" in report and "libpango" in report
