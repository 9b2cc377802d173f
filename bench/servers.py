"""The servers that are measured, each on a free port: cartwheel, Redis, and parts of cartwheel."""

import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from figures import run


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cartwheel:
    """`cartwheel serve`, waited for until it is ready; with `whole=False`, until it answers."""

    def __init__(self, cartwheel, data, whole=True):
        self.address = f"127.0.0.1:{free_port()}"
        start = time.time()
        self.child = subprocess.Popen(
            [cartwheel, "--data-dir", data, "serve", "--listen", self.address], stderr=subprocess.DEVNULL
        )
        while not self._answers(whole):
            assert time.time() - start < 60 and self.child.poll() is None
            time.sleep(0.002)
        self.started = time.time() - start

    def _answers(self, whole):
        try:
            urllib.request.urlopen(f"http://{self.address}/readyz", timeout=1).read()
        except urllib.error.HTTPError:
            return not whole
        except OSError:
            return False
        return True

    def post(self, path, body):
        """The open answer to a JSON body."""
        request = urllib.request.Request(
            f"http://{self.address}{path}", body.encode(), {"content-type": "application/json"}
        )
        return urllib.request.urlopen(request, timeout=10)

    def memory(self):
        """Resident memory in MB."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(timeout=60)


class Redis:
    """Redis with `appendfsync always`."""

    def __init__(self, program, work):
        self.port = str(free_port())
        options = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self.child = subprocess.Popen(
            [program, "--port", self.port, "--bind", "127.0.0.1", "--dir", work, *options],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(1)

    @classmethod
    def start(cls, work):
        """A server, or None where Redis is not installed."""
        program = shutil.which("redis-server")
        if not program:
            print("redis-server is not installed: its figures are left out (apt-get install redis-server)")
            return None
        return cls(program, work)

    def xadd(self, clients, pipeline=1):
        """Records a second, and the 99th percentile of a request in milliseconds."""
        count = "2000" if clients == 1 and pipeline == 1 else "40000" if pipeline == 1 else "200000"
        load = ["-c", str(clients), "-n", count, "-P", str(pipeline), "--csv"]
        text = run("redis-benchmark", "-p", self.port, *load, "XADD", "events", "*", "d", "x" * 200)
        cells = text.splitlines()[-1].replace('"', "").split(",")
        return float(cells[-7]), float(cells[-2])

    def stop(self):
        self.child.terminate()
        self.child.wait()


class Layer:
    """A server that does a part of what storing an event takes, such as `axum`: returning its body."""

    def __init__(self, stack, layer, folder):
        self.address = f"127.0.0.1:{free_port()}"
        self.child = subprocess.Popen([stack, self.address, layer, folder], stdin=subprocess.PIPE)
        time.sleep(0.5)

    def stop(self):
        self.child.stdin.close()
        self.child.wait(timeout=10)
