"""The report's typefaces, as files of pinned packages: the same on every machine.

Body and headings: Source Serif and Source Sans (SIL Open Font License). Code: DejaVu Sans Mono,
which comes with matplotlib.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl

#: (family, weight, style, package, file)
_FACES = [
    ("Source Sans", 400, "normal", "font_source_sans_pro", "SourceSansPro-Regular.ttf"),
    ("Source Sans", 600, "normal", "font_source_sans_pro", "SourceSansPro-Semibold.ttf"),
    ("Source Sans", 700, "normal", "font_source_sans_pro", "SourceSansPro-Bold.ttf"),
    ("Source Sans", 400, "italic", "font_source_sans_pro", "SourceSansPro-It.ttf"),
    ("Source Serif", 400, "normal", "font_source_serif_pro", "SourceSerifPro-Regular.ttf"),
    ("Source Serif", 700, "normal", "font_source_serif_pro", "SourceSerifPro-Semibold.ttf"),
    ("Source Serif", 400, "italic", "font_source_serif_pro", "SourceSerifPro-It.ttf"),
]


def file_of(package: str, name: str) -> Path:
    """A font file of a package, without importing the package."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"the package {package} is missing")
    return Path(spec.submodule_search_locations[0]) / "files" / name


def face_files() -> list[tuple[str, int, str, Path]]:
    """(family, weight, style, file) of every face."""
    mono = Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSansMono.ttf"
    faces = [
        (family, weight, style, file_of(package, name))
        for family, weight, style, package, name in _FACES
    ]
    return [*faces, ("Mono", 400, "normal", mono)]


def css() -> str:
    """The ``@font-face`` rules."""
    return "\n".join(
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; font-style: {style}; '
        f'src: url("{path.as_uri()}") }}'
        for family, weight, style, path in face_files()
    )
