"""Tests of scripts/destroy."""

import sys

from aws import Moto, client
from harness import INPUT, MACHINE, ROLE, rule


class Destroy(Moto):
    def setUp(self):
        super().setUp()
        self.buckets = [self.bucket(name) for name in ("lake_bucket", "artifacts_bucket", "web_bucket")]
        s3, lake = client("s3"), self.buckets[0]
        s3.put_bucket_versioning(Bucket=lake, VersioningConfiguration={"Status": "Enabled"})
        for body in (b"1", b"2"):
            s3.put_object(Bucket=lake, Key="a b/ü", Body=body)
        s3.delete_object(Bucket=lake, Key="a b/ü")
        # Terraform deletes a bucket only if it is empty, and removes it from the state.
        self.executable(
            "remove-buckets",
            f"#!{sys.executable}\nimport boto3\ns3 = boto3.client('s3')\n"
            + "".join(f"s3.delete_bucket(Bucket='{name}')\n" for name in self.buckets),
        )
        self.gone = [
            rule("^terraform .* destroy ", run=[str(self.bin / "remove-buckets")]),
            rule("^terraform .* state list"),
        ]
        self.answers(*self.gone)

    def destroy(self, answer):
        return self.run_script("scripts/destroy", stdin=answer)

    def model(self, name, role):
        sagemaker = client("sagemaker")
        container = {"Image": "xgboost", "ModelDataUrl": "s3://lake/model.tar.gz"}
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
        variant = {
            "VariantName": "main",
            "ModelName": name,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])

    def test_only_this_environment_is_deleted(self):
        states, sagemaker, glue, logs = map(client, ("stepfunctions", "sagemaker", "glue", "logs"))
        wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}
        self.outputs["state_machine_arn"] = machine = self.state_machine(wait)
        started = states.start_execution(stateMachineArn=machine, name="run-1")
        self.model("run-1", ROLE)
        self.model("another", ROLE + "-of-another")
        sagemaker.create_endpoint(EndpointName="cartwheel-dev", EndpointConfigName="run-1")
        command = {"Name": "glueetl", "ScriptLocation": "s3://x/features.py"}
        glue.create_job(Name="cartwheel-dev-features", Role=ROLE, Command=command)
        job = glue.start_job_run(JobName="cartwheel-dev-features")["JobRunId"]
        shared = {"/aws-glue/jobs/output": job, "/aws/sagemaker/TrainingJobs": "run-1/algo-1"}
        for group, stream in shared.items():
            logs.create_log_group(logGroupName=group)
            for name in (stream, "another"):
                logs.create_log_stream(logGroupName=group, logStreamName=name)
        others = [
            "/aws/lambda/another",
            "/aws/lambda/cartwheel-dev2-api",
            # The environment x of a system called cartwheel-dev.
            "/aws/lambda/cartwheel-dev-x-api",
            *shared,
        ]
        for group in ("/aws/lambda/cartwheel-dev-api", "/aws/sagemaker/Endpoints/cartwheel-dev", *others[:3]):
            logs.create_log_group(logGroupName=group)
        self.answers(*self.gone)

        self.assertEqual(self.destroy("dev\n"), 0, self.shown)
        self.assertIn("no resources remain", self.out)
        self.assert_in_order(
            "stop-execution", "delete-endpoint ", "delete-objects", "terraform .* destroy ", "logs delete-"
        )
        ended = states.describe_execution(executionArn=started["executionArn"])
        self.assertEqual(ended["status"], "ABORTED")
        self.assertEqual(client("s3").list_buckets()["Buckets"], [])
        self.assertEqual(sagemaker.list_endpoints()["Endpoints"], [])
        models = sagemaker.list_models()["Models"]
        self.assertEqual([model["ModelName"] for model in models], ["another"])
        configurations = sagemaker.list_endpoint_configs()["EndpointConfigs"]
        self.assertEqual([one["EndpointConfigName"] for one in configurations], ["another"])
        groups = logs.describe_log_groups()["logGroups"]
        self.assertEqual(sorted(group["logGroupName"] for group in groups), sorted(others))
        for group in shared:
            streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
            self.assertEqual([stream["logStreamName"] for stream in streams], ["another"])

    def test_a_wrong_name_deletes_nothing(self):
        self.refused(self.destroy("prod\n"), "not destroyed")
        self.refused(self.destroy(""), "not destroyed")
        self.assertEqual(self.calls("delete|stop-execution"), [])

    def test_an_incomplete_deployment(self):
        # The state contains a state machine that no longer exists.
        self.outputs = {"state_machine_arn": MACHINE, "pipeline_input": INPUT}
        self.answers(*self.gone)
        self.assertEqual(self.destroy("dev\n"), 0, self.shown)
        self.assertEqual(client("s3").list_buckets()["Buckets"], [])

    def test_a_protected_environment(self):
        self.outputs["table_name"] = "cartwheel-dev-users"
        client("dynamodb").create_table(
            TableName="cartwheel-dev-users",
            KeySchema=[{"AttributeName": "user_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "user_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
        )
        self.answers(*self.gone)
        self.refused(self.destroy("dev\n"), "is protected", "protect = false")
        self.assertEqual(self.calls("delete-objects"), [])

    def test_remaining_resources_are_reported(self):
        self.outputs.clear()
        self.answers(
            rule("^terraform .* destroy "),
            rule("^terraform .* state list", "module.stack.module.lake.aws_s3_bucket.lake\n"),
        )
        self.assertEqual(self.destroy("dev\n"), 1, self.shown)
        self.assertIn("aws_s3_bucket.lake\n", self.out)
        self.assertIn(f"bucket {self.buckets[0]}\n", self.out)
