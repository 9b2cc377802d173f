"""The checks find what they are for: each breaks one thing in a state, and it has to be named.

STATE=state.json python -m unittest discover -s infra/check    (a state of prod, sagemaker)
"""

import json
import os
import unittest
from pathlib import Path

import asl
import rules
from state import State

MACHINE = Path(__file__).resolve().parent.parent / "pipeline.asl.json"


def first(state, kind, **wanted):
    return next(r for r in state.all(kind) if all(r[k] == v for k, v in wanted.items())).values


def set_block(values, path, value):
    *blocks, name = path.split(".")
    for block in blocks:
        values = values[block][0]
    values[name] = value


def policy_statement(state, kind, **statement):
    """Adds a statement to the first policy of a kind."""
    values = first(state, kind)
    document = json.loads(values["policy"])
    document["Statement"].append({"Sid": "Added", "Effect": "Allow", **statement})
    values["policy"] = json.dumps(document)


def drop(state, kind):
    state.resources.remove(state.all(kind)[0])


# What is broken, how, and what the rule says of it.
BREAKS = [
    (
        lambda s: first(s, "aws_s3_bucket_public_access_block").update(block_public_acls=False),
        "block_public_acls",
    ),
    (lambda s: drop(s, "aws_s3_bucket_public_access_block"), "public_access_block"),
    (lambda s: drop(s, "aws_s3_bucket_versioning"), "versioning"),
    (lambda s: drop(s, "aws_s3_bucket_policy"), "policy"),
    (lambda s: first(s, "aws_s3_bucket").update(force_destroy=True), "stays in prod"),
    (lambda s: first(s, "aws_s3_bucket_policy").update(policy='{"Statement": []}'), "TLS alone"),
    (lambda s: first(s, "aws_sqs_queue").update(message_retention_seconds=60), "14 days"),
    (lambda s: first(s, "aws_kinesis_stream").update(encryption_type="NONE"), "encrypts"),
    (lambda s: first(s, "aws_dynamodb_table").update(deletion_protection_enabled=False), "deletion"),
    (
        lambda s: set_block(first(s, "aws_dynamodb_table"), "point_in_time_recovery.enabled", False),
        "put back",
    ),
    (lambda s: first(s, "aws_cloudwatch_log_group").update(retention_in_days=0), "keeps logs"),
    (
        lambda s: first(s, "aws_lambda_event_source_mapping").update(maximum_retry_attempts=-1),
        "ends its retries",
    ),
    (
        lambda s: first(s, "aws_lambda_event_source_mapping").update(function_response_types=None),
        "what failed only",
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
        "TLS alone",
    ),
    (
        lambda s: set_block(
            first(s, "aws_cloudfront_response_headers_policy"),
            "security_headers_config.content_security_policy",
            [{"content_security_policy": "default-src 'self' 'unsafe-inline'"}],
        ),
        "own files only",
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
        "logs where logs expire",
    ),
    (
        lambda s: set_block(first(s, "aws_sfn_state_machine"), "logging_configuration.level", "OFF"),
        "transition",
    ),
    (lambda s: drop(s, "aws_cloudwatch_metric_alarm"), "wanted in prod"),
    (lambda s: first(s, "aws_cloudwatch_metric_alarm").update(alarm_actions=[]), "tells somebody"),
    (lambda s: drop(s, "aws_appautoscaling_target"), "scales where there is one"),
    (
        lambda s: policy_statement(s, "aws_iam_role_policy", Action="*", Resource="arn:aws:s3:::x"),
        "not all of them",
    ),
    (
        lambda s: policy_statement(s, "aws_iam_role_policy", Action="s3:*", Resource="arn:aws:s3:::x"),
        "not all of them",
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
        "handed the role",
    ),
    (
        lambda s: policy_statement(
            s, "aws_iam_role_policy", Action="iam:*Role", Resource="arn:aws:iam::1:role/x"
        ),
        "handed the role",
    ),
    (
        lambda s: policy_statement(
            s, "aws_s3_bucket_policy", Action="s3:GetObject", Resource="x", Principal="*"
        ),
        "not everybody",
    ),
    (lambda s: first(s, "aws_lambda_function")["tags_all"].clear(), "tagged"),
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

    def test_nothing_broken_is_nothing_found(self):
        self.assertEqual(rules.check("prod", "sagemaker", self.state())[1], [])
        self.assertEqual(asl.check(json.loads(MACHINE.read_text()), self.state())[0], [])

    def test_each_break_is_found(self):
        for number, (break_it, said) in enumerate(BREAKS):
            with self.subTest(number=number, said=said):
                state = self.state()
                break_it(state)
                broken = rules.check("prod", "sagemaker", state)[1]
                self.assertTrue([b for b in broken if said in b], broken)

    def test_prod_is_not_dev(self):
        broken = rules.check("dev", "sagemaker", self.state())[1]
        self.assertTrue([b for b in broken if "goes with dev" in b], broken)

    def test_the_state_machine_is_read(self):
        breaks = [
            (lambda states: states["Train"]["Parameters"].update(Wrong="x"), "the API has no Wrong"),
            (lambda states: states["Train"]["Parameters"].pop("OutputDataConfig"), "OutputDataConfig"),
            (
                lambda states: states["Train"]["Parameters"]["ResourceConfig"].update(InstanceCount="one"),
                "InstanceCount",
            ),
            (
                lambda states: states["Train"].update(Resource="arn:aws:states:::sagemaker:trainIt"),
                "has no TrainIt",
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
                "may not sagemaker:CreateTransformJob",
            ),
        ]
        for number, (change, said) in enumerate(breaks):
            with self.subTest(number=number, said=said):
                complaints = with_task(self.state(), change)
                self.assertTrue([c for c in complaints if said in c], complaints)

    def test_the_role_is_read(self):
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
                self.assertIn(f"the state machine's role may not {action}", complaints)


if __name__ == "__main__":
    unittest.main()
