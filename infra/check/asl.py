"""Checks the state machine against the APIs that its tasks call and against the environment.

    python infra/check/asl.py infra/pipeline.asl.json STATE    (STATE: see state.py)

The Parameters of each task have to be valid for the API of AWS, according to botocore. Every
field of the input that the definition reads has to be in `pipeline_input`, and the functions,
the job and the role named there have to exist. The role of the state machine has to allow
exactly the actions of its integrations.
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
# Additional actions of `.sync`: it polls, stops, and is notified of the end.
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
# Errors that an integration gives in place of those that the API's model does not have for the
# operation, such as throttling.
BASE_ERRORS = {
    "glue": {"AWSGlueException"},
    "lambda": {"AWSLambdaException", "SdkClientException"},
    "sagemaker": {"AmazonSageMakerException"},
    "aws-sdk:sagemaker": {"SageMakerException"},
}
# Units that a table without warm throughput takes in a second, and those of one LoadPart at most:
# 16 requests of 25 items.
TABLE_UNITS, PART_UNITS = 4000, 400
# The hyperparameters and the formats of SageMaker's XGBoost 3.0.
HYPERPARAMETERS = set(
    (  # noqa: SIM905 (a list of this length is easier to read as words)
        "alpha base_score booster colsample_bylevel colsample_bynode colsample_bytree csv_weights "
        "deterministic_histogram early_stopping_rounds eta eval_metric gamma grow_policy "
        "interaction_constraints lambda lambda_bias max_bin max_delta_step max_depth max_leaves "
        "min_child_weight monotone_constraints normalize_type nthread num_class num_parallel_tree num_round "
        "objective one_drop process_type rate_drop refresh_leaf sample_type save_model_on_termination "
        "scale_pos_weight sampling_method seed sketch_eps skip_drop subsample tree_method "
        "tweedie_variance_power updater use_dask_gpu_training verbosity"
    ).split()
)
CONTENT_TYPES = {"text/csv", "text/libsvm", "application/x-parquet", "application/x-recordio-protobuf"}
# Actions that pass a role.
PASSING = {"sagemaker:CreateTrainingJob": ["iam:PassRole"], "sagemaker:CreateModel": ["iam:PassRole"]}
# Services and actions that the role may have in addition: logging and SageMaker's tags.
EXTRA = {"logs", "sagemaker:AddTags", "sagemaker:ListTags"}


def of_training(machine):
    """Complaints about what SageMaker's XGBoost container would refuse, by its documentation."""
    given = machine["States"]["Defaults"]["Result"]
    for name, value in given.items():
        if name not in HYPERPARAMETERS:
            yield f"Defaults: the container has no hyperparameter {name}"
        if not isinstance(value, str):
            yield f"Defaults: {name} is not a string"
    if "num_round" not in given:
        yield "Defaults: the container needs num_round"
    for name, task in tasks(machine):
        if "InputDataConfig" in task["Parameters"]:
            channels = {c["ChannelName"]: c["ContentType"] for c in task["Parameters"]["InputDataConfig"]}
            # Without validation, early stopping is ignored.
            if set(channels) != {"train", "validation"}:
                yield f"{name}: the channels are {sorted(channels)} instead of train and validation"
            if set(channels.values()) - CONTENT_TYPES:
                yield f"{name}: the container does not read {sorted(channels.values())}"


def known_errors(task, service, operation):
    """The names of errors that a task of this operation can fail with."""
    match = re.match(r"arn:aws:states:::(aws-sdk:)?(\w+)", task["Resource"])
    prefix = {"glue": "Glue", "lambda": "Lambda", "sagemaker": "SageMaker"}[match[2]]
    modelled = {shape.name for shape in service.operation_model(operation).error_shapes}
    if match[2] == "sagemaker" and not match[1]:
        # The model has ResourceLimitExceeded, the integration an exception.
        modelled = {f"{name}Exception" for name in modelled}
    base = BASE_ERRORS[(match[1] or "") + match[2]]
    return {f"{prefix}.{name}" for name in modelled | base}


def of_failures(machine):
    """Complaints about what happens when a task fails: a redrive has to continue with that task."""
    for name, state in machine["States"].items():
        if state["Type"] == "Fail":
            yield f"{name}: a redrive would continue with this Fail state, and fail again"
    for name, task in tasks(machine):
        job = task["Parameters"].get("TrainingJobName.$", "$$.Execution.RedriveCount")
        if "$$.Execution.RedriveCount" not in job:
            yield f"{name}: a redriven job has the name of the failed one"
    load = machine["States"]["LoadFeatures"]
    if load["MaxConcurrency"] * PART_UNITS > TABLE_UNITS / 2:
        yield f"LoadFeatures: {load['MaxConcurrency']} parts at once leave a new table no units for requests"
    part = load["ItemProcessor"]["States"]["LoadPart"]
    waits = [
        sum(
            min(r["IntervalSeconds"] * r["BackoffRate"] ** n, r.get("MaxDelaySeconds", 1e9))
            for n in range(r["MaxAttempts"])
        )
        for r in part["Retry"]
        if "States.TaskFailed" in r["ErrorEquals"]
    ]
    if max(waits, default=0) < 600:
        yield "LoadPart: gives up before the table has adapted, which takes minutes"
    update = machine["States"]["UpdateEndpoint"]["Parameters"]
    if update.get("RetainAllVariantProperties") is not True:
        yield "UpdateEndpoint: resets what autoscaling has set"
    if "$.accepted" not in machine["States"]["CreateEndpointConfig"]["Parameters"].get(
        "ProductionVariants.$", ""
    ):
        yield "CreateEndpointConfig: replaces the model of the serving release before the next"
    if "variant.$" not in machine["States"]["Publish"]["Parameters"]["Payload"]:
        yield "Publish: the release does not name the variant that has its model"
    for name, task in tasks(machine):
        for catcher in task.get("Catch", []):
            after = machine["States"].get(catcher["Next"], {})
            if "SageMaker.SageMakerException" in catcher["ErrorEquals"] and "Cause" not in json.dumps(after):
                yield f"{name}: takes every error of the API, such as throttling, for one"
    for rule in machine["States"]["InService"]["Choices"]:
        if rule["Next"] == "Publish" and "$.run" not in json.dumps(rule):
            yield "InService: does not ask whether the endpoint has the configuration of this run"


