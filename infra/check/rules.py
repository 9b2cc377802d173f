"""Checks the rules for all resources of an environment.

    python infra/check/rules.py dev|prod embedded|sagemaker STATE    (STATE: see state.py)

Each type of resource has rules in resource_rules.py or is listed in PLAIN; other types fail.
Resources that are protected in prod have to be removable in dev.
"""

import fnmatch
import json
import re
import sys

import parliament
from resource_rules import Types
from state import State, many

# Types without rules.
PLAIN = {
    "aws_api_gateway_api_key",
    "aws_api_gateway_deployment",
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
    "aws_route_table",
    "aws_route_table_association",
    "aws_s3_object",
    "aws_sns_topic_subscription",
    "aws_vpc",
}
# The attribute with the policy of each type that has one.
POLICIES = {
    "aws_iam_role": "assume_role_policy",
    "aws_iam_role_policy": "policy",
    "aws_s3_bucket_policy": "policy",
    "aws_sns_topic_policy": "policy",
    "aws_sqs_queue_policy": "policy",
}
# The modules that a deployment in phases selects by -target.
PHASES = {
    "data": ["lake", "stream", "delivery", "store"],
    "ml": ["functions", "features", "training", "pipeline"],
    "realtime": ["realtime"],
    "web": ["web"],
}
FUNCTIONS = {"api", "consume", "erase", "load", "evaluate", "publish", "notify", "import"}


def of_resource(types, resource):
    """The rules for one resource, as pairs of whether it holds and its text."""
    rules = getattr(types, resource.kind, None)
    if rules:
        yield from rules(resource)
    else:
        yield resource.kind in PLAIN or resource.kind in POLICIES, f"{resource.kind} has no rule"
    if resource.kind in POLICIES:
        yield from of_policy(json.loads(resource[POLICIES[resource.kind]]))
    if resource.kind == "aws_iam_role_policy":
        # IAM takes 10,240 characters; names and the region may be longer than here.
        yield len(resource["policy"]) < 9500, "has a policy that IAM takes"
        yield from of_actions(json.loads(resource["policy"]))
    if "tags_all" in resource.values:
        tags = resource["tags_all"]
        yield f"{tags.get('Project')}-{tags.get('Environment')}" == types.prefix, "is tagged"


def of_policy(document):
    """Rules for the statements of a policy."""
    for statement in document["Statement"]:
        sid = statement.get("Sid", "")
        yield not {"NotAction", "NotPrincipal", "NotResource"} & set(statement), f"{sid} lists what it allows"
        if statement["Effect"] == "Deny":
            continue
        yield statement.get("Principal") not in ("*", {"AWS": "*"}), f"{sid} has a restricted principal"
        actions = many(statement["Action"])
        yield (
            not [a for a in actions if a == "*" or a.endswith(":*")],
            f"{sid} lists single actions",
        )
        if "*" in many(statement.get("Resource", [])):
            yield "Condition" in statement, f"{sid} has a condition if its resource is *"
        if any(fnmatch.fnmatchcase("iam:PassRole", action) for action in actions):
            yield (
                "iam:PassedToService" in str(statement.get("Condition")),
                f"{sid} restricts the service that gets the role",
            )


def of_actions(document):
    """Rules by parliament: actions exist and fit their resources."""
    for statement in document["Statement"]:
        written = {action.lower() for action in many(statement["Action"])}
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        complaints = []
        for finding in parliament.analyze_policy_string(text).findings:
            detail = finding.detail
            if finding.issue == "RESOURCE_MISMATCH":
                # Other actions that a pattern matches do not apply to the resource.
                detail = [d["action"] for d in detail if d["action"].lower() in written]
            if detail:
                complaints.append(f"{finding.issue} {detail}")
        yield not complaints, f"{statement['Sid']} is valid: {complaints}"


def of_whole(types):
    """Rules for the whole environment: subject, whether it holds, and its text."""
    names = {function["function_name"] for function in types.state.all("aws_lambda_function")}
    yield "functions", names == {f"{types.prefix}-{name}" for name in FUNCTIONS}, "are the expected ones"
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
            *(f"endpoint-{v}-{what}" for v in "ab" for what in ("5xx", "latency") if types.serving),
        )
    }
    yield (
        "alarms",
        watched == (wanted if types.prod else set()),
        "are the expected ones in prod, and none in dev",
    )
    schedules = {schedule["name"] for schedule in types.state.all("aws_scheduler_schedule")}
    yield "schedule", f"{types.prefix}-pipeline" in schedules, "renews user records, which expire"
    rules = types.state.all("aws_cloudwatch_event_rule")
    targets = {target["rule"] for target in types.state.all("aws_cloudwatch_event_target")}
    yield "notices", {rule["name"] for rule in rules} == targets != set(), "tell of failed executions"
    reached = {e["service_name"].split(".", 3)[-1] for e in types.state.all("aws_vpc_endpoint")}
    called = {"dynamodb", "kinesis-firehose", "kinesis-streams", "logs", "s3", "sns", "sqs", "states"} | (
        {"sagemaker.runtime"} if types.serving else set()
    )
    yield "network", not reached or called <= reached, f"has endpoints of all services: {called - reached}"
    addresses = [re.sub(r"\[.*?\]", "", resource.address) for resource in types.state.resources]
    for phase, names in PHASES.items():
        missing = [n for n in names if not any(a.startswith(f"module.stack.module.{n}.") for a in addresses)]
        yield f"phase {phase}", not missing, f"has all modules: {missing}"
    scaled = len(types.state.all("aws_appautoscaling_target"))
    yield "endpoint", scaled == (2 if types.serving else 0), "scales both variants if there is one"
    may_score = [
        s
        for p in types.state.all("aws_iam_role_policy")
        for s in json.loads(p["policy"])["Statement"]
        if "sagemaker:InvokeEndpoint" in many(s["Action"])
    ]
    yield "endpoint", bool(may_score) is types.serving, "is used if there is one"
    policy = json.loads(types.state.outputs["serve_policy"])
    for holds, text in (*of_policy(policy), *of_actions(policy)):
        yield "output serve_policy", holds, text
    # Policies of their own are shorter than those of a role.
    yield "output serve_policy", len(json.dumps(policy)) < 5700, "is a policy that IAM takes"
    for output, value in types.state.outputs.items():
        yield f"output {output}", value not in (None, "") or output == "deploy_role_arn", "has a value"


def check(environment, mode, state):
    """The number of rules, and the texts of those that do not hold."""
    types = Types(environment, mode, state)
    checked = [
        (resource.address, *rule) for resource in state.resources for rule in of_resource(types, resource)
    ]
    checked += of_whole(types)
    return len(checked), [f"{subject}: {rule}" for subject, holds, rule in checked if not holds]


if __name__ == "__main__":
    environment, mode, path = sys.argv[1:]
    state = State(path)
    count, broken = check(environment, mode, state)
    for rule in broken:
        print(f"broken rule: {rule}")
    print(f"{environment}, {mode}: {len(state.resources)} resources, {count} checks, {len(broken)} broken")
    sys.exit(bool(broken))
