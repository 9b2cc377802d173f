"""Checks that roles allow the requests that their programs send.

    python infra/check/access.py STATE    (STATE: see state.py)

The requests of Hadoop are listed here: they follow from the paths that glue/features.py uses. Those of
the functions, and of `cartwheel serve --backend aws`, are in requests.json, which acceptance tests write:
they record what the binaries ask of the emulated services.
"""

import fnmatch
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from state import State, many

RECORDED = json.loads((Path(__file__).resolve().parent / "requests.json").read_text())
# What AWS does in the name of a function's role: the event source mapping reads the stream, and Lambda
# writes the logs.
BY_LAMBDA = ["kinesis:Describe*", "kinesis:Get*", "kinesis:ListShards", "logs:*", "kms:*", "ec2:*"]


@dataclass(frozen=True)
class Request:
    """A call of AWS: an action, the ARN that it is about, and the condition keys that it sets."""

    action: str
    resource: str
    context: dict = field(default_factory=dict)

    def __str__(self):
        given = "".join(f", {key} = {value!r}" for key, value in self.context.items())
        return f"{self.action} on {self.resource}{given}"


def matches(patterns, value):
    """Whether a value matches one of IAM's patterns, in which only `*` and `?` are special."""
    return any(fnmatch.fnmatchcase(value, pattern.replace("[", "[[]")) for pattern in many(patterns))


def holds(operator, key, expected, context):
    """Whether one condition of a statement holds."""
    operator, if_exists = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    if key not in context:
        return if_exists
    if operator in ("StringLike", "ArnLike"):
        return matches(expected, context[key])
    if operator in ("StringEquals", "ArnEquals"):
        return context[key] in many(expected)
    raise ValueError(f"the operator {operator} is not implemented: add it to infra/check/access.py")


