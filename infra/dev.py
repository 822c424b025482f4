"""What the checks of a running relay share: `hookline dev`, somebody who posts as Bandwidth does, and a count."""

import base64
import http.client
import http.server
import json
import pathlib
import queue
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

READY_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30


class Dev:
    """A running `hookline dev`."""

    def __init__(self, hookline: str, data: pathlib.Path, endpoint: str):
        self.log = tempfile.TemporaryFile()
        command = [hookline, "dev", "--json", "--listen", "127.0.0.1:0", "--data", str(data), "--endpoint", endpoint]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        self.lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def ready(self, seconds: float = READY_SECONDS_MAX) -> dict:
        try:
            return json.loads(self.lines.get(timeout=seconds))
        except queue.Empty:
            raise AssertionError(f"not ready within {seconds} s: {self.logged()}") from None

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=STOP_SECONDS_MAX)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def logged(self) -> str:
        self.log.seek(0)
        return self.log.read().decode()


class Endpoint(http.server.ThreadingHTTPServer):
    """Takes whatever is delivered to it, except at a path with `failing`, and keeps it."""

    daemon_threads = True

    def __init__(self):
        # Headers, with names in lower case, and body.
        self.taken: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Taking)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        failing = "failing" in self.path
        if not failing:
            self.server.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(500 if failing else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def request(
    method: str, url: str, headers: dict | None = None, body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    """One request as it is, without what a client would add or hide."""
    to = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(to.hostname, to.port, timeout=10)
    try:
        target = to.path + (f"?{to.query}" if to.query else "")
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class Bandwidth:
    """Posts without credentials, and again with them when it is asked for them."""

    def __init__(self, url: str, username: str, password: str, headers: dict | None = None):
        self.url = url
        self.authorization = basic(username, password)
        self.headers = {"content-type": "application/xml; charset=utf-8", **(headers or {})}

    def notify(self, order_type: str, order_id: str, at: str, **elements: str | list[str]):
        """Tells of an order; a list of numbers is `CompletedTelephoneNumbers`."""
        body = f"<OrderType>{order_type}</OrderType><OrderId>{order_id}</OrderId>"
        for name, value in elements.items():
            if isinstance(value, list):
                value = "".join(f"<TelephoneNumber>{number}</TelephoneNumber>" for number in value)
            else:
                value = escape(value)
            body += f"<{name}>{value}</{name}>"
        self.post(f"<Notification>{body}<LastModifiedDate>{at}</LastModifiedDate></Notification>")

    def post(self, xml: str, expected: int = 200):
        status, answered, _ = request("POST", self.url, self.headers, xml.encode())
        challenge = answered.get("www-authenticate")
        assert status == 401 and challenge == 'Basic realm="hookline"', f"{status}, {challenge}"
        status, _, _ = request("POST", self.url, {**self.headers, "authorization": self.authorization}, xml.encode())
        assert status == expected, status


class Report:
    passed = 0
    failed = 0

    def check(self, name: str, holds: bool, otherwise: object = ""):
        if holds:
            self.passed += 1
            print(f"ok   {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {name} {otherwise}".rstrip(), flush=True)

    def same(self, name: str, is_: object, expected: object):
        self.check(name, is_ == expected, f"{is_!r} instead of {expected!r}")

    def end(self, who: str) -> int:
        print(f"{who}: {self.passed} passed, {self.failed} failed")
        return 0 if self.failed == 0 and self.passed > 0 else 1


def until(what: str, seconds: float, holds) -> None:
    """Waits for something that comes a moment later."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)
