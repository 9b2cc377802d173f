"""Reduces the AWS provider's schema to the types that infra/ uses, for checks without a registry.

    terraform providers schema -json >full.json      # in an environment with the real provider
    python infra/check/schema.py full.json 6.25.0    # writes infra/check/schema.json

The file in the repository has the facts of 6.25.0 as the npm package @cdktf/provider-aws
21.22.1 carries them. That package does not tell which optional arguments AWS fills in;
only id, arn, region and tags_all are marked so.
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
    """The resource and the data types that stand in the configuration."""
    found = {"resource": set(), "data": set()}
    for path in HERE.parent.rglob("*.tf"):
        for kind, name in DECLARED.findall(path.read_text()):
            found[kind].add(name)
    return found


def reduced(block):
    """A block without what only documentation needs."""
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
        # Addresses of AWS's services, each of them an argument: no environment sets one.
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
        # A type a line, so that a change shows.
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
