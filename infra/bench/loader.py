"""The program `load`, and what the system tells of a process."""

import json
import pathlib
import subprocess
import time


class Loader:
    """A running `load`: an endpoint, and somebody who posts."""

    def __init__(self, program: str, listen: str = "127.0.0.1:0"):
        self.process = subprocess.Popen([program, listen], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.endpoint = self._read()["endpoint"]

    def run(self, **run) -> dict:
        self.process.stdin.write(json.dumps(run) + "\n")
        self.process.stdin.flush()
        return self._read()

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        assert line, "load has died"
        return json.loads(line)


def processor_time() -> tuple[int, int]:
    """Of all processors so far: in all, and what other machines on the same host took."""
    times = [int(time) for time in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return sum(times), times[7]


def cpu_seconds(pid: int) -> float:
    """Time that a process has run so far, on the clock that the kernel keeps of it; of threads that ended too."""
    return time.clock_gettime((~pid << 3) | 2)


def memory_mb(pid: int, which: str = "VmRSS") -> float:
    """`VmRSS` is what it has now, `VmHWM` the most that it has had. In millions of bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError(f"no {which}")
