"""Rules on everything that an environment would make.

    python infra/check/rules.py dev|prod embedded|sagemaker STATE    (STATE: see state.py)

Each type of resource has its rules, or stands in PLAIN: a type that nobody thought about
fails. What is protected in prod has to be removable in dev, and the other way round.
"""

import fnmatch
import json
import sys

from state import State, many

# Types whose arguments need no rule of their own.
PLAIN = {
    "aws_apigatewayv2_api", "aws_apigatewayv2_integration", "aws_appautoscaling_policy", "aws_appautoscaling_target",
    "aws_budgets_budget", "aws_cloudfront_function", "aws_cloudwatch_dashboard", "aws_cloudwatch_log_stream",
    "aws_glue_catalog_database", "aws_iam_openid_connect_provider", "aws_s3_object", "aws_sns_topic_subscription",
}
# Statements that AWS takes only with `*` as resource, each bounded by a condition.
WITHOUT_RESOURCE = {
    "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken",
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    "logs:*LogDelivery", "application-autoscaling:*ScalableTarget*", "application-autoscaling:*ScalingPolic*",
    "application-autoscaling:ListTagsForResource", "application-autoscaling:TagResource",
    "cloudfront:ListCachePolicies", "cloudfront:ListDistributions",
    "lambda:ListEventSourceMappings", "sagemaker:ListEndpointConfigs", "sagemaker:ListModels",
    "states:ListStateMachines", "states:ValidateStateMachineDefinition",
}
# The tables' policies and documents: attribute that holds one, by type.
POLICIES = {
    "aws_iam_role": "assume_role_policy", "aws_iam_role_policy": "policy", "aws_s3_bucket_policy": "policy",
    "aws_sns_topic_policy": "policy", "aws_sqs_queue_policy": "policy",
}
FUNCTIONS = {"api", "consume", "load", "evaluate", "publish", "notify"}


