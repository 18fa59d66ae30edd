"""The chart of a run: how many times as fast as each peer, on a logarithmic axis."""

import html
import math

ROW, LEFT, WIDTH, TOP = 22, 330, 420, 64
COLORS = {"transformers": "#4c78a8", "llama.cpp": "#e45756", "trl": "#54a24b"}


def color_of(peer):
    return COLORS.get(peer.split()[0], "#9d755d")


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(words)}</text>'


def chart(records, about):
    most = max([4.0] + [r["ratio_high"] for r in records])
    least = min([0.5] + [r["ratio_low"] for r in records])
    low, high = math.floor(math.log2(least)), math.ceil(math.log2(most))

    def place(ratio):
        return LEFT + WIDTH * (math.log2(ratio) - low) / (high - low)

    bottom = TOP + ROW * len(records)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 210}" '
             f'height="{bottom + 34}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             text(10, 20, "Times as fast as the peer (95 % interval)", 'font-size="15"'),
             text(10, 38, f"{about['date']}, {about['machine']}, {about['threads']} threads, "
                          f"{about['commit']}", 'fill="#666"')]
    for power in range(low, high + 1):
        x = place(2.0**power)
        width = 1.5 if power == 0 else 0.5
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="#999" '
                     f'stroke-width="{width}"/>')
        parts.append(text(x, bottom + 16, f"{2.0**power:g}", 'text-anchor="middle"'))
    for i, r in enumerate(records):
        y, color = TOP + ROW * i, color_of(r["peer"])
        begin, end = sorted((place(1.0), place(r["ratio"])))
        parts += [text(LEFT - 8, y + 12, f"{r['name']}  ({r['peer']})", 'text-anchor="end"'),
                  f'<rect x="{begin:.1f}" y="{y + 2}" width="{max(end - begin, 1):.1f}" height="13" '
                  f'fill="{color}"/>',
                  f'<line x1="{place(r["ratio_low"]):.1f}" x2="{place(r["ratio_high"]):.1f}" '
                  f'y1="{y + 8.5}" y2="{y + 8.5}" stroke="black"/>',
                  text(place(max(r["ratio_high"], 1)) + 6, y + 12, f"{r['ratio']:.2f}" + (
                      f", {r['share']:.0%} of the machine's most" if "share" in r else ""))]
    return "\n".join(parts + ["</svg>", ""])
