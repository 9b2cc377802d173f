"""Checks the state machine against the APIs that its tasks call, and against its surroundings.

    python infra/check/asl.py infra/pipeline.asl.json STATE    (STATE: see state.py)

Each task's Parameters have to fit the API of AWS as botocore models it; every field that the
definition reads of its input has to be in `pipeline_input`, every function and job it names
there has to exist; and its role has to be allowed what each integration does, no more.
"""

import fnmatch
import json
import re
import sys
from pathlib import Path

import botocore.session
from botocore.validate import ParamValidator
from state import State, many

RESOURCE = re.compile(r"arn:aws:states:::(?:aws-sdk:)?(?P<service>\w+):(?P<action>\w+)(?P<sync>\.sync)?")
PATH = re.compile(r"\$\.[A-Za-z_][\w.]*")
# What `.sync` does besides the call: it polls, stops, and hears of the end.
SYNC = {
    "glue:StartJobRun": ["glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"],
    "sagemaker:CreateTrainingJob": [
        "sagemaker:DescribeTrainingJob",
        "sagemaker:StopTrainingJob",
        "sagemaker:AddTags",
        "events:PutTargets",
        "events:PutRule",
        "events:DescribeRule",
    ],
}
# Who is handed a role, needs leave to hand it on.
HANDED = {"sagemaker:CreateTrainingJob": ["iam:PassRole"], "sagemaker:CreateModel": ["iam:PassRole"]}
# The role may also do this: its log, and SageMaker's tags.
BESIDES = {"logs", "sagemaker:AddTags", "sagemaker:ListTags"}


def tasks(machine):
    """Every task, those of maps and branches included."""
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield name, state
        for inner in [
            *state.get("Branches", []),
            *(state[key] for key in ("ItemProcessor", "Iterator") if key in state),
        ]:
            yield from tasks(inner)


def references(value):
    """Every path that a definition reads, intrinsic functions' arguments included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("ResultPath", "Comment", "ResultSelector"):
                continue
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
    elif isinstance(value, str) and not value.startswith("arn:"):
        for match in PATH.finditer(value):
            if value[max(0, match.start() - 1)] != "$" or match.start() == 0:
                yield match.group().rstrip(".")


def found(document, path):
    for part in path.split(".")[1:]:
        if not isinstance(document, dict) or part not in document:
            return None
        document = document[part]
    return document


def sample(shape):
    """A value that fits a shape, for what is known at run time only."""
    kind = shape.type_name
    if kind == "string":
        return "x" * max(shape.metadata.get("min", 1), 1)
    return {"integer": 1, "long": 1, "double": 1.0, "float": 1.0, "boolean": True, "list": [], "map": {}}.get(
        kind, {}
    )


def filled(value, shape, given, at, complaints):
    """Parameters as the API would get them; complains of names that the API does not know."""
    if shape.type_name == "structure" and isinstance(value, dict):
        out = {}
        for key, inner in value.items():
            name = key.removesuffix(".$")
            if name not in shape.members:
                complaints.append(f"{at}: the API has no {name}")
            elif name != key:
                known = found(given, inner) if inner.startswith("$.") else None
                out[name] = sample(shape.members[name]) if known is None else known
            elif shape.members[name].type_name != "blob":
                out[name] = filled(inner, shape.members[name], given, f"{at}.{name}", complaints)
        return out
    if shape.type_name == "list" and isinstance(value, list):
        return [filled(inner, shape.member, given, at, complaints) for inner in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {
            key.removesuffix(".$"): sample(shape.value) if key.endswith(".$") else inner
            for key, inner in value.items()
        }
    return value


def check(machine, state):
    complaints = []
    given = json.loads(state.outputs["pipeline_input"])
    session = botocore.session.get_session()
    needed = set()
    embedded = given["endpoint"]["mode"] == "embedded"

    for name, task in tasks(machine):
        match = RESOURCE.fullmatch(task["Resource"])
        if not match:
            complaints.append(f"{name}: {task['Resource']} is no integration")
            continue
        service = session.get_service_model(match["service"])
        operation = match["action"][0].upper() + match["action"][1:]
        if operation not in service.operation_names:
            complaints.append(f"{name}: {match['service']} has no {operation}")
            continue
        shape = service.operation_model(operation).input_shape
        report = ParamValidator().validate(filled(task["Parameters"], shape, given, name, complaints), shape)
        if report.has_errors():
            complaints.append(f"{name}: {report.generate_report()}")
        if "Retry" not in task and "Catch" not in task:
            complaints.append(f"{name}: neither repeated nor caught")
        call = f"{match['service']}:{'InvokeFunction' if match['service'] == 'lambda' else operation}"
        endpoint = match["service"] == "sagemaker" and not match["sync"]
        if not (endpoint and embedded):
            needed |= {call, *HANDED.get(call, []), *(SYNC[call] if match["sync"] else [])}

    # The input's fields are those that Settings takes over.
    fields = {path.split(".")[1] for path in references(machine["States"]["Settings"]["Parameters"])} - {
        "defaults"
    }
    for field in sorted(fields - set(given)):
        complaints.append(f"the definition reads {field}, which pipeline_input has not")
    for field in sorted(set(given) - fields):
        complaints.append(f"pipeline_input has {field}, which the definition does not read")
    read = {path for path in references(machine["States"]) if path.split(".")[1] in fields}
    for path in sorted(read):
        if found(given, path) is None:
            complaints.append(f"the definition reads {path}, which pipeline_input has not")

    functions = {function["function_name"] for function in state.all("aws_lambda_function")}
    for use, function in given["functions"].items():
        if f"$.functions.{use}" not in read:
            complaints.append(f"pipeline_input names a function {use}, which the definition does not call")
        if function not in functions:
            complaints.append(f"pipeline_input names the function {function}, which does not exist")
    if given["features"]["job"] not in {job["name"] for job in state.all("aws_glue_job")}:
        complaints.append(f"pipeline_input names the job {given['features']['job']}, which does not exist")
    if given["training"]["role"] not in {role["arn"] for role in state.all("aws_iam_role")}:
        complaints.append("pipeline_input names a role of training that does not exist")

    [pipeline] = state.all("aws_sfn_state_machine")
    allowed = {
        action
        for statement in state.policy_of(pipeline["role_arn"])
        for action in many(statement["Action"])
        if not action.startswith("kms:")
    }
    for action in sorted(needed - allowed):
        complaints.append(f"the state machine's role may not {action}")
    for action in sorted(allowed - needed):
        if not {action, action.split(":")[0]} & BESIDES:
            complaints.append(f"the state machine's role may {action}, which nothing does")
    if json.loads(pipeline["definition"]) != machine:
        complaints.append("the state machine's definition is not the file")
    invoked = [
        resource
        for statement in state.policy_of(pipeline["role_arn"])
        if "lambda:InvokeFunction" in many(statement["Action"])
        for resource in many(statement["Resource"])
    ]
    for function in state.all("aws_lambda_function"):
        if function["function_name"] in given["functions"].values() and not any(
            fnmatch.fnmatchcase(function["arn"], r) for r in invoked
        ):
            complaints.append(f"the state machine's role may not invoke {function['function_name']}")
    return complaints, sum(1 for _ in tasks(machine)), len(read)


if __name__ == "__main__":
    machine = json.loads(Path(sys.argv[1]).read_text())
    complaints, count, read = check(machine, State(sys.argv[2]))
    for complaint in complaints:
        print(f"state machine: {complaint}")
    print(f"state machine: {count} tasks, {read} fields of the input, {len(complaints)} complaints")
    sys.exit(bool(complaints))
