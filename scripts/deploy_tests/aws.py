"""The real AWS CLI against moto, for scripts whose effects on AWS matter."""

import atexit
import functools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

import boto3
from harness import HEALTHY, OUTPUTS, REGION, ROLE, ROOT, Case, outputs, rule

# The AWS CLI takes half a second to load. This server loads it once and forks for each call,
# which sends its directory, environment, arguments and open files.
CLI = """
import json, os, signal, socket, sys
import awscli.clidriver
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(8)
print("ready", flush=True)
while True:
    caller, _ = server.accept()
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        call, files, _, _ = socket.recv_fds(caller, 1 << 20, 3)
        folder, environment, arguments = json.loads(call)
        os.chdir(folder)
        # Importing the CLI sets the path of its data.
        environment["AWS_DATA_PATH"] = os.environ["AWS_DATA_PATH"]
        os.environ.clear()
        os.environ.update(environment)
        for number, file in enumerate(files):
            os.dup2(file, number)
        sys.argv = ["aws", *arguments]
        code = 255
        try:
            code = awscli.clidriver.main()
        finally:
            sys.stdout.flush()
            caller.send(bytes([code & 255]))
            os._exit(0)
    caller.close()
"""


def start_moto():
    """Starts moto for all tests of this process and returns its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [ROOT / ".venv-test/bin/moto_server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "AWS_DEFAULT_REGION": REGION},
        )
        atexit.register(stop, server)
        for _ in range(150):
            try:
                moto_api(url, "config", {"stepfunctions": {"execute_state_machine": True}})
                return url
            except OSError:
                time.sleep(0.2)
        log.seek(0)
        raise RuntimeError(log.read().decode())


def stop(server):
    server.terminate()
    server.wait()


def moto_api(url, path, body):
    data = json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/moto-api/{path}", data=data, timeout=10) as answer:
        answer.read()


def start_cli():
    """Starts the AWS CLI's server for all tests of this process and returns its socket."""
    folder = tempfile.mkdtemp()
    address = f"{folder}/aws"
    python = ROOT / ".venv-aws/bin/python"
    server = subprocess.Popen([python, "-c", CLI, address], stdout=subprocess.PIPE, text=True)
    atexit.register(shutil.rmtree, folder)
    atexit.register(stop, server)
    if server.stdout.readline() != "ready\n":
        raise RuntimeError("the AWS CLI in .venv-aws does not start")
    return address


@functools.cache
def client(service):
    return boto3.client(
        service,
        endpoint_url=Moto.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


class Moto(Case):
    """The real AWS CLI against moto."""

    url = cli = None

    @classmethod
    def setUpClass(cls):
        if Moto.url is None:
            Moto.url, Moto.cli = start_moto(), start_cli()

    def setUp(self):
        super().setUp()
        moto_api(self.url, "reset", {})
        self.env.update(
            AWS_ENDPOINT_URL=self.url,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_DEFAULT_REGION=REGION,
        )
        self.outputs = dict(OUTPUTS)
        self.answers()

    def answers(self, *rules):
        """Terraform answers with the rules, AWS with moto."""
        real = rule("^aws ", cli=self.cli)
        terraform = [one for one in HEALTHY if one["when"].startswith("^terraform")]
        self.rules(*rules, rule("output -json", outputs(self.outputs)), real, *terraform)

    def state_machine(self, definition):
        made = client("stepfunctions").create_state_machine(
            name="cartwheel-dev-pipeline", roleArn=ROLE, definition=json.dumps(definition)
        )
        return made["stateMachineArn"]

    def bucket(self, name):
        where = {"LocationConstraint": REGION}
        client("s3").create_bucket(Bucket=self.outputs[name], CreateBucketConfiguration=where)
        return self.outputs[name]
