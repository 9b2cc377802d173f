"""Tests of scripts/run-pipeline with executions in moto."""

import os
import re
import signal
import subprocess

from aws import Moto, client
from harness import INPUT, REGION


class Executions(Moto):
    """Executions of a state machine in moto."""

    def machine(self, seconds):
        states = {
            "Begin": {"Type": "Wait", "Seconds": seconds, "Next": "Each"},
            "Each": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Part",
                    "States": {"Part": {"Type": "Pass", "End": True}},
                },
                "ResultPath": None,
                "Next": "Well",
            },
            "Well": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.fail", "BooleanEquals": True, "Next": "Failed"}],
                "Default": "Released",
            },
            "Released": {"Type": "Pass", "Parameters": {"outcome": "released", "model": "m-7"}, "End": True},
            "Failed": {"Type": "Fail", "Error": "BadModel", "Cause": "as the input asks"},
        }
        self.outputs["state_machine_arn"] = self.state_machine({"StartAt": "Begin", "States": states})
        self.answers()

    def test_released(self):
        self.machine(1)
        self.assertEqual(self.run_script("scripts/run-pipeline"), 0, self.shown)
        states = [line.split()[-1] for line in self.out.splitlines() if re.match(r"  \d\d:", line)]
        self.assertEqual(states, ["Begin", "Each", "Part", "Well", "Released"])
        self.assertRegex(self.out, r"SUCCEEDED after 0:00:0\d: released\n +model +m-7\n")

    def test_failed(self):
        self.outputs["pipeline_input"] = INPUT.replace("false", "true")
        self.machine(0)
        self.assertEqual(self.run_script("scripts/run-pipeline"), 1, self.shown)
        self.assertRegex(self.out, r"FAILED after 0:00:0\d: BadModel\nas the input asks\n")

    def test_ctrl_c_leaves_it_running(self):
        self.machine(60)
        run = subprocess.Popen(
            [self.bin / "bash", "scripts/run-pipeline"],
            cwd=self.home,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        shown = ""
        while "  Begin" not in shown:
            line = run.stdout.readline()
            self.assertTrue(line, shown)
            shown += line
        # A terminal signals the whole process group.
        os.killpg(run.pid, signal.SIGINT)
        rest = run.communicate(timeout=30)[0]
        self.assertEqual(run.returncode, 130)
        (execution,) = re.findall(r"scripts/run-pipeline (\S+)", rest)
        self.assertIn(f"aws stepfunctions stop-execution --region {REGION} --execution-arn {execution}", rest)
        states = client("stepfunctions")
        self.assertEqual(states.describe_execution(executionArn=execution)["status"], "RUNNING")
        states.stop_execution(executionArn=execution)
