"""Who asks the relay: a tenant, by a client of Bandwidth's, and the operator, by the relay's own API."""

import json
import re
from dataclasses import dataclass

import requests
from bandwidth_numbers import Account, Client
from bandwidth_numbers.utils.rest import RestError

from dev import Report, basic, request

NO_ORDER = "1b9a2c44-8a1b-4f0e-9a57-999999999999"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass
class Tenant:
    # Without a base path.
    url: str
    account: str
    username: str
    password: str

    def client(self, base: str = "/api", password: str | None = None) -> Account:
        return Account(client=Client(self.url + base, self.account, self.username, password or self.password))

    def request(self, method: str, path: str, body: str | None = None, base: str = "/api") -> tuple[int, dict, str]:
        headers = {"authorization": basic(self.username, self.password), "content-type": "application/xml"}
        url = f"{self.url}{base}/accounts/{self.account}{path}"
        status, answered, text = request(method, url, headers, body.encode() if body is not None else None)
        return status, answered, text.decode()


@dataclass
class Operator:
    """Who may do everything, at the relay's own API."""

    # With its base path.
    url: str
    username: str
    password: str

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        headers = {"authorization": basic(self.username, self.password), "content-type": "application/json"}
        text = json.dumps(body).encode() if body is not None else None
        status, _, text = request(method, self.url + path, headers, text)
        assert 200 <= status < 300, f"{method} {path}: {status} {text}"
        return json.loads(text)

    def new_tenant(self, url: str, account: str) -> Tenant:
        """One that has no upstream to place orders at."""
        self.call("POST", "/tenants", {"id": account})
        key = self.call("POST", "/keys", {"tenant": account, "role": "write"})
        return Tenant(url, account, key["id"], key["secret"])


def refusal(call) -> str:
    """What the client says of a call that is to be refused."""
    try:
        call()
    except (RestError, requests.HTTPError) as error:
        return str(error)
    return "not refused"


def check_notes(report: Report, tenant: Tenant, what: str, notes, before: list[tuple]) -> str:
    """Adds a note. `before`: user and text of those that are there. The text of the new one."""

    def listed() -> list[tuple]:
        return [(note.user_id, note.description) for note in notes.list().items]

    report.same(f"PyPI: {what}: the notes that are there", listed(), before)
    text = "Grüße <&> 'LOA' \"2\""
    made = notes.create({"description": text})
    report.check(f"PyPI: {what}: adding a note gives its id", (made.id or "").isdecimal(), made.id)
    report.same(f"PyPI: {what}: which then is there", listed(), [*before, (tenant.username, text)])
    ids = [note.id for note in notes.list().items]
    report.check(f"PyPI: {what}: under that id", ids[-1:] == [made.id] and len(set(ids)) == len(ids), ids)
    refused = refusal(lambda: notes.create({"description": "x" * 501}))
    report.check(f"PyPI: {what}: a note of 501 characters is refused", "longer than 500" in refused, refused)
    return text
