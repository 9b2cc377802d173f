"""Reduces the AWS provider's schema to the types that infra/ uses, for checks without the registry.

    terraform providers schema -json >full.json      # in an environment with the real provider
    python infra/check/schema.py full.json 6.25.0    # writes infra/check/schema.json

The committed schema.json is that of 6.25.0, taken from the npm package @cdktf/provider-aws
21.22.1. The package does not say which optional arguments AWS computes: only id, arn, region
and tags_all are marked as computed.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = "registry.terraform.io/hashicorp/aws"
DECLARED = re.compile(r'^(resource|data) "(aws_\w+)"', re.MULTILINE)
KEPT = {"type", "nested_type", "required", "optional", "computed", "nesting_mode", "min_items", "max_items"}


def used_types():
    """The types of resources and data sources that the configuration uses."""
    found = {"resource": set(), "data": set()}
    for path in HERE.parent.rglob("*.tf"):
        for kind, name in DECLARED.findall(path.read_text()):
            found[kind].add(name)
    return found


def reduced(block):
    """A block without the fields for documentation."""
    out = {
        "attributes": {
            name: {key: value for key, value in attribute.items() if key in KEPT}
            for name, attribute in sorted(block.get("attributes", {}).items())
        }
    }
    nested = {
        name: {
            **{key: value for key, value in inner.items() if key in KEPT},
            "block": reduced(inner["block"]),
        }
        for name, inner in sorted(block.get("block_types", {}).items())
        # One argument for the URL of each service of AWS, none of which is used.
        if name != "endpoints"
    }
    return {**out, "block_types": nested} if nested else out


def main(full, version):
    provider = json.loads(Path(full).read_text())["provider_schemas"][SOURCE]
    used = used_types()
    lines = [
        f' "version": {json.dumps(version)}',
        f' "provider": {json.dumps(reduced(provider["provider"]["block"]))}',
    ]
    for kind, table in (("resource", "resource_schemas"), ("data", "data_source_schemas")):
        missing = used[kind] - set(provider[table])
        if missing:
            sys.exit(f"the provider has no {kind} {', '.join(sorted(missing))}")
        # One line per type, for readable diffs.
        rows = [
            f'  "{name}": {json.dumps(reduced(provider[table][name]["block"]))}'
            for name in sorted(used[kind])
        ]
        lines.append(f' "{kind}": {{\n' + ",\n".join(rows) + "\n }")
    (HERE / "schema.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
