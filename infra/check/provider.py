"""A provider with the AWS provider's schema but without AWS, for Terraform's plugin protocol 6.

    python infra/check/provider.py SOCKET    # prints the value of TF_REATTACH_PROVIDERS

Terraform uses this program as hashicorp/aws. It declares the types of schema.json and makes no
requests: attributes that AWS would compute are unknown in a plan and invented in an apply. With
it, init, validate, plan, test, apply and destroy need neither registry nor account. They check
the consistency of the configuration, but not whether AWS accepts each value.
"""

import json
import os
import re
import sys
from concurrent import futures
from pathlib import Path

import grpc
import msgpack
from tf.gen import tfplugin_pb2 as plugin
from tf.gen import tfplugin_pb2_grpc as plugin_rpc

SCHEMA = json.loads((Path(__file__).resolve().parent / "schema.json").read_text())
ACCOUNT = "123456789012"
REGION = "eu-central-1"
UNKNOWN = msgpack.ExtType(0, b"\0")
NESTING = {
    mode.lower(): getattr(plugin.Schema.NestedBlock, mode)
    for mode in ("SINGLE", "LIST", "SET", "MAP", "GROUP")
}

# Values of data sources.
ANSWERS = {
    "aws_caller_identity": {"account_id": ACCOUNT},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com"},
    "aws_region": {"region": REGION},
    "aws_sagemaker_prebuilt_ecr_image": {"registry_id": "492215442770"},
}

# ARNs of the resources that policies refer to, from the attributes of the resource.
HERE = f"{REGION}:{ACCOUNT}"
ARNS = {
    "aws_cloudfront_distribution": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E123",
    "aws_cloudwatch_event_rule": f"arn:aws:events:{HERE}:rule/{{name}}",
    "aws_cloudwatch_log_group": f"arn:aws:logs:{HERE}:log-group:{{name}}",
    "aws_dynamodb_table": f"arn:aws:dynamodb:{HERE}:table/{{name}}",
    "aws_glue_catalog_database": f"arn:aws:glue:{HERE}:database/{{name}}",
    "aws_glue_catalog_table": f"arn:aws:glue:{HERE}:table/{{database_name}}/{{name}}",
    "aws_glue_job": f"arn:aws:glue:{HERE}:job/{{name}}",
    "aws_iam_openid_connect_provider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/github",
    "aws_iam_role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}",
    "aws_kinesis_firehose_delivery_stream": f"arn:aws:firehose:{HERE}:deliverystream/{{name}}",
    "aws_kinesis_stream": f"arn:aws:kinesis:{HERE}:stream/{{name}}",
    "aws_lambda_function": f"arn:aws:lambda:{HERE}:function:{{function_name}}",
    "aws_s3_bucket": "arn:aws:s3:::{bucket}",
    "aws_sfn_state_machine": f"arn:aws:states:{HERE}:stateMachine:{{name}}",
    "aws_sns_topic": f"arn:aws:sns:{HERE}:{{name}}",
    "aws_sqs_queue": f"arn:aws:sqs:{HERE}:{{name}}",
}


def attribute_type(attribute):
    """The Terraform type of an attribute, which may be nested."""
    nested = attribute.get("nested_type")
    if not nested:
        return attribute["type"]
    inner = ["object", {name: attribute_type(a) for name, a in nested["attributes"].items()}]
    return inner if nested["nesting_mode"] == "single" else [nested["nesting_mode"], inner]


def block(facts):
    """The protocol's message for a block."""
    out = plugin.Schema.Block(version=0)
    for name, attribute in facts.get("attributes", {}).items():
        out.attributes.append(
            plugin.Schema.Attribute(
                name=name,
                type=json.dumps(attribute_type(attribute)).encode(),
                required=attribute.get("required", False),
                optional=attribute.get("optional", False),
                computed=attribute.get("computed", False),
            )
        )
    for name, inner in facts.get("block_types", {}).items():
        out.block_types.append(
            plugin.Schema.NestedBlock(
                type_name=name,
                block=block(inner["block"]),
                nesting=NESTING[inner["nesting_mode"]],
                min_items=inner.get("min_items", 0),
                max_items=inner.get("max_items", 0),
            )
        )
    return out


def schema(facts):
    return plugin.Schema(version=0, block=block(facts))


def unpack(value):
    return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False, ext_hook=msgpack.ExtType)


def pack(value):
    return plugin.DynamicValue(msgpack=msgpack.packb(value))


