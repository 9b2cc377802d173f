"""Runs state machines on moto's Step Functions interpreter.

Reads [{"name", "definition", "input"}] from stdin and writes [{"status", "output", "error"}]
to stdout in the same order. The table "shelf" holds one item with the key "a". The table
"missing" does not exist. No consumer reads the queue QUEUE.
"""

import json
import logging
import os
import socket
import sys
import time

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    PORT = probe.getsockname()[1]
# The interpreter's tasks call moto's services on this port.
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    MOTO_PORT=str(PORT),
)
logging.disable(logging.CRITICAL)

import boto3  # noqa: E402
from moto.core.config import default_user_config  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

default_user_config["stepfunctions"] = {"execute_state_machine": True}
ROLE = "arn:aws:iam::123456789012:role/any"
DEADLINE = 60


def parsed(text):
    """Parses JSON or a bare string, because moto omits the quotes of a string."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def main():
    cases = json.load(sys.stdin)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=PORT, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{PORT}"
    tables = boto3.client("dynamodb", endpoint_url=endpoint)
    tables.create_table(
        TableName="shelf",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    tables.put_item(TableName="shelf", Item={"id": {"S": "a"}, "n": {"N": "7"}})
    queue = boto3.client("sqs", endpoint_url=endpoint).create_queue(QueueName="calls")["QueueUrl"]
    machines = boto3.client("stepfunctions", endpoint_url=endpoint)
    started = []
    for number, case in enumerate(cases):
        name = f"m{number}"
        try:
            arn = machines.create_state_machine(
                name=name, roleArn=ROLE, definition=json.dumps(case["definition"]).replace("QUEUE", queue)
            )["stateMachineArn"]
            run = machines.start_execution(stateMachineArn=arn, name=name, input=json.dumps(case["input"]))
            started.append(run["executionArn"])
        except Exception as error:
            started.append(error)
    results, end = [], time.time() + DEADLINE
    for run in started:
        if isinstance(run, Exception):
            results.append({"status": "REFUSED", "error": str(run)[:300]})
            continue
        while True:
            found = machines.describe_execution(executionArn=run)
            # moto sets the status shortly before the output.
            incomplete = found["status"] == "SUCCEEDED" and not found.get("output")
            if (found["status"] != "RUNNING" and not incomplete) or time.time() > end:
                break
            time.sleep(0.05)
        status = found["status"] if not incomplete else "UNKNOWN"
        result = {"status": status, "error": found.get("error"), "cause": found.get("cause")}
        if found.get("output"):
            result["output"] = parsed(found["output"])
        results.append(result)
    server.stop()
    json.dump(results, sys.stdout)


main()
