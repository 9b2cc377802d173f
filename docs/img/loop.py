#!/usr/bin/env python3
"""Draws docs/img/loop.svg, the picture of docs/how-it-works.md: docs/img/loop.py >docs/img/loop.svg"""

FONT = "system-ui, sans-serif"
INK, QUIET, GREEN = "#1d2521", "#55605a", "#1f6b4c"
BOXES = {
    "page": (20, 30, "Your page", "events, lists"),
    "api": (215, 30, "API", "answers in milliseconds"),
    "stream": (430, 30, "Stream", "on disk at once"),
    "lake": (645, 30, "Lake", "Parquet, exactly once"),
    "sessions": (430, 150, "Sessions", "carts, views, purchases"),
    "features": (645, 270, "Features", "a fold over all orders"),
    "training": (430, 270, "Training", "XGBoost, then the gate"),
    "model": (215, 270, "Model", "a probability per product"),
}
WIDTH, HEIGHT = 180, 64
ARROWS = [
    ("M200 52H215", False),
    ("M215 74H200", True),
    ("M395 62H430", False),
    ("M610 62H645", False),
    ("M520 94V150", False),
    ("M430 182H345V94", True),
    ("M735 94V270", False),
    ("M645 302H610", False),
    ("M430 302H395", False),
    ("M275 270V94", True),
]


def text(x, y, size, colour, words, weight=400):
    print(f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}">{words}</text>')


def main():
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 845 364" font-family="{FONT}">')
    print('<rect width="845" height="364" rx="12" fill="#f6f5f0"/>')
    print('<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"')
    print(f'orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0 8 4 0 8z" fill="{GREEN}"/>')
    print("</marker></defs>")
    for path, answers in ARROWS:
        dash = ' stroke-dasharray="4 3"' if answers else ""
        line = f'fill="none" stroke="{GREEN}" stroke-width="1.8"{dash} marker-end="url(#tip)"'
        print(f'<path d="{path}" {line}/>')
    for x, y, title, words in BOXES.values():
        size = f'width="{WIDTH}" height="{HEIGHT}" rx="10"'
        print(f'<rect x="{x}" y="{y}" {size} fill="#fff" stroke="#8a938d"/>')
        text(x + 14, y + 28, 16, INK, title, 650)
        text(x + 14, y + 48, 12.5, QUIET, words)
    text(20, 352, 12.5, QUIET, "Dashed: what an answer is made of.")
    print("</svg>")


if __name__ == "__main__":
    main()
