"""What mkdocs does besides: generated pages, links out of docs/, and llms.txt."""

import json
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
# Files of the repository that are pages of the site, too.
PAGES = {"ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md"}
METHODS = ["get", "post", "put", "patch", "delete"]


def on_config(config):
    """Leaves pages out of the navigation that do not exist on this branch."""
    generated = {*PAGES.values(), "api.md"}

    def kept(items):
        for item in items:
            if isinstance(item, dict):
                ((title, target),) = item.items()
                if isinstance(target, list):
                    yield {title: list(kept(target))}
                elif target in generated or Path(config.docs_dir, target).exists():
                    yield item
            elif Path(config.docs_dir, item).exists():
                yield item

    config.nav = list(kept(config.nav))
    return config


def on_files(files, config):
    """Adds the generated pages. Scripts that draw pictures are no part of the site."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text().replace("](docs/", "](")
        # Mermaid would need a large script of another site.
        text = re.sub(r"```mermaid\n.*?```\n", "(GitHub draws the graph of this page.)\n", text, flags=re.S)
        files.append(File.generated(config, page, content=text))
    document = json.loads((ROOT / "webapp" / "openapi.json").read_text())
    files.append(File.generated(config, "api.md", content=api(document)))
    for file in list(files):
        if file.src_uri.endswith(".py"):
            files.remove(file)
    return files


def on_page_markdown(markdown, page, config, files):
    """Shows links to files outside of docs/ as their path: the site does not hold them."""

    def replaced(match):
        text, target = match.groups()
        inside = (Path(page.file.src_uri).parent / target.split("#")[0]).as_posix()
        leaves = ".." in Path(inside).parts and not re.match(r"^adr/\.\./[\w-]+\.md$", inside)
        path = target.removeprefix("../")
        # A text that is a part of the path says nothing more.
        shown = f"`{path}`" if text.strip("`") in path else f"{text} (`{path}`)"
        return shown if leaves else match.group()

    outside = {f"]({name})" for name in ("CONTRIBUTING.md", "SECURITY.md", "README.md")}
    for link in outside:
        markdown = markdown.replace(link, "]")
    return re.sub(r"\[([^\]]+)\]\((\.\./[^)\s]+)\)", replaced, markdown)


def on_post_build(config):
    """Writes llms.txt: every page with its first sentence."""
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    for section in _nav.items:
        if section.is_section:
            lines += [f"## {section.title}", ""]
            lines += [line(page) for page in pages(section)]
            lines.append("")
    Path(config.site_dir, "llms.txt").write_text("\n".join(lines))


def on_nav(nav, config, files):
    """Keeps the navigation for llms.txt."""
    global _nav
    _nav = nav
    return nav


def pages(section):
    for child in section.children:
        if child.is_section:
            yield from pages(child)
        elif child.is_page:
            yield child


def line(page):
    """A page as llms.txt lists it."""
    text = page.markdown or ""
    text = re.sub(r"```.*?```|<!--.*?-->|!\[[^\]]*\]\([^)]*\)", "", text, flags=re.S)
    paragraphs = [part.strip() for part in text.split("\n\n")]
    plain = next((p for p in paragraphs if p and p[0] not in "#|<-*:"), "")
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(plain.split())).replace("**", "")
    first = re.match(r".*?[.:](?=\s|$)", plain)
    summary = (first.group() if first else plain).rstrip(":")
    return f"- [{page.title}]({page.url or './'}): {summary}"


def api(document):
    """The reference of the routes, from the OpenAPI document."""
    schemas = document["components"]["schemas"]
    out = [
        "# API",
        "",
        "This page is made from the server's OpenAPI document, `/openapi.json`. A running server shows",
        "the same at `/docs`, where each call can be tried.",
        "",
    ]
    for tag in document["tags"]:
        out += [f"## {tag['name'].capitalize()}", "", tag.get("description", ""), ""]
        for path, item in document["paths"].items():
            for method in METHODS:
                operation = item.get(method)
                if operation and operation["tags"][0] == tag["name"]:
                    out += route(method, path, operation)
    out += ["## Shapes", ""]
    for name, schema in schemas.items():
        out += shape(name, schema)
    return "\n".join(out)


def route(method, path, operation):
    out = [f"### `{method.upper()} {path}` {{ #{operation['operationId'].lower()} }}", ""]
    out += [f"**{operation.get('summary', '')}.** {operation.get('description', '')}", ""]
    rows = [
        [f"`{p['name']}`", p["in"], kind(p["schema"]), p.get("description", "")]
        for p in operation.get("parameters", [])
    ]
    out += table(["Parameter", "In", "Type", "Meaning"], rows)
    content = operation.get("requestBody", {}).get("content", {})
    rows = [[media, kind(value.get("schema", {}))] for media, value in content.items()]
    out += table(["Body", "Type"], rows)
    rows = []
    for status, answer in operation["responses"].items():
        shapes = [kind(value.get("schema", {})) for value in answer.get("content", {}).values()]
        rows.append([status, answer.get("description", ""), " or ".join(shapes)])
    return out + table(["Status", "Meaning", "Type"], rows)


def shape(name, schema):
    out = [f"### {name} {{ #shape-{name.lower()} }}", "", schema.get("description", ""), ""]
    needed = schema.get("required", [])
    rows = [
        [f"`{field}`", kind(value), "yes" if field in needed else "", value.get("description", "")]
        for field, value in schema.get("properties", {}).items()
    ]
    if not rows:
        out += [kind(schema), ""]
    return out + table(["Field", "Type", "Required", "Meaning"], rows)


def kind(schema):
    """A type in a few words, with links to the named shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#shape-{name.lower()})"
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            return " or ".join(kind(choice) for choice in schema[key])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    types = schema.get("type", "")
    types = types if isinstance(types, list) else [types]
    return " or ".join(f"list of {kind(schema.get('items', {}))}" if t == "array" else t for t in types)


def table(head, rows):
    if not rows:
        return []

    def cells(row):
        return "| " + " | ".join(" ".join(str(c).split()).replace("|", "\\|") for c in row) + " |"

    return [cells(head), cells(["---"] * len(head)), *map(cells, rows), ""]
