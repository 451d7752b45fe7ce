"""The results as a picture: bars by SDK for each case, on a logarithmic scale. Plain SVG, no library."""

from __future__ import annotations

import math
from html import escape
from typing import Any

__all__ = ["svg"]

COLORS = ("#1a7f64", "#8b98a5", "#a9b4be", "#c3ccd4", "#d9dfe4")
SHOWN = (
    ("A", "reuse"),
    ("B", "reuse"),
    ("B", "fresh id"),
    ("C", "fresh attributes"),
    ("D", "reuse"),
    ("D", "fresh id"),
)
LEFT, WIDTH, BAR, GAP = 190, 560, 14, 16


def svg(results: list[dict[str, Any]]) -> str:
    """A picture of the checks with exposures off, least time of each."""
    sdks = list(dict.fromkeys(result["sdk"] for result in results))
    found = {
        (result["case"], result["user"], result["sdk"]): max(result["min_ns"], 1.0)
        for result in results
        if not result["exposures"]
    }
    most = max(found.values())
    scale = WIDTH / math.log10(most / 10)
    parts, y = [], 40
    for case, how in SHOWN:
        parts.append(text(10, y + BAR * len(sdks) / 2 + 4, f"{case}, {how}", "bold"))
        for index, sdk in enumerate(sdks):
            if (time := found.get((case, how, sdk))) is not None:
                length = max(2.0, math.log10(time / 10) * scale)
                place = f'x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 2}"'
                parts.append(f'<rect {place} fill="{COLORS[index % len(COLORS)]}"/>')
                parts.append(text(LEFT + length + 5, y + BAR - 4, f"{time:,.0f} ns  {sdk}"))
            y += BAR
        y += GAP
    head = text(10, 20, "Time of one check, exposures off (logarithmic; shorter is better)", "bold")
    size = f'width="{LEFT + WIDTH + 230}" height="{y}" viewBox="0 0 {LEFT + WIDTH + 230} {y}"'
    style = "<style>text{font:12px sans-serif;fill:#24292f}</style>"
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{background}{head}{"".join(parts)}</svg>\n'


def text(x: float, y: float, what: str, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}">{escape(what)}</text>'
