"""The rules for each type of resource, as pairs of whether a rule holds and its text."""

import base64
import json

from state import many


class Types:
    """A method for each type with rules, which has the name of the type."""

    def __init__(self, environment, mode, state):
        self.prod = environment == "prod"
        self.serving = mode == "sagemaker"
        self.state = state
        # Every name begins with that of the system, which a variable sets, and the environment.
        self.prefix = state.outputs["table_name"].removesuffix("-users")
        self.name = self.prefix.removesuffix(f"-{environment}")

    def tls_only(self, resource):
        statements = json.loads(resource["policy"])["Statement"]
        yield (
            any(
                s["Effect"] == "Deny"
                and s["Principal"] == "*"
                and s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
                for s in statements
            ),
            "is accessible over TLS only",
        )

    aws_s3_bucket_policy = aws_sqs_queue_policy = aws_sns_topic_policy = tls_only

    # Storage.

    def aws_s3_bucket(self, bucket):
        yield bucket["force_destroy"] is not self.prod, "can be destroyed with objects in dev only"
        beside = {
            "public_access_block",
            "server_side_encryption_configuration",
            "versioning",
            "ownership_controls",
            "lifecycle_configuration",
            "policy",
        }
        there = {
            kind
            for kind in beside
            for r in self.state.all(f"aws_s3_bucket_{kind}")
            if r["bucket"] == bucket["id"]
        }
        yield there == beside, f"has {', '.join(sorted(beside - there)) or 'all settings'}"

    def aws_s3_bucket_public_access_block(self, block):
        for name in (
            "block_public_acls",
            "block_public_policy",
            "ignore_public_acls",
            "restrict_public_buckets",
        ):
            yield block[name] is True, name

    def aws_s3_bucket_ownership_controls(self, controls):
        yield controls.block("rule")["object_ownership"] == "BucketOwnerEnforced", "has no ACLs"

    def aws_s3_bucket_server_side_encryption_configuration(self, encryption):
        algorithm = encryption.block("rule", "apply_server_side_encryption_by_default").get("sse_algorithm")
        yield algorithm in ("AES256", "aws:kms"), "encrypts"

    def aws_s3_bucket_versioning(self, versioning):
        yield versioning.block("versioning_configuration")["status"] == "Enabled", "keeps versions"

    def aws_s3_bucket_lifecycle_configuration(self, lifecycle):
        expiring = {}
        for rule in lifecycle["rule"]:
            prefix = (rule.get("filter") or [{}])[0].get("prefix") or ""
            yield rule["status"] == "Enabled", f"{rule['id']} is enabled"
            if rule.get("expiration"):
                expiring[prefix] = rule["expiration"][0]["days"]
            if rule.get("noncurrent_version_expiration") and "-lake-" in lifecycle["bucket"]:
                yield prefix not in ("", "releases/"), "keeps all versions of releases"
        if "-lake-" in lifecycle["bucket"]:
            yield (
                expiring == {"errors/": 90, "incoming/": 30},
                "expires errors and uploaded files, and nothing that a release may refer to",
            )
        yield (
            any(rule.get("abort_incomplete_multipart_upload") for rule in lifecycle["rule"]),
            "aborts incomplete uploads",
        )

    def aws_kinesis_stream(self, stream):
        yield stream["encryption_type"] == "KMS" and stream["kms_key_id"], "encrypts"
        yield stream.block("stream_mode_details")["stream_mode"] == "ON_DEMAND", "is on-demand"
        yield stream["retention_period"] >= (168 if self.prod else 24), "keeps records"

    def aws_sqs_queue(self, queue):
        yield queue["sqs_managed_sse_enabled"] or queue["kms_master_key_id"], "encrypts"
        yield queue["message_retention_seconds"] == 14 * 86400, "keeps dead letters for 14 days"

    def aws_sns_topic(self, topic):
        yield topic["name"] == f"{self.prefix}-notices", "is the only topic"

    def aws_dynamodb_table(self, table):
        yield table.block("server_side_encryption").get("enabled"), "encrypts"
        yield table.block("ttl").get("attribute_name") == "expires_at", "expires sessions"
        yield table["billing_mode"] == "PAY_PER_REQUEST", "is billed by use"
        yield table["deletion_protection_enabled"] is self.prod, "has deletion protection in prod only"
        yield (
            table.block("point_in_time_recovery")["enabled"] is self.prod,
            "has point-in-time recovery in prod only",
        )

    def aws_cloudwatch_log_group(self, group):
        yield (
            (group["retention_in_days"] or 0) >= (365 if self.prod else 1),
            "keeps logs long enough, but not forever",
        )

    # Functions and jobs.

    def aws_lambda_function(self, function):
        yield function["runtime"] == "provided.al2023", "runs a binary"
        yield function["source_code_hash"], "changes with its archive"
        yield function.block("logging_config").get("log_format") == "JSON", "logs JSON"
        groups = {group["name"] for group in self.state.all("aws_cloudwatch_log_group")}
        yield function.block("logging_config").get("log_group") in groups, "logs to a group with expiry"
        inside = [group["id"] for group in self.state.all("aws_security_group")]
        yield (
            function.block("vpc_config").get("security_group_ids", []) == inside,
            "is in the network if there is one",
        )
        names = function.block("environment")["variables"]
        # Only the function that erases waits until the stream has delivered everything, and only the
        # API shows runs.
        own = {"erase": ["STREAM_HOURS"], "api": ["STATE_MACHINE"]}
        yield (
            set(names)
            == {
                f"CARTWHEEL_{name}"
                for name in (
                    "LAKE",
                    "TABLE",
                    "STREAM",
                    "IMPRESSIONS",
                    "DEAD_LETTERS",
                    "TOPIC",
                    "ENDPOINT",
                    "TIMEZONE",
                    "KEY_HASHES",
                    "CORS_ORIGINS",
                    "RECOMMEND_DISCOVERY",
                    *own.get(function["function_name"].removeprefix(f"{self.prefix}-"), []),
                )
            },
            "has the environment variables that functions read",
        )
        yield bool(names["CARTWHEEL_ENDPOINT"]) is self.serving, "uses the endpoint if there is one"
        machines = [machine["arn"] for machine in self.state.all("aws_sfn_state_machine")]
        yield names.get("CARTWHEEL_STATE_MACHINE") in (None, *machines), "names this state machine"
        invokes = [
            s for s in self.state.policy_of(function["role"]) if "lambda:InvokeFunction" in many(s["Action"])
        ]
        yield not invokes, "invokes no other function"

    def aws_lambda_permission(self, permission):
        rules = [rule["arn"] for rule in self.state.all("aws_cloudwatch_event_rule")]
        yield (
            permission["source_arn"] in rules
            if permission["principal"] == "events.amazonaws.com"
            else permission["source_arn"] and permission["principal"] == "apigateway.amazonaws.com",
            "allows only this API, or a rule of this environment",
        )

    def aws_cloudwatch_event_rule(self, rule):
        pattern = json.loads(rule["event_pattern"])
        [machine] = self.state.all("aws_sfn_state_machine")
        yield (
            pattern["source"] == ["aws.states"]
            and pattern["detail"]["stateMachineArn"] == [machine["arn"]]
            and set(pattern["detail"]["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"},
            "sees every execution of the pipeline that did not succeed",
        )

    def aws_cloudwatch_event_target(self, target):
        allowed = [
            p["function_name"]
            for p in self.state.all("aws_lambda_permission")
            if p["principal"] == "events.amazonaws.com"
        ]
        yield (
            target["input_path"] == "$.detail" and target["arn"].rsplit(":", 1)[-1] in allowed,
            "may invoke the function that sends notices",
        )

    def aws_lambda_event_source_mapping(self, mapping):
        yield mapping["function_response_types"] == ["ReportBatchItemFailures"], "retries only failed records"
        yield mapping["bisect_batch_on_function_error"], "bisects failed batches"
        yield mapping["parallelization_factor"] == 1, "leaves a new account functions for its API"
        yield 0 < (mapping["maximum_retry_attempts"] or -1) <= 100, "limits retries"
        [stream] = self.state.all("aws_kinesis_stream")
        yield (
            0 < (mapping["maximum_record_age_in_seconds"] or -1) < stream["retention_period"] * 3600,
            "gives up while the stream has the records",
        )
        [queue] = self.state.all("aws_sqs_queue")
        yield (
            mapping.block("destination_config", "on_failure").get("destination_arn") == queue["arn"],
            "sends failures to the dead-letter queue",
        )

    def aws_kinesis_firehose_delivery_stream(self, delivery):
        to = delivery.block("extended_s3_configuration")
        yield (
            delivery["kinesis_source_configuration"]
            or delivery.block("server_side_encryption").get("enabled"),
            "encrypts",
        )
        yield (
            64 <= to["buffering_size"] <= 128 and 60 <= to["buffering_interval"] <= 300,
            "has a reasonable buffer",
        )
        yield (
            to["error_output_prefix"].startswith(f"errors/{to['prefix'].split('/')[0]}/"),
            "keeps records that it cannot convert",
        )
        yield delivery.block("extended_s3_configuration", "cloudwatch_logging_options").get("enabled"), "logs"
        yield to["data_format_conversion_configuration"], "writes Parquet"

    def view(self, view):
        """Rules for a view of Athena, which the catalogue has as encoded JSON."""
        text = view["view_original_text"].removeprefix("/* Presto View: ").removesuffix(" */")
        decoded = json.loads(base64.b64decode(text))
        columns = view.block("storage_descriptor")["columns"]
        hive = {"varchar": "string", "integer": "int", "real": "float", "timestamp(3)": "timestamp"}
        yield (
            [(c["name"], hive.get(c["type"], c["type"])) for c in decoded["columns"]]
            == [(c["name"], c["type"]) for c in columns],
            "has the same columns for Athena and for the catalogue",
        )
        source = decoded["originalSql"].split(" FROM ")[1].split()[0]
        tables = {t["name"]: t for t in self.state.all("aws_glue_catalog_table")}
        yield source in tables and decoded["schema"] == view["database_name"], "reads a table of the lake"
        yield (
            view["parameters"].get("presto_view") == "true"
            and view["view_expanded_text"] == "/* Presto View */",
            "is marked as Athena marks views",
        )

    def aws_glue_catalog_table(self, table):
        if table["table_type"] == "VIRTUAL_VIEW":
            yield from self.view(table)
            return
        # What is written for each of many values of a key, which a query has to name.
        injected = {
            "user_records": ("feature_set", "/features/${feature_set}/users/"),
            "imported_events": ("import_id", "/events/import=${import_id}/"),
        }
        if table["name"] in injected:
            key, place = injected[table["name"]]
            parameters = table["parameters"]
            yield (
                parameters[f"projection.{key}.type"] == "injected"
                and parameters["storage.location.template"].endswith(place)
                and [column["name"] for column in table["partition_keys"]] == [key],
                "is where its files are written",
            )
            return
        delivered = {"events", "impressions"}
        projected = (table["parameters"] or {}).get("projection.enabled") == "true"
        yield projected == (table["name"] in delivered), "has partition projection if it is delivered"
        if projected:
            [delivery] = [
                d
                for d in self.state.all("aws_kinesis_firehose_delivery_stream")
                if d["name"].endswith(f"-{table['name']}")
            ]
            where = delivery.block("extended_s3_configuration")["prefix"]
            for unit, name in (("yyyy", "year"), ("MM", "month"), ("dd", "day"), ("HH", "hour")):
                where = where.replace(f"!{{timestamp:{unit}}}", f"${{{name}}}")
            template = table["parameters"]["storage.location.template"]
            yield template.endswith(f"/{where}"), "has the location where delivery writes"
            yield (
                [key["name"] for key in table["partition_keys"]] == ["year", "month", "day", "hour"],
                "has the partitions of delivery",
            )

    def aws_glue_job(self, job):
        yield job["glue_version"] == "5.0" and job["worker_type"] == "G.1X", "is Spark 3.5 on small workers"
        yield job["timeout"] <= 240, "has a timeout"
        groups = {group["name"] for group in self.state.all("aws_cloudwatch_log_group")}
        logs = job["default_arguments"]["--custom-logGroup-prefix"]
        yield {f"{logs}/output", f"{logs}/error"} <= groups, "logs to groups with expiry"

    def aws_sfn_state_machine(self, machine):
        logging = machine.block("logging_configuration")
        yield logging.get("level") == "ALL" and logging.get("log_destination"), "logs every transition"

    def aws_scheduler_schedule(self, schedule):
        given = json.loads(schedule.block("target")["input"])
        if schedule["name"] == f"{self.prefix}-erase":
            yield schedule["schedule_expression"] == "rate(1 hour)" and not given, "erases every hour"
            return
        yield (
            given["Name"] == f"{self.prefix}-<aws.scheduler.execution-id>",
            "starts executions with names that the role allows",
        )
        # SageMaker's names have 63 characters. Scheduler's IDs have 16 characters.
        run = len(given["Name"].replace("<aws.scheduler.execution-id>", "x" * 16))
        yield run + len("-trial-11-2-r99") <= 63, "leaves room for the names of training jobs"
        yield given["Input"] == self.state.outputs["pipeline_input"], "has the input of executions"

    # The network.

    def aws_default_security_group(self, group):
        yield not group["ingress"] and not group["egress"], "allows nothing"

    def aws_security_group(self, group):
        yield not group["ingress"] and not group["egress"], "has rules of its own"

    def aws_vpc_security_group_ingress_rule(self, rule):
        yield rule["referenced_security_group_id"] == rule["security_group_id"], "allows its own group only"

    def aws_vpc_security_group_egress_rule(self, rule):
        inside = rule["referenced_security_group_id"] == rule["security_group_id"]
        gateways = [e["prefix_list_id"] for e in self.state.all("aws_vpc_endpoint")]
        yield inside or rule["prefix_list_id"] in gateways, "allows its own group and the gateways only"

    def aws_subnet(self, subnet):
        yield not subnet["map_public_ip_on_launch"], "has no public addresses"

    def aws_vpc_endpoint(self, endpoint):
        yield (
            endpoint["private_dns_enabled"]
            if endpoint["vpc_endpoint_type"] == "Interface"
            else endpoint["route_table_ids"],
            "is found under the usual name of its service",
        )

    def aws_glue_connection(self, connection):
        [job] = self.state.all("aws_glue_job")
        yield job["connections"] == [connection["name"]], "is used by the feature job"

    # API and web app.

    def aws_apigatewayv2_stage(self, stage):
        limits = stage.block("default_route_settings")
        yield (
            limits.get("throttling_rate_limit", 0) > 0 and limits.get("throttling_burst_limit", 0) > 0,
            "throttles",
        )
        yield (
            self.prod or limits.get("throttling_rate_limit", 0) <= 10,
            "throttles a flood of requests to dev before it is expensive",
        )
        yield stage.block("access_log_settings").get("destination_arn"), "logs requests"

    def aws_apigatewayv2_route(self, route):
        around = route["route_key"] == "POST /ingest"
        yield (
            route["authorization_type"] == ("AWS_IAM" if around else "NONE"),
            "needs a signature if no function checks keys",
        )

    def aws_api_gateway_rest_api(self, api):
        body = json.loads(api["body"])
        for path, methods in body["paths"].items():
            asked = {name: method.get("security") for name, method in methods.items() if name != "options"}
            yield all(asked.values()), f"asks for a key on {path}"
            yield "options" in methods, f"answers pages that ask what they may send to {path}"
        validators = [
            method.get("x-amazon-apigateway-request-validator")
            for methods in body["paths"].values()
            for name, method in methods.items()
            if name != "options"
        ]
        checks = body["x-amazon-apigateway-request-validators"]
        yield (
            all(name and checks[name]["validateRequestBody"] for name in validators),
            "checks bodies before they reach the stream",
        )

    def aws_api_gateway_stage(self, stage):
        yield stage.block("access_log_settings").get("destination_arn"), "logs requests"

    def aws_api_gateway_usage_plan(self, plan):
        limits = plan.block("throttle_settings")
        yield limits.get("rate_limit", 0) > 0 and limits.get("burst_limit", 0) > 0, "throttles"
        yield (
            self.prod or limits.get("rate_limit", 0) <= 10,
            "throttles a flood of requests to dev before it is expensive",
        )

    def aws_api_gateway_usage_plan_key(self, key):
        yield key["usage_plan_id"] and key["key_id"], "binds a key to a plan"

    def aws_cloudfront_distribution(self, distribution):
        yield distribution["origin"][0]["origin_access_control_id"], "signs its requests to the bucket"
        for behaviour in [*distribution["default_cache_behavior"], *distribution["ordered_cache_behavior"]]:
            yield behaviour["viewer_protocol_policy"] == "redirect-to-https", "is accessible over TLS only"
            yield behaviour["response_headers_policy_id"], "sends the security headers"
            yield set(behaviour["allowed_methods"]) == {"GET", "HEAD"}, "is read-only"

    def aws_cloudfront_origin_access_control(self, control):
        yield control["signing_behavior"] == "always", "always signs"

    def aws_cloudfront_response_headers_policy(self, policy):
        security = policy.block("security_headers_config")
        for header in (
            "content_security_policy",
            "content_type_options",
            "frame_options",
            "referrer_policy",
            "strict_transport_security",
        ):
            yield security.get(header), f"sends {header}"
        csp = policy.block("security_headers_config", "content_security_policy")["content_security_policy"]
        yield "unsafe" not in csp and "*" not in csp, "restricts the page to its own files"
        yield f"connect-src 'self' {self.state.outputs['api_url']};" in csp, "restricts the page to its API"

    def aws_cloudwatch_metric_alarm(self, alarm):
        topics = [topic["arn"] for topic in self.state.all("aws_sns_topic")]
        yield alarm["alarm_actions"] == topics and alarm["ok_actions"] == topics, "publishes to the topic"
        yield alarm["treat_missing_data"] == "notBreaching", "accepts missing data"
