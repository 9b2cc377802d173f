"""The resources that Terraform would create: the output of `terraform show -json` after an apply."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Resource:
    address: str
    kind: str
    values: dict

    def __getitem__(self, name):
        return self.values.get(name)

    def block(self, *names):
        """The values of the single block at this path, or an empty dictionary."""
        found = self.values
        for name in names:
            found = (found.get(name) or [{}])[0]
        return found


class State:
    def __init__(self, path):
        values = json.loads(Path(path).read_text())["values"]
        self.outputs = {name: output.get("value") for name, output in values["outputs"].items()}
        self.resources = list(self._below(values["root_module"]))

    def _below(self, module):
        for resource in module.get("resources", []):
            if resource["mode"] == "managed":
                yield Resource(resource["address"], resource["type"], resource["values"])
        for child in module.get("child_modules", []):
            yield from self._below(child)

    def all(self, kind):
        return [resource for resource in self.resources if resource.kind == kind]

    def policy_of(self, role_arn):
        """The statements of the policies of a role."""
        roles = {role["id"] for role in self.all("aws_iam_role") if role["arn"] == role_arn}
        policies = [policy for policy in self.all("aws_iam_role_policy") if policy["role"] in roles]
        return [statement for policy in policies for statement in json.loads(policy["policy"])["Statement"]]


def many(value):
    """A list from IAM's format, in which a single value is not a list."""
    return value if isinstance(value, list) else [value]
