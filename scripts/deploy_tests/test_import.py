"""Tests of scripts/import, with the lake in moto and a function that only writes notes."""

import json
import sys

from aws import Moto, client
from harness import rule

# Writes the notes of the import that the last call of `aws lambda invoke` began.
FUNCTION = """#!{python}
import json, boto3
call = [json.loads(line) for line in open("{home}/calls")][-1]
assert call[:3] == ["aws", "lambda", "invoke"], call
payload = json.load(open(call[call.index("--payload") + 1].removeprefix("fileb://")))
open("{home}/payload", "w").write(json.dumps([call[call.index("--function-name") + 1], payload]))
key = "imports/runs/" + payload["run"] + ".json"
boto3.client("s3").put_object(Bucket="{lake}", Key=key, Body='''{note}''')
"""


class Import(Moto):
    def run_import(self, note, **env):
        lake = self.bucket("lake_bucket")
        text = FUNCTION.format(python=sys.executable, home=self.home, lake=lake, note=json.dumps(note))
        self.executable("function", text)
        self.answers(rule("^aws lambda invoke", run=[str(self.bin / "function")]))
        return self.run_script("scripts/import", **env)

    def test_done(self):
        note = {"state": "done", "message": "Imported: 80 orders"}
        code = self.run_import(note, FOLDER="incoming/spring/", EARLIER="append", MAX_REJECTS="7.5")
        self.assertEqual(code, 0, self.shown)
        self.assertIn("Imported: 80 orders", self.out)
        self.assertIn("make run-pipeline ENV=dev", self.shown)
        function, payload = json.loads((self.home / "payload").read_text())
        self.assertEqual(function, "cartwheel-dev-import")
        del payload["run"]
        lake = f"s3://{self.outputs['lake_bucket']}"
        expected = {
            "lake": lake,
            "folder": "spring",
            "content": "orders",
            "earlier": "append",
            "max_rejects": 7.5,
        }
        self.assertEqual(payload, expected)
        self.assertEqual(len(client("s3").list_objects_v2(Bucket=lake[5:])["Contents"]), 1)

    def test_failed(self):
        note = {"state": "failed", "message": "1.csv: no column of times (say what columns mean …)"}
        self.assertEqual(self.run_import(note, FOLDER="spring"), 1)
        self.assertIn("error: 1.csv: no column of times", self.shown)

    def test_wrong_settings(self):
        for env, word in (
            ({}, "FOLDER"),
            ({"FOLDER": "a", "CONTENT": "b"}, "orders, events or instacart"),
            ({"FOLDER": "a", "EARLIER": "b"}, "append or replace"),
            ({"FOLDER": "a", "MAX_REJECTS": "b"}, "MAX_REJECTS 'b' is not a number"),
        ):
            self.refused(self.run_script("scripts/import", **env), word)
        self.assertEqual(self.calls("lambda invoke"), [])
