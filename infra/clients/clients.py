"""The tenants' API of `hookline dev`, asked by clients of Bandwidth's API that are not ours.

    clients.py --hookline PATH --node-modules DIR

Starts `hookline dev`, posts notifications of orders of many types as Bandwidth does, and then makes every call that the
packages `bandwidth-numbers-sdk` and `bandwidth-cli` of PyPI and `@bandwidth/numbers` of npm have for subscriptions,
orders, histories and notes, and compares what they make of the answers. Those orders are at another upstream than the
one at which the tenant may place its own: calls that change one are to be refused, and so are calls that place one for
a tenant that has no upstream, so that the client tells why. One line for each check; the last counts them.

Then a tenant places orders of its own, at the sandbox that runs beside: placing.py, placing.cjs, delivered.py.

Known mistakes of the clients, which no answer can mend:

PyPI  `Subscriptions.get` always raises TypeError; `Subscription(...).get` works, and is used here.
PyPI  From Python 3.9 on an error's text is the whole body: the client reads it with a method that is gone.
PyPI  The list of a port-in's documents is empty: the client looks for `FileListResponse`, not `fileListResponse`.
PyPI  A number order forgets its id when a change of it is saved, for the answer names none.
PyPI  `DisconnectOrderResponse` and `OrderResponse` have no place for `DisconnectedTelephoneNumberList`.
PyPI  A change of a port-in is sent as an `LnpOrder`, with the `OrderId`, and not as an `LnpOrderSupp`.
npm   Without notes the answer is 204, and the client makes a list with one `undefined` of it.
npm   The objects of `get` for portouts, lsrorders and csrs have `orderId` and no `id`, which their other methods need.
npm   A refusal reaches some callers as an unhandled rejection and never their callback; clients.cjs names them.
npm   An order that did not get all its numbers is an error, beside which its promises forget the order.
npm   A refusal is an error of its HTTP library; code and description are in `error.response.text`.
"""

import argparse
import ast
import datetime
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, field

from bandwidth_numbers import Account
from bandwidth_numbers.models.portout import PortOut

from delivered import delivered
from dev import Bandwidth, Dev, Endpoint, Report, basic, request, until
from npm import Npm
from placing import Placing
from sandbox import SCENARIO, Sandbox
from tenant import NO_ORDER, UUID, Operator, Tenant, check_notes, refusal

LISTED_SECONDS_MAX = 20
CLI_SECONDS_MAX = 20

# What a subscription lasts at Bandwidth unless it says otherwise.
EXPIRY_DEFAULT = 86_400
# A subscription that was made just now has this much less left, in seconds.
ELAPSED_MAX = 30

# What is said of an order at another upstream than the tenant's, and to a tenant that has none.
ELSEWHERE = "not at this relay: the order is of an upstream that this account places none at"
NO_UPSTREAM = "not at this relay: this account has no upstream to place orders at"

NUMBERS = ["9195550100", "9195550101", "9805550199"]


# ---- What Bandwidth has told


@dataclass
class Order:
    """An order and its events, in the order in which they happened."""

    type: str
    id: str
    events: list[dict] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        return [event["Status"] for event in self.events if "Status" in event]

    @property
    def status(self) -> str:
        return self.states[-1]


