"""The functions as `sam local` runs them: in Docker, each by its sample event, and behind its HTTP API.

    sam_local.py --emulator PYTHON [--stand-in]

`PYTHON` is the interpreter of an environment with MiniStack. Needs a running Docker engine, and takes what `sam build`
left in .aws-sam/build, or builds. The AWS that the functions call is emulated, on loopback, so that nothing calls a
real one; its table and queues are as template.yaml has them, but nothing connects them with the functions. Without the ordinary base image, or with --stand-in, Debian takes its place.
One line for each check; the last counts them. Whatever was started is gone afterwards, but for the images.
"""

import argparse
import base64
import contextlib
import errno
import hashlib
import http.server
import ipaddress
import json
import os
import pathlib
import platform
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from datetime import datetime, timedelta, timezone

import boto3
from samcli.yamlhelper import yaml_dump, yaml_parse
from standardwebhooks import Webhook, WebhookVerificationError

from dev import Bandwidth, Report, basic, request, until
from emulated import CREDENTIALS, REGION, Emulator

ROOT = pathlib.Path(__file__).parent.parent.parent
BUILT = ROOT / ".aws-sam" / "build"
SAM = str(pathlib.Path(sys.executable).with_name("sam"))

# Architectures of Lambda by the machine's name, with their number in an ELF header.
ARCHITECTURES = {"x86_64": ("x86_64", 62), "aarch64": ("arm64", 183), "arm64": ("arm64", 183)}
ORDINARY_IMAGE = "public.ecr.aws/lambda/provided:al2023"
# Not under Amazon's name, by which it would pass for the real one later.
STAND_IN_IMAGE = "hookline-sam-local-stand-in"

QUEUES = {"WAKE_QUEUE_URL": "wakes", "ASIDE_QUEUE_URL": "aside", "INBOX_QUEUE_URL": "inbox"}
UPSTREAM, TENANT = "9900012", "5500001"

# The answer to a batch of which no record is to come again.
NOTHING_BACK = {"batchItemFailures": []}

BUILD_SECONDS_MAX = 3600
PULL_SECONDS_MAX = 600
START_SECONDS_MAX = 60
INVOKE_SECONDS_MAX = 120
STOP_SECONDS_MAX = 30


class Missing(Exception):
    """Something that this needs and does not install or start."""


# ---- Docker


def docker(*arguments: str, **options) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"docker {arguments[0]}: {done.stderr.strip()}"
    return done.stdout.strip()


def has_image(name: str) -> bool:
    return bool(docker("image", "ls", "--quiet", name))


def base_image(architecture: str, stand_in: bool) -> list[str]:
    """What to tell sam of its base image, which is there afterwards."""
    ordinary = f"{ORDINARY_IMAGE}-{architecture}"
    if not stand_in:
        try:
            if not has_image(ordinary):
                docker("pull", "--quiet", ordinary, timeout=PULL_SECONDS_MAX)
            print(f"base image: {ordinary}", flush=True)
            return ["--skip-pull-image"]
        except (AssertionError, subprocess.TimeoutExpired) as error:
            print(f"cannot have the ordinary base image: {error}", flush=True)
    print(f"base image: {STAND_IN_IMAGE}, Debian in place of Amazon Linux", flush=True)
    if not has_image(STAND_IN_IMAGE):
        make_stand_in()
    return ["--skip-pull-image", "--invoke-image", f"{STAND_IN_IMAGE}:latest"]


def make_stand_in():
    """The functions want a C library, and sam a shell to put its emulator in."""
    with tempfile.TemporaryDirectory() as root:
        try:
            command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", root]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Missing(f"a stand-in for the base image needs debootstrap, run by root: {error}") from None
        with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
            docker("import", "--change", "ENV LAMBDA_TASK_ROOT=/var/task", "-", STAND_IN_IMAGE, stdin=tar.stdout)


class Network:
    """A network of Docker for this run, which leads to this machine and no further, and its containers."""

    def __init__(self):
        self.name = f"hookline-sam-local-{os.getpid()}"

    def __enter__(self) -> "Network":
        docker("network", "create", "--internal", self.name)
        config, *_ = json.loads(docker("network", "inspect", self.name))[0]["IPAM"]["Config"]
        self.gateway, self.members = config["Gateway"], ipaddress.ip_network(config["Subnet"])
        return self

    def __exit__(self, *_):
        for container in self.containers():
            docker("rm", "--force", container)
        docker("network", "rm", self.name)

    def containers(self) -> list[str]:
        return docker("ps", "--all", "--quiet", "--filter", f"network={self.name}").split()


# ---- What the functions meet


