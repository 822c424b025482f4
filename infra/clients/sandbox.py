"""The sandbox of Bandwidth beside `hookline dev`, and what is to become of the orders that are placed there."""

import json
from dataclasses import dataclass

from bandwidth_numbers import Account, Client

from dev import basic, request


def then(state: str, **more: str) -> dict:
    return {"after": "1s", "state": state, **more}


SCENARIO = {
    "orders": [
        # Of the numbers that are wanted one is there, or none.
        {"kind": "orders", "customer_order_id_prefix": "ONE", "steps": [{"after": "1s", "available": 1}]},
        {"kind": "orders", "customer_order_id_prefix": "NONE", "steps": [{"after": "1s", "available": 0}]},
        {"kind": "portins", "steps": [then("SUBMITTED", wait="loa"), then("SUBMITTED", wait="supp")]},
        {"kind": "csrs", "steps": [then("ACTION_REQUIRED"), then("COMPLETE", wait="submit")]},
        *(
            {"kind": kind, "steps": [then("COMPLETE")]}
            for kind in (
                "disconnects", "dldas", "emergencyEndpointGroup", "emergencyNotificationGroup", "importToAccounts",
                "importtnorders", "lidbs", "lsrorders", "removeImportedTnOrders", "tnoptions",
            )
        ),
    ]
}


@dataclass
class Sandbox:
    """Bandwidth, as the upstream's user has it, and as nobody has it there."""

    url: str
    account: str
    username: str
    password: str
    site: str

    def client(self) -> Account:
        return Account(client=Client(self.url + "/api", self.account, self.username, self.password))

    def control(self, method: str, path: str, body: object = None) -> bytes:
        headers = {"authorization": basic(self.username, self.password)}
        text = json.dumps(body).encode() if body is not None else None
        status, _, answered = request(method, f"{self.url}/sandbox/{path}", headers, text)
        assert 200 <= status < 300, f"{method} {path}: {status} {answered}"
        return answered
