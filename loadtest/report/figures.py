"""Every number that the text shows is made here, from data: none is typed by hand.

A template asks ``{{ num(value, "ms") }}``; what it gets is formatted in one way all over the report
and noted in :attr:`Figures.shown`, so that tests can compare the PDF with the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from markupsafe import Markup

#: No-break space, between a number and its unit.
_GAP = "\u00a0"


def plain(value: float, digits: int = 3) -> str:
    """A number with about ``digits`` significant digits; whole numbers whole, thousands apart."""
    if math.isinf(value):
        return "∞"
    if value == int(value) and abs(value) < 1e15:
        text = f"{int(value):,}"
    elif abs(value) >= 10 ** (digits - 1):
        text = f"{round(value):,}"
    else:
        places = digits - 1 - math.floor(math.log10(abs(value)))
        text = f"{value:,.{min(places, 6)}f}"
        # Rounding may have made a digit more: 9.996 to 10.00.
        if abs(float(text.replace(",", ""))) >= 10 ** (math.floor(math.log10(abs(value))) + 1):
            text = f"{value:,.{max(0, min(places, 6) - 1)}f}"
    return text.replace("-", "−")


@dataclass
class Figures:
    """Formats numbers and remembers what was shown."""

    shown: list[str] = field(default_factory=list)

    def num(self, value: float | None, unit: str = "", digits: int = 3) -> Markup:
        """A number and its unit; a dash when there is none."""
        if value is None:
            return Markup("–")
        text = plain(float(value), digits) + (f"{_GAP}{unit}" if unit else "")
        self.shown.append(text)
        return Markup('<span class="num">{}</span>').format(text)

    def pct(self, share: float | None, digits: int = 2) -> Markup:
        """A share as percent."""
        return self.num(None if share is None else 100 * share, "%", digits)

    def times(self, ratio: float | None, digits: int = 2) -> Markup:
        """A ratio: ``3.4 ×``."""
        return self.num(ratio, "×", digits)
