"""An emulated AWS, from outside: started, called, looked at, and ended."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

import boto3

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent

ADDRESS = "127.0.0.1"
REGION = "us-east-1"
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20

# The emulator's root user.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}


class Emulator:
    """An AWS on loopback. It and all that it has started are gone when the block is left."""

    def __init__(self, python: str):
        with socket.socket() as probe:
            probe.bind((ADDRESS, 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://{ADDRESS}:{self.port}"
        self.python = python
        self.read = 0
        self.answers: list[list] = []

    def __enter__(self) -> "Emulator":
        self.folder = tempfile.TemporaryDirectory(prefix="hookline-aws-")
        self.log = pathlib.Path(self.folder.name, "log")
        self.process = subprocess.Popen(
            [self.python, str(HERE / "emulator.py"), str(self.port)],
            env={"PATH": os.environ["PATH"], "HOME": self.folder.name, "TMPDIR": self.folder.name, **CREDENTIALS},
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            # With the functions that it runs it is a session of its own.
            start_new_session=True,
        )
        end = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                socket.create_connection((ADDRESS, self.port), 1).close()
                return self
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
                time.sleep(0.1)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for left in self.processes():
            os.kill(left, signal.SIGKILL)
        self.folder.cleanup()

    def processes(self) -> dict[int, str]:
        """The emulator's own process and those of functions, by their function's name."""
        found = {}
        for folder in pathlib.Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and os.getsid(int(folder.name)) == self.process.pid:
                    environment = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
                    variables = dict(line.split("=", 1) for line in environment if "=" in line)
                    found[int(folder.name)] = variables.get("AWS_LAMBDA_FUNCTION_NAME", "")
            except OSError:
                pass  # It has just ended.
        return found

    def listening(self) -> set[str]:
        """The addresses at which any of these processes listens, as the kernel writes them."""
        sockets = set()
        for process in self.processes():
            for file in pathlib.Path(f"/proc/{process}/fd").iterdir():
                try:
                    sockets.add(os.readlink(file))
                except OSError:
                    pass
        found = set()
        for table in ("tcp", "tcp6", "udp", "udp6"):
            listens = "0A" if table.startswith("tcp") else "07"
            for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == listens and f"socket:[{fields[9]}]" in sockets:
                    found.add(fields[1].split(":")[0])
        return found

    def asked(self) -> list[list]:
        """What was asked for so far: by which role or service, action, resource, and whether it was allowed."""
        with self.log.open() as log:
            log.seek(self.read)
            text = log.read()
        whole = text.rfind("\n") + 1
        self.read += len(text[:whole].encode())
        lines = text[:whole].splitlines()
        self.answers += [json.loads(line.removeprefix("ASKED ")) for line in lines if line.startswith("ASKED ")]
        return self.answers

    def logged(self, count: int) -> str:
        """Its last lines."""
        lines = [line for line in self.log.read_text().splitlines() if not line.startswith("ASKED ")]
        return "\n".join(lines[-count:])

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def run(self, seconds: float, *command: str) -> str:
        """A program that finds this AWS; answers what it prints."""
        environment = {**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL": self.url, "SAM_CLI_TELEMETRY": "0"}
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=ROOT,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout
