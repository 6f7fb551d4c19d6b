"""Bars for seconds, one group for each shape, as an SVG that needs nothing but a browser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

_COLOURS = {"governed": "#1b6e5c", "governed, first sight": "#7fb8a9", "our join": "#2f8fbf", "ASOF JOIN": "#c06014"}
_OTHER, _LEFT, _WIDTH, _BAR = "#b9b4a7", 260, 620, 20


def picture(groups: Mapping[str, Mapping[str, tuple[float, str]]]) -> str:
    """``groups``: shape → contender → (seconds, what to write beside the bar). The scale is logarithmic."""
    seconds = [each[0] for bars in groups.values() for each in bars.values()]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    scale = _WIDTH / max(1, high - low)
    parts, y = [], 30
    for shape, bars in groups.items():
        parts.append(f'<text x="10" y="{y}" font-weight="bold">{escape(shape)}</text>')
        y += 12
        for name, (value, label) in bars.items():
            length = max(1.0, (math.log10(value) - low) * scale)
            colour = _COLOURS.get(name, _OTHER)
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR - 4}" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + length + 6:.1f}" y="{y + 14}">{escape(label)}</text>')
            y += _BAR
        y += 24
    lines = "".join(
        f'<line x1="{_LEFT + step * scale:.1f}" x2="{_LEFT + step * scale:.1f}" y1="20" y2="{y}" stroke="#e5e1d8"/>'
        f'<text x="{_LEFT + step * scale:.1f}" y="{y + 14}" text-anchor="middle">{10.0 ** (low + step):g} s</text>'
        for step in range(high - low + 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 260} {y + 30}"'
        f' font-family="sans-serif" font-size="13">{lines}{"".join(parts)}</svg>\n'
    )
