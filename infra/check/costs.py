"""Checks the money that an environment costs while nobody uses it, and what a flood of requests costs.

    python infra/check/costs.py STATE    (STATE: see state.py)

Prices are those of infra/prices.toml, in us-east-1; FACTORS has the dearer regions. Free tiers do
not count, since an account may have used them.
"""

import sys
import tomllib
from pathlib import Path

from state import State

HOURS = 730
PRICES = Path(__file__).resolve().parent.parent / "prices.toml"
# By how much a region's hourly prices exceed those of us-east-1, at most.
FACTORS = {"us-east-1": 1.0, "us-west-2": 1.0, "eu-central-1": 1.2, "eu-west-1": 1.15}
OTHER_REGION = 1.6
# Without a price in prices.toml: USD a month of a customer-managed key, and USD an hour of an endpoint
# of the network in one zone.
KEY = 1.0
ENDPOINT = 0.01


def idle(state):
    """USD a month of each resource that is billed by time."""
    prices = tomllib.loads(PRICES.read_text())
    costs = {}
    for stream in state.all("aws_kinesis_stream"):
        on_demand = stream.block("stream_mode_details").get("stream_mode") == "ON_DEMAND"
        hour = (
            prices["kinesis"]["stream_hour"]
            if on_demand
            else prices["kinesis"]["shard_hour"] * stream["shard_count"]
        )
        costs[stream.address] = hour * HOURS
    for board in state.all("aws_cloudwatch_dashboard"):
        costs[board.address] = prices["cloudwatch"]["dashboard_month"]
    for alarm in state.all("aws_cloudwatch_metric_alarm"):
        costs[alarm.address] = prices["cloudwatch"]["alarm_month"]
    for target in state.all("aws_appautoscaling_target"):
        costs[target.address] = prices["sagemaker"]["endpoint_hour"] * HOURS * target["min_capacity"]
    for endpoint in state.all("aws_vpc_endpoint"):
        if endpoint["vpc_endpoint_type"] == "Interface":
            costs[endpoint.address] = ENDPOINT * HOURS * len(endpoint["subnet_ids"])
    if any(stream["kms_key_id"] != "alias/aws/kinesis" for stream in state.all("aws_kinesis_stream")):
        costs["customer-managed key"] = KEY
    return costs


def check(state):
    """USD a month while idle, USD of a day of flooding, and what is wrong with them."""
    prices = tomllib.loads(PRICES.read_text())
    region = state.outputs["state_machine_arn"].split(":")[3]
    month = sum(idle(state).values()) * FACTORS.get(region, OTHER_REGION)
    complaints = []
    budgets = [float(budget["limit_amount"]) for budget in state.all("aws_budgets_budget")]
    for budget in budgets:
        # The first notice comes at 80 %.
        if budget * 0.8 <= month:
            complaints.append(
                f"the budget of {budget:.0f} USD gives a notice of the idle cost, {month:.0f} USD"
            )
    [stage] = state.all("aws_apigatewayv2_stage")
    rate = stage.block("default_route_settings")["throttling_rate_limit"]
    # Gateway, function (1 GB for 40 ms of x86_64), one record of the stream, one impression, its logs.
    request = (
        prices["api_gateway"]["million_requests"][0][1]
        + prices["lambda"]["million_requests"]
        + 1e6 * 0.04 * prices["lambda"]["gb_second"][0][1] * 1.25
        + 2 * 2 * prices["dynamodb"]["million_reads"]
        + 2 * prices["dynamodb"]["million_writes"]
        + 1e6 / 2**20 * (prices["kinesis"]["gb_in"] + 5 * prices["firehose"]["gb"][0][1])
        + 1e6 / 2**20 * 2 * prices["cloudwatch"]["log_gb"][0][1]
    ) / 1e6
    flood = rate * 86400 * request
    if budgets and flood * 2 > max(budgets):
        complaints.append(
            f"two days of {rate:.0f} requests a second cost {2 * flood:.0f} USD, more than the budget"
        )
    return month, flood, complaints


if __name__ == "__main__":
    month, flood, complaints = check(State(sys.argv[1]))
    for complaint in complaints:
        print(f"costs: {complaint}")
    print(f"costs: {month:.0f} USD a month when idle, about {flood:.0f} USD a day under a flood of requests")
    sys.exit(bool(complaints))
