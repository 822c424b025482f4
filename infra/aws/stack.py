"""The stack as users deploy it, on an emulated AWS of its own."""

import base64
import collections
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

import boto3
from standardwebhooks import Webhook

from dev import Bandwidth, basic, request

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent

ADDRESS = "127.0.0.1"
REGION = "us-east-1"
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20
DEPLOY_SECONDS_MAX = 300
COMMAND_SECONDS_MAX = 60

# The emulator's root user.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}

ACCOUNT = "9900012"
TENANT = "5500001"


class Emulator:
    """An AWS on loopback. It and all that it has started are gone when the block is left."""

    def __init__(self, python: str):
        with socket.socket() as probe:
            probe.bind((ADDRESS, 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://{ADDRESS}:{self.port}"
        self.python = python
        self.read = 0
        self.lines: list[str] = []

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
        """Whatever roles were asked for so far: role, action, resource, and whether it was allowed."""
        with self.log.open() as log:
            log.seek(self.read)
            text = log.read()
        whole = text.rfind("\n") + 1
        self.read += len(text[:whole].encode())
        self.lines += [line[6:] for line in text[:whole].splitlines() if line.startswith("ASKED ")]
        return [json.loads(line) for line in self.lines]

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
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, cwd=ROOT
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


class Stack:
    """Hookline, deployed by SAM."""

    NAME = "hookline-check"

    def __init__(self, emulator: Emulator, sam: str, hookline: str):
        self.emulator = emulator
        self.sam = sam
        self.hookline = hookline

    def deploy(self, template: str, architecture: str):
        overrides = {
            "Architecture": architecture,
            "Environment": "test",
            # The emulator has no CodeDeploy.
            "GradualDeployment": "false",
            "AllowedNetworks": "127.0.0.0/8",
            "AllowHttp": "true",
            "AlarmEmail": "operator@example.com",
        }
        arguments = [f"{name}={value}" for name, value in overrides.items()]
        self.emulator.run(
            DEPLOY_SECONDS_MAX,
            *(self.sam, "deploy", "--template-file", template, "--stack-name", self.NAME, "--resolve-s3"),
            *("--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"),
            *("--parameter-overrides", *arguments),
        )
        described = self.emulator.client("cloudformation").describe_stacks(StackName=self.NAME)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        # Its name is found by nobody but the emulator.
        self.host = {"host": urllib.parse.urlsplit(self.outputs["ApiUrl"]).netloc}

    def delete(self):
        """As `sam delete` does, which cannot read the emulator's address of the nested template."""
        client = self.emulator.client("cloudformation")
        client.delete_stack(StackName=self.NAME)
        wait = {"Delay": 1, "MaxAttempts": DEPLOY_SECONDS_MAX}
        client.get_waiter("stack_delete_complete").wait(StackName=self.NAME, WaiterConfig=wait)

    def command(self, *arguments: str) -> str:
        return self.emulator.run(COMMAND_SECONDS_MAX, self.hookline, *arguments)

    def populate(self):
        """An operator, a tenant, an upstream: as the README says."""
        made = json.loads(self.command("setup", "--table", self.outputs["TableName"], "operator"))
        self.operator = basic(made["username"], made["password"])
        self.call("POST", "/relay/v1/tenants", {"id": TENANT})
        key = self.call("POST", "/relay/v1/keys", {"tenant": TENANT, "role": "write"})
        self.tenant = basic(key["id"], key["secret"])
        login = self.call("POST", "/relay/v1/upstreams", {"account": ACCOUNT, "default_tenant": TENANT})
        self.bandwidth = Bandwidth(
            f"{self.emulator.url}/notify/{ACCOUNT}", login["username"], login["password"], self.host
        )

    def answer(self, method: str, path: str, body: dict | None = None, of: str | None = None) -> tuple[int, dict]:
        headers = {**self.host, "authorization": of or self.operator, "content-type": "application/json"}
        text = json.dumps(body).encode() if body is not None else None
        status, _, text = request(method, self.emulator.url + path, headers, text)
        return status, json.loads(text) if text else {}

    def call(self, method: str, path: str, body: dict | None = None, of: str | None = None) -> dict:
        status, answered = self.answer(method, path, body, of)
        assert 200 <= status < 300, f"{method} {path}: {status} {answered}"
        return answered

    def of_tenant(self, method: str, path: str, body: dict | None = None) -> dict:
        return self.call(method, f"/relay/v1/tenants/{TENANT}{path}", body, self.tenant)

    def retry_path(self, delivery: dict) -> str:
        """Where one delivery, as it is listed, is made again."""
        feed = self.of_tenant("GET", "/notifications?limit=200")["items"]
        [notification] = [
            one["id"]
            for one in feed
            if one.get("order_id") == delivery["order_id"] and one["happened_at"][:19] == delivery["event"][:19]
        ]
        return f"/relay/v1/tenants/{TENANT}/notifications/{notification}/deliveries/{delivery['subscription']}/retry"

    def subscribe(self, endpoint: "Endpoint", path: str, **wanted) -> str:
        """A subscription whose deliveries come to `path` of the endpoint, from now on; answers its id."""
        wanted = {"url": endpoint.url + path, **wanted}
        made = self.of_tenant("POST", "/subscriptions", wanted)
        endpoint.secrets[f"/{path}"] = made["signing_secret"]
        # One that has just looked would notice in 5 s.
        self.restart("fanout")
        return made["id"]

    def role(self, function: str) -> str:
        return f"{self.resource(function.capitalize() + 'Role')}"

    def resource(self, name: str) -> str:
        found = self.emulator.client("cloudformation").describe_stack_resource(
            StackName=self.NAME, LogicalResourceId=name
        )
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def restart(self, function: str):
        """Its next call meets a process that remembers nothing."""
        for process, name in self.emulator.processes().items():
            if name == f"{self.NAME}-{function}":
                os.kill(process, signal.SIGKILL)

    def log_lines(self, function: str) -> list[str]:
        """All that a function has logged."""
        logs = self.emulator.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{self.NAME}-{function}")
        return [event["message"] for page in pages for event in page["events"]]

    def metrics(self) -> dict[str, list[float]]:
        """Every value of each metric, as CloudWatch would read them from the logs of all functions."""
        values = collections.defaultdict(list)
        for function in ("ingest", "inbox", "fanout", "deliver", "api", "schedule"):
            for line in self.log_lines(function):
                if not line.startswith("{") or "_aws" not in (fields := json.loads(line)):
                    continue
                [described] = fields["_aws"]["CloudWatchMetrics"]
                assert described["Namespace"] == "Hookline" and described["Dimensions"] == [["Stack"]], line
                assert fields["Stack"] == self.NAME, line
                for metric in described["Metrics"]:
                    values[metric["Name"]].append(fields[metric["Name"]])
        return values


class Delivery:
    def __init__(self, path: str, headers: dict[str, str], body: bytes):
        self.path = path
        self.headers = headers
        text = body.decode()
        self.order = self._element(text, "OrderId")
        self.state = self._element(text, "Status") or self._element(text, "EventType")
        self.body = body

    @staticmethod
    def _element(text: str, name: str) -> str:
        found = re.search(f"<{name}>(.*?)<", text)
        return found.group(1) if found else ""


class Endpoint(http.server.ThreadingHTTPServer):
    """Takes deliveries, answers as `answer` says, and verifies each signature."""

    daemon_threads = True

    def __init__(self):
        self.secrets: dict[str, str] = {}
        self.deliveries: list[Delivery] = []
        self.unverified: list[Delivery] = []
        # Status by path; 200 where there is none.
        self.answer: dict[str, int] = {}
        super().__init__((ADDRESS, 0), _Taking)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def taken(self, path: str, order: str = "") -> list[Delivery]:
        """What came to a path and was answered by 200, in order."""
        return [one for one in list(self.deliveries) if one.path == f"/{path}" and one.ok and order in one.order]

    def states(self, path: str, order: str = "") -> list[str]:
        return [one.state for one in self.taken(path, order)]


class _Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        delivery = Delivery(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        try:
            Webhook(self.server.secrets[self.path]).verify(body, delivery.headers, json_parse=False)
        except Exception:
            self.server.unverified.append(delivery)
        status = self.server.answer.get(self.path, 200)
        delivery.ok = status == 200
        self.server.deliveries.append(delivery)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def order_id(nth: int) -> str:
    return f"1b9a2c44-8a1b-4f0e-9a57-{nth:012}"
