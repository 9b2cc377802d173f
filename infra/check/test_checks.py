"""Tests of the checks: each test breaks one thing in a valid state, which a check has to report.

STATE=state.json python -m unittest discover -s infra/check    (STATE: of prod with sagemaker)
"""

import json
import os
import platform
import re
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

import access
import asl
import binaries
import cloudformation
import costs
import ingested
import rules
import values
from state import State, many

INFRA = Path(__file__).resolve().parent.parent
MACHINE = INFRA / "pipeline.asl.json"


def first(state, kind, **wanted):
    return next(r for r in state.all(kind) if all(r[k] == v for k, v in wanted.items())).values


def set_block(values, path, value):
    *blocks, name = path.split(".")
    for block in blocks:
        values = values[block][0]
    values[name] = value


def policy_statement(state, kind, **statement):
    """Adds a statement to the first policy of a type."""
    values = first(state, kind)
    document = json.loads(values["policy"])
    document["Statement"].append({"Sid": "Added", "Effect": "Allow", **statement})
    values["policy"] = json.dumps(document)


def drop(state, kind):
    state.resources.remove(state.all(kind)[0])


# Changes that break a state, each with a part of the text of the broken rule.
BREAKS = [
    (
        lambda s: first(s, "aws_s3_bucket_public_access_block").update(block_public_acls=False),
        "block_public_acls",
    ),
    (
        lambda s: first(s, "aws_api_gateway_rest_api").update(
            body=first(s, "aws_api_gateway_rest_api")["body"].replace(
                '"validateRequestBody":true', '"validateRequestBody":false'
            )
        ),
        "checks bodies before",
    ),
    (
        lambda s: first(s, "aws_api_gateway_rest_api").update(
            body=first(s, "aws_api_gateway_rest_api")["body"].replace('"security"', '"unused"')
        ),
        "asks for a key",
    ),
    (
        lambda s: set_block(first(s, "aws_api_gateway_usage_plan"), "throttle_settings.rate_limit", 0),
        "throttles",
    ),
    (lambda s: drop(s, "aws_s3_bucket_public_access_block"), "public_access_block"),
    (lambda s: drop(s, "aws_s3_bucket_versioning"), "versioning"),
    (lambda s: drop(s, "aws_s3_bucket_policy"), "policy"),
    (lambda s: first(s, "aws_s3_bucket").update(force_destroy=True), "in dev only"),
    (lambda s: first(s, "aws_s3_bucket_policy").update(policy='{"Statement": []}'), "TLS only"),
    (lambda s: first(s, "aws_sqs_queue").update(message_retention_seconds=60), "14 days"),
    (lambda s: first(s, "aws_kinesis_stream").update(encryption_type="NONE"), "encrypts"),
    (
        lambda s: first(s, "aws_dynamodb_table").update(deletion_protection_enabled=False),
        "deletion protection",
    ),
    (
        lambda s: set_block(first(s, "aws_dynamodb_table"), "point_in_time_recovery.enabled", False),
        "point-in-time recovery",
    ),
    (lambda s: first(s, "aws_cloudwatch_log_group").update(retention_in_days=0), "keeps logs"),
    (
        lambda s: first(s, "aws_lambda_event_source_mapping").update(maximum_retry_attempts=-1),
        "limits retries",
    ),
    (
        lambda s: first(s, "aws_lambda_event_source_mapping").update(function_response_types=None),
        "only failed records",
    ),
    (
        lambda s: set_block(
            first(s, "aws_apigatewayv2_stage"), "default_route_settings.throttling_rate_limit", 0
        ),
        "throttles",
    ),
    (
        lambda s: first(s, "aws_apigatewayv2_route", route_key="POST /ingest").update(
            authorization_type="NONE"
        ),
        "signature",
    ),
    (
        lambda s: set_block(
            first(s, "aws_cloudfront_distribution"),
            "default_cache_behavior.viewer_protocol_policy",
            "allow-all",
        ),
        "TLS only",
    ),
    (
        lambda s: set_block(
            first(s, "aws_cloudfront_response_headers_policy"),
            "security_headers_config.content_security_policy",
            [{"content_security_policy": "default-src 'self' 'unsafe-inline'"}],
        ),
        "its own files",
    ),
    (
        lambda s: set_block(
            first(s, "aws_kinesis_firehose_delivery_stream"), "extended_s3_configuration.prefix", "elsewhere/"
        ),
        "delivery writes",
    ),
    (
        lambda s: first(s, "aws_glue_job").update(
            default_arguments={"--custom-logGroup-prefix": "/elsewhere"}
        ),
        "logs to groups with expiry",
    ),
    (
        lambda s: set_block(first(s, "aws_sfn_state_machine"), "logging_configuration.level", "OFF"),
        "transition",
    ),
    (lambda s: drop(s, "aws_cloudwatch_metric_alarm"), "expected ones in prod"),
    (lambda s: first(s, "aws_cloudwatch_metric_alarm").update(alarm_actions=[]), "publishes to the topic"),
    (lambda s: drop(s, "aws_appautoscaling_target"), "scales both variants"),
    (
        lambda s: policy_statement(s, "aws_iam_role_policy", Action="*", Resource="arn:aws:s3:::x"),
        "single actions",
    ),
    (
        lambda s: policy_statement(s, "aws_iam_role_policy", Action="s3:*", Resource="arn:aws:s3:::x"),
        "single actions",
    ),
    (
        lambda s: policy_statement(s, "aws_iam_role_policy", Action="s3:GetObject", Resource="*"),
        "RESOURCE_STAR",
    ),
    (
        lambda s: policy_statement(
            s, "aws_iam_role_policy", Action="s3:GetObjekt", Resource="arn:aws:s3:::x/*"
        ),
        "UNKNOWN_ACTION",
    ),
    (
        lambda s: policy_statement(
            s, "aws_iam_role_policy", Action="s3:ListBucket", Resource="arn:aws:s3:::x/*"
        ),
        "RESOURCE_MISMATCH",
    ),
    (
        lambda s: policy_statement(
            s, "aws_iam_role_policy", Action="iam:PassRole", Resource="arn:aws:iam::1:role/x"
        ),
        "gets the role",
    ),
    (
        lambda s: policy_statement(
            s, "aws_iam_role_policy", Action="iam:*Role", Resource="arn:aws:iam::1:role/x"
        ),
        "gets the role",
    ),
    (
        lambda s: policy_statement(
            s, "aws_s3_bucket_policy", Action="s3:GetObject", Resource="x", Principal="*"
        ),
        "restricted principal",
    ),
    (
        lambda s: policy_statement(
            s, "aws_iam_role_policy", Action="s3:ListBucket", Resource=["arn:aws:s3:::x"] * 600
        ),
        "that IAM takes",
    ),
    (lambda s: first(s, "aws_lambda_function")["tags_all"].clear(), "tagged"),
    (
        lambda s: first(s, "aws_glue_catalog_table", name="users")["storage_descriptor"][0]["columns"].pop(),
        "the same columns",
    ),
    (
        lambda s: first(s, "aws_glue_catalog_table", name="imported_events")["parameters"].update(
            {"storage.location.template": "s3://lake/events/${import_id}/"}
        ),
        "where its files are written",
    ),
    (
        lambda s: first(s, "aws_cloudwatch_event_rule").update(
            event_pattern=first(s, "aws_cloudwatch_event_rule")["event_pattern"].replace("TIMED_OUT", "X")
        ),
        "every execution",
    ),
    (
        lambda s: first(s, "aws_vpc_security_group_egress_rule").update(
            referenced_security_group_id=None, prefix_list_id=None, cidr_ipv4="0.0.0.0/0"
        ),
        "the gateways only",
    ),
    (lambda s: drop(s, "aws_vpc_endpoint"), "endpoints of all services"),
    (lambda s: first(s, "aws_lambda_function").update(vpc_config=[]), "in the network"),
    (
        lambda s: first(s, "aws_lambda_function", function_name="shop-prod-api")["environment"][0][
            "variables"
        ].update(CARTWHEEL_STATE_MACHINE="arn:aws:states:us-east-1:1:stateMachine:other"),
        "names this state machine",
    ),
    (lambda s: drop(s, "aws_cloudwatch_event_target"), "tell of failed executions"),
    (
        lambda s: first(s, "aws_scheduler_schedule", name="shop-prod-pipeline").update(name="x"),
        "renews user records",
    ),
    (
        lambda s: s.resources.append(type(s.resources[0])("aws_nat_gateway.x", "aws_nat_gateway", {})),
        "has no rule",
    ),
]


