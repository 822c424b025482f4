"""The relay's own API of `hookline dev`, held against the description that it serves, by schemathesis.

    openapi.py --hookline PATH

Starts `hookline dev`, makes something of everything that the API tells of, and has schemathesis call every operation of
`/relay/v1/openapi.json`: once as an operator, once as a tenant. hooks.py gives most requests ids of what is there.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from dev import Bandwidth, Dev, Endpoint, basic, request, until

SETTLED_SECONDS_MAX = 30
RUN_SECONDS_MAX = 240

# The same requests in every run, as far as the answers are the same.
SEED = 20_260_203
EXAMPLES_MAX = 60
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "use_after_free",
    "unsupported_method",
    "tenants_keep_to_themselves",
)
# Of its warnings, those that mean that something was not looked at.
WARNINGS = [
    "base_url_mismatch",
    "method_not_allowed",
    "unmatched_filter",
    "unresolvable_reference",
    "unsupported_regex",
    "unused_openapi_auth",
]

ORDERS = [f"1b9a2c44-8a1b-4f0e-9a57-{nth:012}" for nth in range(4)]
NUMBERS = ["9195550100", "9195550101"]


class Api:
    def __init__(self, url: str, login: dict):
        self.url = url
        self.authorization = basic(login["username"], login["password"])

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        headers = {"authorization": self.authorization, "content-type": "application/json"}
        text = json.dumps(body).encode() if body is not None else None
        status, _, text = request(method, self.url + path, headers, text)
        assert 200 <= status < 300, f"{method} {path}: {status} {text}"
        return json.loads(text)


def furnish(made: dict, endpoint: str) -> dict[str, list]:
    """Makes one of everything. What there is then: values by the parameter that takes them."""
    operator = Api(made["api_url"], made["operator"])
    operator.call("POST", "/tenants", {"id": "5500002"})
    tenant, account = made["tenant"]["account"], made["upstream"]["account"]
    below = f"/tenants/{tenant}"
    subscriptions = {
        # What cannot be delivered: given up at once, and waiting for long.
        "dead": {"url": endpoint + "failing", "order_type": "orders", "retry_schedule": []},
        "undelivered": {"url": endpoint + "failing", "order_type": "portins", "retry_schedule": [600_000]},
        "held": {"url": endpoint + "held", "enabled": False},
    }
    ids = [operator.call("POST", f"{below}/subscriptions", one)["id"] for one in subscriptions.values()]
    ids.append(made["subscription"]["id"])

    bandwidth = Bandwidth(made["notify_url"], made["upstream"]["username"], made["upstream"]["password"])
    at = "2026-02-03T10:11:12.345Z"
    for order_type, order in (("orders", ORDERS[0]), ("orders", ORDERS[1]), ("portins", ORDERS[2])):
        for status in ("SUBMITTED", "COMPLETE"):
            bandwidth.notify(order_type, order, at, Status=status, CompletedTelephoneNumbers=NUMBERS)
    bandwidth.post("<Notification>no end", 400)
    unowned = operator.call("POST", "/upstreams", {"account": "9900014", "rules": []})
    login = unowned
    nobodys = Bandwidth(made["url"] + "/notify/9900014", login["username"], login["password"])
    nobodys.notify("orders", ORDERS[3], at, Status="COMPLETE")

    listed = {
        "notification": f"{below}/notifications",
        "dead": f"{below}/deliveries/dead",
        "undelivered": f"{below}/deliveries/undelivered",
        "order": f"{below}/orders/orders",
        "quarantine": f"/upstreams/{account}/quarantine",
        "unowned": "/upstreams/9900014/unowned",
        "key": "/keys",
        "tenant": "/tenants",
        "upstream": "/upstreams",
        "subscription": f"{below}/subscriptions",
    }
    for what, path in listed.items():
        until(what, SETTLED_SECONDS_MAX, lambda: operator.call("GET", path)["items"])
    # Otherwise all that a tenant asks could be refused, and nobody would see it.
    Api(made["api_url"], made["tenant"]).call("GET", f"{below}/subscriptions")
    replay = operator.call("POST", f"{below}/replays", {"from": "2026-01-01T00:00:00Z", "dry_run": False})
    pages = [operator.call("GET", f"{path}?limit=1").get("next") for path in listed.values()]
    found = {what: operator.call("GET", path)["items"] for what, path in listed.items()}
    return {
        # Now and then another one.
        "tenant": [tenant] * 9 + ["5500002"],
        "account": [account, "9900014"],
        "order": ORDERS,
        "order_type": ["orders", "portins"],
        "subscription": ids,
        "notification": [one["id"] for one in found["notification"]],
        "replay": [replay["id"]],
        "quarantine": [one["id"] for one in found["quarantine"]],
        "key": [one["id"] for one in found["key"]],
        "cursor": [page for page in pages if page],
        "url": [f"{endpoint}{nth}" for nth in range(20)],
        "time": ["2026-01-01T00:00:00Z", "2026-12-31T23:59:59.999Z", "2036-01-01T00:00:00+01:00"],
        "etag": ['"0"', '"1"', '"2"', "*"],
        "status": ["SUBMITTED", "COMPLETE"],
    }


def undescribed(document: dict) -> list[str]:
    """Answers without the description that OpenAPI asks for; schemathesis does not miss it."""
    return [
        f"{method.upper()} {path}: {status} has no description"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "responses" in operation
        for status, answer in operation["responses"].items()
        if not {"description", "$ref"} & answer.keys()
    ]


def configuration(login: dict) -> str:
    """In TOML, of which what `json` writes here is a part."""
    warnings = f"display = {json.dumps(WARNINGS)}\nfail-on = {json.dumps(WARNINGS)}"
    basic = "\n".join(f"{name} = {json.dumps(login[name])}" for name in ("username", "password"))
    return f"continue-on-failure = true\n[warnings]\n{warnings}\n[auth.basic]\n{basic}\n"


def run(who: str, login: dict, made: dict, known: dict, endpoint: str, folder: pathlib.Path) -> int:
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    configured = folder / "schemathesis.toml"
    configured.write_text(configuration(login))
    keys = [made["operator"]["username"], made["tenant"]["username"]]
    environment = {
        **os.environ,
        "NO_PROXY": "127.0.0.1",
        "HOOKLINE_GIVEN": json.dumps({"who": who, "endpoint": endpoint, "keys": keys, "known": known}),
        "SCHEMATHESIS_HOOKS": str(pathlib.Path(__file__).with_name("hooks.py")),
    }
    command = [program, "--config-file", configured, "run", f"{made['api_url']}/openapi.json"]
    command += ["--checks", ",".join(CHECKS), "--seed", str(SEED), "--max-examples", str(EXAMPLES_MAX)]
    print(f"\n-- as {who}", flush=True)
    began = time.monotonic()
    code = subprocess.run(command, cwd=folder, env=environment, timeout=RUN_SECONDS_MAX).returncode
    print(f"-- as {who}: exit code {code}, {time.monotonic() - began:.0f} s", flush=True)
    return code


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--hookline", required=True)
    options = arguments.parse_args()
    # As an exception, so that what was started here is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    endpoint = Endpoint()
    codes = []
    with tempfile.TemporaryDirectory() as folder:
        for who in ("operator", "tenant"):
            inside = pathlib.Path(folder, who)
            inside.mkdir()
            dev = Dev(options.hookline, inside / "data", endpoint.url)
            try:
                made = dev.ready()
                _, _, document = request("GET", f"{made['api_url']}/openapi.json")
                found = undescribed(json.loads(document))
                print("".join(f"FAIL {one}\n" for one in found), end="", flush=True)
                codes.append(int(bool(found)))
                known = furnish(made, endpoint.url)
                codes.append(run(who, made[who], made, known, endpoint.url, inside))
                codes.append(dev.stop())
                if "panicked" in dev.logged():
                    print(dev.logged())
                    codes.append(1)
            finally:
                dev.kill()
    endpoint.shutdown()
    return max(map(abs, codes), default=1)


if __name__ == "__main__":
    sys.exit(main())
