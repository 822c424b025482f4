"""Hookline as users deploy it, on an emulated AWS."""

import collections
import json
import os
import pathlib
import signal

from dev import Bandwidth, basic, request, until
from emulated import Emulator

DEPLOY_SECONDS_MAX = 300
COMMAND_SECONDS_MAX = 60
ENDED_SECONDS_MAX = 10

ACCOUNT = "9900012"
TENANT = "5500001"


class Stack:
    """Hookline, deployed by SAM."""

    NAME = "hookline-check"

    def __init__(self, emulator: Emulator, sam: str, hookline: str, architecture: str):
        self.emulator = emulator
        self.sam = sam
        self.hookline = hookline
        self.architecture = architecture

    def deploy(self, template: str, **more: str):
        """By `sam deploy`; `template` is what `sam build` wrote, `more` are parameters besides those of a check."""
        overrides = {
            "Architecture": self.architecture,
            "Environment": "test",
            # The emulator has no CodeDeploy.
            "GradualDeployment": "false",
            "AllowedNetworks": "127.0.0.0/8",
            "AllowHttp": "true",
            "AlarmEmail": "operator@example.com",
            **more,
        }
        arguments = [f"{name}={value}" for name, value in overrides.items()]
        self.emulator.run(
            DEPLOY_SECONDS_MAX,
            *(self.sam, "deploy", "--template-file", template, "--stack-name", self.NAME, "--resolve-s3"),
            *("--no-confirm-changeset", "--no-progressbar"),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
            *("--parameter-overrides", *arguments),
        )
        described = self.emulator.client("cloudformation").describe_stacks(StackName=self.NAME)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        # Its own name is found by nobody but the emulator.
        self.host = {"host": f"{self.resource('Gateway')}.execute-api.localhost:{self.emulator.port}"}

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

    def subscribe(self, endpoint, path: str, **wanted) -> str:
        """A subscription whose deliveries come to `path` of the endpoint, from now on; answers its id."""
        wanted = {"url": endpoint.url + path, **wanted}
        made = self.of_tenant("POST", "/subscriptions", wanted)
        endpoint.secrets[f"/{path}"] = made["signing_secret"]
        # One that has just looked would notice in 5 s.
        self.restart("fanout")
        return made["id"]

    def versions(self) -> dict[str, str]:
        """Which version each function's alias leads to."""
        client = self.emulator.client("lambda")
        names = [one["FunctionName"] for one in client.list_functions()["Functions"]]
        return {name: client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] for name in names}

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
                until("it has ended", ENDED_SECONDS_MAX, lambda: has_ended(process))

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


def has_ended(process: int) -> bool:
    """Whether its parent can see that it has."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
