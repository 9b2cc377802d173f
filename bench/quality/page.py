"""The sections of docs/quality.md that are measured. Standard library only."""

import re
from pathlib import Path
from typing import Any

import pictures
from kept import slug
from program import Row
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
# A lead with a higher p-value may be chance.
SIGNIFICANT = 0.01
# Well-known products whose similar ones the page shows, and how many of these.
SHOWN, OF_EACH = 5, 5

# What was measured on one shop: `name`, `sizes`, `metrics` (the first one ranks), `groups`, `rows` by method,
# and ablations: `without` by switched-off source, `unlearned` by subject of features.
Result = dict[str, Any]


def name(folder: Path) -> str:
    """How a folder is called: by its own name, and by its parent's for `simple`."""
    folder = folder.resolve()
    return f"{folder.parent.name}-{folder.name}" if folder.name == "simple" else folder.name


def probability(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def ranked(result: Result) -> list[tuple[str, Row]]:
    """The methods with figures: cartwheel first, then by the main metric, falling."""
    found = [(method, row) for method, row in result["rows"].items() if "scores" in row]
    main = result["metrics"][0]
    return sorted(
        found, key=lambda item: (item[0] != "cartwheel", -mean_and_error(item[1]["scores"][main])[0])
    )


def figures(result: Result) -> list[str]:
    """Every metric of every method."""
    keys = [key for _, key in COLUMNS if key in result["rows"]["cartwheel"]["scores"]]
    rows = []
    for method, row in ranked(result):
        title = f"**{method}**" if method == "cartwheel" else method
        cells = [f"{mean_and_error(row['scores'][key])[0]:.4f}" for key in keys]
        rows.append([title, *cells, f"{row['seconds']:.1f}", f"{row['memory']:.0f}"])
    return table(["method", *(TITLES[key] for key in keys), "s", "MB"], rows)


def leads(result: Result) -> list[str]:
    """cartwheel beside each other method, user by user, and a sentence for each metric."""
    ours = result["rows"]["cartwheel"]["scores"]
    others = [(method, row["scores"]) for method, row in ranked(result) if method != "cartwheel"]
    rows: list[list[str]] = [[method] for method, _ in others]
    out = []
    for key in result["metrics"]:
        ahead, doubts = 0, []
        for cells, (method, theirs) in zip(rows, others, strict=True):
            lead, error, p = paired(ours[key], theirs[key], result["groups"])
            cells += [f"{lead:+.4f} ± {error:.4f}", probability(p)]
            if method.startswith("cartwheel"):
                continue
            if lead > 0 and p < SIGNIFICANT:
                ahead += 1
            else:
                doubts.append(f"{method} ({lead:+.4f}, p {probability(p)})")
        but = f"; not of {', '.join(doubts)}" if doubts else ""
        out.append(
            f"- {TITLES[key]}: cartwheel is ahead of {ahead} of {ahead + len(doubts)} methods "
            f"with p < {SIGNIFICANT}{but}."
        )
    head = ["cartwheel's lead over"]
    for key in result["metrics"]:
        head += [TITLES[key], "p"]
    return [*table(head, rows), "", *out]


def parameters(rows: dict[str, Row]) -> list[str]:
    """How the peers were tuned, and which of them gave no figures."""
    out = []
    for method, row in rows.items():
        if row.get("error"):
            out.append(f"- {method}: no figures. {row['error']}")
        elif row.get("tried"):
            chosen = ", ".join(f"{key} {value}" for key, value in row["parameters"].items())
            out.append(f"- {method} ({row['package']}): {chosen}; best of {len(row['tried'])}.")
    return out


def ablation(result: Result, kind: str) -> list[str]:
    """What each part is worth: the model trained and asked without it."""
    whole = result["rows"]["cartwheel"]
    head = ["without"]
    for key in result["metrics"]:
        head += [TITLES[key], "difference", "p"]
    rows = []
    for part, row in [("nothing", whole), *result[kind].items()]:
        if "scores" not in row:
            rows.append([part, f"no figures: {row['error']}", *[""] * len(head)])
            continue
        cells = [part]
        for key in result["metrics"]:
            lead, error, p = paired(row["scores"][key], whole["scores"][key], result["groups"])
            beside = ["", ""] if row is whole else [f"{lead:+.4f} ± {error:.4f}", probability(p)]
            cells += [f"{mean_and_error(row['scores'][key])[0]:.4f}", *beside]
        rows.append([*cells, f"{row['seconds']:.1f}", f"{row['memory']:.0f}"])
    return table([*head, "s", "MB"], rows)


def gate(report: dict[str, Any] | None) -> list[str]:
    """The built-in baselines as `cartwheel evaluate` shows them."""
    if not report or not any(method.get("slices") for method in report["methods"]):
        return []
    head = ["", "Recall@10", "model's lead", "p", "bought before", "new to user", "guests", "1-3 orders"]
    head += ["new products", "coverage", "long tail", "novelty"]
    rows = []
    for method in report["methods"]:
        slices, lead = method["slices"], method.get("model_lead")
        cells = [method["name"], f"{method['recall_at_10']['mean']:.4f}", "", ""]
        if lead:
            cells[2:] = [f"{lead['mean']:+.4f} ± {lead['se']:.4f}", probability(lead["p_value"])]
        for part in ("rep", "expl", "guest", "few_orders", "new_product"):
            slice_ = slices[f"{part}_recall_at_10"]
            cells.append(f"{slice_['mean']:.4f}" if slice_["users"] else "-")
        cells += [f"{100 * slices['coverage']:.1f} %", f"{100 * slices['long_tail']:.1f} %"]
        rows.append([*cells, f"{slices['novelty']:.1f}"])
    users, error = report["users"], report["calibration_error"]
    title = f"`cartwheel evaluate` on {users} gate users, calibration error {error:.4f}:"
    return [title, "", *table(head, rows)]


def similar(lists: list[dict[str, Any]]) -> list[str]:
    """The nearest products of some well-known ones."""
    shown = lists[:SHOWN]
    kinds = list(shown[0]["similar"])
    out = [["product", *(kind.replace("_", " ") for kind in kinds)], ["---"] * (len(kinds) + 1)]
    for one in shown:
        nearest = ["; ".join(one["similar"][kind][:OF_EACH]) or "-" for kind in kinds]
        out.append([cell.replace("|", "/") for cell in [one["name"], *nearest]])
    return ["| " + " | ".join(cells) + " |" for cells in out]


def section(result: Result, pictured: Path) -> str:
    """The section of one shop; its pictures go to the folder `pictured`."""
    main, rows = result["metrics"][0], result["rows"]
    ours = rows["cartwheel"]

    def draw(kind: str, alt: str, drawn: list[pictures.Bar], form: str) -> str:
        image = pictured / f"quality-{slug(result['name'])}{kind}.svg"
        image.write_text(pictures.bars(f"{alt}, {result['name']}", drawn, form), encoding="utf-8")
        return f"![{alt}](img/{image.name})"

    methods = [
        (method, *mean_and_error(row["scores"][main]), method.startswith("cartwheel"))
        for method, row in ranked(result)
    ]
    parts = [
        [draw("", f"{TITLES[main]} of each method", methods, ".3f")],
        figures(result),
        leads(result),
        parameters(rows),
    ]
    for kind, title in (
        ("without", "Without a source of candidates"),
        ("unlearned", "Without a subject of features"),
    ):
        if not result[kind]:
            continue
        parts += [[f"### {title}"], ablation(result, kind)]
        differences = [
            (
                f"without {part}",
                *paired(row["scores"][main], ours["scores"][main], result["groups"])[:2],
                True,
            )
            for part, row in result[kind].items()
            if "scores" in row
        ]
        if differences:
            alt = f"Change of {TITLES[main]} {title[0].lower()}{title[1:]}"
            parts.append([draw(f"-{kind}", alt, differences, "+.4f")])
    if report := gate(ours.get("report")):
        parts += [["### The report of `evaluate`"], report]
    if ours.get("similar"):
        parts += [["### Similar products"], similar(ours["similar"])]
    lines = [f"## {result['name']}", "", f"{result['sizes'].capitalize()}."]
    for part in parts:
        lines += ["", *part] if part else []
    return "\n".join([BEGIN.format(result["name"]), *lines, END])


def write(path: Path, pictured: Path, results: list[Result]) -> None:
    """Replaces the sections of these shops in the page; others stay, and new ones come last."""
    text = path.read_text("utf-8")
    for result in results:
        body = section(result, pictured)
        old = re.compile(re.escape(BEGIN.format(result["name"])) + r"\n.*?" + re.escape(END), re.DOTALL)
        if old.search(text):
            text = old.sub(lambda _, body=body: body, text)
        else:
            text = text.rstrip() + "\n\n" + body + "\n"
    path.write_text(text, encoding="utf-8")
