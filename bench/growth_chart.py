"""The chart of bench/growth.py: seconds of each phase over what was varied, both axes logarithmic."""

import math

from chart import text

PANEL, GAP, TOP, LEFT, LEGEND = 250, 76, 70, 60, 66
COLORS = {"generate": "#4c78a8", "grade": "#e45756", "learn": "#54a24b"}


def ticks(low, high):
    """Powers of ten between two numbers, of two where there are too few."""
    tens = [10.0**n for n in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    if len(tens) > 1:
        return tens
    twos = [2.0**n for n in range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)]
    return twos[:: max(1, len(twos) // 4)]


def short(number):
    return f"{number / 1e6:.3g}M" if number >= 1e6 else f"{number:,}"


def panel(curves, left):
    """One varied thing: its axes, curves, points, and exponents below."""
    xs = curves[0]["x"]
    ys = [y for curve in curves for y in curve["seconds"]]
    low, high = min(ys) / 1.3, max(ys) * 1.3

    def at(x, y):
        return (left + PANEL * math.log(x / xs[0]) / math.log(xs[-1] / xs[0]),
                TOP + PANEL * (1 - math.log(y / low) / math.log(high / low)))

    parts = [f'<rect x="{left}" y="{TOP}" width="{PANEL}" height="{PANEL}" fill="none" stroke="#999"/>',
             text(left, TOP - 10, f"over {curves[0]['varied']}", 'font-size="14"')]
    for y in ticks(low, high):
        place = at(xs[0], y)[1]
        parts += [f'<line x1="{left}" x2="{left + PANEL}" y1="{place:.1f}" y2="{place:.1f}" '
                  'stroke="#ddd"/>', text(left - 6, place + 4, f"{y:g} s", 'text-anchor="end"')]
    for x in xs:
        parts.append(text(at(x, low)[0], TOP + PANEL + 15, short(x), 'text-anchor="middle"'))
    for i, curve in enumerate(curves):
        color = COLORS[curve["phase"]]
        points = [at(x, y) for x, y in zip(xs, curve["seconds"])]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points]
        parts.append(text(left, TOP + PANEL + 34 + 15 * i,
                          f"{curve['phase']}: power {curve['exponent']:.2f}, of its operations "
                          f"{curve['operations_exponent']:.2f}", f'fill="{color}"'))
    return parts


def growth_chart(curves, about):
    varied = list(dict.fromkeys(curve["varied"] for curve in curves))
    width = LEFT + len(varied) * (PANEL + GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
             f'height="{TOP + PANEL + LEGEND + 10}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             text(10, 20, "Seconds of a distillation step's phases", 'font-size="15"'),
             text(10, 38, f"{about['date']}, {about['machine']}, {about['threads']} threads, "
                          f"{about['commit']}", 'fill="#666"')]
    for i, name in enumerate(varied):
        parts += panel([c for c in curves if c["varied"] == name], LEFT + i * (PANEL + GAP))
    return "\n".join(parts + ["</svg>", ""])
