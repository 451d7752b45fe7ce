"""Flips as a picture: an SVG file of bars, without anything that draws.

In: `Flips`. Out: SVG text that looks the same in browsers, in editors and on light and dark pages. A library
that plots would be larger than this package, for a dozen bars.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from statsig_fastly.publish.flips import Flips, SpecFlips

__all__ = ["flips_svg"]

_WIDTH: Final = 760
_LABEL: Final = 250
_ROW: Final = 26
_TOP: Final = 64
_MOST: Final = 30
_LABEL_CHARACTERS: Final = 34
_STYLE: Final = (
    "<style>text{font-family:system-ui,sans-serif;fill:#202124}.t{font-size:16px;font-weight:600}"
    ".n{font-size:13px}.s{font-size:12px;fill:#5f6368}</style>"
)
_COLOURS: Final = {"changed": "#1a73e8", "removed": "#d93025", "added": "#188038"}


def flips_svg(flips: Flips) -> str:
    """Draws the share of users that get another answer, one bar for each spec.

    Args:
        flips: What was counted. Of more than 30 specs, those with the most flips are drawn.
    """
    specs = flips.specs[:_MOST]
    scale = max([spec.share for spec in specs], default=1.0) or 1.0
    height = _TOP + max(len(specs), 1) * _ROW + 40
    rows = [_bar(spec, number, scale) for number, spec in enumerate(specs)]
    if not specs:
        rows = [f'<text x="20" y="{_TOP + 16}" class="n">No user gets another answer.</text>']
    title = f"Users who get another answer: {flips.any_flip:,} of {flips.users:,}"
    legend = "".join(
        f'<rect x="{20 + 110 * at}" y="{height - 26}" width="11" height="11" rx="2" fill="{colour}"/>'
        f'<text x="{36 + 110 * at}" y="{height - 16}" class="s">{how}</text>'
        for at, (how, colour) in enumerate(_COLOURS.items())
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" role="img" aria-label="{escape(title)}">'
    )
    return "\n".join(
        [
            head,
            _STYLE,
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="20" y="30" class="t">{escape(title)}</text>',
            '<text x="20" y="50" class="s">share of users, per gate, config, experiment and layer</text>',
            *rows,
            legend,
            "</svg>",
            "",
        ]
    )


def _bar(spec: SpecFlips, number: int, scale: float) -> str:
    y = _TOP + number * _ROW
    width = max((_WIDTH - _LABEL - 110) * spec.share / scale, 1.0)
    # XML holds no control characters, also not escaped.
    name = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in spec.name)
    label = name if len(name) <= _LABEL_CHARACTERS else f"{name[: _LABEL_CHARACTERS - 1]}…"
    said = f"{spec.kind} {name}: {spec.flipped:,} users, {spec.share:.2%}"
    return (
        f"<g><title>{escape(said)}</title>"
        f'<text x="{_LABEL - 8}" y="{y + 16}" text-anchor="end" class="n">{escape(label)}</text>'
        f'<rect x="{_LABEL}" y="{y + 4}" width="{width:.1f}" height="16" rx="2" '
        f'fill="{_COLOURS[spec.how]}"/>'
        f'<text x="{_LABEL + width + 6:.1f}" y="{y + 16}" class="s">{spec.share:.2%}</text></g>'
    )
