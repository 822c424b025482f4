"""What schemathesis is told of `hookline dev`; it loads this file by itself.

Most ids that it makes up are none. Here they become real ones, so that requests come to real handlers; some stay as
they are. It depends on nothing but the request, so that a repeated request is the same.
"""

import json
import os
import random
import re

import schemathesis

given = json.loads(os.environ["HOOKLINE_GIVEN"])
known = given["known"]

REAL_SHARE = 0.9

# What a name of a path, a query or a body stands for.
NAMES = {
    "account": "account",
    "cursor": "cursor",
    "default_tenant": "tenant",
    "from": "time",
    "order": "order",
    "order_id": "order",
    "order_type": "order_type",
    "status": "status",
    "subscription": "subscription",
    "tenant": "tenant",
    "to": "time",
    "url": "url",
}
# `id` is another thing in each of these.
IDS = {
    "/subscriptions/{id}": "subscription",
    "/notifications/{id}": "notification",
    "/replays/{id}": "replay",
    "/quarantine/{id}": "quarantine",
    "/keys/{id}": "key",
}
# What a POST makes must have a name that is not taken.
NEW = {"/upstreams": "account", "/tenants": "id"}


@schemathesis.hook
def before_call(context, case, kwargs):
    draw = random.Random(f"{case.method} {case.path} {case.path_parameters} {case.query} {case.headers} {case.body}")

    def real(values: dict | None, kind: dict[str, str]):
        for name, what in kind.items():
            if values and isinstance(values.get(name), str) and known[what] and draw.random() < REAL_SHARE:
                values[name] = draw.choice(known[what])

    below = next((what for part, what in IDS.items() if part in case.path), None)
    real(case.path_parameters, {**NAMES, "id": below} if below else NAMES)
    real(case.query, NAMES)
    real(case.headers, {"If-Match": "etag"})
    if isinstance(case.body, dict):
        case.body = dict(case.body)
        real(case.body, NAMES)
        new = next((name for path, name in NEW.items() if case.path.endswith(path)), None)
        if new and isinstance(case.body.get(new), str) and draw.random() < REAL_SHARE:
            case.body[new] = f"99{draw.randrange(10**6):06}"
        # A generated URL could be somebody's, and tests of endpoints would call it.
        url = case.body.get("url")
        if isinstance(url, str) and "://" in url and not url.startswith(given["endpoint"]):
            case.body["url"] = known["url"][0]
    # The keys by which all of this calls: everything after would be 401.
    if case.method == "DELETE" and case.path_parameters.get("id") in given["keys"]:
        case.path_parameters["id"] = "none"


@schemathesis.check
def tenants_keep_to_themselves(context, response, case):
    own = re.match(r"/relay/v1/tenants/5500001/", case.formatted_path)
    allowed = given["who"] == "operator" or own or not 200 <= response.status_code < 300
    assert allowed, f"a tenant was answered {response.status_code} to {case.method} {case.formatted_path}"
