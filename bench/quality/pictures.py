"""Bar charts as SVG: text alone, the same for the same figures, readable on light and on dark pages."""

import html

WIDTH, ROW, TOP = 720, 26, 44
FONT = 'font-family="system-ui, sans-serif" font-size="13"'
# The bars start here, and the longest ends here.
LEFT, RIGHT = 250, 640
STYLE = """<style>
.ground{fill:#fff}text{fill:#1f2328}.ours{fill:#0b7a5b}.other{fill:#9aa5ad}.line{stroke:#1f2328;fill:none}
@media (prefers-color-scheme:dark){
.ground{fill:#0d1117}text{fill:#e6edf3}.ours{fill:#2ea97f}.other{fill:#66727d}.line{stroke:#e6edf3}}
</style>"""

# A bar: its label, the figure, its standard error, and whether it is cartwheel's own.
Bar = tuple[str, float, float, bool]


def bars(title: str, rows: list[Bar], form: str) -> str:
    """One bar for each figure, with a line from one standard error below to one above. `form` is the
    format of the figures.
    """
    low = min(0.0, *(mean - error for _, mean, error, _ in rows))
    high = max(0.0, *(mean + error for _, mean, error, _ in rows))
    scale = (RIGHT - LEFT) / ((high - low) or 1.0)
    height = TOP + ROW * len(rows) + 12
    zero = LEFT - low * scale
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        STYLE,
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        f'<text x="16" y="26" font-weight="600">{html.escape(title)}</text>',
    ]
    for at, (label, mean, error, ours) in enumerate(rows):
        y, end, spread = TOP + ROW * at, zero + mean * scale, error * scale
        kind, left, width = "ours" if ours else "other", min(zero, end), abs(end - zero)
        out += [
            f'<text x="{LEFT - 10}" y="{y + 14}" text-anchor="end">{html.escape(label)}</text>',
            f'<rect class="{kind}" x="{left:.1f}" y="{y}" width="{width:.1f}" height="18"/>',
            f'<path class="line" d="M{end - spread:.1f} {y + 9}h{2 * spread:.1f}"/>',
            f'<text x="{max(zero, end + spread) + 8:.1f}" y="{y + 14}">{mean:{form}}</text>',
        ]
    if low < 0:
        out.append(f'<path class="line" d="M{zero:.1f} {TOP - 4}v{ROW * len(rows)}"/>')
    return "\n".join([*out, "</svg>", ""])
