"""Tests of scripts/instruction-counts with stubs of Valgrind and cargo.

python3 -m unittest discover -s bench
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "instruction-counts"
PARTS = ("forest-batch", "forest-row", "rank", "accept")
# Reports what the file `counts` holds for the part.
VALGRIND = """#!{python}
import json, sys
if sys.argv[1:] == ["--version"]:
    print("valgrind-9")
    sys.exit()
out = [arg for arg in sys.argv if arg.startswith("--callgrind-out-file=")][0].partition("=")[2]
open(out, "w").write("events: Ir\\nsummary: %d\\n" % json.load(open("{counts}"))[sys.argv[-1]])
"""


class Counting(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name in ("scripts", "bench", "bin"):
            (self.root / name).mkdir()
        for script in (SCRIPT, SCRIPT.with_name("system-tools")):
            shutil.copy(script, self.root / "scripts")
        self.expected = self.root / "bench" / "instructions.json"
        self.stub("valgrind", VALGRIND.format(python=sys.executable, counts=self.root / "counts"))
        self.stub("cargo", "#!/bin/sh\n")
        self.stub("rustc", "#!/bin/sh\necho rustc 9\n")
        self.expect(platform.machine())
        self.count()

    def stub(self, name, text):
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def expect(self, machine, tools="rustc 9, valgrind-9"):
        """Expects 1,000 instructions of every part on a machine."""
        processor = {"tools": tools, "counts": dict.fromkeys(PARTS, 1000)}
        self.expected.write_text(json.dumps({"bound": 1.03, "processors": {machine: processor}}))

    def count(self, **changed):
        """Lets Valgrind find 1,000 instructions except for the parts that are named."""
        found = dict.fromkeys(PARTS, 1000) | {name.replace("_", "-"): n for name, n in changed.items()}
        (self.root / "counts").write_text(json.dumps(found))

    def run_script(self, *args, path="bin"):
        env = {"PATH": f"{self.root / path}:{os.environ['PATH']}", "HOME": "/nonexistent"}
        script = self.root / "scripts" / "instruction-counts"
        command = [sys.executable, script, *args]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_counts_within_the_bound_pass(self):
        self.count(rank=1029, accept=980)
        status, text = self.run_script()
        self.assertEqual(status, 0, text)
        self.assertIn("+2.90 %", text)

    def test_more_instructions_fail_and_name_what_to_do(self):
        self.count(forest_row=1040)
        status, text = self.run_script()
        self.assertEqual(status, 1, text)
        self.assertIn("forest-row became slower", text)
        self.assertIn("--update", text)

    def test_with_other_tools_more_instructions_fail_nothing(self):
        self.expect(platform.machine(), tools="rustc 8")
        self.count(forest_row=1040)
        status, text = self.run_script()
        self.assertEqual(status, 0, text)
        self.assertIn("forest-row became slower", text)
        self.assertIn("rustc 8", text)

    def test_an_update_accepts_them(self):
        self.count(rank=2000)
        self.assertEqual(self.run_script("--update")[0], 0)
        processor = json.loads(self.expected.read_text())["processors"][platform.machine()]
        self.assertEqual((processor["counts"]["rank"], processor["tools"]), (2000, "rustc 9, valgrind-9"))
        self.assertEqual(self.run_script()[0], 0)

    def test_an_unknown_processor_is_reported(self):
        self.expect("other")
        status, text = self.run_script()
        self.assertEqual(status, 0)
        self.assertIn("skipped", text)

    def test_a_part_that_cannot_run_fails(self):
        self.stub("valgrind", "#!/bin/sh\necho broken >&2\nexit 1\n")
        status, text = self.run_script()
        self.assertEqual(status, 1)
        self.assertIn("forest-batch cannot be counted", text)
        self.assertIn("broken", text)


if __name__ == "__main__":
    unittest.main()
