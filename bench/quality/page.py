"""The tables and the pictures of docs/quality.md. Standard library only."""

import html
import re

from shop import mean_and_error, paired

BEGIN = "<!-- quality: {} -->"
END = "<!-- /quality -->"
COLUMNS = (
    ("Recall@10", "recall@10"),
    ("NDCG@10", "ndcg@10"),
    ("PHR@10", "phr@10"),
    ("Recall@20", "recall@20"),
    ("NDCG@20", "ndcg@20"),
    ("PHR@20", "phr@20"),
    ("bought before", "rep@10"),
    ("new to user", "expl@10"),
    ("HR@20", "hr@20"),
    ("MRR@20", "mrr@20"),
)
TITLES = {key: title for title, key in COLUMNS}


def name(folder):
    """How a folder is called: by its own name, and by its parent's for `simple`."""
    folder = folder.resolve()
    return f"{folder.parent.name}-{folder.name}" if folder.name == "simple" else folder.name


def probability(p):
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def ranked(result):
    """The methods with figures: cartwheel first, then by the main metric, falling."""
    found = [(method, row) for method, row in result["rows"].items() if "scores" in row]

    def place(item):
        return item[0] != "cartwheel", -mean_and_error(item[1]["scores"][result["main"]])[0]

    return sorted(found, key=place)


def comparison(result):
    """Every method on what is predicted."""
    main = result["main"]
    ours = result["rows"]["cartwheel"]["scores"]
    keys = [key for _, key in COLUMNS if key in ours]
    titles = [TITLES[key] for key in keys]
    head = ["method", *titles, f"cartwheel's lead, {TITLES[main]}", "p", "s", "MB"]
    out = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for method, row in ranked(result):
        cells = [f"{mean_and_error(row['scores'][key])[0]:.4f}" for key in keys]
        lead, error, p = paired(ours[main], row["scores"][main], result["groups"])
        beside = ["", ""] if method == "cartwheel" else [f"{lead:+.4f} ± {error:.4f}", probability(p)]
        cells += [*beside, f"{row['seconds']:.1f}", f"{row['memory']:.0f}"]
        title = f"**{method}**" if method == "cartwheel" else method
        out.append("| " + " | ".join([title, *cells]) + " |")
    return out


def parameters(rows):
    """How the peers were tuned, and which of them gave no figures."""
    out = []
    for method, row in rows.items():
        if row.get("error"):
            out.append(f"- {method}: no figures. {row['error']}")
        elif row.get("tried"):
            chosen = ", ".join(f"{key} {value}" for key, value in row["parameters"].items())
            out.append(f"- {method} ({row['package']}): {chosen}; best of {len(row['tried'])}.")
    return out


def gate(report):
    """The built-in baselines as `cartwheel evaluate` shows them."""
    if not report or not any(method.get("slices") for method in report["methods"]):
        return []
    head = ["", "Recall@10", "model's lead", "p", "bought before", "new to user", "guests", "1-3 orders"]
    head += ["new products", "coverage", "long tail", "novelty"]
    users, error = report["users"], report["calibration_error"]
    out = [
        "",
        f"`cartwheel evaluate` on {users} gate users, calibration error {error:.4f}:",
        "",
        "| " + " | ".join(head) + " |",
        "| --- |" + " ---: |" * (len(head) - 1),
    ]
    for method in report["methods"]:
        slices, lead = method["slices"], method.get("model_lead")
        cells = [method["name"], f"{method['recall_at_10']['mean']:.4f}", "", ""]
        if lead:
            cells[2:] = [f"{lead['mean']:+.4f} ± {lead['se']:.4f}", probability(lead["p_value"])]
        for part in ("rep", "expl", "guest", "few_orders", "new_product"):
            slice_ = slices[f"{part}_recall_at_10"]
            cells.append(f"{slice_['mean']:.4f}" if slice_["users"] else "-")
        cells += [f"{100 * slices['coverage']:.1f} %", f"{100 * slices['long_tail']:.1f} %"]
        cells.append(f"{slices['novelty']:.1f}")
        out.append("| " + " | ".join(cells) + " |")
    return out


def picture(result):
    """The main metric of each method with its standard error, as SVG."""
    main = result["main"]
    bars = [(m, *mean_and_error(row["scores"][main])) for m, row in ranked(result)]
    top = max(mean + error for _, mean, error in bars) or 1
    height = 56 + 26 * len(bars)
    size, font = f'viewBox="0 0 720 {height}"', 'font-family="system-ui, sans-serif" font-size="13"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f'<rect width="720" height="{height}" fill="#fff"/>',
        f'<text x="16" y="26" font-weight="600">{TITLES[main]}, {html.escape(result["name"])}</text>',
    ]
    for at, (method, mean, error) in enumerate(bars):
        y, width, spread = 44 + 26 * at, 380 * mean / top, 380 * error / top
        colour = "#0b7a5b" if method.startswith("cartwheel") else "#9aa5ad"
        out += [
            f'<text x="240" y="{y + 14}" text-anchor="end">{html.escape(method)}</text>',
            f'<rect x="250" y="{y}" width="{width:.1f}" height="18" fill="{colour}"/>',
            f'<path d="M{250 + width - spread:.1f} {y + 9}h{2 * spread:.1f}" stroke="#222" fill="none"/>',
            f'<text x="{258 + width + spread:.1f}" y="{y + 14}">{mean:.3f}</text>',
        ]
    return "\n".join([*out, "</svg>", ""])


def write(path, pictures, results):
    """Replaces the sections of these shops in the page; others stay, and new ones come last."""
    text = path.read_text("utf-8")
    for result in results:
        slug = re.sub(r"[^a-z0-9]+", "-", result["name"].lower())
        image = pictures / f"quality-{slug}.svg"
        image.write_text(picture(result), encoding="utf-8")
        begin = BEGIN.format(result["name"])
        section = [begin, f"## {result['name']}", "", f"{result['sizes'].capitalize()}.", ""]
        section += [f"![{TITLES[result['main']]} of each method](img/{image.name})", ""]
        section += comparison(result)
        notes = parameters(result["rows"])
        section += ["", *notes] if notes else []
        section += [*gate(result["report"]), END]
        body = "\n".join(section)
        old = re.compile(re.escape(begin) + r"\n.*?" + re.escape(END), re.DOTALL)
        if old.search(text):
            text = old.sub(lambda _, body=body: body, text)
        else:
            text = text.rstrip() + "\n\n" + body + "\n"
    path.write_text(text, encoding="utf-8")
