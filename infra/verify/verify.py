"""Real deliveries of `hookline dev`, verified by implementations of Standard Webhooks that are not ours.

    verify.py --hookline PATH --node-modules DIR

Starts `hookline dev` and an endpoint, posts notifications as Bandwidth does, and gives what arrives to the packages
`standardwebhooks` of PyPI and of npm: as it is, and with something wrong. Then stops `dev` in the middle of its work,
starts it again on the same data, and looks whether anything is missing. One line for each check; the last counts them.
"""

import argparse
import base64
import http.server
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

from standardwebhooks import Webhook, WebhookVerificationError

from dev import Bandwidth, Dev, Report

# The first retry comes after 5 s, a fifth more or less.
DELIVERY_SECONDS_MAX = 20
NODE_SECONDS_MAX = 30

NUMBERS = ("9195550100", "9195550101")
NOT_ASCII = "Größe &lt;7&gt; &amp; 数字 📞"


# ---- What is around the relay


@dataclass
class Delivery:
    headers: dict[str, str]
    body: bytes

    def says(self, text: str) -> bool:
        return text.encode() in self.body


class Endpoint(http.server.ThreadingHTTPServer):
    """Keeps what it is sent, and answers as `answer` says: with a status, after some seconds."""

    daemon_threads = True

    def __init__(self):
        self.received: queue.Queue[Delivery] = queue.Queue()
        self.count = 0
        self.answer = lambda delivery: (200, 0)
        super().__init__(("127.0.0.1", 0), EndpointHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def next(self) -> Delivery:
        try:
            return self.received.get(timeout=DELIVERY_SECONDS_MAX)
        except queue.Empty:
            raise AssertionError(f"no delivery within {DELIVERY_SECONDS_MAX} s") from None


class EndpointHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        delivery = Delivery({name.lower(): value for name, value in self.headers.items()}, body)
        status, seconds = self.server.answer(delivery)
        self.server.count += 1
        self.server.received.put(delivery)
        time.sleep(seconds)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def order(nth: int, status: str, message: str = "") -> str:
    """A state of the order with that number."""
    numbers = "".join(f"<TelephoneNumber>{number}</TelephoneNumber>" for number in NUMBERS)
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Notification>'
        f"<Status>{status}</Status><SubscriptionId>5f7d7a0e-6b1e-4c55-8a0a-0c7e6a1d1a01</SubscriptionId>"
        f"<Message>{message}</Message><OrderId>1b9a2c44-8a1b-4f0e-9a57-{nth:012}</OrderId><OrderType>orders</OrderType>"
        f"<CompletedTelephoneNumbers>{numbers}</CompletedTelephoneNumbers>"
        "<LastModifiedDate>2026-02-03T10:11:12.345Z</LastModifiedDate></Notification>"
    )


MESSAGING_LOST = (
    "<Notification><EventType>MESSAGING_LOST</EventType><Message>Messaging was lost</Message>"
    "<SubscriptionId>5f7d7a0e-6b1e-4c55-8a0a-0c7e6a1d1a01</SubscriptionId><ImpactedTelephoneNumbers>"
    f"<TelephoneNumber>{NUMBERS[0]}</TelephoneNumber></ImpactedTelephoneNumbers></Notification>"
)


# ---- Verdicts


@dataclass
class Case:
    secret: str
    headers: dict[str, str]
    body: bytes


def by_python(cases: list[Case]) -> list[str]:
    verdicts = []
    for case in cases:
        try:
            Webhook(case.secret).verify(case.body, case.headers, json_parse=False)
            verdicts.append("good")
        except WebhookVerificationError:
            verdicts.append("refused")
    return verdicts


def by_node(cases: list[Case], node_modules: str) -> list[str]:
    given = [
        {"secret": case.secret, "headers": case.headers, "body": base64.b64encode(case.body).decode()} for case in cases
    ]
    done = subprocess.run(
        ["node", str(pathlib.Path(__file__).with_name("verify.cjs"))],
        input=json.dumps(given).encode(),
        stdout=subprocess.PIPE,
        env={**os.environ, "NODE_PATH": node_modules},
        timeout=NODE_SECONDS_MAX,
        check=True,
    )
    return json.loads(done.stdout)


def spoiled(secret: str, delivery: Delivery) -> dict[str, Case]:
    """The delivery with one thing wrong, by what it is."""
    headers, body = delivery.headers, delivery.body
    key = bytearray(base64.b64decode(secret.removeprefix("whsec_")))
    key[0] ^= 1
    later = str(int(headers["webhook-timestamp"]) + 1)
    return {
        "a changed body": Case(secret, headers, body.replace(b"Notification", b"notification", 1)),
        "a shortened body": Case(secret, headers, body[:-1]),
        "a wrong secret": Case("whsec_" + base64.b64encode(key).decode(), headers, body),
        "another timestamp": Case(secret, {**headers, "webhook-timestamp": later}, body),
        "another id": Case(secret, {**headers, "webhook-id": headers["webhook-id"] + "0"}, body),
    }


# ---- Checks


def check_verdicts(report: Report, name: str, expected: str, cases: list[Case], node_modules: str):
    for who, verdicts in (("PyPI", by_python(cases)), ("npm", by_node(cases, node_modules))):
        all_so = bool(verdicts) and all(verdict == expected for verdict in verdicts)
        report.check(f"{who}: {name}, {len(cases)} of them: {expected}", all_so, verdicts)


