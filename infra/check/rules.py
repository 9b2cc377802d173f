"""Rules on everything that an environment would make.

    python infra/check/rules.py dev|prod embedded|sagemaker STATE    (STATE: see state.py)

Each type of resource has its rules in resource_rules.py, or stands in PLAIN: a type that nobody
thought about fails. What is protected in prod has to be removable in dev.
"""

import fnmatch
import json
import re
import sys

import parliament
from resource_rules import Types
from state import State, many

# Types whose arguments need no rule of their own.
PLAIN = {
    "aws_apigatewayv2_api",
    "aws_apigatewayv2_integration",
    "aws_appautoscaling_policy",
    "aws_appautoscaling_target",
    "aws_budgets_budget",
    "aws_cloudfront_function",
    "aws_cloudwatch_dashboard",
    "aws_cloudwatch_log_stream",
    "aws_glue_catalog_database",
    "aws_iam_openid_connect_provider",
    "aws_s3_object",
    "aws_sns_topic_subscription",
}
# Types that hold a policy, and the attribute it is in.
POLICIES = {
    "aws_iam_role": "assume_role_policy",
    "aws_iam_role_policy": "policy",
    "aws_s3_bucket_policy": "policy",
    "aws_sns_topic_policy": "policy",
    "aws_sqs_queue_policy": "policy",
}
# What a deployment in phases names by -target.
PHASES = {
    "data": ["lake", "stream", "delivery", "store"],
    "ml": ["functions", "features", "training", "pipeline"],
    "realtime": ["realtime"],
    "web": ["web"],
}
FUNCTIONS = {"api", "consume", "load", "evaluate", "publish", "notify"}


def of_resource(types, resource):
    """What has to hold of one resource."""
    rules = getattr(types, resource.kind, None)
    if rules:
        yield from rules(resource)
    else:
        yield resource.kind in PLAIN or resource.kind in POLICIES, f"{resource.kind} has no rule"
    if resource.kind in POLICIES:
        yield from of_policy(json.loads(resource[POLICIES[resource.kind]]))
    if resource.kind == "aws_iam_role_policy":
        yield from of_actions(json.loads(resource["policy"]))
    if "tags_all" in resource.values:
        yield f"cartwheel-{resource['tags_all'].get('Environment')}" == types.prefix, "is tagged"


def of_policy(document):
    """Allows what it names, to whom it names."""
    for statement in document["Statement"]:
        sid = statement.get("Sid", "")
        yield not {"NotAction", "NotPrincipal", "NotResource"} & set(statement), f"{sid} names what it allows"
        if statement["Effect"] == "Deny":
            continue
        yield statement.get("Principal") not in ("*", {"AWS": "*"}), f"{sid} allows somebody, not everybody"
        actions = many(statement["Action"])
        yield (
            not [a for a in actions if a == "*" or a.endswith(":*")],
            f"{sid} allows actions, not all of them",
        )
        if "*" in many(statement.get("Resource", [])):
            yield "Condition" in statement, f"{sid} is bounded by a condition where it names no resource"
        if any(fnmatch.fnmatchcase("iam:PassRole", action) for action in actions):
            yield (
                "iam:PassedToService" in str(statement.get("Condition")),
                f"{sid} names who is handed the role",
            )


def of_actions(document):
    """Actions exist, on the resources that they take; on `*` are those that take no other."""
    for statement in document["Statement"]:
        written = {action.lower() for action in many(statement["Action"])}
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        complaints = []
        for finding in parliament.analyze_policy_string(text).findings:
            detail = finding.detail
            if finding.issue == "RESOURCE_MISMATCH":
                # What a pattern covers besides has no resource here, and so allows nothing.
                detail = [d["action"] for d in detail if d["action"].lower() in written]
            if detail:
                complaints.append(f"{finding.issue} {detail}")
        yield not complaints, f"{statement['Sid']} is as IAM takes it: {complaints}"


def of_whole(types):
    """What has to hold of all of it: who, and as above."""
    names = {function["function_name"] for function in types.state.all("aws_lambda_function")}
    yield "functions", names == {f"{types.prefix}-{name}" for name in FUNCTIONS}, "are those of the design"
    watched = {alarm["alarm_name"] for alarm in types.state.all("aws_cloudwatch_metric_alarm")}
    wanted = {
        f"{types.prefix}-{name}"
        for name in (
            *(f"{function}-{what}" for function in FUNCTIONS for what in ("errors", "throttles")),
            "iterator-age",
            "dead-letters",
            "stream-throttles",
            "api-5xx",
            "api-latency",
            "events-freshness",
            "impressions-freshness",
            "events-conversion",
            "impressions-conversion",
            "table-read-throttles",
            "table-write-throttles",
            "pipeline-failed",
            "pipeline-timed-out",
            *(("endpoint-5xx", "endpoint-latency") if types.serving else ()),
        )
    }
    yield (
        "alarms",
        watched == (wanted if types.prod else set()),
        "are those that are wanted in prod, and none in dev",
    )
    addresses = [re.sub(r"\[.*?\]", "", resource.address) for resource in types.state.resources]
    for phase, names in PHASES.items():
        missing = [n for n in names if not any(a.startswith(f"module.stack.module.{n}.") for a in addresses)]
        yield f"phase {phase}", not missing, f"has its modules: {missing}"
    scaled = bool(types.state.all("aws_appautoscaling_target"))
    yield "endpoint", scaled is types.serving, "scales where there is one"
    may_score = [
        s
        for p in types.state.all("aws_iam_role_policy")
        for s in json.loads(p["policy"])["Statement"]
        if "sagemaker:InvokeEndpoint" in many(s["Action"])
    ]
    yield "endpoint", bool(may_score) is types.serving, "is asked where there is one"
    for output, value in types.state.outputs.items():
        yield f"output {output}", value not in (None, "") or output == "deploy_role_arn", "has a value"


def check(environment, mode, state):
    """How many rules there were, and those that do not hold."""
    types = Types(environment, mode, state)
    checked = [
        (resource.address, *rule) for resource in state.resources for rule in of_resource(types, resource)
    ]
    checked += of_whole(types)
    return len(checked), [f"{who}: {rule}" for who, holds, rule in checked if not holds]


if __name__ == "__main__":
    environment, mode, path = sys.argv[1:]
    state = State(path)
    count, broken = check(environment, mode, state)
    for rule in broken:
        print(f"does not hold: {rule}")
    print(f"{environment}, {mode}: {len(state.resources)} resources, {count} checks, {len(broken)} broken")
    sys.exit(bool(broken))
