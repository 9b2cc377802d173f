"""Tests of scripts/deploy and scripts/run-pipeline."""

import json
import os
import pty
import shutil
import subprocess

from harness import EXECUTION, INPUT, OUTPUTS, REGION, Case, outputs, rule


class Deploy(Case):
    def deploy(self, *arguments, **env):
        return self.run_script("scripts/deploy", *arguments, **env)

    def test_phases_pipeline_web_app_in_order(self):
        self.assertEqual(self.deploy(YES="1"), 0, self.shown)
        applied = r"apply -input=false .*/plan$"
        self.assert_in_order(
            "^aws sts get-caller-identity",
            "init -input=false -backend-config=backend.hcl",
            "plan .*-target=module.stack.module.lake ",
            applied,
            "plan .*-target=module.stack.module.pipeline",
            applied,
            "plan .*-target=module.stack.module.realtime",
            applied,
            "stepfunctions start-execution",
            "plan (?!.*-target)",
            applied,
            "cloudfront create-invalidation",
        )
        self.assertEqual(len(self.calls(applied)), 4)
        self.assertEqual(
            self.out.splitlines()[-2:],
            [f"web  {OUTPUTS['web_url']}", f"API  {OUTPUTS['api_url']}"],
        )

    def test_the_account_is_asked_before_anything_is_made(self):
        self.assertEqual(self.deploy(YES="1"), 0, self.shown)
        self.assert_in_order("get-account-settings", "ml.m5.xlarge for training job usage", " plan ")

    def test_a_quota_of_zero(self):
        self.but(rule("^aws service-quotas", "0.0\n"))
        self.refused(self.deploy(YES="1"), "ml.m5.xlarge for training job usage", "Service Quotas")
        self.assertEqual(self.calls(" plan "), [])

    def test_the_quota_of_the_endpoint(self):
        self.but(
            rule("console var.endpoint_mode", '"sagemaker"\n'),
            rule("^aws service-quotas .*endpoint usage", "1.0\n"),
        )
        self.refused(self.deploy(YES="1"), "ml.m5.large for endpoint usage")

    def test_a_new_account_runs_few_functions_at_once(self):
        self.but(
            rule("^aws lambda get-account-settings", "10\n"),
            rule("^aws service-quotas", code=254, complain="AccessDenied\n"),
        )
        self.assertEqual(self.deploy(YES="1"), 0, self.shown)
        self.assertIn("runs 10 functions at once", self.shown)
        self.assertIn("cannot be read", self.shown)

    def test_the_pipeline_runs_although_the_distribution_is_refused(self):
        refusal = "AccessDenied: Your account must be verified before you can add new CloudFront resources.\n"
        # The fourth apply is that of the web phase.
        count = self.home / "applied"
        self.executable("count", f'#!/bin/sh\necho >>{count}\n[ "$(wc -l <{count})" -lt 4 ]\n')
        self.but(rule("^terraform .* apply ", complain=refusal, run=[str(self.bin / "count")]))
        self.assertEqual(self.deploy(YES="1"), 1)
        self.assertIn("applying phase web failed", self.shown)
        self.assert_in_order("start-execution", " apply ")

    def test_without_a_web_app(self):
        values = {**OUTPUTS, "web_url": None, "web_bucket": None, "distribution_id": None}
        self.but(rule("^terraform .* output -json", outputs(values)), rule("console var.web", "false\n"))
        self.assertEqual(self.deploy(YES="1"), 0, self.shown)
        self.assertEqual(self.out.splitlines()[-1], f"API  {OUTPUTS['api_url']}")
        self.assertEqual(self.calls("s3 (sync|cp)|cloudfront"), [])

    def test_a_phase_without_changes_is_not_applied(self):
        self.but(rule("^terraform .* plan .*-detailed-exitcode"))
        self.assertEqual(self.deploy(), 0, self.shown)
        self.assertEqual(self.calls(" apply "), [])
        self.assertEqual(self.shown.count("no changes"), 4)

    def test_changes_need_confirmation(self):
        self.refused(self.deploy(), "YES=1")

    def answer(self, text):
        """Runs the script on a terminal with this input."""
        ours, theirs = pty.openpty()
        os.write(ours, text)
        done = subprocess.run(
            [self.bin / "bash", "scripts/deploy"],
            cwd=self.home,
            env={**self.env, "PHASE": "data"},
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
        )
        os.close(ours)
        os.close(theirs)
        self.shown = done.stdout + done.stderr
        return done.returncode

    def test_declined_on_a_terminal(self):
        self.refused(self.answer(b"n\n"), "not applied")

    def test_confirmed_on_a_terminal(self):
        self.assertEqual(self.answer(b"y\n"), 0, self.shown)
        self.assertEqual(len(self.calls(" apply ")), 1)

    def test_a_single_phase(self):
        self.assertEqual(self.deploy(PHASE="ml", YES="1"), 0, self.shown)
        self.assertEqual(len(self.calls(" plan ")), 1)
        self.assertEqual(len(self.calls(" plan .*-target=module.stack.module.training")), 1)
        self.assertEqual(self.calls("stepfunctions|s3|cloudfront"), [])

    def test_unknown_phase(self):
        self.refused(self.deploy(PHASE="shop", YES="1"), "unknown phase 'shop'", "data ml realtime web")
        self.assertEqual(self.calls(), [])

    def test_plan_changes_nothing(self):
        self.assertEqual(self.deploy("plan"), 0, self.shown)
        self.assertEqual(len(self.calls(" plan ")), 1)
        self.assertEqual(self.calls(" plan .*-target| apply |stepfunctions|s3"), [])

    def test_the_architecture_is_passed_to_terraform(self):
        self.executable("terraform", '#!/bin/sh\necho "$TF_VAR_architecture" >>architectures\n')
        self.deploy("plan", ARCH="x86_64")
        self.assertEqual(set((self.home / "architectures").read_text().split()), {"x86_64"})

    def test_missing_terraform(self):
        (self.bin / "terraform").unlink()
        self.refused(self.deploy(YES="1"), "terraform is missing", "Install")

    def test_missing_aws_cli(self):
        (self.bin / "aws").unlink()
        self.refused(self.deploy(YES="1"), "the AWS CLI is missing", "Install")

    def test_aws_cli_of_the_virtual_environment(self):
        (self.home / ".venv-aws/bin").mkdir(parents=True)
        (self.bin / "aws").rename(self.home / ".venv-aws/bin/aws")
        self.assertEqual(self.deploy("plan"), 0, self.shown)

    def test_missing_credentials(self):
        self.but(rule("^aws sts", code=253, complain="Unable to locate credentials\n"))
        self.refused(self.deploy(YES="1"), "Unable to locate credentials", "AWS_PROFILE")

    def test_missing_backend(self):
        (self.environment / "backend.hcl").unlink()
        self.refused(self.deploy(YES="1"), "backend.hcl is missing", "backend.hcl.example")

    def test_missing_package(self):
        shutil.rmtree(self.home / "dist/glue")
        self.refused(self.deploy(YES="1"), "dist/glue is missing", "make package")

    def test_unknown_environment(self):
        self.refused(self.deploy(ENV="staging", YES="1"), "unknown environment 'staging'", "one of: dev")

    def test_failing_init(self):
        self.but(rule("^terraform .* init ", code=1))
        self.refused(self.deploy(YES="1"), "terraform init failed")

    def test_failing_plan(self):
        self.but(rule("^terraform .* plan ", code=1))
        self.refused(self.deploy(YES="1"), "planning phase data failed")

    def test_a_failing_apply_ends_the_deployment(self):
        self.but(rule("^terraform .* apply ", code=1))
        self.assertEqual(self.deploy(YES="1"), 1)
        self.assertIn("applying phase data failed", self.shown)
        self.assertEqual(len(self.calls(" plan ")), 1)

    def test_missing_output(self):
        self.but(rule("^terraform .* output -json", "{}\n"))
        self.assertEqual(self.deploy(YES="1"), 1)
        self.assertIn("has no output 'api_url'", self.shown)
        self.assertEqual(self.calls("start-execution|s3 "), [])

    def test_a_failed_execution_fails_the_deployment(self):
        failed = {"status": "FAILED", "startDate": 1, "stopDate": 2, "error": "Boom", "cause": "it broke"}
        self.but(rule("describe-execution", json.dumps(failed)))
        self.assertEqual(self.deploy(YES="1"), 1)
        self.assertIn("FAILED after 0:00:01: Boom", self.shown)
        self.assertIn("it broke", self.shown)
        self.assertEqual(self.calls("aws s3 "), [])

    def test_no_pipeline_on_an_empty_lake(self):
        self.but(rule("^aws s3api list-objects-v2", "0\n"))
        self.assertEqual(self.deploy(YES="1"), 0, self.shown)
        self.assertIn("the lake is empty", self.shown)
        self.assertEqual(self.calls("start-execution"), [])
        self.assertEqual(len(self.calls("create-invalidation")), 1)

    def test_a_lake_with_checkouts_only(self):
        self.but(
            rule("^aws s3api list-objects-v2 .*imports/", "0\n"),
            rule("^aws s3api list-objects-v2 .*events/", "1\n"),
        )
        self.assertEqual(self.deploy(YES="1"), 0, self.shown)
        self.assertEqual(len(self.calls("start-execution")), 1)

    def test_without_the_pipeline(self):
        self.assertEqual(self.deploy(YES="1", PIPELINE="0"), 0, self.shown)
        self.assertEqual(self.calls("start-execution"), [])


