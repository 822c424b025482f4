"""What became of the orders that were placed: whose they are, and what the tenant was told of them."""

import base64
import hmac
import json
from xml.etree import ElementTree

from dev import Endpoint, Report, until
from sandbox import Sandbox
from tenant import Operator

TOLD_SECONDS_MAX = 30

# An order in such a state is told of no more within this run.
LAST = {"COMPLETE", "PARTIAL", "FAILED", "REQUESTED_CANCEL"}

# Of each order, what was told of it: state and note.
Told = dict[str, list[tuple[str | None, str | None]]]


def sent(sandbox: Sandbox) -> Told:
    told: Told = {}
    for one in json.loads(sandbox.control("GET", "sent")):
        if one["order_id"]:
            told.setdefault(one["order_id"], []).append((one["status"], one["note"]))
    return told


def taken(endpoint: Endpoint) -> Told:
    told: Told = {}
    for _, body in list(endpoint.taken):
        one = ElementTree.fromstring(body)
        told.setdefault(one.findtext("OrderId"), []).append((one.findtext("Status"), one.findtext("Note")))
    return told


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """By Standard Webhooks; infra/verify has that judged by others."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return f"v1,{signature}" in headers["webhook-signature"].split(" ")


def delivered(
    report: Report, operator: Operator, sandbox: Sandbox, endpoint: Endpoint, secret: str, tenant: str,
    placed: dict[str, str],
):
    """`placed`: the types of the orders, by id."""

    def is_done(order: str) -> bool:
        states = {state for state, _ in sent(sandbox).get(order, [])}
        return bool(states & LAST) and taken(endpoint).get(order) == sent(sandbox)[order]

    for order, order_type in placed.items():
        try:
            until(order, TOLD_SECONDS_MAX, lambda: is_done(order))
        except AssertionError:
            pass  # The check says more.
        told = sent(sandbox).get(order, [])
        report.check(f"delivered: {order_type}: Bandwidth tells of it to the last", {s for s, _ in told} & LAST, told)
        report.same(f"delivered: {order_type}: so is the tenant told", taken(endpoint).get(order), told)
        owner = operator.call("GET", f"/upstreams/{sandbox.account}/claims/{order}")
        report.same(f"delivered: {order_type}: it is recorded as the tenant's", owner["tenant"], tenant)
    # Those of other orders may be another subscription's, with another secret.
    theirs = [one for one in endpoint.taken if ElementTree.fromstring(one[1]).findtext("OrderId") in placed]
    signed = [is_signed(secret, *one) for one in theirs]
    report.check("delivered: each is signed", signed and all(signed))
    report.same("delivered: there are no others", sorted(placed), sorted(sent(sandbox)))
