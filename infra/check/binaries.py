"""Checks that the built files start where they are deployed: processor and glibc.

    python infra/check/binaries.py DIST    (DIST: the folder that scripts/package writes)

Lambda's provided.al2023 and Glue 5.0 run on Amazon Linux 2023, which has glibc 2.34. Glue has
x86_64 only.
"""

import io
import re
import sys
import zipfile
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

GLIBC = (2, 34)
MACHINES = {"arm64": "EM_AARCH64", "x86_64": "EM_X86_64"}


def needed_glibc(elf):
    """The highest version of glibc whose symbols a program needs; (0,) for a static one."""
    versions = [
        tuple(map(int, match[1].split(".")))
        for section in elf.iter_sections()
        if isinstance(section, GNUVerNeedSection)
        for _, needs in section.iter_versions()
        for need in needs
        if (match := re.fullmatch(r"GLIBC_([0-9.]+)", need.name))
    ]
    return max(versions, default=(0,))


def of_binary(name, data, architecture, glibc=GLIBC):
    """Complaints about one program."""
    try:
        elf = ELFFile(io.BytesIO(data))
    except ELFError as error:
        yield f"{name} is no program for Linux: {error}"
        return
    machine = elf.header["e_machine"]
    if machine != MACHINES[architecture]:
        yield f"{name} is for {machine}, not for {architecture}"
    needed = needed_glibc(elf)
    if needed > glibc:
        yield f"{name} needs glibc {'.'.join(map(str, needed))}, but {'.'.join(map(str, glibc))} runs it"


def programs(dist):
    """Name, content and architecture of every program in the folder."""
    for archive in sorted(dist.glob("lambda/*/*.zip")):
        with zipfile.ZipFile(archive) as opened:
            yield str(archive), opened.read("bootstrap"), archive.parent.name
    for worker in sorted(dist.glob("glue/cartwheel-worker")):
        yield str(worker), worker.read_bytes(), "x86_64"


def check(dist):
    """The number of programs, and what is wrong with them."""
    found = list(programs(Path(dist)))
    return len(found), [complaint for program in found for complaint in of_binary(*program)]


if __name__ == "__main__":
    count, complaints = check(sys.argv[1])
    for complaint in complaints:
        print(f"binaries: {complaint}", file=sys.stderr)
    print(f"binaries: {count} programs, {len(complaints)} complaints", file=sys.stderr)
    sys.exit(bool(complaints))
