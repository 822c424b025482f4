"""A relay under load: what it takes in, what it delivers, how long that takes and what it costs the machine."""

import json
import pathlib
import re
import statistics
import time

from dev import READY_SECONDS_MAX, Dev, basic, request
from loader import Loader, cpu_seconds, memory_mb

# As many connections as the peer's figures were taken with.
CONNECTIONS = 16
# Enough for an open loop that nothing waits for a free one.
OPEN_CONNECTIONS = 64
RATE = 100
FAN_OUT = 5
SETTLE_SECONDS = 120
# What is changed by its API is known everywhere after this long.
KNOWN_SECONDS = 6
STARTS = 5
ROUNDS = 3

# The notification that `counts` counts.
NOTIFICATION = pathlib.Path(__file__).with_name("notification.xml").read_text()


def body(order: str = "{n}-8a5f-4d2e-9c1b", name: str = "benchmark") -> str:
    """A notification of 1 KB, later than those before it; of an order of its own, unless `order` says otherwise."""
    values = {
        "Message": "Created a new number order for 11 numbers from CARY, NC: {n}",
        "OrderId": order,
        "CustomerOrderId": name,
        "LastModifiedDate": "{time}",
    }
    text = NOTIFICATION
    for element, value in values.items():
        text, found = re.subn(f"(?<=<{element}>)[^<]*", value, text)
        assert found == 1, element
    return text


class Target:
    """Where a `Loader` posts, and the processes that this keeps busy."""

    def __init__(self, loader: Loader, url: str, headers: list, text: str, pids: list[int]):
        self.loader, self.url, self.headers, self.text, self.pids = loader, url, headers, text, pids

    def run(self, **options) -> dict:
        """Figures of `load`, and what the processes used meanwhile."""
        options = {"body": self.text, "connections": CONNECTIONS, "settle_seconds": SETTLE_SECONDS, **options}
        before = sum(map(cpu_seconds, self.pids))
        figures = self.loader.run(url=self.url, headers=self.headers, **options)
        used = sum(map(cpu_seconds, self.pids)) - before
        figures["cpu_per_1000"] = 1000 * used / max(figures["accepted"], 1)
        figures["memory_mb"] = sum(memory_mb(pid, "VmHWM") for pid in self.pids)
        return figures

    def at_100(self, seconds: float, **options) -> dict:
        return self.run(rate=RATE, connections=OPEN_CONNECTIONS, seconds=seconds, **options)


class Relay:
    """A running `hookline dev`, with its data in `folder`."""

    def __init__(
        self,
        hookline: str,
        loader: Loader,
        folder: pathlib.Path,
        made: dict | None = None,
        ready_seconds: float = READY_SECONDS_MAX,
    ):
        began = time.monotonic()
        self.dev = Dev(hookline, folder, loader.endpoint)
        line = self.dev.ready(ready_seconds)
        self.ready_ms = 1000 * (time.monotonic() - began)
        # The first start tells of credentials, and no other.
        self.made = {**(made or line), **{name: line[name] for name in ("notify_url", "api_url")}}
        upstream = self.made["upstream"]
        headers = [
            ["authorization", basic(upstream["username"], upstream["password"])],
            ["content-type", "application/xml"],
        ]
        pid = self.dev.process.pid
        self.target = Target(loader, self.made["notify_url"], headers, body(), [pid])

    def call(self, method: str, path: str, content: dict) -> dict:
        operator = self.made["operator"]
        headers = {"authorization": basic(operator["username"], operator["password"])}
        headers["content-type"] = "application/json"
        status, _, text = request(method, self.made["api_url"] + path, headers, json.dumps(content).encode())
        assert 200 <= status < 300, f"{method} {path}: {status} {text}"
        return json.loads(text or b"null")

    def subscribe(self, url: str, tenant: str | None = None, **more) -> dict:
        tenant = tenant or self.made["tenant"]["account"]
        return self.call("POST", f"/tenants/{tenant}/subscriptions", {"url": url, **more})

    def widen(self):
        """From soon on everything is delivered to five endpoints."""
        for nth in range(1, FAN_OUT):
            self.subscribe(f"{self.target.loader.endpoint}{nth}")


