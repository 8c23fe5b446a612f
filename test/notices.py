"""Writes the third-party notices of both images, and refuses unknown licences.

`test/notices.py` writes images/*/THIRD-PARTY.txt; `test/notices.py --check`
exits 1 if they are not current, or if the licence of something that goes into
an image is not one of KNOWN. It looks at what is installed: the Go module
cache, the page's node_modules, and the Python environment .venv.
"""

import collections
import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHAT, WEB, LOCUST = ROOT / "images/chat", ROOT / "images/chat/web", ROOT / "images/locust"

# Licences that may go into an image, with words that only their text has.
KNOWN = {
    "Apache-2.0": ["apache license", "version 2.0"],
    "MPL-2.0": ["mozilla public license", "version 2.0"],
    "BSD-3-Clause": ["redistribution and use in source and binary forms", "neither the name"],
    "BSD-2-Clause": ["redistribution and use in source and binary forms"],
    "ISC": ["permission to use, copy, modify, and/or distribute this software for any purpose"],
    "MIT": ["permission is hereby granted, free of charge"],
    "PSF-2.0": ["python software foundation license"],
    "ZPL-2.1": ["zope public license"],
    "Unlicense": ["this is free and unencumbered software"],
}
# What packages say of themselves where their text has other words.
SAID = {
    "apache 2.0": "Apache-2.0", "apache-2.0": "Apache-2.0", "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause", "bsd license": "BSD-3-Clause", "bsd-3-clause": "BSD-3-Clause",
    "mit": "MIT", "mit license": "MIT", "mit-cmu": "MIT-CMU", "psf-2.0": "PSF-2.0", "zpl-2.1": "ZPL-2.1",
    "bsd-2-clause": "BSD-2-Clause", "isc": "ISC", "mpl-2.0": "MPL-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
}  # fmt: skip
LICENCE_FILE = re.compile(r"(?i)^(licen[cs]e|copying|notice)([.-].*)?$")

# name and version, what it says of its licence, the texts of its licence files
Part = tuple[str, str, list[str]]


def run(*command: str, cwd: pathlib.Path) -> str:
    """Run a command and give what it prints."""
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def texts(folder: pathlib.Path) -> list[str]:
    """Give the licence texts that stand in a folder."""
    files = sorted(f for f in folder.iterdir() if f.is_file() and LICENCE_FILE.match(f.name))
    return [f.read_text(encoding="utf-8", errors="replace").strip() for f in files]


def go_parts(module: pathlib.Path, package: str) -> list[Part]:
    """Give the modules that are linked into a Go program."""
    form = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}"
    lines = set(run("go", "list", "-deps", "-f", form, package, cwd=module).splitlines()) - {""}
    found = []
    for line in sorted(lines):
        path, version, folder = line.split("\t")
        found.append((f"{path} {version}", "", texts(pathlib.Path(folder))))
    root = pathlib.Path(run("go", "env", "GOROOT", cwd=module).strip())
    # Debian's Go has the text elsewhere; it is that of all of Go's own modules.
    go = texts(root) or next(body for name, _, body in found if name.startswith("golang.org/x/"))
    return [("the Go standard library", "BSD-3-Clause", go[:1]), *found]


def page_parts() -> list[Part]:
    """Give the packages that are bundled into the page."""
    wanted = list(json.loads((WEB / "package.json").read_text())["dependencies"])
    found: dict[str, Part] = {}
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        folder = WEB / "node_modules" / name
        package = json.loads((folder / "package.json").read_text())
        found[name] = (f"{name} {package['version']}", str(package.get("license", "")), texts(folder))
        wanted += package.get("dependencies", {})
    return [found[name] for name in sorted(found)]


def python_parts() -> list[Part]:
    """Give the distributions that are installed in the load generator's image."""
    names = re.findall(r"^([A-Za-z0-9._-]+)==", (LOCUST / "requirements.txt").read_text(), re.MULTILINE)
    site = [str(p) for p in (ROOT / ".venv").glob("lib/python*/site-packages")]
    parts = []
    for name in sorted(names, key=str.lower):
        dist = next(iter(importlib.metadata.distributions(name=name, path=site)), None)
        if dist is None:
            raise SystemExit(f"notices: {name} is not installed in .venv: run make test once")
        files = [f for f in dist.files or [] if LICENCE_FILE.match(pathlib.PurePath(f).name)]
        bodies = [pathlib.Path(str(f.locate())).read_text(encoding="utf-8", errors="replace").strip() for f in files]
        said = dist.metadata.get("License-Expression") or ""
        if not said:
            tags = [c.rpartition(" :: ")[2] for c in dist.metadata.get_all("Classifier") or [] if c.startswith("License ::")]
            said = " OR ".join(tags) or (dist.metadata.get("License") or "").partition("\n")[0]
        parts.append((f"{name} {dist.version}", str(said), sorted(set(bodies))))
    return parts


def licence(part: Part) -> str:
    """Name the licence of a part, or give "" if it is none of KNOWN."""
    _, said, bodies = part
    words = [SAID.get(w.strip(" ()").lower(), "") for w in re.split(r" OR | AND |/", said)]
    words = [SAID.get(said.lower(), "")] if said.lower() in SAID else words
    if said and all(words):
        return " and ".join(dict.fromkeys(words)) if " AND " in said else words[0]
    for body in bodies:
        folded = " ".join(body.lower().split())
        for name, marks in KNOWN.items():
            if all(mark in folded for mark in marks):
                return name
    return ""


def notices(image: str, parts: list[Part]) -> tuple[str, list[str]]:
    """Give the text of an image's notices, and what has no known licence."""
    unknown = [part[0] for part in parts if not licence(part)]
    ours = (ROOT / "LICENSE").read_text(encoding="utf-8").strip()
    lines = [f"Third-party software in the image {image}. Made by test/notices.py.", ""]
    lines += ["What the base image brings has its notices in the base image (/usr/share/doc).", ""]
    lines += [f"{name}: {licence((name, said, bodies)) or 'UNKNOWN'}" for name, said, bodies in parts]
    by_text: dict[str, list[str]] = collections.defaultdict(list)
    for name, _, bodies in parts:
        for body in bodies:
            by_text[body].append(name)
    by_text[ours].append("Chatapp itself")
    for body, names in by_text.items():
        lines += ["", "=" * 78, ", ".join(names), "=" * 78, "", body]
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()) + "\n", unknown


def main() -> int:
    """Write or check the notices of both images."""
    check = "--check" in sys.argv[1:]
    generators = [m for m in (LOCUST / "generator",) if (m / "go.mod").exists()]
    images = {
        "chat": go_parts(CHAT, "./cmd/chat") + page_parts(),
        "locust": python_parts() + [part for m in generators for part in go_parts(m, "./...")],
    }
    bad = 0
    for image, parts in images.items():
        text, unknown = notices(image, parts)
        file = ROOT / "images" / image / "THIRD-PARTY.txt"
        for name in unknown:
            print(f"notices: the licence of {name} is not known: look at it, then add it to test/notices.py")
        stale = not file.exists() or file.read_text(encoding="utf-8") != text
        if check and stale:
            print(f"notices: {file.relative_to(ROOT)} is not current: run test/notices.py")
        elif stale:
            file.write_text(text, encoding="utf-8")
        bad += len(unknown) + (check and stale)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
