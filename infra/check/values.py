"""Checks planned values against the models of the APIs: enumerations, patterns and lengths.

    python infra/check/values.py STATE    (STATE: see state.py)

The provider's schema has types only, and botocore itself validates types and minimums.
"""

import json
import re
import sys

import botocore.session
from state import State

# Each type's attributes, with the service and the shape of their values. Dots lead into blocks.
SHAPES = {
    "aws_apigatewayv2_api": {"protocol_type": ("apigatewayv2", "ProtocolType")},
    "aws_cloudwatch_event_rule": {
        "name": ("events", "RuleName"),
        "event_pattern": ("events", "EventPattern"),
    },
    "aws_cloudwatch_event_target": {
        "target_id": ("events", "TargetId"),
        "input_path": ("events", "TargetInputPath"),
        "arn": ("events", "TargetArn"),
    },
    "aws_cloudwatch_log_group": {"name": ("logs", "LogGroupName")},
    "aws_cloudwatch_metric_alarm": {
        "alarm_name": ("cloudwatch", "AlarmName"),
        "comparison_operator": ("cloudwatch", "ComparisonOperator"),
        "statistic": ("cloudwatch", "Statistic"),
        "extended_statistic": ("cloudwatch", "ExtendedStatistic"),
    },
    "aws_dynamodb_table": {"name": ("dynamodb", "TableName"), "billing_mode": ("dynamodb", "BillingMode")},
    "aws_glue_catalog_table": {
        "name": ("glue", "NameString"),
        "view_original_text": ("glue", "ViewTextString"),
    },
    "aws_glue_connection": {
        "name": ("glue", "NameString"),
        "connection_type": ("glue", "ConnectionType"),
    },
    "aws_glue_job": {"name": ("glue", "NameString"), "glue_version": ("glue", "GlueVersionString")},
    "aws_iam_role": {
        "name": ("iam", "roleNameType"),
        "description": ("iam", "roleDescriptionType"),
        "max_session_duration": ("iam", "roleMaxSessionDurationType"),
    },
    "aws_kinesis_firehose_delivery_stream": {"name": ("firehose", "DeliveryStreamName")},
    "aws_kinesis_stream": {
        "name": ("kinesis", "StreamName"),
        "encryption_type": ("kinesis", "EncryptionType"),
        "stream_mode_details.stream_mode": ("kinesis", "StreamMode"),
    },
    "aws_lambda_event_source_mapping": {
        "batch_size": ("lambda", "BatchSize"),
        "maximum_record_age_in_seconds": ("lambda", "MaximumRecordAgeInSeconds"),
        "maximum_retry_attempts": ("lambda", "MaximumRetryAttemptsEventSourceMapping"),
        "parallelization_factor": ("lambda", "ParallelizationFactor"),
        "starting_position": ("lambda", "EventSourcePosition"),
    },
    "aws_lambda_function": {
        "description": ("lambda", "Description"),
        "ephemeral_storage.size": ("lambda", "EphemeralStorageSize"),
        "function_name": ("lambda", "FunctionName"),
        "memory_size": ("lambda", "MemorySize"),
        "runtime": ("lambda", "Runtime"),
        "timeout": ("lambda", "Timeout"),
        "tracing_config.mode": ("lambda", "TracingMode"),
    },
    "aws_lambda_permission": {
        "principal": ("lambda", "Principal"),
        "statement_id": ("lambda", "StatementId"),
    },
    "aws_scheduler_schedule": {
        "name": ("scheduler", "Name"),
        "schedule_expression": ("scheduler", "ScheduleExpression"),
        "schedule_expression_timezone": ("scheduler", "ScheduleExpressionTimezone"),
    },
    "aws_sfn_state_machine": {
        "definition": ("stepfunctions", "Definition"),
        "name": ("stepfunctions", "Name"),
        "type": ("stepfunctions", "StateMachineType"),
    },
    "aws_vpc_endpoint": {"vpc_endpoint_type": ("ec2", "VpcEndpointType")},
}
# Fields of the pipeline's input.
INPUT = {
    "training.instance": ("sagemaker", "TrainingInstanceType"),
    "training.role": ("sagemaker", "RoleArn"),
    "endpoint.instance": ("sagemaker", "ProductionVariantInstanceType"),
    "endpoint.name": ("sagemaker", "EndpointName"),
    "features.job": ("glue", "NameString"),
}


def wrong(shape, value):
    """What is wrong with a value, or nothing."""
    if getattr(shape, "enum", None) and value not in shape.enum:
        return f"is none of {', '.join(sorted(shape.enum)[:8])}, …"
    size = len(value) if isinstance(value, str) else value
    if size < shape.metadata.get("min", size) or size > shape.metadata.get("max", size):
        return f"is not within {shape.metadata.get('min')} to {shape.metadata.get('max')}"
    pattern = shape.metadata.get("pattern")
    # Patterns are Java's, of which Python lacks \p{L} and pairs of surrogates.
    if not isinstance(value, str) or pattern is None or "\\p{" in pattern or "\\uD800" in pattern:
        return None
    matched = re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value, re.DOTALL)
    return None if matched else f"does not match {pattern}"


def values(state):
    """Subject, value, service and name of the shape of every value that has one."""
    for kind, attributes in SHAPES.items():
        for resource in state.all(kind):
            for path, shape in attributes.items():
                *blocks, name = path.split(".")
                value = resource.block(*blocks).get(name) if blocks else resource[name]
                if value not in (None, ""):
                    yield f"{resource.address}.{path}", value, *shape
    given = json.loads(state.outputs["pipeline_input"])
    for path, shape in INPUT.items():
        outer, name = path.split(".")
        yield f"pipeline_input.{path}", given[outer][name], *shape


def check(state):
    """The number of values, and what is wrong with them."""
    session = botocore.session.get_session()
    models = {}
    complaints, count = [], 0
    for subject, value, service, shape in values(state):
        model = models.setdefault(service, session.get_service_model(service))
        count += 1
        complaint = wrong(model.shape_for(shape), value)
        if complaint:
            complaints.append(f"{subject}: {str(value)[:80]!r} {complaint}")
    return count, complaints


if __name__ == "__main__":
    count, complaints = check(State(sys.argv[1]))
    for complaint in complaints:
        print(f"values: {complaint}")
    print(f"values: {count} values, {len(complaints)} complaints")
    sys.exit(bool(complaints))