def covers(statement, request):
    """Whether a statement is about a request."""
    return (
        matches([a.lower() for a in many(statement["Action"])], request.action.lower())
        and matches(statement["Resource"], request.resource)
        and all(
            holds(operator, key, expected, request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
    )


def allowed(statements, request):
    """IAM's decision for the statements of a role: a denial wins."""
    effects = {s["Effect"] for s in statements if covers(s, request)}
    return effects == {"Allow"}


def hadoop_looks(bucket, path):
    """What EMRFS and S3A ask before they read a path: is it a file, a folder, or nothing?

    A HEAD request needs s3:GetObject on the key itself. Without it S3 answers 403, even if the key
    does not exist and the role may list the bucket, and the job fails.
    """
    for key in (path, f"{path}/", f"{path}_$folder$"):
        yield Request("s3:GetObject", f"{bucket}/{key}")
    yield Request("s3:ListBucket", bucket, {"s3:prefix": f"{path}/"})


def parents(path):
    """The folders above a path, the nearest first."""
    while "/" in path:
        path = path.rsplit("/", 1)[0]
        yield path


def hadoop_reads(bucket, path):
    for folder in (path, *parents(path)):
        yield from hadoop_looks(bucket, folder)


def hadoop_writes(bucket, path):
    """A file or folder is written: Hadoop creates folders above it and renames temporary files."""
    yield from hadoop_reads(bucket, path)
    temporary = f"{path}/_temporary/0/part-00000"
    for key in (path, temporary, f"{path}/_SUCCESS"):
        yield Request("s3:PutObject", f"{bucket}/{key}")
        yield Request("s3:AbortMultipartUpload", f"{bucket}/{key}")
    for folder in (path, *parents(temporary)):
        # Markers: EMRFS writes the first form, S3A the second.
        for marker in (f"{folder}_$folder$", f"{folder}/"):
            yield Request("s3:PutObject", f"{bucket}/{marker}")
            yield Request("s3:DeleteObject", f"{bucket}/{marker}")
    yield Request("s3:DeleteObject", f"{bucket}/{temporary}")


def of_features(lake, artifacts):
    """The requests of the feature job, from the paths in glue/features.py and its arguments."""
    for bucket in (lake, artifacts):
        yield Request("s3:GetBucketLocation", bucket)
    for path in (
        "events",
        "events/year=2026/month=11/day=23/hour=10/events-1.parquet",
        "events/import=i-1/part-00000.parquet",
        "baskets/import=i-1/part-00000.parquet",
        "erasures/pending.json",
        "imports/current.json",
        "orders/i-1/part-0.parquet",
        "order_products/i-1/part-0.parquet",
        "products/i-1/part-0.parquet",
        "features/fs-1/manifest.json",
        "features/runs/run-1.json",
    ):
        yield from hadoop_reads(lake, path)
    for path in ("features/fs-1/users", "features/fs-1/train.parquet", "features/runs/run-1.json"):
        yield from hadoop_writes(lake, path)
    for file in ("features.py", "cartwheel-worker"):
        yield Request("s3:GetObject", f"{artifacts}/{file}")
    yield from hadoop_writes(artifacts, "temporary/spark-1")


def recorded(text, state):
    """A request from its text in requests.json, about the resources of this environment."""
    action, resource, *prefix = text.split(" ")
    service = action.split(":")[0]
    if service == "s3":
        [lake] = [b["arn"] for b in state.all("aws_s3_bucket") if "-lake-" in b["arn"]]
        # The recorded key ends with `*`: any key of that folder.
        folder = resource.partition("/")[2].replace("*", "any")
        context = {"s3:prefix": prefix[0].replace("*", "any")} if prefix else {}
        return Request(action, f"{lake}/{folder}" if folder else lake, context)
    kinds = {
        "dynamodb": "aws_dynamodb_table",
        "firehose": "aws_kinesis_firehose_delivery_stream",
        "kinesis": "aws_kinesis_stream",
        "sns": "aws_sns_topic",
        "sqs": "aws_sqs_queue",
    }
    machine = state.outputs["state_machine_arn"]
    if service == "states":
        # The kind of resource was recorded. Executions have names below that of their machine.
        execution = machine.replace(":stateMachine:", ":execution:") + ":run-1"
        return Request(action, {"stateMachine": machine, "execution": execution}[resource])
    if service == "sagemaker":
        return Request(
            action,
            machine.replace("states", "sagemaker").split("stateMachine")[0]
            + "endpoint/"
            + (json.loads(state.outputs["pipeline_input"])["endpoint"]["name"]),
        )
    [arn] = [
        r["arn"] for r in state.all(kinds[service]) if service != "firehose" or r["name"].endswith(resource)
    ]
    return Request(action, arn)


def of_program(name, state):
    """Each request of a program. A GET of a missing key also needs s3:ListBucket."""
    serving = json.loads(state.outputs["pipeline_input"])["endpoint"]["mode"] == "sagemaker"
    for text in RECORDED.get(name, []):
        if text.startswith("sagemaker:") and not serving:
            continue
        request = recorded(text, state)
        yield request
        if request.action == "s3:GetObject":
            yield Request("s3:ListBucket", request.resource.split("/")[0])


def of_functions(state):
    """The role and each request of the functions."""
    for function in state.all("aws_lambda_function"):
        name = function["function_name"].rsplit("-", 1)[-1]
        for request in of_program(name, state):
            yield function["role"], request


def server_policy(state):
    """The statements for the role of a machine that runs `cartwheel serve --backend aws`."""
    return json.loads(state.outputs["serve_policy"])["Statement"]


def unused(state):
    """Rights of the functions and of the server that no recorded request uses: role and action."""
    asked = {}
    for role, request in of_functions(state):
        asked.setdefault(role, set()).add(request.action.lower())
    for function in state.all("aws_lambda_function"):
        role = function["role"]
        for statement in state.policy_of(role):
            for action in many(statement["Action"]):
                if action.lower() not in asked.get(role, set()) and not matches(BY_LAMBDA, action):
                    yield f"{role.rsplit('/', 1)[-1]}: {action}"
    served = {request.action.lower() for request in of_program("serve", state)}
    for statement in server_policy(state):
        for action in many(statement["Action"]):
            # What scores at an endpoint is recorded of the function, by the same code.
            if action.lower() not in served and not matches(["kms:*", "sagemaker:InvokeEndpoint"], action):
                yield f"serve: {action}"


def check(state):
    """The number of requests, and those that the roles refuse."""
    [job] = state.all("aws_glue_job")
    buckets = [bucket["arn"] for bucket in state.all("aws_s3_bucket")]
    [lake] = [arn for arn in buckets if "-lake-" in arn]
    [artifacts] = [arn for arn in buckets if "-artifacts-" in arn]
    needed = [(job["role_arn"], request) for request in of_features(lake, artifacts)]
    needed += of_functions(state)
    needed = list({f"{role} {request}": (role, request) for role, request in needed}.values())
    refused = [
        f"{role.rsplit('/', 1)[-1]} may not {request}"
        for role, request in needed
        if not allowed(state.policy_of(role), request)
    ]
    served = {str(request): request for request in of_program("serve", state)}
    policy = server_policy(state)
    refused += [f"serve may not {text}" for text, request in served.items() if not allowed(policy, request)]
    return len(needed) + len(served), refused


if __name__ == "__main__":
    state = State(sys.argv[1])
    count, refused = check(state)
    for right in unused(state):
        print(f"access: no test uses the right of {right}")
    for complaint in refused:
        print(f"access: {complaint}")
    print(f"access: {count} requests, {len(refused)} refused")
    sys.exit(bool(refused))
