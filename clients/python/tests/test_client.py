"""Tests the client against the server that scripts/test-clients starts."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
import unittest
import uuid
from pathlib import Path
from typing import Any

from cartwheel_client import AsyncCartwheel, Cartwheel, CartwheelError, shopper_token
from faulty import proxy

URL = os.environ["CARTWHEEL_URL"]
KEY = os.environ["CARTWHEEL_API_KEY"]
SECRET = os.environ["CARTWHEEL_SIGNING_SECRET"]
PYTHON = Path(__file__).resolve().parents[1]
# Seconds; long enough for a machine that is busy.
PATIENT = 30.0


def new_user() -> str:
    """A shopper of whom the server knows nothing."""
    return f"py-{uuid.uuid4()}"


def add(user: str, *products: str) -> Any:
    return {"event": "add_to_cart", "user_id": user, "product_ids": list(products)}


def cart_of(user: str) -> dict[str, int]:
    with Cartwheel(URL, KEY, timeout=PATIENT) as client:
        cart = client.request("GET", "/v1/users/{id}/cart", params={"id": user})
    return {item["product_id"]: item["quantity"] for item in cart["items"]}


class ClientTest(unittest.TestCase):
    def test_events_in_recommendations_out(self) -> None:
        user = new_user()
        client = Cartwheel(URL, KEY, timeout=PATIENT)
        for product in ("1", "2", "2"):
            self.assertTrue(client.track(add(user, product)))
        client.flush()
        self.assertEqual(client.waiting, 0)
        self.assertEqual(cart_of(user), {"1": 1, "2": 2})
        self.assertEqual(len(client.submit(add(user, "3"))["recommendations"]), 10)
        found = client.recommend({"user_id": user, "limit": 4})["recommendations"]
        self.assertEqual(len(found), 4)
        self.assertFalse({"1", "2", "3"} & {product["product_id"] for product in found})
        page = client.page({"user_id": user, "placements": [{"name": "home"}, {"name": "cart"}]})
        self.assertEqual([one["placement"] for one in page["placements"]], ["home", "cart"])
        similar = client.request("GET", "/v1/products/{id}/similar", params={"id": "1"}, query={"limit": 2})
        self.assertEqual(len(similar["recommendations"]), 2)
        client.close()

    def test_an_event_whose_answer_is_lost_counts_once(self) -> None:
        user = new_user()
        with proxy(URL, ["drop", "drop"]) as server:
            client = Cartwheel(server.url, KEY, timeout=PATIENT, interval=60)
            client.track(add(user, "1"))
            client.close()
            ids = [events[0]["event_id"] for events in server.seen]
        self.assertEqual((len(ids), len(set(ids))), (3, 1))
        self.assertEqual(cart_of(user), {"1": 1})

    def test_the_client_waits_as_long_as_the_server_asks(self) -> None:
        with (
            proxy(URL, [(429, {"retry-after": "1"})]) as server,
            Cartwheel(server.url, KEY, timeout=PATIENT) as client,
        ):
            started = time.monotonic()
            client.recommend({"user_id": new_user()})
            self.assertGreaterEqual(time.monotonic() - started, 0.99)
            self.assertEqual(len(server.seen), 2)

    def test_a_fallback_answers_for_a_server_but_hides_no_mistake(self) -> None:
        errors: list[int] = []

        def fallback(error: CartwheelError) -> Any:
            errors.append(error.status)
            return {"recommendations": []}

        def home(fault: Any, timeout: float) -> Any:
            with proxy(URL, [fault]) as server, Cartwheel(server.url, KEY, retries=0) as client:
                question: Any = {"user_id": new_user()}
                answer = client.placement("home", question, timeout=timeout, fallback=fallback)
                return answer["recommendations"]

        self.assertEqual(home("hang", 0.1), [])
        self.assertEqual(home((503, {}), PATIENT), [])
        self.assertEqual(errors, [0, 503])
        with self.assertRaises(CartwheelError) as raised:
            home((400, {}), PATIENT)
        self.assertEqual(raised.exception.status, 400)
        with self.assertRaises(CartwheelError) as raised:
            Cartwheel("http://127.0.0.1:9", retries=0).recommend({"user_id": "u"})
        self.assertTrue(raised.exception.is_passing)

    def test_the_queue_is_bounded_and_says_what_it_loses(self) -> None:
        user = new_user()
        lost: list[tuple[Any, str]] = []
        client = Cartwheel(
            URL,
            KEY,
            timeout=PATIENT,
            max_queue=2,
            interval=60,
            on_lost=lambda event, why: lost.append((event["product_ids"], why)),
        )
        kept = [client.track(add(user, *products)) for products in (["1"], [], ["2"])]
        self.assertEqual(kept, [True, True, False])
        client.close()
        self.assertEqual(cart_of(user), {"1": 1})
        self.assertEqual(lost[0], (["2"], "the queue is full"))
        self.assertIn("product", lost[1][1])
        # What the server cannot take waits.
        with proxy(URL, [(503, {})] * 2) as server:
            later = Cartwheel(server.url, KEY, timeout=PATIENT, retries=0, interval=60)
            later.track(add(user, "3"))
            with self.assertRaises(CartwheelError):
                later.flush()
            self.assertEqual(later.waiting, 1)
            with self.assertRaises(CartwheelError):
                later.close()

    def test_events_are_sent_when_the_program_ends(self) -> None:
        user = new_user()
        program = (
            "from cartwheel_client import Cartwheel\n"
            f"client = Cartwheel({URL!r}, {KEY!r}, interval=60)\n"
            f"client.track({add(user, '7')!r})\n"
        )
        run(program)
        self.assertEqual(cart_of(user), {"7": 1})

    def test_a_token_acts_for_its_shopper_and_is_fetched_again(self) -> None:
        user = new_user()
        fetched: list[str] = []

        def token() -> str:
            fetched.append(shopper_token(SECRET if fetched else "cws_other", user))
            return fetched[-1]

        with Cartwheel(URL, token=token, timeout=PATIENT) as browser:
            browser.submit(add(user, "5"))
            self.assertEqual(len(fetched), 2)
            self.assertEqual(cart_of(user), {"5": 1})
            with self.assertRaises(CartwheelError) as raised:
                browser.recommend({"user_id": new_user()})
        assert raised.exception.problem is not None
        self.assertTrue(raised.exception.problem["type"].endswith("other-shopper"))

    def test_asyncio(self) -> None:
        users = [new_user() for _ in range(20)]

        async def shop() -> list[int]:
            async with AsyncCartwheel(URL, KEY, timeout=PATIENT, interval=60) as client:
                for user in users:
                    client.track(add(user, "1"))
                asked = [client.recommend({"user_id": user, "limit": 3}) for user in users]
                return [len(answer["recommendations"]) for answer in await asyncio.gather(*asked)]

        self.assertEqual(asyncio.run(shop()), [3] * 20)
        self.assertEqual([cart_of(user) for user in users], [{"1": 1}] * 20)

    def test_the_examples_of_the_readme_run(self) -> None:
        readme = (PYTHON / "README.md").read_text()
        examples = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
        self.assertLessEqual(sum(bool(line) for line in examples[0].splitlines()), 5)
        for example in examples:
            printed = run(example.replace("http://127.0.0.1:8080", URL).replace("cw_…", KEY))
            self.assertRegex(printed, r"\['.+'")


def run(program: str) -> str:
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return ended.stdout


if __name__ == "__main__":
    unittest.main()