def first_run(report: Report, dev: Dev, endpoint: Endpoint, node_modules: str) -> dict:
    """Deliveries of all kinds; then the end, while one delivery is on its way and another waits for its retry."""
    made = dev.ready()
    secret = made["subscription"]["signing_secret"]
    bandwidth = Bandwidth(made["notify_url"], made["upstream"]["username"], made["upstream"]["password"])
    failing = iter([500])
    endpoint.answer = lambda delivery: (next(failing, 200) if delivery.says("FAILED") else 200, 0)

    bandwidth.post(order(1, "FAILED", "the endpoint answers this one 500 first"))
    bandwidth.post(order(2, "RECEIVED"))
    bandwidth.post(order(2, "COMPLETE", NOT_ASCII))
    bandwidth.post(MESSAGING_LOST)
    deliveries = [endpoint.next() for _ in range(5)]
    marks = ["FAILED", "RECEIVED", NOT_ASCII, "MESSAGING_LOST"]
    counts = [sum(one.says(mark) for one in deliveries) for mark in marks]
    report.check("what was posted after a challenge arrives", counts == [2, 1, 1, 1], counts)
    repeats = [delivery for delivery in deliveries if delivery.says("FAILED")]
    same_id = len({delivery.headers["webhook-id"] for delivery in repeats}) == 1
    attempts = [delivery.headers["hookline-attempt"] for delivery in repeats]
    report.check("a retry has the id of the first attempt", same_id and attempts == ["1", "2"], attempts)

    check_verdicts(report, "deliveries", "good", [Case(secret, one.headers, one.body) for one in deliveries], node_modules)
    for what in spoiled(secret, deliveries[0]):
        cases = [spoiled(secret, one)[what] for one in deliveries]
        check_verdicts(report, f"deliveries with {what}", "refused", cases, node_modules)

    endpoint.answer = lambda delivery: (500, 0) if delivery.says("WAITING") else (200, 1.5)
    bandwidth.post(order(3, "WAITING"))
    endpoint.next()
    bandwidth.post(order(4, "SLOW"))
    endpoint.next()
    began = time.monotonic()
    code = dev.stop()
    seconds = time.monotonic() - began
    report.check("SIGTERM: exits 0", code == 0, f"{code}: {dev.logged()}")
    report.check(f"SIGTERM: waits for the answer that is on its way ({seconds:.1f} s)", seconds > 0.5)
    return made


def second_run(report: Report, dev: Dev, endpoint: Endpoint, made: dict, node_modules: str):
    endpoint.answer = lambda delivery: (200, 0)
    again = dev.ready()
    upstream, tenant = made["upstream"]["account"], made["tenant"]["account"]
    expected = {
        "url": again["url"],
        "api_url": f"{again['url']}/relay/v1",
        "bandwidth_url": f"{again['url']}/api",
        "notify_url": f"{again['url']}/notify/{upstream}",
        "upstream": {"account": upstream},
        "tenant": {"account": tenant},
        # Anybody may know these: it forgets all.
        "sandbox": {
            "url": again["sandbox"]["url"],
            "account": "9900013",
            "username": "sandbox",
            "password": "sandbox",
            "site": "743",
        },
    }
    report.check("started again, its ready line has no secrets", again == expected, again)

    secret = made["subscription"]["signing_secret"]
    bandwidth = Bandwidth(again["notify_url"], made["upstream"]["username"], made["upstream"]["password"])
    bandwidth.post(order(5, "COMPLETE", "after the restart"))
    deliveries = [endpoint.next() for _ in range(2)]
    arrived = sorted("waiting" if one.says("WAITING") else "new" for one in deliveries)
    report.check("started again, it delivers what waited and what is new", arrived == ["new", "waiting"], arrived)
    cases = [Case(secret, one.headers, one.body) for one in deliveries]
    check_verdicts(report, "deliveries after the restart", "good", cases, node_modules)
    code = dev.stop()
    report.check("SIGTERM: exits 0 again", code == 0, f"{code}: {dev.logged()}")
    report.check("nothing that was delivered is delivered again", endpoint.received.empty(), endpoint.count)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--hookline", required=True)
    arguments.add_argument("--node-modules", required=True)
    options = arguments.parse_args()
    # As an exception, so that what was started here is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report = Report()
    endpoint = Endpoint()
    with tempfile.TemporaryDirectory() as data:
        runs = []
        try:
            runs.append(Dev(options.hookline, pathlib.Path(data), endpoint.url))
            made = first_run(report, runs[0], endpoint, options.node_modules)
            runs.append(Dev(options.hookline, pathlib.Path(data), endpoint.url))
            second_run(report, runs[1], endpoint, made, options.node_modules)
            words = [made[who]["password"] for who in ("upstream", "tenant", "operator")]
            words += [made["subscription"]["signing_secret"], "<Notification", *NUMBERS]
            logged = "".join(run.logged() for run in runs)
            found = [nth for nth, word in enumerate(words) if word in logged]
            report.check("no log line holds a secret, a number or a body", logged != "" and not found, found)
            report.check("stdout has the ready line and no other", all(run.lines.empty() for run in runs))
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            report.check("the run comes to its end:", False, error)
        finally:
            for run in runs:
                run.kill()
            endpoint.shutdown()
    return report.end("verify")


if __name__ == "__main__":
    sys.exit(main())
