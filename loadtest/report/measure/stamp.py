"""What both measurements share: waiting for a server, and saying how a folder was made."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from lab.experiment import output_of
from lab.local import START_PATIENCE, LabError, Process
from lab.readme import markdown_table


def wait_ready(process: Process, address: str) -> None:
    """Until ``address`` answers 200; LabError with the process's last words when it does not."""
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline and process.running:
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise LabError(f"{process.name} is not ready at {address}:\n{process.tail()}")


def leave(
    folder: Path, about: str, command: str, machine: Mapping[str, str], versions: Mapping[str, str]
) -> None:
    """Write ``made.json``, and the README that says the same to people."""
    body = {
        "command": command,
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": output_of(["git", "rev-parse", "--short", "HEAD"]) or "unknown",
        "versions": dict(versions),
        "machine": dict(machine),
    }
    (folder / "made.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    rows = [[name, value] for name, value in {**versions, **machine}.items()]
    lines = [f"# {folder.name}", "", about, "", "```sh", command, "```", ""]
    lines += [f"{body['when']}; commit {body['commit']}.", ""]
    lines += [markdown_table(["what", "value"], rows), ""]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
