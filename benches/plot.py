"""Results as pictures on logarithmic scales: bars by SDK for each case, and curves. Plain SVG, no library."""

from __future__ import annotations

import math
from html import escape
from typing import Any

__all__ = ["bars", "curves"]

LINES = ("#1a7f64", "#b35900", "#4a5fc1", "#8b98a5", "#8b2f6b")
COLORS = ("#1a7f64", "#8b98a5", "#a9b4be", "#c3ccd4", "#d9dfe4")
SHOWN = (
    ("A", "reuse"),
    ("B", "reuse"),
    ("B", "fresh id"),
    ("C", "reuse"),
    ("C", "fresh attributes"),
    ("D", "reuse"),
    ("D", "fresh id"),
)
LEFT, WIDTH, BAR, GAP = 190, 560, 14, 16


def bars(results: list[dict[str, Any]]) -> str:
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
    return whole(LEFT + WIDTH + 230, y, [head, *parts])


def curves(title: str, unit: str, series: dict[str, dict[int, float]]) -> str:
    """A line for each series, of values by size. A size of 0 is where 1 would be halved."""
    sizes = [size for points in series.values() for size in points]
    values = [value for points in series.values() for value in points.values()]
    (left, right), (low, high) = reach(sizes), reach(values)

    def x(size: float) -> float:
        return 70 + 620 * (math.log10(max(size, 0.5)) - left) / (right - left)

    def y(value: float) -> float:
        return 380 - 330 * (math.log10(value) - low) / (high - low)

    parts = [text(10, 20, title, "bold")]
    for power in range(math.ceil(low), math.floor(high) + 1):
        parts.append(line([(70, y(10**power)), (690, y(10**power))], "#d9dfe4"))
        parts.append(text(10, y(10**power) + 4, f"{10**power:,} {unit}"))
    for power in range(max(0, math.ceil(left)), math.floor(right) + 1):
        parts.append(line([(x(10**power), 50), (x(10**power), 380)], "#d9dfe4"))
        parts.append(text(x(10**power) - 8, 398, f"{10**power:,}"))
    for color, (name, points) in zip(LINES, series.items(), strict=False):
        places = [(x(size), y(value)) for size, value in points.items()]
        parts.append(line(places, color))
        parts += [f'<circle cx="{at:.1f}" cy="{up:.1f}" r="3" fill="{color}"/>' for at, up in places]
        parts.append(text(places[-1][0] + 8, places[-1][1] + 4, name))
    return whole(880, 410, parts)


def reach(values: list[Any]) -> tuple[float, float]:
    return math.log10(max(min(values), 0.5)), math.log10(max(values))


def line(points: list[tuple[float, float]], color: str) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="1.5"/>'


def whole(width: int, height: int, parts: list[str]) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    style = "<style>text{font:12px sans-serif;fill:#24292f}</style>"
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{background}{"".join(parts)}</svg>\n'


def text(x: float, y: float, what: str, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}">{escape(what)}</text>'
