"""cartwheel and the peers as processes: their lists, their time and their memory."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import similar
from clicks import Clicks
from shop import Shop

HERE = Path(__file__).resolve().parent
# What the columns of click sessions mean to `cartwheel import events`.
CLICKS_MAPPING = ("--map", "anonymous_id=session_id", "--map", "product_id=item_id")

# A method's line of the tables: `lists`, `seconds`, `memory` (MB), and `error` where it gave no lists.
Row = dict[str, Any]


class Failed(Exception):
    """A process that ended with an error or took too long, with what it had used."""

    def __init__(self, seconds: float, memory: float, reason: str):
        super().__init__(reason)
        self.row: Row = {"seconds": seconds, "memory": memory, "error": reason}


def measured(command: list[Any], log: Path, environment: dict[str, str], limit: float) -> tuple[float, float]:
    """Runs a command for at most `limit` seconds. Returns its seconds and its peak memory in MB."""
    start = time.monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            # With its own children, it can be ended as a whole.
            process_group=0,
        )
        late = False
        try:
            while True:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() - start > limit and not late:
                    late = True
                    os.killpg(child.pid, signal.SIGKILL)
                time.sleep(0.02)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds, memory = time.monotonic() - start, usage.ru_maxrss / 1024
    if late:
        raise Failed(seconds, memory, f"stopped after {limit:.0f} s")
    if child.returncode:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        lines = lines or [f"ended by signal {-child.returncode}" if child.returncode < 0 else "no output"]
        raise Failed(seconds, memory, lines[-1].strip()[:200])
    return seconds, memory


def is_clicks(folder: Path) -> bool:
    """Whether the folder holds click sessions, not orders."""
    return any((folder / name).exists() for name in ("train.csv", "train.csv.gz"))


class Cartwheel:
    """The program on one shop. Each row learns in a data directory of its own, from one import."""

    def __init__(self, binary: Path, folder: Path, work: Path, limit: float):
        self.binary, self.folder, self.work, self.limit = binary, folder, work, limit
        self.imported = work / "imported"

    def row(self, environment: dict[str, str], whole: bool = False) -> Row:
        """Runs the pipeline with these variables and predicts. `whole` adds the evaluation and the
        similar products of well-known ones.
        """
        data, out = self.work / "data", self.work / "lists.json"
        shutil.rmtree(data, ignore_errors=True)
        if not self.imported.exists():
            self._import()
        shutil.copytree(self.imported, data)
        asked = ["--sessions", self.folder] if is_clicks(self.folder) else ["--users", "test"]
        learning = self._run(data, environment, "pipeline", "run")
        asking = self._run(data, environment, "predict", *asked, "--limit", "20", "--out", out)
        row: Row = {"seconds": learning[0] + asking[0], "memory": max(learning[1], asking[1])}
        text = out.read_text("utf-8")
        if is_clicks(self.folder):
            found = map(json.loads, text.splitlines())
            row["lists"] = [[str(one["session_id"]), one["position"], one["items"]] for one in found]
        else:
            row["lists"] = json.loads(text)
        if whole:
            row["report"] = self._report(data)
            if not is_clicks(self.folder):
                row["similar"] = similar.lists(self.binary, data)
        return row

    def _import(self) -> None:
        if is_clicks(self.folder):
            packed = self.folder / "train.csv.gz"
            file = packed if packed.exists() else self.folder / "train.csv"
            what = ["events", file, *CLICKS_MAPPING]
        else:
            what = ["instacart", self.folder]
        # A half import would be taken for a whole one.
        half = self.work / "half"
        self._run(half, {}, "import", *what)
        half.rename(self.imported)

    def _run(self, data: Path, environment: dict[str, str], *arguments: Any) -> tuple[float, float]:
        command = [self.binary, "--data-dir", data, *arguments]
        return measured(command, self.work / "log", environment, self.limit)

    def _report(self, data: Path) -> dict[str, Any] | None:
        """The evaluation on the gate's users, or None if the model was judged by cross-validation."""
        command = [self.binary, "--data-dir", data, "--json", "evaluate"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None


def peer(python: Path, name: str, folder: Path, work: Path, limit: float) -> Row:
    """Tunes a peer within `limit` seconds and asks it."""
    out = work / "peer.json"
    command = [python, HERE / "fit.py", name, folder, out]
    seconds, memory = measured(command, work / "log", {}, limit)
    return {"seconds": seconds, "memory": memory, **json.loads(out.read_text("utf-8"))}


def scores(shop: Clicks | Shop, row: Row) -> dict[str, list[float | None]]:
    """The value of each metric for each user or position."""
    lists = row["lists"]
    if isinstance(lists, list):
        lists = {(session, position): items for session, position, items in lists}
    return shop.scores(lists)