def in_turns(measure, *relays: Relay) -> list[dict[str, float]]:
    """What `measure` says of each relay, the median of some rounds: so all of them meet the same noise."""
    taken = [[] for _ in relays]
    for _ in range(ROUNDS):
        for figures, relay in zip(taken, relays):
            figures.append(measure(relay))
    return [{what: statistics.median(one[what] for one in rounds) for what in rounds[0]} for rounds in taken]


def stored(folder: pathlib.Path) -> int:
    """Bytes of a data folder."""
    return sum(file.stat().st_size for file in folder.iterdir())


def spread(times: dict) -> str:
    return f"p50 {times['p50']:.1f} ms, p99 {times['p99']:.1f} ms"


def starts(hookline: str, loader: Loader, folder: pathlib.Path) -> tuple[float, float]:
    """From the start of the process to its ready line, in ms, and its memory then, in MB, with a folder that is there;
    the median of each."""
    times, memory = [], []
    for _ in range(STARTS + 1):
        relay = Relay(hookline, loader, folder, {"upstream": {"username": "", "password": ""}})
        times.append(relay.ready_ms)
        memory.append(memory_mb(relay.dev.process.pid))
        relay.dev.stop()
    return statistics.median(times[1:]), statistics.median(memory[1:])


def speed(target: Target, seconds: float):
    """Rows of one relay that delivers to one endpoint."""
    yield "relay", "memory, idle", f"{sum(map(memory_mb, target.pids)):.0f} MB", "<= 80 MB"
    target.run(seconds=2)
    calm = target.at_100(seconds)
    whole(calm)
    yield "relay", "at 100/s: accepted to delivered", spread(calm["delivery"]), "p50 <= 2.5 ms, p99 <= 10 ms"
    yield "relay", "at 100/s: due to delivered", spread(calm["whole"]), ""
    yield "relay", "at 100/s: CPU-seconds per 1,000", f"{calm['cpu_per_1000']:.2f}", "<= 1.5"
    yield "relay", "at 100/s: most memory so far", f"{calm['memory_mb']:.0f} MB", "<= 80 MB"
    full = target.run(seconds=seconds / 2)
    whole(full)
    yield "relay", "16 connections: accepted per second", f"{full['accepted_per_second']:.0f}", ""
    yield "relay", "16 connections: accepted and delivered per second", f"{full['delivered_per_second']:.0f}", "> 800"
    yield "relay", "16 connections: CPU-seconds per 1,000", f"{full['cpu_per_1000']:.2f}", "<= 1.5"
    yield "relay", "16 connections: most memory so far", f"{full['memory_mb']:.0f} MB", "<= 80 MB"


def wide(target: Target, seconds: float):
    """Rows of one relay that delivers each message to five endpoints."""
    figures = target.run(seconds=seconds / 4, fan_out=FAN_OUT)
    whole(figures)
    value = f"{figures['delivered_per_second']:.0f}"
    yield "relay", "fan-out 5, 16 connections: deliveries per second", value, "> 1,600"
    value = f"{figures['cpu_per_1000'] / FAN_OUT:.2f}"
    yield "relay", "fan-out 5: CPU-seconds per 1,000 deliveries", value, ""


def rows(options, loader: Loader):
    folder = options.folder
    relay = Relay(options.hookline, loader, folder)
    try:
        yield from speed(relay.target, options.seconds)
        relay.dev.stop()
        before = stored(folder)
        relay = Relay(options.hookline, loader, folder, relay.made)
        one = relay.target.run(seconds=options.seconds / 4)
        relay.dev.stop()
        each = (stored(folder) - before) / one["accepted"]
        yield "relay", "bytes on disk for one notification", f"{each:.0f}", "<= 2,000"
        ready_ms, _ = starts(options.hookline, loader, folder)
        yield "relay", "start to ready", f"{ready_ms:.0f} ms", "<= 80 ms"
        relay = Relay(options.hookline, loader, folder, relay.made)
        relay.widen()
        time.sleep(KNOWN_SECONDS)
        yield from wide(relay.target, options.seconds)
    finally:
        relay.dev.kill()


def whole(figures: dict):
    """Everything was accepted, and has arrived."""
    assert figures["accepted"] and not figures["refused"] and not figures["missing"], figures