class RunPipeline(Case):
    def start(self, *arguments, **env):
        return self.run_script("scripts/run-pipeline", *arguments, **env)

    def test_starts_with_the_environments_input(self):
        self.assertEqual(self.start(), 0, self.shown)
        (start,) = self.calls("start-execution")
        self.assertIn(f"--input {INPUT}", start)
        self.assertRegex(start, r"--name cartwheel-dev-\d{8}-\d{6} ")
        self.assertIn(f"region={REGION}#/v2/executions/details/{EXECUTION}", self.out)
        self.assertRegex(self.out, r"\d\d:\d\d:\d\d  BuildFeatures\n")
        self.assertRegex(self.out, r"SUCCEEDED after 0:01:01: released\n +model +m-1\n +difference +0.03\n")

    def test_executions_do_not_overlap(self):
        self.but(rule("list-executions .*RUNNING", EXECUTION + "\n"))
        self.refused(self.start(), "still running", f"scripts/run-pipeline {EXECUTION}")

    def test_follows_an_execution(self):
        self.assertEqual(self.start(EXECUTION), 0, self.shown)
        self.assertEqual(self.calls("start-execution"), [])

    def test_nothing_deployed(self):
        self.but(rule("^terraform .* output -json", "{}\n"))
        self.refused(self.start(), "has no output 'state_machine_arn'", "make deploy ENV=dev")

    def test_a_failed_request_is_repeated(self):
        # Fails once and leaves a file that makes the next call succeed.
        self.executable(
            "once", f'#!/bin/sh\n[ -e {self.home}/tried ] && exec "$@"\ntouch {self.home}/tried\nexit 254\n'
        )
        (self.bin / "aws").rename(self.bin / "stub")
        real = (self.bin / "stub").read_text().replace("os.path.basename(sys.argv[0])", '"aws"')
        self.executable("stub", real)
        self.executable(
            "aws",
            '#!/bin/sh\ncase "$*" in *get-execution-history*) exec once stub "$@" ;; esac\nexec stub "$@"\n',
        )
        self.assertEqual(self.start(), 0, self.shown)
        self.assertTrue((self.home / "tried").exists())