class Doorway(socketserver.ThreadingTCPServer):
    """Leads the containers of a network, and nobody else, to a port of this machine's loopback."""

    daemon_threads = True

    def __init__(self, network: Network, port: int):
        self.members, self.port = network.members, port
        super().__init__((network.gateway, port), _Leading)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def verify_request(self, _, client) -> bool:
        return ipaddress.ip_address(client[0]) in self.members


class _Leading(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection(("127.0.0.1", self.server.port)) as inside:
            threading.Thread(target=pump, args=(inside, self.request), daemon=True).start()
            pump(self.request, inside)


def pump(source: socket.socket, sink: socket.socket):
    with contextlib.suppress(OSError):
        while some := source.recv(65536):
            sink.sendall(some)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def lead(network: Network, ports: list[int], started: contextlib.ExitStack) -> str:
    """Lets the containers reach these ports; answers by which name."""
    try:
        for port in ports:
            started.callback(Doorway(network, port).shutdown)
        return network.gateway
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        # Docker runs in a machine of its own, as on macOS. By this name it has ours, with our loopback.
        return "host.docker.internal"


class Endpoint(http.server.ThreadingHTTPServer):
    """Takes whatever is delivered to it, and keeps it."""

    daemon_threads = True

    def __init__(self):
        self.received: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Taking)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(process: subprocess.Popen, port: int, log: pathlib.Path) -> bool:
    assert process.poll() is None, f"{process.args[0]} ended with {process.returncode}: {log.read_text()}"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(command: list[str], port: int, log: pathlib.Path, **options):
    """A server that listens at `port`."""
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, **options)
        try:
            until(f"{command[0]} listens", START_SECONDS_MAX, lambda: listens(process, port, log))
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                print(f"{command[0]} had to be killed", flush=True)
            finally:
                process.kill()
                process.wait()


class Aws:
    """The table, queues and key of template.yaml in an emulated AWS, with the upstream and tenant of the samples."""

    def __init__(self, emulator: Emulator, resources: dict, samples: dict[str, dict]):
        self.sqs = emulator.client("sqs")
        self.queues = {name: self.sqs.create_queue(QueueName=queue)["QueueUrl"] for name, queue in QUEUES.items()}
        self.key = emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
        wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        table = {name: resources["Table"]["Properties"][name] for name in wanted}
        service = boto3.resource("dynamodb", endpoint_url=emulator.url, region_name=REGION)
        self.table = service.create_table(TableName="hookline", **table)

        username, secret = credentials(samples["ingest"])
        login = {"username": username, "password_sha256": secret}
        self.put("UPSTREAMS", UPSTREAM, account=UPSTREAM, credentials=[login], default_tenant=TENANT, revision=1)
        long_ago = "2026-01-01T00:00:00Z"
        self.put("TENANTS", TENANT, tenant=TENANT, created_at=long_ago, revision=1)
        key, secret = credentials(samples["api"])
        self.put("KEYS", key, id=key, tenant=TENANT, role="write", secret_sha256=secret, created_at=long_ago)

    def put(self, pk: str, sk: str, **body):
        self.table.put_item(Item={"pk": pk, "sk": sk, "v": 1, **body})

    def get(self, pk: str, sk: str) -> dict:
        return self.table.get_item(Key={"pk": pk, "sk": sk}).get("Item", {})

    def event(self, order: str) -> dict:
        """The one event of an order, as it is in the table."""
        condition = "pk = :pk and begins_with(sk, :event)"
        values = {":pk": f"ORDER#{UPSTREAM}#{order}", ":event": "EVENT#"}
        found = self.table.query(KeyConditionExpression=condition, ExpressionAttributeValues=values)["Items"]
        return found[0] if len(found) == 1 else {}

    def wakes(self) -> list[str]:
        answer = self.sqs.receive_message(QueueUrl=self.queues["WAKE_QUEUE_URL"], MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]


def credentials(sample: dict) -> tuple[str, bytes]:
    """The username of a sample, and its password as the table has it."""
    username, password = login_of(sample)
    return username, hashlib.sha256(password.encode()).digest()


def login_of(sample: dict) -> tuple[str, str]:
    username, password = base64.b64decode(sample["headers"]["authorization"].removeprefix("Basic ")).decode().split(":")
    return username, password


# ---- sam


def build(architecture: str, elf: int):
    template = BUILT / "template.yaml"
    if not template.exists():
        command = [SAM, "build", "--parameter-overrides", f"Architecture={architecture}"]
        subprocess.run(command, cwd=ROOT, check=True, timeout=BUILD_SECONDS_MAX)
    at = datetime.fromtimestamp(template.stat().st_mtime)
    print(f"functions: {BUILT}, of {at:%F %T}", flush=True)
    header = (BUILT / "Ingest" / "bootstrap").read_bytes()[:20]
    if int.from_bytes(header[18:20], "little") != elf:
        raise Missing(f"{BUILT} is not for {architecture}: sam build --parameter-overrides Architecture={architecture}")


