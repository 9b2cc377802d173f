"""Checks planned resources by cfn-lint, as resources of CloudFormation.

    python infra/check/cloudformation.py STATE    (STATE: see state.py)

CloudFormation's schemas have enumerations, ranges, patterns and combinations that the provider's schema
lacks. An argument becomes the property of the same name, without regard to case and underscores, or
that of RENAMED. Others are left out, and so nothing is said about missing properties.
"""

import json
import sys

import cfnlint
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from state import State

TYPES = {
    "aws_api_gateway_rest_api": "AWS::ApiGateway::RestApi",
    "aws_api_gateway_usage_plan": "AWS::ApiGateway::UsagePlan",
    "aws_apigatewayv2_api": "AWS::ApiGatewayV2::Api",
    "aws_apigatewayv2_integration": "AWS::ApiGatewayV2::Integration",
    "aws_apigatewayv2_route": "AWS::ApiGatewayV2::Route",
    "aws_apigatewayv2_stage": "AWS::ApiGatewayV2::Stage",
    "aws_appautoscaling_policy": "AWS::ApplicationAutoScaling::ScalingPolicy",
    "aws_appautoscaling_target": "AWS::ApplicationAutoScaling::ScalableTarget",
    "aws_athena_workgroup": "AWS::Athena::WorkGroup",
    "aws_cloudwatch_event_rule": "AWS::Events::Rule",
    "aws_cloudwatch_log_group": "AWS::Logs::LogGroup",
    "aws_cloudwatch_metric_alarm": "AWS::CloudWatch::Alarm",
    "aws_dynamodb_table": "AWS::DynamoDB::Table",
    "aws_glue_job": "AWS::Glue::Job",
    "aws_iam_role": "AWS::IAM::Role",
    "aws_kinesis_firehose_delivery_stream": "AWS::KinesisFirehose::DeliveryStream",
    "aws_kinesis_stream": "AWS::Kinesis::Stream",
    "aws_lambda_event_source_mapping": "AWS::Lambda::EventSourceMapping",
    "aws_lambda_function": "AWS::Lambda::Function",
    "aws_lambda_permission": "AWS::Lambda::Permission",
    "aws_s3_bucket": "AWS::S3::Bucket",
    "aws_scheduler_schedule": "AWS::Scheduler::Schedule",
    "aws_sfn_state_machine": "AWS::StepFunctions::StateMachine",
    "aws_sns_topic": "AWS::SNS::Topic",
    "aws_sqs_queue": "AWS::SQS::Queue",
    "aws_subnet": "AWS::EC2::Subnet",
    "aws_vpc": "AWS::EC2::VPC",
    "aws_vpc_endpoint": "AWS::EC2::VPCEndpoint",
}
# By type of CloudFormation: arguments whose properties have other names.
RENAMED = {
    "AWS::ApiGateway::UsagePlan": {"name": "UsagePlanName", "throttle_settings": "Throttle"},
    "AWS::ApiGatewayV2::Integration": {"timeout_milliseconds": "TimeoutInMillis"},
    "AWS::ApiGatewayV2::Stage": {"name": "StageName"},
    "AWS::ApplicationAutoScaling::ScalingPolicy": {"name": "PolicyName"},
    "AWS::DynamoDB::Table": {"name": "TableName", "ttl": "TimeToLiveSpecification"},
    "AWS::EC2::VPCEndpoint": {"service_name": "ServiceName"},
    "AWS::Glue::Job": {"role_arn": "Role"},
    "AWS::IAM::Role": {"name": "RoleName", "assume_role_policy": "AssumeRolePolicyDocument"},
    "AWS::Kinesis::Stream": {"retention_period": "RetentionPeriodHours"},
    "AWS::KinesisFirehose::DeliveryStream": {
        "name": "DeliveryStreamName",
        "extended_s3_configuration": "ExtendedS3DestinationConfiguration",
    },
    "AWS::Lambda::Permission": {"principal": "Principal"},
    "AWS::Logs::LogGroup": {"name": "LogGroupName"},
    "AWS::S3::Bucket": {"bucket": "BucketName"},
    "AWS::SNS::Topic": {"name": "TopicName"},
    "AWS::SQS::Queue": {
        "name": "QueueName",
        "message_retention_seconds": "MessageRetentionPeriod",
        "visibility_timeout_seconds": "VisibilityTimeout",
    },
    "AWS::StepFunctions::StateMachine": {"name": "StateMachineName", "type": "StateMachineType"},
}
# Arguments whose values AWS gives, of which the state has invented ones, or that are written otherwise.
LEFT_OUT = {"connections", "security_group_ids", "subnet_ids", "vpc_config", "vpc_id"}
# Terraform's number for no limit.
NO_LIMIT = ("reserved_concurrent_executions", -1)
# The rule about required properties: some are left out.
QUIET = {"E3003"}


def plain(name):
    return name.replace("_", "").lower()


def resolved(schema, root):
    while "$ref" in schema:
        at = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        schema = at
    return schema


def converted(value, schema, root, renamed=()):
    """A planned value as CloudFormation has it; None if it has no place there."""
    schema = resolved(schema, root)
    properties = schema.get("properties")
    if isinstance(value, dict) and schema.get("type") == "array":
        # Tags and dimensions.
        [name] = set(resolved(schema["items"], root)["properties"]) - {"Value"}
        return [{name: key, "Value": one} for key, one in value.items()]
    if isinstance(value, list) and schema.get("type") != "array":
        # A single block.
        value = value[0] if value else None
    if isinstance(value, str) and properties is None and "object" in schema.get("type", ()):
        return json.loads(value)
    if isinstance(value, list):
        items = [converted(one, schema.get("items", {}), root) for one in value]
        return [item for item in items if item is not None] or None
    if isinstance(value, dict) and properties is not None:
        names = {plain(name): name for name in properties}
        out = {}
        for argument, inner in value.items():
            if argument in LEFT_OUT or (argument, inner) == NO_LIMIT:
                continue
            name = dict(renamed).get(argument) or names.get(plain(argument))
            if name in properties:
                found = converted(inner, properties[name], root)
                if found not in (None, "", {}):
                    out[name] = found
        return out or None
    return value


def template(state):
    """The resources of a state, and how many arguments have a property."""
    resources, count = {}, 0
    for number, resource in enumerate(state.resources):
        kind = TYPES.get(resource.kind)
        if kind is None:
            continue
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        read_only = {path.split("/")[2] for path in schema.get("readOnlyProperties", [])}
        properties = converted(resource.values, schema, schema, RENAMED.get(kind, {}).items()) or {}
        properties = {name: value for name, value in properties.items() if name not in read_only}
        count += len(properties)
        resources[f"R{number}"] = {
            "Type": kind,
            "Metadata": {"address": resource.address},
            "Properties": properties,
        }
    return {"Resources": resources}, count


def check(state):
    """Complaints, and how many properties were checked."""
    made, count = template(state)
    complaints = []
    for match in cfnlint.lint(json.dumps(made), regions=["us-east-1"]):
        path = match.path or []
        if match.rule.id.startswith("E") and match.rule.id not in QUIET:
            named = (
                made["Resources"].get(path[1], {}).get("Metadata", {}).get("address") if len(path) > 1 else ""
            )
            complaints.append(f"{named}: {'/'.join(map(str, path[3:]))}: {match.message} ({match.rule.id})")
    return complaints, count


def main(path):
    complaints, count = check(State(path))
    print(f"CloudFormation: {count} properties, {len(complaints)} complaints")
    if complaints:
        sys.exit("\n".join(complaints))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