def tasks(machine):
    """Yields every task, including those in maps and branches."""
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield name, state
        for inner in [
            *state.get("Branches", []),
            *(state[key] for key in ("ItemProcessor", "Iterator") if key in state),
        ]:
            yield from tasks(inner)


def references(value):
    """Yields every path that a definition reads, including arguments of intrinsic functions."""
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
    """A valid value of a shape, in place of a value that is known only at run time."""
    kind = shape.type_name
    if kind == "string":
        return "x" * max(shape.metadata.get("min", 1), 1)
    if kind == "list":
        return [sample(shape.member)] * shape.metadata.get("min", 0)
    if kind == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    return {"integer": 1, "long": 1, "double": 1.0, "float": 1.0, "boolean": True}.get(kind, {})


def filled(value, shape, given, at, complaints):
    """The parameters as the API gets them. Adds a complaint for each name that the API does not have."""
    if shape.type_name == "structure" and isinstance(value, dict):
        out = {}
        for key, inner in value.items():
            name = key.removesuffix(".$")
            if name not in shape.members:
                complaints.append(f"{at}: the API has no parameter {name}")
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
            complaints.append(f"{name}: {task['Resource']} is not a service integration")
            continue
        service = session.get_service_model(match["service"])
        operation = match["action"][0].upper() + match["action"][1:]
        if operation not in service.operation_names:
            complaints.append(f"{name}: {match['service']} has no operation {operation}")
            continue
        shape = service.operation_model(operation).input_shape
        for handler in task.get("Retry", []) + task.get("Catch", []):
            for error in handler["ErrorEquals"]:
                if not error.startswith("States.") and error not in known_errors(task, service, operation):
                    complaints.append(f"{name}: {error} is no error of {operation}")
        report = ParamValidator().validate(filled(task["Parameters"], shape, given, name, complaints), shape)
        if report.has_errors():
            complaints.append(f"{name}: {report.generate_report()}")
        if "Retry" not in task and "Catch" not in task:
            complaints.append(f"{name}: has neither Retry nor Catch")
        call = f"{match['service']}:{'InvokeFunction' if match['service'] == 'lambda' else operation}"
        endpoint = match["service"] == "sagemaker" and not match["sync"]
        if not (endpoint and embedded):
            needed |= {call, *PASSING.get(call, []), *(SYNC[call] if match["sync"] else [])}

    complaints += [*of_failures(machine), *of_training(machine)]

    # Settings lists the fields of the input.
    fields = {path.split(".")[1] for path in references(machine["States"]["Settings"]["Parameters"])} - {
        "defaults"
    }
    for field in sorted(fields - set(given)):
        complaints.append(f"the definition reads {field}, which pipeline_input lacks")
    for field in sorted(set(given) - fields):
        complaints.append(f"pipeline_input has {field}, which the definition does not read")
    read = {path for path in references(machine["States"]) if path.split(".")[1] in fields}
    for path in sorted(read):
        if found(given, path) is None:
            complaints.append(f"the definition reads {path}, which pipeline_input lacks")

    functions = {function["function_name"] for function in state.all("aws_lambda_function")}
    for use, function in given["functions"].items():
        if f"$.functions.{use}" not in read:
            complaints.append(
                f"pipeline_input contains the function {use}, which the definition does not call"
            )
        if function not in functions:
            complaints.append(f"the function {function} in pipeline_input does not exist")
    if given["features"]["job"] not in {job["name"] for job in state.all("aws_glue_job")}:
        complaints.append(f"the job {given['features']['job']} in pipeline_input does not exist")
    if given["training"]["role"] not in {role["arn"] for role in state.all("aws_iam_role")}:
        complaints.append("the role of training in pipeline_input does not exist")

    [pipeline] = state.all("aws_sfn_state_machine")
    allowed = {
        action
        for statement in state.policy_of(pipeline["role_arn"])
        for action in many(statement["Action"])
        if not action.startswith("kms:")
    }
    for action in sorted(needed - allowed):
        complaints.append(f"the role of the state machine lacks {action}")
    for action in sorted(allowed - needed):
        if not {action, action.split(":")[0]} & EXTRA:
            complaints.append(f"the role of the state machine allows {action}, which no task needs")
    deployed = json.loads(pipeline["definition"])
    in_network = bool(state.all("aws_vpc"))
    for name, task in tasks(deployed):
        placed = task["Resource"].endswith(("createTrainingJob.sync", "createModel"))
        if placed and in_network != bool(task["Parameters"].pop("VpcConfig", None)):
            complaints.append(f"{name}: is in the network if there is one")
    if deployed != machine:
        complaints.append("the deployed definition differs from the file")
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
            complaints.append(f"the role of the state machine may not invoke {function['function_name']}")
    return complaints, sum(1 for _ in tasks(machine)), len(read)


if __name__ == "__main__":
    machine = json.loads(Path(sys.argv[1]).read_text())
    complaints, count, read = check(machine, State(sys.argv[2]))
    for complaint in complaints:
        print(f"state machine: {complaint}")
    print(f"state machine: {count} tasks, {read} fields of the input, {len(complaints)} complaints")
    sys.exit(bool(complaints))