class Sam:
    """`sam local` with the built template and these variables."""

    def __init__(self, folder: pathlib.Path, template: dict, variables: dict[str, str], options: list[str]):
        # Of --env-vars sam passes on what the template names, and no more. This copy names one more.
        template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = ""
        # Beside the original, for its paths are relative.
        self.template = BUILT / "template.sam-local.yaml"
        self.template.write_text(yaml_dump(template))
        (folder / "variables.json").write_text(json.dumps({"Parameters": variables}))
        self.folder = folder
        self.options = ["-t", str(self.template), "--env-vars", str(folder / "variables.json"), *options]
        # sam keeps its locks there, and one that was killed would leave them to the next.
        self.environment = {**os.environ, "TMPDIR": str(folder)}
        self.logs: list[pathlib.Path] = []

    def log(self, name: str) -> pathlib.Path:
        self.logs.append(self.folder / f"{len(self.logs)}-{name}.log")
        return self.logs[-1]

    def invoke(self, function: str, event: pathlib.Path | None = None) -> object:
        """What a function answers to its sample, or another event."""
        event = event or ROOT / "infra" / "events" / f"{function.lower()}.json"
        command = [SAM, "local", "invoke", function, "-e", str(event), *self.options]
        with open(self.log(function), "wb") as log:
            done = subprocess.run(
                command, env=self.environment, stdout=subprocess.PIPE, stderr=log, timeout=INVOKE_SECONDS_MAX
            )
        assert done.returncode == 0, f"sam local invoke {function}: {self.logs[-1].read_text()}"
        return json.loads(done.stdout)

    def start_api(self, port: int):
        command = [SAM, "local", "start-api", "--port", str(port), "--warm-containers", "LAZY", *self.options]
        return running(command, port, self.log("start-api"), env=self.environment)

    def logged(self) -> str:
        return "".join(log.read_text() for log in self.logs)


# ---- Checks, in the order of the road: what one function leaves, the next one takes up.


def arrivals(report: Report, aws: Aws, samples: dict, sam: Sam):
    report.same("Ingest: answers 200", sam.invoke("Ingest").get("statusCode"), 200)
    record = samples["fanout"]["Records"][0]["dynamodb"]["NewImage"]
    event = aws.event(record["subject"]["S"])
    same = raw_of(event) == base64.b64decode(record["raw"]["B"]) and event["sk"] == record["sk"]["S"]
    report.check("Ingest: stores the event that Fanout's sample is the record of", same, event)

    report.same("Inbox: gives nothing back", sam.invoke("Inbox"), NOTHING_BACK)
    arrival = json.loads(samples["inbox"]["Records"][0]["body"])
    event = aws.event("3e0c7f52-5d0b-4a7e-b0f9-6a4b1f0d2c11")
    report.check("Inbox: stores the event of its sample", raw_of(event) == base64.b64decode(arrival["body"]), event)


def behind_http(report: Report, aws: Aws, samples: dict, url: str, endpoint: str) -> dict:
    """Subscribes, and posts as Bandwidth does; answers the subscription."""
    headers = {"content-type": "application/json", "authorization": basic(*login_of(samples["api"]))}
    wanted = json.dumps({"order_type": "orders", "url": endpoint}).encode()
    status, _, body = request("POST", f"{url}/relay/v1/tenants/{TENANT}/subscriptions", headers, wanted)
    report.check("start-api: makes a subscription", status == 201, (status, body))
    order = "5d0c2f64-2c1d-4b7e-9f0e-3a5b7c9d1e20"
    elements = f"<OrderType>orders</OrderType><OrderId>{order}</OrderId><Status>RECEIVED</Status>"
    xml = f"<Notification>{elements}</Notification>"
    Bandwidth(f"{url}/notify/{UPSTREAM}", *login_of(samples["ingest"])).post(xml)
    stored = raw_of(aws.event(order)) == xml.encode()
    report.check("start-api: asks for credentials, and with them takes a notification", stored)
    return json.loads(body)


