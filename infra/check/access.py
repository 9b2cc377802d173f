"""Checks that roles allow the requests that their programs send.

    python infra/check/access.py STATE    (STATE: see state.py)

The requests of Hadoop are listed here: they follow from the paths that glue/features.py uses.
"""

import fnmatch
import sys
from dataclasses import dataclass, field

from state import State, many


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
    conditions = [
        holds(operator, key, expected, request.context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, expected in keys.items()
    ]
    return (
        matches([a.lower() for a in many(statement["Action"])], request.action.lower())
        and matches(statement["Resource"], request.resource)
        and all(conditions)
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


def check(state):
    """The number of requests, and those that the roles refuse."""
    [job] = state.all("aws_glue_job")
    buckets = [bucket["arn"] for bucket in state.all("aws_s3_bucket")]
    [lake] = [arn for arn in buckets if "-lake-" in arn]
    [artifacts] = [arn for arn in buckets if "-artifacts-" in arn]
    requests = {str(request): request for request in of_features(lake, artifacts)}
    needed = [(job["role_arn"], request) for request in requests.values()]
    refused = [
        f"{role.rsplit('/', 1)[-1]} may not {request}"
        for role, request in needed
        if not allowed(state.policy_of(role), request)
    ]
    return len(needed), refused


if __name__ == "__main__":
    count, refused = check(State(sys.argv[1]))
    for complaint in refused:
        print(f"access: {complaint}")
    print(f"access: {count} requests, {len(refused)} refused")
    sys.exit(bool(refused))
