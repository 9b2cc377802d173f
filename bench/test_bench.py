"""Tests of how results are recorded and compared; nothing is measured.

python3 -m unittest discover -s bench
"""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import figures
import run
import table

COMPARE = Path(__file__).resolve().parent / "compare.py"


# A table of divan, whose benchmarks have arguments or none, and units of each size.
DIVAN = """\
forest                   fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ loading               10.08 ms      │ 15.5 ms       │ 14.21 ms      │ 12.84 ms      │ 5       │ 5
╰─ probabilities                       │               │               │               │         │
   ├─ (100, 6, 1)        530.7 ns      │ 5.046 µs      │ 590.7 ns      │ 1.536 µs      │ 5       │ 5
   │                     1.884 Mitem/s │ 198.1 Kitem/s │ 1.692 Mitem/s │ 650.9 Kitem/s │         │
   ╰─ (100, 6, 200)      93.88 µs      │ 111.8 µs      │ 96.52 µs      │ 99.01 µs      │ 5       │ 5
                         2.13 Mitem/s  │ 1.787 Mitem/s │ 2.072 Mitem/s │ 2.019 Mitem/s │         │
"""


class Recording(unittest.TestCase):
    def test_the_medians_of_divan_are_read(self):
        found = run.divan_medians(DIVAN)
        names = ["loading", "probabilities (100, 6, 1)", "probabilities (100, 6, 200)"]
        self.assertEqual(list(found), names)
        for name, microseconds in zip(names, (14210, 0.5907, 96.52), strict=True):
            self.assertAlmostEqual(found[name], microseconds)


class Comparing(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def results(self, name, start=(60, 61, 64), rate=(1000, 1010, 990), peer=(2000, 2020, 1980)):
        """Writes the results of a run of three repetitions and returns their path."""
        path = self.folder / f"{name}.json"
        with contextlib.redirect_stdout(io.StringIO()):
            figures.add("start", "to ready", start, "ms")
            ours = figures.add("ingest", "cartwheel", rate, "/s")
            theirs = figures.add("ingest", "Redis", peer, "/s", peer=True)
            figures.ratio("ingest", "cartwheel / Redis", ours, theirs)
            figures.save(path, quick=True)
        figures.RESULTS.clear()
        return path

    def compare(self, *args):
        """The exit status, and what a comparison prints."""
        done = subprocess.run([sys.executable, COMPARE, *args], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def verdicts(self, *args):
        """The exit status, and the verdicts by name."""
        status, text = self.compare("--json", *args)
        return status, {row["name"]: row["verdict"] for row in json.loads(text)["figures"]}

    def test_a_run_like_the_one_before_passes(self):
        base = self.results("base")
        status, text = self.compare(base, self.results("new", start=(63, 59, 62)))
        self.assertEqual(status, 0, text)
        self.assertIn("0 of 4 figures are worse", text)

    def test_less_throughput_and_a_later_start_fail(self):
        base, new = self.results("base"), self.results("new", start=(90, 95, 91), rate=(700, 720, 710))
        status, verdicts = self.verdicts(base, new)
        self.assertEqual(status, 1)
        expected = {
            "to ready": "worse",
            "cartwheel": "beside peer",
            "Redis": "peer",
            "cartwheel / Redis": "worse",
        }
        self.assertEqual(verdicts, expected)
        # The other way round, both are better.
        status, verdicts = self.verdicts(new, base)
        self.assertEqual(
            (status, verdicts["to ready"], verdicts["cartwheel / Redis"]), (0, "better", "better")
        )

    def test_a_slower_machine_slows_the_peer_too(self):
        base = self.results("base")
        new = self.results("new", rate=(500, 505, 495), peer=(1000, 1010, 990))
        status, verdicts = self.verdicts(base, new)
        self.assertEqual((status, verdicts["cartwheel / Redis"]), (0, "same"))

    def test_the_spread_of_repetitions_is_no_slowdown(self):
        base = self.results("base")
        status, verdicts = self.verdicts(base, self.results("new", start=(60, 80, 90)))
        self.assertEqual((status, verdicts["to ready"]), (0, "unclear"))

    def test_the_bound_is_a_choice(self):
        base, new = self.results("base"), self.results("new", start=(75, 76, 77))
        self.assertEqual(self.verdicts(base, new)[0], 1)
        self.assertEqual(self.verdicts("--bound", "1.5", base, new)[0], 0)
        status, text = self.compare("--bound", "0.5", base, new)
        self.assertEqual(status, 2)
        self.assertIn("factor of 1 or more", text)

    def test_other_files_are_refused(self):
        base = self.results("base")
        other = self.folder / "other.json"
        for content in ("", "[]", '{"figures": [{"section": "a", "name": "b"}]}', '{"figures": []}'):
            other.write_text(content)
            status, text = self.compare(base, other)
            self.assertEqual(status, 2, text)
            self.assertNotIn("Traceback", text)
        status, text = self.compare(base, self.folder / "nothing.json")
        self.assertEqual((status, "No such file" in text), (2, True), text)

    def test_results_name_machine_date_and_commit(self):
        results = json.loads(self.results("base").read_text())
        self.assertLessEqual({"cpu", "cores", "memory_mb", "system"}, results["machine"].keys())
        self.assertLessEqual({"date", "commit", "changed", "quick"}, results.keys())
        start = results["figures"][0]
        self.assertEqual((start["section"], start["unit"], start["median"]), ("start", "ms", 61))
        self.assertEqual(start["values"], [60, 61, 64])
        quotient = results["figures"][3]
        self.assertEqual((quotient["better"], quotient["values"]), ("more", [0.5, 0.5, 0.5]))


class Tables(unittest.TestCase):
    def test_each_section_is_a_table_and_peers_are_marked(self):
        figure = {"section": "log", "name": "log_1", "unit": "/s", "note": "", "peer": False}
        figure |= {"values": [9000, 12345], "median": 10672.5}
        peer = figure | {"name": "redis", "values": [0.256], "median": 0.256, "unit": "ms", "peer": True}
        machine = {"cpu": "a processor", "cores": 2, "memory_mb": 24105, "system": "Linux"}
        results = {"machine": machine, "date": "2026-11-29T02:00:00+00:00", "commit": "0123456789"}
        results |= {"changed": False, "quick": True, "figures": [figure, peer]}
        first, *lines = table.tables(results)
        self.assertIn("`make bench --quick` at commit `01234567`, begun 2026-11-29T02:00:00", first)
        self.assertEqual(lines[1], "| log | median | | |")
        self.assertEqual(lines[3], "| log_1 | 10,672 /s | 9,000 to 12,345 |  |")
        self.assertEqual(lines[4], "| *redis* | 0.256 ms |  |  |")


if __name__ == "__main__":
    unittest.main()