def deliveries(report: Report, aws: Aws, samples: dict, sam: Sam, endpoint: Endpoint, subscription: dict):
    report.same("Fanout: gives nothing back", sam.invoke("Fanout"), NOTHING_BACK)
    batch = samples["deliver"]
    expected = {**json.loads(batch["Records"][0]["body"]), "subscription": subscription["id"]}
    wakes = aws.wakes()
    report.same("Fanout: sends the wake of Deliver's sample", [json.loads(wake) for wake in wakes], [expected])

    answer = sam.invoke("Deliver")
    idle = answer == NOTHING_BACK and not endpoint.received
    report.check("Deliver: leaves its sample, whose subscription is not there", idle, answer)
    # Ids are drawn, so this is the sample with another one.
    batch["Records"][0]["body"] = wakes[0]
    event = sam.folder / "deliver.json"
    event.write_text(json.dumps(batch))
    report.same("Deliver: gives nothing of Fanout's wake back", sam.invoke("Deliver", event), NOTHING_BACK)
    [(headers, body)] = endpoint.received or [({}, b"")]
    try:
        Webhook(subscription["signing_secret"]).verify(body, headers, json_parse=False)
        good = True
    except WebhookVerificationError as error:
        good = error
    report.same("Deliver: makes one POST, whose signature is good", good, True)
    says = f"<SubscriptionId>{subscription['id']}</SubscriptionId>".encode() in body and b"9195550100" in body
    report.check("Deliver: posts the notification under the subscription's id", says, body)

    report.same("Schedule: answers nothing", sam.invoke("Schedule"), None)
    now = datetime.now(timezone.utc)
    through = datetime.fromisoformat(aws.get("SCHEDULE", "DUE").get("through", "1970-01-01T00:00:00Z"))
    report.check("Schedule: writes how far it is", abs(through - now) < timedelta(minutes=2), through)

    answer = sam.invoke("Api")
    listed = [one["id"] for one in json.loads(answer["body"])["items"]] if answer.get("statusCode") == 200 else answer
    report.same("Api: lists the tenant's subscription", listed, [subscription["id"]])


def raw_of(event: dict) -> bytes:
    return bytes(event.get("raw", b""))


def check(report: Report, options: argparse.Namespace, started: contextlib.ExitStack):
    try:
        docker("info")
    except (OSError, AssertionError) as error:
        raise Missing(f"this needs a running Docker engine: {error}") from None
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise Missing(f"Lambda has no architecture for {machine}")
    architecture, elf = ARCHITECTURES[machine]
    build(architecture, elf)
    images = base_image(architecture, options.stand_in)

    folder = pathlib.Path(started.enter_context(tempfile.TemporaryDirectory()))
    samples = {path.stem: json.loads(path.read_text()) for path in (ROOT / "infra" / "events").iterdir()}
    template = yaml_parse((BUILT / "template.yaml").read_text())
    endpoint = Endpoint()
    started.callback(endpoint.shutdown)
    emulator = started.enter_context(Emulator(options.emulator))
    aws = Aws(emulator, template["Resources"], samples)

    network = started.enter_context(Network())
    host = lead(network, [emulator.port, endpoint.server_port], started)
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{emulator.port}",
        "TABLE": aws.table.name,
        "KEY_ID": aws.key,
        # The endpoint of this check, which is no public one.
        "ALLOWED_NETWORKS": "0.0.0.0/0",
        "ALLOW_HTTP": "true",
        **aws.queues,
    }
    overrides = ["--parameter-overrides", f"Architecture={architecture}", "--docker-network", network.name]
    sam = Sam(folder, template, variables, [*overrides, *images])
    started.callback(sam.template.unlink)
    ended = False
    try:
        arrivals(report, aws, samples, sam)
        at = free_port()
        with sam.start_api(at):
            url = f"http://127.0.0.1:{at}"
            subscription = behind_http(report, aws, samples, url, f"http://{host}:{endpoint.server_port}/")
        deliveries(report, aws, samples, sam, endpoint, subscription)
        report.same("sam: leaves no container", network.containers(), [])
        words = [login_of(samples[who])[1] for who in ("ingest", "api")]
        words += [subscription["signing_secret"], "<Notification", "9195550"]
        logged = sam.logged()
        found = [nth for nth, word in enumerate(words) if word in logged]
        report.check("no log line holds a secret, a number or a body", logged != "" and not found, found)
        ended = True
    finally:
        if report.failed or not ended:
            print(sam.logged(), file=sys.stderr)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--emulator", required=True)
    arguments.add_argument("--stand-in", action="store_true")
    options = arguments.parse_args()
    # As an exception, so that what was started here is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # Nobody's own, whatever the environment has.
    os.environ |= {**CREDENTIALS, "SAM_CLI_TELEMETRY": "0"}
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)
    report = Report()
    try:
        with contextlib.ExitStack() as started:
            check(report, options, started)
    except Missing as missing:
        print(f"sam_local: {missing}", file=sys.stderr)
        return 2
    except (AssertionError, OSError, LookupError, ValueError, subprocess.SubprocessError) as error:
        report.check("the run comes to its end:", False, error)
    return report.end("sam_local")


if __name__ == "__main__":
    sys.exit(main())
