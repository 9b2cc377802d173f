"""Renders the mapping template of the API for pages, as API Gateway does.

    python infra/check/ingested.py STATE    # writes infra/check/ingested.json

The file has events of pages, each with the record that the template puts into the stream. A test of
cartwheel-events reads the records and compares them with those that the server would store.
"""

import base64
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import airspeed
from state import State

FILE = Path(__file__).resolve().parent / "ingested.json"
CONTEXT = {"requestId": "4f0b6f1e-0000-4000-8000-000000000001", "requestTimeEpoch": 1_790_000_000_000}
EVENTS = [
    {"user_id": "7", "event": "view", "product_ids": ["12"]},
    {
        "user_id": "7",
        "event": "add_to_cart",
        "items": [{"product_id": "12", "quantity": 2}, {"product_id": "13"}],
    },
    {
        "user_id": "7",
        "event": "checkout",
        "items": [{"product_id": '1"2', "price": 4.25}],
        "event_id": "order-1",
    },
    {"user_id": "7", "event": "checkout"},
    {"anonymous_id": "a-1.b_2", "event": "view", "product_ids": ["12"], "session_id": "s-1"},
    {"user_id": "7", "event": "search", "query": 'café "au" \\ lait $input ${q} #end', "source": "web"},
    {"user_id": "o'\"\\$q", "event": "impression", "product_ids": ['"x"', "é"], "recommendation_id": "r-1"},
]


class Input:
    """The variable `$input`: what the template may ask of the body."""

    def __init__(self, body):
        self.body = body

    def at(self, path):
        root, *names = path.split(".")
        assert root == "$" and len(names) < 3, path
        found = self.body
        for name in names:
            if name.endswith("[*]"):
                found = found[name.removesuffix("[*]")]
            else:
                found = [one[name] for one in found] if isinstance(found, list) else found.get(name)
        return found

    def path(self, path):
        # Velocity reads a field of an object; of a dictionary, airspeed would call its methods.
        return json.loads(json.dumps(self.at(path)), object_hook=lambda fields: SimpleNamespace(**fields))

    def json(self, path):
        found = self.at(path)
        return "" if found is None else json.dumps(found, ensure_ascii=False, separators=(",", ":"))


class Util:
    """The variable `$util`."""

    def base64Encode(self, text):
        return base64.b64encode(text.encode()).decode()


def template(state):
    [api] = state.all("aws_api_gateway_rest_api")
    post = json.loads(api["body"])["paths"]["/events"]["post"]
    return post["x-amazon-apigateway-integration"]["requestTemplates"]["application/json"]


def rendered(text, event):
    """The request to Kinesis that becomes of an event."""
    names = {"input": Input(event), "util": Util(), "context": CONTEXT}
    return json.loads(airspeed.Template(text).merge(names))


def ingested(state):
    """The events, each with its partition key and record."""
    found = []
    for event in EVENTS:
        request = rendered(template(state), event)
        record = json.loads(base64.b64decode(request["Data"]))
        assert request["PartitionKey"] == record["user_id"], request
        found.append({"event": event, "record": record})
    return found


def main(path):
    lines = (json.dumps(one, ensure_ascii=False) for one in ingested(State(path)))
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
