"""A repository in a temporary directory in which a script runs with stubs of `terraform` and `aws`.

The stubs give configured answers and record their calls. PATH contains only them and the tools
listed here.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (  # noqa: SIM905 (a list of this length is easier to read as words)
    "bash cat cp cut date dirname env find grep head mkdir mktemp rm sed sleep sort tail touch tr wc"
).split()
# Seconds until a script is stopped, with room for a busy machine.
TIMEOUT = 300
ACCOUNT = "123456789012"
REGION = "eu-west-1"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:cartwheel-dev-pipeline"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:cartwheel-dev-pipeline:run"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cartwheel-dev-training"
INPUT = json.dumps(
    {
        "features": {"job": "cartwheel-dev-features"},
        "training": {"role": ROLE},
        "endpoint": {"name": "cartwheel-dev"},
        "items": [1, 2],
        "fail": False,
    }
)
OUTPUTS = {
    "web_url": "https://d1.cloudfront.net",
    "api_url": "https://a1.execute-api.eu-west-1.amazonaws.com/",
    "state_machine_arn": MACHINE,
    "pipeline_input": INPUT,
    "lake_bucket": f"cartwheel-dev-lake-{ACCOUNT}",
    "artifacts_bucket": f"cartwheel-dev-artifacts-{ACCOUNT}",
    "web_bucket": f"cartwheel-dev-web-{ACCOUNT}",
    "distribution_id": "E1",
}

# Records the call. The first rule whose pattern matches it decides the output, the exit code,
# and the command to run, if any.
STUB = """#!{python}
import json, os, re, socket, subprocess, sys
tool = os.path.basename(sys.argv[0])
call = " ".join([tool, *sys.argv[1:]])
with open("{home}/calls", "a") as calls:
    calls.write(json.dumps([tool, *sys.argv[1:]]) + "\\n")
if call.endswith(" console"):
    call += " " + sys.stdin.read().strip()
for rule in json.load(open("{home}/rules.json")):
    if re.search(rule["when"], call):
        print(rule.get("print", ""), end="")
        print(rule.get("complain", ""), end="", file=sys.stderr)
        if rule.get("cli"):
            with socket.socket(socket.AF_UNIX) as cli:
                cli.connect(rule["cli"])
                call = [os.getcwd(), dict(os.environ), sys.argv[1:]]
                socket.send_fds(cli, [json.dumps(call).encode()], [0, 1, 2])
                sys.exit(cli.recv(1)[0])
        if rule.get("run"):
            sys.exit(subprocess.run(rule["run"]).returncode)
        sys.exit(rule.get("exit", 0))
sys.exit(f"the stub has no answer to: {{call}}")
"""


def rule(when, out="", code=0, complain="", **more):
    """An answer of a stub to calls that match the pattern `when`."""
    return {"when": when, "print": out, "exit": code, "complain": complain, **more}


def outputs(values):
    """The answer to `terraform output -json`."""
    return json.dumps({name: {"value": value} for name, value in values.items()})


# Everything is deployed, every phase has changes, and the pipeline succeeds.
HEALTHY = [
    rule("^aws sts get-caller-identity", f"{ACCOUNT}\tarn:aws:iam::{ACCOUNT}:user/ann\n"),
    rule("^terraform .* init "),
    rule("^terraform .* plan .*-detailed-exitcode", "Plan: 1 to add\n", 2),
    rule("^terraform .* plan ", "Plan: 1 to add\n"),
    rule("^terraform .* apply "),
    rule("^terraform .* output -json", outputs(OUTPUTS)),
    rule("^terraform .* console var.name", '"cartwheel"\n'),
    rule("^terraform .* console var.region", f'"{REGION}"\n'),
    rule("^terraform .* console var.web", "true\n"),
    rule("^terraform .* console var.training_instance", '"ml.m5.xlarge"\n'),
    rule("^terraform .* console var.endpoint_instance", '"ml.m5.large"\n'),
    rule("^terraform .* console var.endpoint_mode", '"embedded"\n'),
    rule("^aws lambda get-account-settings", "1000\n"),
    rule("^aws service-quotas list-service-quotas", "4.0\n"),
    rule("^aws s3api list-objects-v2 .*imports/", "1\n"),
    rule("^aws stepfunctions list-executions .*RUNNING", "None\n"),
    rule("^aws stepfunctions start-execution", EXECUTION + "\n"),
    rule(
        "^aws stepfunctions describe-execution",
        json.dumps(
            {
                "status": "SUCCEEDED",
                "startDate": 1.0,
                "stopDate": 62.0,
                "output": json.dumps({"outcome": "released", "model": "m-1", "difference": 0.03}),
            }
        ),
    ),
    rule(
        "^aws stepfunctions get-execution-history",
        json.dumps(
            {
                "events": [
                    {"id": 1, "type": "ExecutionStarted", "timestamp": 1.0},
                    {
                        "id": 2,
                        "type": "TaskStateEntered",
                        "timestamp": "2026-11-23T10:00:00.5+00:00",
                        "stateEnteredEventDetails": {"name": "BuildFeatures"},
                    },
                ]
            }
        ),
    ),
    rule("^aws s3 (sync|cp) "),
    rule("^aws cloudfront create-invalidation", "I1\n"),
    rule("^aws cloudfront wait"),
]


class Case(unittest.TestCase):
    """A repository with the scripts, one environment and built files."""

    def setUp(self):
        self.home = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.home)
        shutil.copytree(ROOT / "scripts", self.home / "scripts", ignore=shutil.ignore_patterns("*_tests"))
        self.environment = self.home / "infra/environments/dev"
        self.environment.mkdir(parents=True)
        (self.environment / "backend.hcl").write_text('bucket = "state"\n')
        for name, content in {
            "web/index.html": "<html>",
            "web/config.json": '{ "apiBase": "" }',
            "web/favicon.svg": "<svg/>",
            "web/assets/index-aaaa.js": "let a",
            "web/assets/index-bbbb.css": "p {}",
            "lambda/x86_64/api.zip": "zip",
            "glue/cartwheel-worker": "elf",
        }.items():
            path = self.home / "dist" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.bin = self.home / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.executable("python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        for tool in ("terraform", "aws"):
            self.executable(tool, STUB.format(python=sys.executable, home=self.home))
        self.env = {"PATH": str(self.bin), "POLL_SECONDS": "0.1", "HOME": str(self.home)}
        self.rules(*HEALTHY)

    def executable(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def rules(self, *rules):
        (self.home / "rules.json").write_text(json.dumps(rules))

    def but(self, *rules):
        """HEALTHY with these rules first."""
        self.rules(*rules, *HEALTHY)

    def run_script(self, *command, stdin="", **env):
        done = subprocess.run(
            [self.bin / "bash", *command],
            cwd=self.home,
            env={**self.env, **env},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.shown = done.stdout + done.stderr
        self.out = done.stdout
        return done.returncode

    def calls(self, pattern=""):
        path = self.home / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        calls = [" ".join(json.loads(line)) for line in lines]
        return [call for call in calls if re.search(pattern, call)]

    def assert_in_order(self, *patterns):
        calls = self.calls()
        at = 0
        for pattern in patterns:
            found = [i for i in range(at, len(calls)) if re.search(pattern, calls[i])]
            self.assertTrue(found, f"no call like {pattern!r} after call {at} of:\n" + "\n".join(calls))
            at = found[0] + 1

    def refused(self, code, *words):
        self.assertEqual(code, 1, self.shown)
        for word in words:
            self.assertIn(word, self.shown)
        self.assertEqual(self.calls(" apply | destroy |start-execution|s3 (sync|cp)"), [])
