"""Runs Locust and prints its artefacts into the log: for a Kubernetes Job, whose pod nobody can
copy from once it has ended.

``python -m chatload.bundle FOLDER -- LOCUST-ARGUMENTS…`` runs ``locust`` with ``--artefacts
FOLDER``, passes TERM and INT on to it, prints the folder as base64 of a tar.gz between two marks,
and ends with Locust's exit code. ``loadtest/run --where cluster`` reads it.
"""

from __future__ import annotations

import base64
import io
import signal
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path
from types import FrameType

BEGIN, END = "-----BEGIN CHATLOAD ARTEFACTS-----", "-----END CHATLOAD ARTEFACTS-----"


def bundled(folder: Path) -> str:
    """The files of a folder as text between the marks."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as archive:
        # Hidden files are half-written ones.
        for path in sorted(folder.glob("[!.]*")):
            archive.add(path, arcname=path.name)
    text = base64.b64encode(memory.getvalue()).decode()
    return "\n".join([BEGIN, *textwrap.wrap(text, 120), END])


def main(arguments: list[str]) -> int:
    """Run Locust, then print. Returns Locust's exit code."""
    if len(arguments) < 2 or arguments[1] != "--":
        sys.stderr.write("usage: python -m chatload.bundle FOLDER -- LOCUST-ARGUMENTS\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "locust", "--artefacts", str(folder), *arguments[2:]]
    child = subprocess.Popen(command)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        """Let Locust end the run in order."""
        child.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    code = child.wait()
    print(bundled(folder), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
