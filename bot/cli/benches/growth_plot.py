"""Lines over two logarithmic axes, as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 900, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 330, 50, 60  # margins; the names of the lines are on the right
COLOURS = ("#1b6ca8", "#c0392b", "#1e8449", "#7d3c98", "#b9770e", "#34495e", "#148f77")


def plot(title: str, x_name: str, lines: Mapping[str, Mapping[int, float]]) -> str:
    """``lines`` are points (x to y, all above 0) by name. Raises ValueError without a point."""
    xs = [x for line in lines.values() for x in line]
    ys = [y for line in lines.values() for y in line.values()]
    if not xs or min(xs) <= 0 or min(ys) <= 0:
        raise ValueError("nothing that a logarithmic axis can show")
    x_low, x_high = floor(log10(min(xs))), max(ceil(log10(max(xs))), floor(log10(min(xs))) + 1)
    y_low, y_high = floor(log10(min(ys))), max(ceil(log10(max(ys))), floor(log10(min(ys))) + 1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (log10(x) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)
        up = (log10(y) - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)
        return round(LEFT + across, 1), round(HEIGHT - BOTTOM - up, 1)

    parts = [_text(WIDTH / 2, TOP / 2, title, "middle", 16)]
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for power in range(x_low, x_high + 1):
        x, _ = place(10**power, 10**y_low)
        parts += [_line(x, TOP, x, bottom), _text(x, bottom + 20, _number(power), "middle")]
    for power in range(y_low, y_high + 1):
        _, y = place(10**x_low, 10**power)
        parts += [_line(LEFT, y, right, y), _text(LEFT - 8, y + 4, _number(power), "end")]
    parts.append(_text((LEFT + right) / 2, HEIGHT - 15, x_name, "middle"))
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [place(x, y) for x, y in sorted(line.items())]
        joined = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in points]
        beside = TOP + 12 + 24 * number
        parts.append(f'<rect x="{right + 18}" y="{beside - 9}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(right + 38, beside + 2, name, "start"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *parts, "</svg>", ""])


def _number(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#dddddd"/>'


def _text(x: float, y: float, words: str, anchor: str, size: int = 12) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