def story() -> dict[str, Order]:
    """The orders by a name for them here, and the events, a minute after each other, until now."""
    done = {"Status": "COMPLETE"}
    events = {
        "complete": ("orders", [
            {"Status": "RECEIVED", "CustomerOrderId": "CUST-42"},
            {
                **done,
                "CustomerOrderId": "CUST-42",
                "Message": "3 numbers <&> CARY",
                "CompletedTelephoneNumbers": NUMBERS,
            },
        ]),
        "failed": ("orders", [{
            "Status": "FAILED",
            "Message": "5005: The telephone number is unavailable for ordering",
            "CompletedTelephoneNumbers": NUMBERS[:1],
        }]),
        "waiting": ("orders", [{"Status": "BACKORDERED"}]),
        "portin": ("portins", [
            {"Status": "SUBMITTED", "CompletedTelephoneNumbers": NUMBERS[:2]},
            {"Status": "FOC", "ActualFocDate": "2026-02-10T16:30:00Z"},
            {"Note": "please resend the LOA"},
        ]),
        "portout": ("portouts", [{**done, "CompletedTelephoneNumbers": NUMBERS[:1]}]),
        "disconnect": ("disconnects", [{**done, "CompletedTelephoneNumbers": NUMBERS[:2]}]),
        "lsr": ("lsrorders", [{"Status": "PENDING"}, {"Status": "FOC"}]),
        "csr": ("csrs", [{"Status": "ACTION_REQUIRED", "Message": "the account number is missing"}]),
        "dlda": ("dldas", [{"Status": "RECEIVED"}, done]),
        "lidb": ("lidbs", [{"Status": "PROCESSING"}, done]),
        "tn_option": ("tnoptions", [{"Status": "PROCESSING"}, done]),
        "import": ("importtnorders", [done]),
        "removal": ("removeImportedTnOrders", [{"Status": "PROCESSING"}, done]),
        "to_account": ("importToAccounts", [done]),
        "group": ("emergencyNotificationGroup", [done]),
        "endpoint": ("emergencyEndpointGroup", [done]),
    }
    orders = {}
    for nth, (name, (order_type, told)) in enumerate(events.items()):
        begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=len(told))
        for minute, event in enumerate(told):
            at = begin + datetime.timedelta(minutes=minute)
            told[minute] = {**event, "at": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{nth:03}Z"}
        orders[name] = Order(order_type, f"1b9a2c44-8a1b-4f0e-9a57-{nth:012}", told)
    return orders


def tell(bandwidth: Bandwidth, order: Order):
    # The state before the last one comes after it, as may happen.
    events = order.events if order.type == "portins" else reversed(order.events)
    for event in events:
        bandwidth.notify(order.type, order.id, **event)


def knows(tenant: Tenant, order: Order) -> bool:
    status, _, text = tenant.request("GET", f"/{order.type}/{order.id}/history")
    return status == 200 and text.count("<OrderHistory>") == len(order.events)


# ---- Python: subscriptions


def py_subscriptions(report: Report, tenant: Tenant, endpoint: str, orders: dict[str, Order]):
    subscriptions = tenant.client().subscriptions
    url = endpoint + "py"

    def callback(order_type: str, more: dict | None = None, **callback: str):
        wanted = {"order_type": order_type, "callback_subscription": {"url": url, **callback}, **(more or {})}
        return subscriptions.create(wanted)

    def get(id: str):
        return subscriptions.create(save=False).get(id)

    def ids(**query: str) -> list[str]:
        return [one.id for one in subscriptions.list(query).items]

    def within(seconds: str, most: int) -> bool:
        return most - ELAPSED_MAX <= int(seconds) <= most

    before = ids()
    first = len(before) == 1 and UUID.fullmatch(before[0])
    report.check("PyPI: the list holds what the first start made", first, before)
    report.same("PyPI: a list for a type without subscriptions is empty", ids(orderType="portins"), [])

    made = callback("portins", expiry="3600", user="somebody")
    report.check("PyPI: create gives an id", UUID.fullmatch(made.id or ""), made.id)
    got = get(made.id)
    is_, call = (got.id, got.order_type, got.order_id), got.callback_subscription
    report.same("PyPI: get finds what was created", is_, (made.id, "portins", None))
    report.same("PyPI: get gives URL and status", (call.url, call.status), (url, "READY"))
    report.check("PyPI: get gives the seconds that are left", within(call.expiry, 3600), call.expiry)
    report.same("PyPI: the list holds both", sorted(ids()), sorted([*before, made.id]))
    report.same("PyPI: the list by type holds one", ids(orderType="portins"), [made.id])
    report.same("PyPI: the type of that list in any case", ids(orderType="PortIns"), [made.id])
    report.same("PyPI: the list by another type does not", ids(orderType="orders"), [])
    [listed] = subscriptions.list({"orderType": "portins"}).items
    is_ = (listed.order_type, listed.callback_subscription.url, listed.callback_subscription.status)
    report.same("PyPI: the list gives type, URL and status", is_, ("portins", url, "READY"))
    report.check("PyPI: the list gives the seconds that are left", within(listed.callback_subscription.expiry, 3600))

    text = refusal(lambda: callback("portins", expiry="3600"))
    report.check("PyPI: a duplicate is refused with 16008", "16008" in text, text)
    lasting = callback("orders", expiry="3153600000")
    left = get(lasting.id).callback_subscription.expiry
    report.check("PyPI: a subscription for a hundred years", within(left, 3_153_600_000), left)
    short = callback("lidb")
    left = get(short.id).callback_subscription.expiry
    report.check("PyPI: without an expiry it is a day", within(left, EXPIRY_DEFAULT), left)

    # The whole of it goes back, with what only answers have.
    listed.callback_subscription.url = url + "/moved"
    listed.callback_subscription.expiry = "7200"
    listed.save()
    call = get(made.id).callback_subscription
    report.same("PyPI: what the list gave can be changed and saved", call.url, url + "/moved")
    report.check("PyPI: with its new expiry", within(call.expiry, 7200), call.expiry)
    made.callback_subscription.url = url + "/again"
    made.save()
    report.same("PyPI: what create gave can be saved", get(made.id).callback_subscription.url, url + "/again")
    report.same("PyPI: saving makes no second one", ids(orderType="portins"), [made.id])

    mail = subscriptions.create({
        "order_type": "disconnects",
        "email_subscription": {"email": "ops@example.com", "digest_requested": "DAILY"},
    })
    got = get(mail.id)
    is_ = (got.order_type, got.email_subscription.email, got.email_subscription.digest_requested)
    report.same("PyPI: a subscription by mail", is_, ("disconnects", "ops@example.com", "DAILY"))
    report.same("PyPI: which has no callback", got.callback_subscription.url, None)
    mail.email_subscription.digest_requested = "NONE"
    mail.save()
    report.same("PyPI: its digest can be changed", get(mail.id).email_subscription.digest_requested, "NONE")

    waiting = orders["waiting"]
    bound = callback("orders", {"order_id": waiting.id}, expiry="3600")
    got = get(bound.id)
    report.same("PyPI: a subscription to one order", (got.order_type, got.order_id), ("orders", waiting.id))
    report.same("PyPI: the list by order", ids(orderType="orders", orderId=waiting.id), [bound.id])
    report.same("PyPI: the list by its type", sorted(ids(orderType="orders")), sorted([bound.id, lasting.id]))

    def refused(what: str, code: int, order_type: str = "dldas", more: dict | None = None, **wanted: str):
        text = refusal(lambda: callback(order_type, more, **wanted))
        report.check(f"PyPI: {what} is refused with {code}", f"{code}" in text, text)

    refused("an order that is not there", 16004, "orders", {"order_id": NO_ORDER})
    refused("an order id that is none", 1008, "orders", {"order_id": "17"})
    refused("a type that is none", 14500, "ordersOfTheFuture")
    refused("a URL that is none", 14506, url="ftp://127.0.0.1/")
    refused("an empty URL", 14503, url="")
    refused("an expiry of nothing", 14501, expiry="0")
    refused("a word for an expiry", 14501, expiry="never")
    digest = {"order_type": "dldas", "email_subscription": {"email": "ops@example.com", "digest_requested": "WEEKLY"}}
    text = refusal(lambda: subscriptions.create(digest))
    report.check("PyPI: another digest is refused with 14502", "14502" in text, text)
    text = refusal(lambda: subscriptions.create({"callback_subscription": {"url": url}}))
    report.check("PyPI: no type is refused with 14508", "14508" in text, text)
    text = refusal(lambda: get(NO_ORDER))
    report.check("PyPI: get of one that is not there is refused with 16000", "16000" in text, text)
    missing = subscriptions.create({"order_type": "orders", "callback_subscription": {"url": url + "/x"}}, save=False)
    missing.id = NO_ORDER
    text = refusal(missing.save)
    report.check("PyPI: so is saving one", "16000" in text, text)
    text = refusal(missing.delete)
    report.check("PyPI: so is deleting one", "16000" in text, text)

    # The client takes 200 for success, and nothing else.
    for what, one in (("callback", made), ("long", lasting), ("short", short), ("mail", mail), ("order", bound)):
        report.same(f"PyPI: delete ({what})", one.delete(), True)
    report.same("PyPI: nothing of it is left", ids(), before)
    text = refusal(made.delete)
    report.check("PyPI: a second delete is refused with 16000", "16000" in text, text)


def py_bases(report: Report, tenant: Tenant, endpoint: str, orders: dict[str, Order]):
    for base in ("/api", "/api/v1", "/api/v2", "/v1.0", ""):
        account = tenant.client(base)
        wanted = {"order_type": "e911s", "callback_subscription": {"url": f"{endpoint}base"}}
        made = account.subscriptions.create(wanted)
        listed = [one.id for one in account.subscriptions.list({"orderType": "e911s"}).items]
        got = account.subscriptions.create(save=False).get(made.id).callback_subscription.url
        report.same(f"PyPI: base '{base}': create, list, get", (listed, got), ([made.id], f"{endpoint}base"))
        status, answered, _ = tenant.request("GET", "/subscriptions", base=base)
        form = answered.get("content-type", "")
        report.check(f"base '{base}': the answer is XML", status == 200 and form.startswith("application/xml"), form)
        numbers = account.orders.create({"order_id": orders["complete"].id}, save=False).tns.list().items
        expected = [f"+1{number}" for number in NUMBERS] if base == "/api/v2" else NUMBERS
        report.same(f"PyPI: base '{base}': the numbers of an order", numbers, expected)
        report.same(f"PyPI: base '{base}': delete", made.delete(), True)

        text = refusal(lambda: tenant.client(base, "wrong").subscriptions.list())
        report.check(f"PyPI: base '{base}': a wrong password is refused", "1001" in text or "401" in text, text)
        url = f"{tenant.url}{base}/accounts/{tenant.account}/subscriptions"
        for what, headers in (("a wrong password", {"authorization": basic(tenant.username, "wrong")}), ("none", {})):
            status, answered, _ = request("GET", url, headers)
            is_ = (status, answered.get("www-authenticate"))
            report.same(f"base '{base}': {what} is answered with a challenge", is_, (401, 'Basic realm="hookline"'))
    other = Tenant(tenant.url, "9900012", tenant.username, tenant.password)
    text = refusal(lambda: other.client().subscriptions.list())
    report.check("PyPI: another account is refused", "16007" in text or "403" in text, text)


# ---- Python: orders


def py_orders(report: Report, tenant: Tenant, stranger: Account, orders: dict[str, Order]):
    account = tenant.client()
    complete, failed, waiting = orders["complete"], orders["failed"], orders["waiting"]

    def ids(**query: str) -> list[str]:
        return sorted(one.id for one in account.orders.list(query).items)

    rows = {one.id: one for one in account.orders.list({"page": "1", "size": "100"}).items}
    report.same("PyPI: orders: the list", sorted(rows), sorted([complete.id, failed.id, waiting.id]))
    report.same("PyPI: orders: how many in all", account.orders.total_count, "3")
    row = rows[complete.id]
    is_ = (row.order_status, row.customer_order_id, row.count_of_tns, row.order_type)
    report.same("PyPI: orders: a row of the list", is_, ("COMPLETE", "CUST-42", "3", "new_number"))
    report.same("PyPI: orders: when it changed", row.last_modified_date, complete.events[-1]["at"])
    report.same("PyPI: orders: the list by state", ids(status="FAILED"), [failed.id])
    report.same("PyPI: orders: the list by state in lower case", ids(status="backordered"), [waiting.id])
    report.same("PyPI: orders: the list by the customer's name", ids(customerOrderId="CUST-42"), [complete.id])
    report.same("PyPI: orders: the list by a name that is not there", ids(customerOrderId="CUST-43"), [])
    today = datetime.datetime.now(datetime.UTC).date()
    days = [(today + datetime.timedelta(days)).isoformat() for days in (-2, -1, 1)]
    report.same("PyPI: orders: the list by days", len(ids(startdate=days[1], enddate=days[2])), 3)
    report.same("PyPI: orders: the list by days before", ids(startdate=days[0], enddate=days[0]), [])
    seen, page = [], "1"
    while page and len(seen) < 10:
        seen += ids(page=page, size="1")
        page = account.orders.links.next and account.orders.links.next[0]
    report.same("PyPI: orders: page after page", sorted(seen), sorted(rows))

    got = account.orders.get(complete.id)
    report.same("PyPI: orders: get", (got.order.id, got.order_status), (complete.id, "COMPLETE"))
    report.same("PyPI: orders: its customer's name", got.order.customer_order_id, "CUST-42")
    is_ = got.completed_numbers.telephone_number.items
    report.same("PyPI: orders: its numbers", is_, NUMBERS)
    is_ = (got.completed_quantity, got.failed_quantity, got.pending_quantity)
    report.same("PyPI: orders: its quantities", is_, ("3", "0", "0"))
    report.same("PyPI: orders: when it changed", got.last_modified_date, complete.events[-1]["at"])
    tns = got.order.tns
    report.same("PyPI: orders: tns", (tns.list().items, tns.count), (NUMBERS, "3"))
    got = account.orders.get(failed.id)
    report.same("PyPI: orders: get of a failed one", got.order_status, "FAILED")
    report.same("PyPI: orders: the number that it did not get", got.failed_numbers.items, NUMBERS[:1])
    report.same("PyPI: orders: get of one without numbers", account.orders.get(waiting.id).order_status, "BACKORDERED")

    py_notes(report, tenant, "orders", complete, account.orders.get(complete.id).order.notes, [])
    text = refusal(lambda: account.orders.get(NO_ORDER))
    report.check("PyPI: orders: get of one that is not there", "does not exist" in text or "404" in text, text)
    new = {"name": "new", "site_id": "1", "zip_search_and_order_type": {"quantity": "1", "zip": "27606"}}
    text = refusal(lambda: stranger.orders.create(new))
    report.check("PyPI: orders: placing one is refused", NO_UPSTREAM in text, text)
    order = account.orders.create({"order_id": waiting.id, "name": "other", "close_order": "true"}, save=False)
    text = refusal(order.save)
    report.check("PyPI: orders: changing one is refused", ELSEWHERE in text, text)


def py_notes(report: Report, tenant: Tenant, what: str, order: Order, notes, before: list[tuple]):
    """`before`: user and text of the notes that are there."""
    order.events.append({"Note": check_notes(report, tenant, what, notes, before)})


def py_ports(report: Report, tenant: Tenant, stranger: Account, orders: dict[str, Order]):
    account = tenant.client()
    order = orders["portin"]
    [row] = account.portins.list({"page": "1", "size": "100"}).items
    is_ = (row.id, row.processing_status, row.order_type, row.count_of_tns)
    report.same("PyPI: portins: the list", is_, (order.id, "FOC", "port_in", "2"))
    report.same("PyPI: portins: how many in all", account.portins.total_count, "1")
    report.same("PyPI: portins: the list by state", len(account.portins.list({"status": "foc"}).items), 1)
    report.same("PyPI: portins: the list by another", len(account.portins.list({"status": "complete"}).items), 0)
    got = account.portins.get(order.id, None)
    report.same("PyPI: portins: get", (got.id, got.processing_status), (order.id, "FOC"))
    report.same("PyPI: portins: its numbers", got.list_of_phone_numbers.items, NUMBERS[:2])
    is_ = [(one.status, one.note, one.author, one.order_date) for one in got.history.list().items]
    expected = [(one.get("Status"), one.get("Note"), "bandwidth", one["at"]) for one in order.events]
    report.same("PyPI: portins: history", is_, expected)
    py_notes(report, tenant, "portins", order, got.notes, [("bandwidth", "please resend the LOA")])
    last = got.history.list().items[-1]
    is_ = (last.status, last.note, last.author)
    report.same("PyPI: portins: the history has the note too", is_, (None, order.events[-1]["Note"], tenant.username))
    report.same("PyPI: portins: totals", got.totals.get().count, "2")
    # No notification tells of these two.
    text = refusal(got.activation_status.get)
    report.check("PyPI: portins: activationStatus is not there", ELSEWHERE in text, text)
    text = refusal(lambda: got.loas.list({"metadata": "true"}))
    report.check("PyPI: portins: loas are not there", ELSEWHERE in text, text)
    text = refusal(lambda: stranger.portins.create({"billing_telephone_number": NUMBERS[0]}))
    report.check("PyPI: portins: placing one is refused", NO_UPSTREAM in text, text)
    text = refusal(account.portins.create({"order_id": order.id, "site_id": "1"}, save=False).save)
    report.check("PyPI: portins: changing one is refused", ELSEWHERE in text, text)
    text = refusal(account.portins.create({"order_id": order.id}, save=False).delete)
    report.check("PyPI: portins: cancelling one is refused", ELSEWHERE in text, text)

    order = orders["portout"]
    [row] = account.portouts.list({"page": "1", "size": "100"}).items
    is_ = (row.order_id, row.processing_status, row.order_type, row.count_of_tns)
    report.same("PyPI: portouts: the list", is_, (order.id, "COMPLETE", "port_out", "1"))
    one = PortOut(account.portouts)
    one.id = order.id
    py_notes(report, tenant, "portouts", order, one.notes, [])
    report.same("PyPI: portouts: totals", one.totals.get().count, "1")


def py_others(report: Report, tenant: Tenant, stranger: Account, orders: dict[str, Order]):
    account = tenant.client()

    order = orders["disconnect"]
    [row] = account.disconnects.list({"page": "1", "size": "100"}).items
    is_ = (row.id, row.order_status, row.order_type, row.count_of_tns)
    report.same("PyPI: disconnects: the list", is_, (order.id, "COMPLETE", "disconnect", "2"))
    got = account.disconnects.get(order.id)
    is_ = (got.order_request.id, got.order_status, got.order_request.order_create_date)
    report.same("PyPI: disconnects: get", is_, (order.id, "COMPLETE", order.events[0]["at"]))
    one = account.disconnects.create({"order_id": order.id}, save=False)
    py_notes(report, tenant, "disconnects", order, one.notes, [])
    number = {"telephone_number_list": {"telephone_number": NUMBERS[:1]}}
    wanted = {"name": "away", "disconnect_telephone_number_order_type": number}
    text = refusal(lambda: stranger.disconnects.create(wanted))
    report.check("PyPI: disconnects: placing one is refused", NO_UPSTREAM in text, text)

    order = orders["dlda"]
    [row] = account.dldas.list().items
    report.same("PyPI: dldas: the list", (row.id, row.order_status, row.order_type), (order.id, "COMPLETE", "dlda"))
    got = account.dldas.get(order.id)
    report.same("PyPI: dldas: get", (got.id, got.processing_status), (order.id, "COMPLETE"))
    is_ = [one.status for one in got.history.list().items]
    report.same("PyPI: dldas: history", is_, order.states)
    text = refusal(lambda: stranger.dldas.create({"customer_order_id": "new"}))
    report.check("PyPI: dldas: placing one is refused", NO_UPSTREAM in text, text)

    order = orders["lidb"]
    [row] = account.lidbs.list({"page": "1"}).items
    report.same("PyPI: lidbs: the list", (row.id, row.order_status, row.order_type), (order.id, "COMPLETE", "lidb"))
    got = account.lidbs.get(order.id)
    report.same("PyPI: lidbs: get", (got.id, got.processing_status), (order.id, "COMPLETE"))
    text = refusal(lambda: stranger.lidbs.create({"customer_order_id": "new"}))
    report.check("PyPI: lidbs: placing one is refused", NO_UPSTREAM in text, text)

    order = orders["tn_option"]
    [row] = account.tn_option_orders.list().tn_option_order_summary.items
    report.same("PyPI: tnoptions: the list", (row.id, row.order_status), (order.id, "COMPLETE"))
    got = account.tn_option_orders.get(order.id)
    report.same("PyPI: tnoptions: get", (got.id, got.processing_status), (order.id, "COMPLETE"))
    text = refusal(lambda: stranger.tn_option_orders.create({"customer_order_id": "new"}))
    report.check("PyPI: tnoptions: placing one is refused", NO_UPSTREAM in text, text)


# ---- The commands of bandwidth-cli


def cli(report: Report, tenant: Tenant, endpoint: str):
    environment = {
        **os.environ,
        "bandwidth_account_id": tenant.account,
        "bandwidth_username": tenant.username,
        "bandwidth_password": tenant.password,
        "bandwidth_url": tenant.url + "/api",
    }
    program = pathlib.Path(sys.executable).with_name("bandwidth-cli")

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [program, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=CLI_SECONDS_MAX, text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def listed() -> list[tuple]:
        """Id, type and URL. The command prints what `xmltodict` read, as Python."""
        code, text = run("list-subscriptions")
        assert code == 0, text
        one = r"\('SubscriptionId', '([^']+)'\), \('OrderType', '([^']+)'\).*?\('URL', '([^']+)'\)"
        return re.findall(one, text)

    before = listed()
    # Every type that the command knows, and a hundred years less one.
    types = re.search(r"\{([\w|]+)\}", run("create-subscription", "--help")[1].replace("\n", "").replace(" ", ""))
    types = types.group(1).split("|") if types else []
    report.same("cli: the types that it knows", len(types), 16)
    for order_type in types:
        code, text = run("create-subscription", order_type, endpoint + "cli")
        report.check(f"cli: create-subscription {order_type}", code == 0, text)
    new = [one for one in listed() if one not in before]
    is_ = sorted((order_type, url) for _, order_type, url in new)
    report.same("cli: list-subscriptions", is_, sorted((order_type, endpoint + "cli") for order_type in types))
    code, text = run("create-subscription", "orders", endpoint + "cli")
    report.check("cli: a duplicate is an error", code != 0 and "409" in text, text)
    for id_, order_type, _ in new[:1]:
        code, text = run("get-subscription", id_)
        body = ast.literal_eval(text.removeprefix("response ").strip()).decode() if code == 0 else ""
        shown = all(f">{word}<" in body for word in (id_, order_type, endpoint + "cli"))
        report.check("cli: get-subscription", code == 0 and shown, text)
        left = re.search(r"<Expiry>(\d+)</Expiry>", body)
        left = int(left.group(1)) if left else 0
        report.check("cli: its expiry", 3_122_064_000 - ELAPSED_MAX * 4 <= left <= 3_122_064_000, left)
    for id_, order_type, _ in new:
        code, text = run("delete-subscription", "--subscription_id", id_, "--confirm")
        report.check(f"cli: delete-subscription ({order_type})", code == 0, text)
    report.same("cli: nothing of it is left", listed(), before)
    code, text = run("get-subscription", NO_ORDER)
    report.check("cli: get-subscription of one that is not there is an error", code != 0 and "404" in text, text)
    code, text = run("delete-subscription", "--subscription_id", NO_ORDER, "--confirm")
    report.check("cli: delete-subscription of one that is not there is an error", code != 0 and "404" in text, text)


# ---- Clients for which there is no runtime here


def others(report: Report, tenant: Tenant, endpoint: str, orders: dict[str, Order]):
    """Requests as the published sources of the other clients make them."""
    order = orders["waiting"]
    note = f"<UserId>{tenant.username}</UserId><Description>from Java</Description>"
    status, answered, _ = tenant.request("PUT", f"/orders/{order.id}/notes", f"<Note>{note}</Note>", "/v1.0")
    report.same("Java: adding a note is a PUT, and 201", status, 201)
    location = answered.get("location", "")
    report.check("Java: the id is what follows the last slash", location.rpartition("/")[2].isdecimal(), location)
    _, _, text = tenant.request("GET", f"/orders/{order.id}/notes", base="/v1.0")
    report.check("Java: the note is there", "<Description>from Java</Description>" in text, text)

    body = (
        '<?xml version="1.0"?>\n<Subscription><OrderType>tnoptions</OrderType><CallbackSubscription>'
        f"<URL>{endpoint}php</URL><Expiry>3600</Expiry></CallbackSubscription><CallbackCredentials>"
        "<BasicAuthentication><Username>hook</Username><Password>s3cret</Password></BasicAuthentication>"
        "</CallbackCredentials></Subscription>\n"
    )
    status, answered, _ = tenant.request("POST", "/subscriptions", body)
    report.same("PHP: create", status, 201)
    id_ = answered.get("location", "").rpartition("/")[2]
    _, _, text = tenant.request("GET", f"/subscriptions/{id_}")
    kept = "<Username>hook</Username>" in text and "s3cret" not in text
    report.check("PHP: credentials beside the callback are not dropped, the password is not shown", kept, text)
    status, answered, text = tenant.request("DELETE", f"/subscriptions/{id_}")
    report.same("PHP: delete is 200", status, 200)


# ---- Node


def node(report: Report, tenant: Tenant, stranger: Tenant, endpoint: str, orders: dict[str, Order], npm: Npm):
    given = {
        **asdict(tenant),
        "stranger": asdict(stranger),
        "endpoint": endpoint,
        "refusals": {"elsewhere": ELSEWHERE, "noUpstream": NO_UPSTREAM},
        "noOrder": NO_ORDER,
        "numbers": NUMBERS,
        "elapsedMax": ELAPSED_MAX,
        "orders": {name: {**asdict(order), "states": order.states} for name, order in orders.items()},
    }
    npm.run(report, "clients.cjs", given)


# ---- Orders at the tenant's own upstream


def place(report: Report, tenant: Tenant, sandbox: Sandbox, placed: dict[str, str]):
    sandbox.control("PUT", "scenario", SCENARIO)
    Placing(report, tenant, sandbox, placed).run()


def place_by_npm(report: Report, tenant: Tenant, sandbox: Sandbox, placed: dict[str, str], npm: Npm):
    numbers = sandbox.client().available_numbers.list({"areaCode": "617", "quantity": "2"}).items
    given = {**asdict(tenant), "sandbox": asdict(sandbox), "numbers": numbers}
    for told in npm.run(report, "placing.cjs", given, "placing: "):
        placed.update(told["placed"])


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--hookline", required=True)
    arguments.add_argument("--node-modules", required=True)
    options = arguments.parse_args()
    # As an exception, so that what was started here is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ["NO_PROXY"] = "127.0.0.1"
    report = Report()
    npm = Npm(options.node_modules)
    endpoint = Endpoint()
    orders = story()
    with tempfile.TemporaryDirectory() as data:
        dev = Dev(options.hookline, pathlib.Path(data), endpoint.url)
        try:
            made = dev.ready()
            upstream, login = made["upstream"], made["tenant"]
            bandwidth = Bandwidth(made["notify_url"], upstream["username"], upstream["password"])
            tenant = Tenant(made["url"], login["account"], login["username"], login["password"])
            operator = Operator(made["api_url"], **made["operator"])
            sandbox, secret = Sandbox(**made["sandbox"]), made["subscription"]["signing_secret"]
            placed: dict[str, str] = {}
            stranger = operator.new_tenant(made["url"], "5500002")
            for order in orders.values():
                tell(bandwidth, order)
            for order in orders.values():
                until(f"all of {order.type}", LISTED_SECONDS_MAX, lambda: knows(tenant, order))
            parts = {
                "subscriptions": lambda: py_subscriptions(report, tenant, endpoint.url, orders),
                "bases": lambda: py_bases(report, tenant, endpoint.url, orders),
                "orders": lambda: py_orders(report, tenant, stranger.client(), orders),
                "ports": lambda: py_ports(report, tenant, stranger.client(), orders),
                "other orders": lambda: py_others(report, tenant, stranger.client(), orders),
                "cli": lambda: cli(report, tenant, endpoint.url),
                "others": lambda: others(report, tenant, endpoint.url, orders),
                "npm": lambda: node(report, tenant, stranger, endpoint.url, orders, npm),
                # After those that know what there is.
                "placing": lambda: place(report, tenant, sandbox, placed),
                "placing by npm": lambda: place_by_npm(report, tenant, sandbox, placed, npm),
                "delivered": lambda: delivered(report, operator, sandbox, endpoint, secret, tenant.account, placed),
            }
            for name, part in parts.items():
                began = time.monotonic()
                try:
                    part()
                except Exception:  # The next part still tells something.
                    report.check(f"{name} comes to its end:", False, traceback.format_exc())
                print(f"     {name}: {time.monotonic() - began:.1f} s", flush=True)
            code = dev.stop()
            report.same("SIGTERM: exits 0", code, 0)
            logged = dev.logged()
            report.check("nothing in the log is an error", "ERROR" not in logged and "panicked" not in logged, logged)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            report.check("the run comes to its end:", False, f"{error}\n{dev.logged()}")
        finally:
            dev.kill()
            endpoint.shutdown()
    return report.end("clients")


if __name__ == "__main__":
    sys.exit(main())