def invented(kind, name, wanted, values):
    """A value of the wanted type like one of AWS; strings contain the name of the resource."""
    if wanted == "number":
        return 0
    if wanted == "bool":
        return False
    if wanted != "string":
        return {} if wanted[0] == "map" else [] if wanted[0] in ("list", "set") else None
    named = [
        key
        for key in ("name", "bucket", "function_name", "key", "statement_id", "route_key", "comment")
        if values.get(key)
    ]
    label = re.sub(r"[^\w.-]+", "-", str(values[named[0]]) if named else kind)
    if name == "region":
        return REGION
    if name == "id" and "bucket" in values:
        return values["bucket"]
    if name == "arn" or name.endswith("_arn"):
        if name == "arn" and kind in ARNS:
            return ARNS[kind].format_map(values)
        service, _, rest = kind.removeprefix("aws_").partition("_")
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest.replace('_', '-')}/{label}"
    if name.endswith("domain_name"):
        return f"{label}.example"
    if name == "api_endpoint":
        return f"https://{label}.example"
    return label


def computed(facts, values):
    """The attributes without a value that AWS computes, with their types."""
    return {
        name: attribute_type(attribute)
        for name, attribute in facts["attributes"].items()
        if attribute.get("computed") and values.get(name) is None
    }


class Provider(plugin_rpc.ProviderServicer):
    def __init__(self):
        self.tags = {}
        self.region = REGION

    def GetMetadata(self, request, context):
        return plugin.GetMetadata.Response(
            server_capabilities=plugin.ServerCapabilities(),
            resources=[plugin.GetMetadata.ResourceMetadata(type_name=name) for name in SCHEMA["resource"]],
            data_sources=[plugin.GetMetadata.DataSourceMetadata(type_name=name) for name in SCHEMA["data"]],
        )

    def GetProviderSchema(self, request, context):
        return plugin.GetProviderSchema.Response(
            provider=schema(SCHEMA["provider"]),
            resource_schemas={name: schema(facts) for name, facts in SCHEMA["resource"].items()},
            data_source_schemas={name: schema(facts) for name, facts in SCHEMA["data"].items()},
        )

    def ValidateProviderConfig(self, request, context):
        return plugin.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request, context):
        return plugin.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request, context):
        return plugin.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request, context):
        # The provider's tags apply to every resource with tags.
        config = unpack(request.config)
        self.tags = (config.get("default_tags") or [{}])[0].get("tags") or {}
        self.region = config.get("region") or REGION
        return plugin.ConfigureProvider.Response()

    def UpgradeResourceState(self, request, context):
        return plugin.UpgradeResourceState.Response(upgraded_state=pack(json.loads(request.raw_state.json)))

    def ReadResource(self, request, context):
        return plugin.ReadResource.Response(new_state=request.current_state, private=request.private)

    def PlanResourceChange(self, request, context):
        planned = unpack(request.proposed_new_state)
        # Existing resources keep their computed attributes.
        if planned is not None and unpack(request.prior_state) is None:
            planned.update(dict.fromkeys(computed(SCHEMA["resource"][request.type_name], planned), UNKNOWN))
        return plugin.PlanResourceChange.Response(
            planned_state=pack(planned), planned_private=request.prior_private
        )

    def ApplyResourceChange(self, request, context):
        state = unpack(request.planned_state)
        if state is not None:
            facts = SCHEMA["resource"][request.type_name]
            for name, wanted in computed(
                facts, {k: None if v == UNKNOWN else v for k, v in state.items()}
            ).items():
                state[name] = self.here(invented(request.type_name, name, wanted, state))
            if "tags_all" in state:
                state["tags_all"] = {**self.tags, **(state.get("tags") or {})}
        return plugin.ApplyResourceChange.Response(new_state=pack(state))

    def ReadDataSource(self, request, context):
        state = unpack(request.config)
        answers = ANSWERS.get(request.type_name, {})
        for name, wanted in computed(SCHEMA["data"][request.type_name], state).items():
            state[name] = self.here(answers.get(name, invented(request.type_name, name, wanted, state)))
        return plugin.ReadDataSource.Response(state=pack(state))

    def here(self, value):
        """A value of REGION as it is in the configured region."""
        return value.replace(REGION, self.region) if isinstance(value, str) else value

    def GetFunctions(self, request, context):
        return plugin.GetFunctions.Response()

    def StopProvider(self, request, context):
        return plugin.StopProvider.Response()


def main(socket):
    server = grpc.server(futures.ThreadPoolExecutor(8))
    plugin_rpc.add_ProviderServicer_to_server(Provider(), server)
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    address = {"Network": "unix", "String": socket}
    facts = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
    print(json.dumps({"registry.terraform.io/hashicorp/aws": facts}), flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1])