class Rules:
    """Goes through a state, and gathers what does not hold."""

    def __init__(self, environment, mode, state):
        self.prod = environment == "prod"
        self.prefix = f"cartwheel-{environment}"
        self.serving = mode == "sagemaker"
        self.state = state
        self.held = 0
        self.broken = []

    def hold(self, resource, holds, rule):
        self.held += 1
        if not holds:
            self.broken.append(f"{getattr(resource, 'address', resource)}: {rule}")

    def check(self):
        for resource in self.state.resources:
            rule = getattr(self, resource.kind, None)
            if rule:
                rule(resource)
            else:
                self.hold(resource, resource.kind in PLAIN or resource.kind in POLICIES, f"{resource.kind} has no rule")
            if resource.kind in POLICIES:
                self.policy(resource, json.loads(resource[POLICIES[resource.kind]]))
            if "tags_all" in resource.values:
                self.hold(resource, resource["tags_all"].get("Environment") == ("prod" if self.prod else "dev"), "is tagged")
        self.whole()
        return self

    # Policies.

    def policy(self, resource, document):
        for statement in document["Statement"]:
            sid = statement.get("Sid", "")
            self.hold(resource, not {"NotAction", "NotPrincipal", "NotResource"} & set(statement), f"{sid} names what it allows")
            if statement["Effect"] == "Deny":
                continue
            self.hold(resource, statement.get("Principal") not in ("*", {"AWS": "*"}), f"{sid} allows somebody, not everybody")
            actions = many(statement["Action"])
            self.hold(resource, not [a for a in actions if a == "*" or a.endswith(":*")], f"{sid} allows actions, not all of them")
            if "*" in many(statement.get("Resource", [])):
                self.hold(resource, set(actions) <= WITHOUT_RESOURCE, f"{sid} names its resources")
                self.hold(resource, "Condition" in statement, f"{sid} is bounded by a condition")
            if any(fnmatch.fnmatchcase("iam:PassRole", action) for action in actions):
                self.hold(resource, "iam:PassedToService" in str(statement.get("Condition")), f"{sid} names who is handed the role")

    def tls_only(self, resource):
        statements = json.loads(resource["policy"])["Statement"]
        self.hold(resource, any(
            s["Effect"] == "Deny" and s["Principal"] == "*" and s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for s in statements
        ), "is reached over TLS alone")

    aws_s3_bucket_policy = aws_sqs_queue_policy = aws_sns_topic_policy = tls_only

    # What keeps data.

    def aws_s3_bucket(self, bucket):
        self.hold(bucket, bucket["force_destroy"] is not self.prod, "goes with dev, and stays in prod")
        beside = {"public_access_block", "server_side_encryption_configuration", "versioning", "ownership_controls",
                  "lifecycle_configuration", "policy"}
        there = {kind for kind in beside for r in self.state.all(f"aws_s3_bucket_{kind}") if r["bucket"] == bucket["id"]}
        self.hold(bucket, there == beside, f"has {', '.join(sorted(beside - there)) or 'all that a bucket needs'}")

    def aws_s3_bucket_public_access_block(self, block):
        for name in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"):
            self.hold(block, block[name] is True, name)

    def aws_s3_bucket_ownership_controls(self, controls):
        self.hold(controls, controls.block("rule")["object_ownership"] == "BucketOwnerEnforced", "knows no ACLs")

    def aws_s3_bucket_server_side_encryption_configuration(self, encryption):
        algorithm = encryption.block("rule", "apply_server_side_encryption_by_default").get("sse_algorithm")
        self.hold(encryption, algorithm in ("AES256", "aws:kms"), "encrypts")

    def aws_s3_bucket_versioning(self, versioning):
        self.hold(versioning, versioning.block("versioning_configuration")["status"] == "Enabled", "keeps versions")

    def aws_s3_bucket_lifecycle_configuration(self, lifecycle):
        expiring = {}
        for rule in lifecycle["rule"]:
            prefix = (rule.get("filter") or [{}])[0].get("prefix") or ""
            self.hold(lifecycle, rule["status"] == "Enabled", f"{rule['id']} is on")
            if rule.get("expiration"):
                expiring[prefix] = rule["expiration"][0]["days"]
            if rule.get("noncurrent_version_expiration") and "-lake-" in lifecycle["bucket"]:
                self.hold(lifecycle, prefix not in ("", "releases/"), "keeps each release's versions")
        if "-lake-" in lifecycle["bucket"]:
            self.hold(lifecycle, expiring == {"errors/": 90}, "expires errors after 90 days, and nothing that a release may name")
        self.hold(lifecycle, any(rule.get("abort_incomplete_multipart_upload") for rule in lifecycle["rule"]), "ends abandoned uploads")

    def aws_kinesis_stream(self, stream):
        self.hold(stream, stream["encryption_type"] == "KMS" and stream["kms_key_id"], "encrypts")
        self.hold(stream, stream.block("stream_mode_details")["stream_mode"] == "ON_DEMAND", "scales by itself")
        self.hold(stream, stream["retention_period"] >= (168 if self.prod else 24), "keeps records")

    def aws_sqs_queue(self, queue):
        self.hold(queue, queue["sqs_managed_sse_enabled"] or queue["kms_master_key_id"], "encrypts")
        self.hold(queue, queue["message_retention_seconds"] == 14 * 86400, "keeps dead letters for 14 days")

    def aws_sns_topic(self, topic):
        self.hold(topic, topic["name"] == f"{self.prefix}-notices", "is the one topic")

    def aws_dynamodb_table(self, table):
        self.hold(table, table.block("server_side_encryption").get("enabled"), "encrypts")
        self.hold(table, table.block("ttl").get("attribute_name") == "expires_at", "forgets sessions")
        self.hold(table, table["billing_mode"] == "PAY_PER_REQUEST", "bills by use")
        self.hold(table, table["deletion_protection_enabled"] is self.prod, "withstands deletion in prod")
        self.hold(table, table.block("point_in_time_recovery")["enabled"] is self.prod, "can be put back in prod")

    def aws_cloudwatch_log_group(self, group):
        self.hold(group, (group["retention_in_days"] or 0) >= (365 if self.prod else 1), "keeps logs so long, and no longer")

    # What works.

    def aws_lambda_function(self, function):
        self.hold(function, function["runtime"] == "provided.al2023", "is a binary of its own")
        self.hold(function, function["source_code_hash"], "changes with its archive")
        self.hold(function, function.block("logging_config").get("log_format") == "JSON", "logs JSON")
        groups = {group["name"] for group in self.state.all("aws_cloudwatch_log_group")}
        self.hold(function, function.block("logging_config").get("log_group") in groups, "logs where logs expire")
        self.hold(function, not function["vpc_config"], "needs no VPC")
        names = function.block("environment")["variables"]
        self.hold(function, set(names) == {f"CARTWHEEL_{name}" for name in (
            "LAKE", "TABLE", "STREAM", "IMPRESSIONS", "DEAD_LETTERS", "TOPIC", "ENDPOINT", "TIMEZONE", "KEY_HASHES", "CORS_ORIGINS",
        )}, "gets the variables that functions read")
        self.hold(function, bool(names["CARTWHEEL_ENDPOINT"]) is self.serving, "asks an endpoint where there is one")
        own = [s for s in self.state.policy_of(function["role"]) if "lambda:InvokeFunction" in many(s["Action"])]
        self.hold(function, not own, "invokes no other function")

    def aws_lambda_permission(self, permission):
        self.hold(permission, permission["source_arn"] and permission["principal"] == "apigateway.amazonaws.com", "lets in this API alone")

    def aws_lambda_event_source_mapping(self, mapping):
        self.hold(mapping, mapping["function_response_types"] == ["ReportBatchItemFailures"], "repeats what failed only")
        self.hold(mapping, mapping["bisect_batch_on_function_error"], "narrows down what fails")
        self.hold(mapping, 0 < (mapping["maximum_retry_attempts"] or -1) <= 100, "ends its retries")
        [stream] = self.state.all("aws_kinesis_stream")
        self.hold(mapping, 0 < (mapping["maximum_record_age_in_seconds"] or -1) < stream["retention_period"] * 3600, "gives up before the stream does")
        [queue] = self.state.all("aws_sqs_queue")
        self.hold(mapping, mapping.block("destination_config", "on_failure").get("destination_arn") == queue["arn"], "sets aside what failed")

    def aws_kinesis_firehose_delivery_stream(self, delivery):
        to = delivery.block("extended_s3_configuration")
        self.hold(delivery, delivery["kinesis_source_configuration"] or delivery.block("server_side_encryption").get("enabled"), "encrypts")
        self.hold(delivery, 64 <= to["buffering_size"] <= 128 and 60 <= to["buffering_interval"] <= 300, "writes files of some size in time")
        self.hold(delivery, to["error_output_prefix"].startswith(f"errors/{to['prefix'].split('/')[0]}/"), "keeps what it cannot convert")
        self.hold(delivery, delivery.block("extended_s3_configuration", "cloudwatch_logging_options").get("enabled"), "logs")
        self.hold(delivery, to["data_format_conversion_configuration"], "writes Parquet")

    def aws_glue_catalog_table(self, table):
        delivered = {"events", "impressions"}
        projected = (table["parameters"] or {}).get("projection.enabled") == "true"
        self.hold(table, projected == (table["name"] in delivered), "finds the partitions of what is delivered")
        if projected:
            [delivery] = [d for d in self.state.all("aws_kinesis_firehose_delivery_stream") if d["name"].endswith(f"-{table['name']}")]
            where = delivery.block("extended_s3_configuration")["prefix"]
            for unit, name in (("yyyy", "year"), ("MM", "month"), ("dd", "day"), ("HH", "hour")):
                where = where.replace(f"!{{timestamp:{unit}}}", f"${{{name}}}")
            template = table["parameters"]["storage.location.template"]
            self.hold(table, template.endswith(f"/{where}"), "looks where delivery writes")
            self.hold(table, [key["name"] for key in table["partition_keys"]] == ["year", "month", "day", "hour"], "has delivery's partitions")

    def aws_glue_job(self, job):
        self.hold(job, job["glue_version"] == "5.0" and job["worker_type"] == "G.1X", "is Spark 3.5 on small workers")
        self.hold(job, job["timeout"] <= 240, "ends")
        groups = {group["name"] for group in self.state.all("aws_cloudwatch_log_group")}
        logs = job["default_arguments"]["--custom-logGroup-prefix"]
        self.hold(job, {f"{logs}/output", f"{logs}/error"} <= groups, "logs where logs expire")

    def aws_sfn_state_machine(self, machine):
        logging = machine.block("logging_configuration")
        self.hold(machine, logging.get("level") == "ALL" and logging.get("log_destination"), "logs every transition")

    def aws_scheduler_schedule(self, schedule):
        given = json.loads(schedule.block("target")["input"])
        self.hold(schedule, given["Name"] == f"{self.prefix}-<aws.scheduler.execution-id>", "names its runs as the role allows")
        self.hold(schedule, given["Input"] == self.state.outputs["pipeline_input"], "gives what a run is started with")

    # What is seen from outside.

    def aws_apigatewayv2_stage(self, stage):
        limits = stage.block("default_route_settings")
        self.hold(stage, limits.get("throttling_rate_limit", 0) > 0 and limits.get("throttling_burst_limit", 0) > 0, "throttles")
        self.hold(stage, stage.block("access_log_settings").get("destination_arn"), "logs requests")

    def aws_apigatewayv2_route(self, route):
        around = route["route_key"] == "POST /ingest"
        self.hold(route, route["authorization_type"] == ("AWS_IAM" if around else "NONE"), "asks for a signature where no function asks for a key")

    def aws_cloudfront_distribution(self, distribution):
        self.hold(distribution, distribution["origin"][0]["origin_access_control_id"], "signs what it asks of the bucket")
        for behaviour in [*distribution["default_cache_behavior"], *distribution["ordered_cache_behavior"]]:
            self.hold(distribution, behaviour["viewer_protocol_policy"] == "redirect-to-https", "is reached over TLS alone")
            self.hold(distribution, behaviour["response_headers_policy_id"], "sends the security headers")
            self.hold(distribution, set(behaviour["allowed_methods"]) == {"GET", "HEAD"}, "is read only")

    def aws_cloudfront_origin_access_control(self, control):
        self.hold(control, control["signing_behavior"] == "always", "signs always")

    def aws_cloudfront_response_headers_policy(self, policy):
        security = policy.block("security_headers_config")
        for header in ("content_security_policy", "content_type_options", "frame_options", "referrer_policy", "strict_transport_security"):
            self.hold(policy, security.get(header), f"sends {header}")
        csp = policy.block("security_headers_config", "content_security_policy")["content_security_policy"]
        self.hold(policy, "unsafe" not in csp and "*" not in csp, "lets the page run its own files only")
        self.hold(policy, f"connect-src 'self' {self.state.outputs['api_url']};" in csp, "lets the page ask the API only")

    def aws_cloudwatch_metric_alarm(self, alarm):
        topics = [topic["arn"] for topic in self.state.all("aws_sns_topic")]
        self.hold(alarm, alarm["alarm_actions"] == topics and alarm["ok_actions"] == topics, "tells somebody")
        self.hold(alarm, alarm["treat_missing_data"] == "notBreaching", "takes silence for idleness")

    # The whole.

    def whole(self):
        names = {function["function_name"] for function in self.state.all("aws_lambda_function")}
        self.hold("functions", names == {f"{self.prefix}-{name}" for name in FUNCTIONS}, "are those of the design")
        watched = {alarm["alarm_name"] for alarm in self.state.all("aws_cloudwatch_metric_alarm")}
        wanted = {f"{self.prefix}-{name}" for name in (
            *(f"{function}-{what}" for function in FUNCTIONS for what in ("errors", "throttles")),
            "iterator-age", "dead-letters", "stream-throttles", "api-5xx", "api-latency", "events-freshness", "impressions-freshness",
            "events-conversion", "impressions-conversion", "table-read-throttles", "table-write-throttles",
            "pipeline-failed", "pipeline-timed-out", *(("endpoint-5xx", "endpoint-latency") if self.serving else ()),
        )}
        self.hold("alarms", watched == (wanted if self.prod else set()), "are those that are wanted in prod, and none in dev")
        scaled = bool(self.state.all("aws_appautoscaling_target"))
        self.hold("endpoint", scaled is self.serving, "scales where there is one")
        may_score = [s for p in self.state.all("aws_iam_role_policy") for s in json.loads(p["policy"])["Statement"]
                     if "sagemaker:InvokeEndpoint" in many(s["Action"])]
        self.hold("endpoint", bool(may_score) is self.serving, "is asked where there is one")
        for output, value in self.state.outputs.items():
            self.hold(f"output {output}", value not in (None, "") or output == "deploy_role_arn", "has a value")


if __name__ == "__main__":
    environment, mode, path = sys.argv[1:]
    rules = Rules(environment, mode, State(path)).check()
    for broken in rules.broken:
        print(f"does not hold: {broken}")
    print(f"{environment}, {mode}: {len(rules.state.resources)} resources, {rules.held} checks, {len(rules.broken)} broken")
    sys.exit(bool(rules.broken))