def with_task(state, change):
    machine = json.loads(MACHINE.read_text())
    change(machine["States"])
    return asl.check(machine, state)[0]


class Checks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = os.environ["STATE"]

    def state(self):
        return State(self.path)

    def test_a_valid_state_breaks_no_rule(self):
        self.assertEqual(rules.check("prod", "sagemaker", self.state())[1], [])
        self.assertEqual(asl.check(json.loads(MACHINE.read_text()), self.state())[0], [])

    def test_each_change_is_reported(self):
        for number, (change, expected) in enumerate(BREAKS):
            with self.subTest(number=number, rule=expected):
                state = self.state()
                change(state)
                broken = rules.check("prod", "sagemaker", state)[1]
                self.assertTrue([b for b in broken if expected in b], broken)

    def test_prod_breaks_rules_of_dev(self):
        broken = rules.check("dev", "sagemaker", self.state())[1]
        self.assertTrue([b for b in broken if "in dev only" in b], broken)

    def test_changes_of_the_state_machine(self):
        breaks = [
            (
                lambda states: states["Train"]["Parameters"].update(Wrong="x"),
                "the API has no parameter Wrong",
            ),
            (lambda states: states["Train"]["Parameters"].pop("OutputDataConfig"), "OutputDataConfig"),
            (
                lambda states: states["Train"]["Parameters"]["ResourceConfig"].update(InstanceCount="one"),
                "InstanceCount",
            ),
            (
                lambda states: states["Train"].update(Resource="arn:aws:states:::sagemaker:trainIt"),
                "has no operation TrainIt",
            ),
            (
                lambda states: states["BuildFeatures"]["Parameters"].update({"JobName.$": "$.features.name"}),
                "$.features.name",
            ),
            (lambda states: states["Settings"]["Parameters"].update({"extra.$": "$.extra"}), "extra"),
            (
                lambda states: states["CreateModel"].update(
                    Resource="arn:aws:states:::sagemaker:createTransformJob"
                ),
                "lacks sagemaker:CreateTransformJob",
            ),
            (
                lambda states: states.update(Failed={"Type": "Fail"}),
                "a redrive would continue with this Fail state",
            ),
            (
                lambda states: states["Train"]["Parameters"].update({"TrainingJobName.$": "$.run"}),
                "has the name of the failed one",
            ),
            (
                lambda states: states["Defaults"]["Result"].update(learning_rate="0.1"),
                "has no hyperparameter learning_rate",
            ),
            (lambda states: states["Defaults"]["Result"].update(max_depth=5), "max_depth is not a string"),
            (
                lambda states: states["Train"]["Parameters"]["InputDataConfig"].pop(),
                "instead of train and validation",
            ),
            (lambda states: states["LoadFeatures"].update(MaxConcurrency=8), "leave a new table no units"),
            (
                lambda states: states["LoadFeatures"]["ItemProcessor"]["States"]["LoadPart"]["Retry"].pop(),
                "before the table has adapted",
            ),
            (
                lambda states: states["CreateEndpointConfig"]["Parameters"].update(
                    {"ProductionVariants.$": "$.variants"}
                ),
                "replaces the model of the serving release",
            ),
            (
                lambda states: states["Publish"]["Parameters"]["Payload"].pop("variant.$"),
                "does not name the variant",
            ),
            (
                lambda states: states["Train"]["Retry"][0]["ErrorEquals"].append("SageMaker.Throttling"),
                "SageMaker.Throttling is no error of CreateTrainingJob",
            ),
            (
                lambda states: states["UpdateEndpoint"]["Parameters"].pop("RetainAllVariantProperties"),
                "resets what autoscaling has set",
            ),
            (
                lambda states: states["InService"]["Choices"][0]["And"].pop(),
                "has the configuration of this run",
            ),
            (
                lambda states: states["FindEndpoint"]["Catch"][0].update(Next="CreateEndpoint"),
                "such as throttling, for one",
            ),
        ]
        for number, (change, expected) in enumerate(breaks):
            with self.subTest(number=number, rule=expected):
                complaints = with_task(self.state(), change)
                self.assertTrue([c for c in complaints if expected in c], complaints)

    def test_hadoop_may_look_for_folders(self):
        self.assertEqual(access.check(self.state())[1], [])
        for key in ("/events", "/features_$folder$", "/temporary", "/imports/*"):
            with self.subTest(key=key):
                state = self.state()
                for policy in state.all("aws_iam_role_policy"):
                    document = json.loads(policy["policy"])
                    for statement in document["Statement"]:
                        statement["Resource"] = [
                            resource for resource in many(statement["Resource"]) if not resource.endswith(key)
                        ] or ["none"]
                    policy.values["policy"] = json.dumps(document)
                bucket = "artifacts" if key == "/temporary" else "lake"
                missing = f"may not s3:GetObject on arn:aws:s3:::shop-prod-{bucket}"
                self.assertTrue([r for r in access.check(state)[1] if missing in r])

    def test_binaries(self):
        # The interpreter that runs this test is a program of this machine's processor.
        program = Path(sys.executable).resolve().read_bytes()
        here = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
        other = {"x86_64": "arm64", "arm64": "x86_64"}[here]

        def complaints(architecture, glibc):
            return list(binaries.of_binary("api", program, architecture, glibc))

        self.assertEqual(complaints(here, (9, 0)), [])
        self.assertIn(f"not for {other}", complaints(other, (9, 0))[0])
        self.assertIn("needs glibc 2.", complaints(here, (2, 0))[0])
        with tempfile.TemporaryDirectory() as dist:
            archive = Path(dist, "lambda", here, "api.zip")
            archive.parent.mkdir(parents=True)
            with zipfile.ZipFile(archive, "w") as opened:
                opened.writestr("bootstrap", "a script")
            self.assertIn("is no program for Linux", binaries.check(dist)[1][0])

    def test_money(self):
        self.assertEqual(costs.check(self.state())[2], [])
        for kind, path, value, expected in (
            ("aws_budgets_budget", "limit_amount", "100", "notice of the idle cost"),
            (
                "aws_apigatewayv2_stage",
                "default_route_settings.throttling_rate_limit",
                5000,
                "more than the budget",
            ),
        ):
            with self.subTest(kind=kind):
                state = self.state()
                set_block(first(state, kind), path, value)
                self.assertTrue([c for c in costs.check(state)[2] if expected in c])

    def test_values(self):
        self.assertEqual(values.check(self.state())[1], [])
        for kind, path, value in (
            ("aws_lambda_function", "runtime", "provided.al2024"),
            ("aws_lambda_function", "memory_size", 64),
            ("aws_lambda_function", "ephemeral_storage.size", 256),
            ("aws_kinesis_stream", "stream_mode_details.stream_mode", "ON-DEMAND"),
            ("aws_cloudwatch_event_rule", "name", "a rule"),
            ("aws_lambda_event_source_mapping", "parallelization_factor", 11),
        ):
            with self.subTest(kind=kind, path=path):
                state = self.state()
                set_block(first(state, kind), path, value)
                self.assertEqual(len(values.check(state)[1]), 1)
        state = self.state()
        given = json.loads(state.outputs["pipeline_input"])
        given["training"]["instance"] = "ml.m5.huge"
        state.outputs["pipeline_input"] = json.dumps(given)
        self.assertIn("pipeline_input.training.instance: 'ml.m5.huge'", values.check(state)[1][0])

    def test_cloudformation(self):
        state = self.state()
        first(state, "aws_cloudwatch_log_group").update(retention_in_days=13)
        first(state, "aws_glue_job").update(worker_type="G.3X")
        first(state, "aws_lambda_function").update(memory_size=64)
        first(state, "aws_cloudwatch_metric_alarm").update(treat_missing_data="good")
        complaints, count = cloudformation.check(state)
        self.assertGreater(count, 600)
        for value in ("13", "G.3X", "64", "good"):
            with self.subTest(value=value):
                self.assertTrue([c for c in complaints if value in c], complaints)

    def test_no_function_has_a_right_that_it_does_not_use(self):
        self.assertEqual(list(access.unused(self.state())), [])

    def test_a_role_lacks_what_its_function_asks_for(self):
        state = self.state()
        for policy in state.all("aws_iam_role_policy"):
            policy.values["policy"] = policy["policy"].replace("dynamodb:BatchGetItem", "dynamodb:Scan")
        self.assertTrue(
            [r for r in access.check(state)[1] if r.startswith("shop-prod-api may not dynamodb:BatchGetItem")]
        )
        self.assertIn("shop-prod-api: dynamodb:Scan", list(access.unused(state)))

    def test_the_policy_of_the_server_lacks_what_it_asks_for(self):
        for right, other in (("/documents/*", "/models/*"), ("dynamodb:Query", "dynamodb:Scan")):
            with self.subTest(right=right):
                state = self.state()
                policy = state.outputs["serve_policy"].replace(right, other)
                state.outputs["serve_policy"] = policy
                self.assertTrue([r for r in access.check(state)[1] if r.startswith("serve may not ")])
        self.assertIn("serve: dynamodb:Scan", list(access.unused(state)))

    def test_the_api_shows_the_runs_of_this_pipeline_alone(self):
        def other(statement):
            statement["Resource"] = [r.replace("shop-prod-pipeline", "other") for r in statement["Resource"]]

        for sid, refused in (("ListRuns", "ListExecutions"), ("ReadRuns", "GetExecutionHistory")):
            with self.subTest(sid=sid):
                state = self.state()
                for policy in state.all("aws_iam_role_policy"):
                    document = json.loads(policy["policy"])
                    for statement in document["Statement"]:
                        if statement["Sid"] == sid:
                            other(statement)
                    policy.values["policy"] = json.dumps(document)
                complaint = f"shop-prod-api may not states:{refused} on "
                self.assertTrue([r for r in access.check(state)[1] if r.startswith(complaint)])

    def test_the_records_of_pages_are_those_that_the_crate_compares(self):
        self.assertEqual(ingested.ingested(self.state()), json.loads(ingested.FILE.read_text()))

    def test_dev_is_throttled_low(self):
        broken = rules.check("dev", "sagemaker", self.state())[1]
        self.assertTrue([b for b in broken if "flood of requests" in b], broken)

    def test_an_environment_exposes_every_variable_of_the_stack(self):
        declared = re.findall(r'^variable "(\w+)"', (INFRA / "modules/stack/variables.tf").read_text(), re.M)
        given = re.findall(r"^  (\w+) +=", (INFRA / "environments/dev/main.tf").read_text(), re.M)
        self.assertEqual(sorted(set(declared) - set(given)), [])

    def test_the_provider_is_the_one_whose_schema_is_checked(self):
        version = json.loads((INFRA / "check/schema.json").read_text())["version"]
        for environment in ("dev", "prod"):
            text = (INFRA / f"environments/{environment}/versions.tf").read_text()
            self.assertIn(f'version = "{version}"', text)

    def test_missing_permissions(self):
        for action in (
            "glue:StartJobRun",
            "iam:PassRole",
            "lambda:InvokeFunction",
            "events:PutRule",
            "sagemaker:UpdateEndpoint",
        ):
            with self.subTest(action=action):
                state = self.state()
                for policy in state.all("aws_iam_role_policy"):
                    document = json.loads(policy["policy"])
                    for statement in document["Statement"]:
                        if action in statement["Action"] and statement["Action"] != action:
                            statement["Action"] = [a for a in statement["Action"] if a != action]
                    policy.values["policy"] = json.dumps(document)
                complaints = asl.check(json.loads(MACHINE.read_text()), state)[0]
                self.assertIn(f"the role of the state machine lacks {action}", complaints)


if __name__ == "__main__":
    unittest.main()
