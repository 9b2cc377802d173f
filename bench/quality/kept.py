"""Rows that were measured are kept, so that an interrupted comparison goes on where it ended."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from program import Failed, Row


def slug(name: str) -> str:
    """A name as a part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def fingerprint(files: list[Path], words: list[str]) -> str:
    """Changes with the content of the files and with the words."""
    hashed = hashlib.sha256("\0".join(words).encode())
    for file in files:
        with file.open("rb") as content:
            hashed.update(hashlib.file_digest(content, "sha256").digest())
    return hashed.hexdigest()


def own_settings() -> list[str]:
    """The settings of cartwheel in this process's environment."""
    return sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("CARTWHEEL_"))


class Kept:
    """The rows of one shop, a file each in `folder`."""

    def __init__(self, folder: Path, shop: Path):
        self.folder = folder
        self.shop = fingerprint(sorted(file for file in shop.iterdir() if ".csv" in file.suffixes), [])
        folder.mkdir(parents=True, exist_ok=True)

    def row(self, method: str, inputs: str, measure: Callable[[], Row]) -> tuple[Row, bool]:
        """The row of a method, and whether it was kept. It is measured again if the shop or its
        `inputs`, a fingerprint, have changed, or if it has failed.
        """
        file = self.folder / f"{slug(method)}.json"
        key = f"{self.shop} {inputs}"
        if file.exists():
            found = json.loads(file.read_text("utf-8"))
            if found["key"] == key:
                return found["row"], True
        try:
            row = measure()
        except Failed as failure:
            return failure.row, False
        new = file.with_suffix(".new")
        new.write_text(json.dumps({"key": key, "row": row}), encoding="utf-8")
        new.rename(file)
        return row, False
