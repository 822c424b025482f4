"""Orders that a tenant places through the relay by bandwidth-numbers-sdk, at the sandbox beside `hookline dev`.

What the client reads is to be the tenant's: its account and the relay's URLs, nowhere the upstream's. In the end each
notification that the sandbox has sent is to have come to the tenant's endpoint, in order and signed, and each order is
to be recorded as the tenant's; delivered.py looks at that.
"""

import pathlib
import re
import tempfile
from dataclasses import dataclass, field

from bandwidth_numbers import Account, Client

from dev import Report, until
from sandbox import Sandbox
from tenant import NO_ORDER, UUID, Tenant, check_notes, refusal

# What the sandbox does comes a second later, step by step.
STATE_SECONDS_MAX = 30

PDF = {"content-type": "application/pdf"}
PORTED = ["9195550120", "9195550121"]


class Listening(Client):
    """Keeps what is answered, as the client reads it."""

    def __init__(self, *login: str):
        super().__init__(*login)
        self.heard: list[str] = []
        self.locations: list[str] = []

    def _request(self, *asked, **more):
        response = super()._request(*asked, **more)
        self.heard.append(f"{response.headers} {response.text}")
        self.locations += filter(None, [response.headers.get("location")])
        return response


@dataclass
class Placing:
    report: Report
    tenant: Tenant
    sandbox: Sandbox
    # The types of the orders, by id.
    placed: dict[str, str]
    client: Listening = field(init=False)
    account: Account = field(init=False)

    def __post_init__(self):
        tenant = self.tenant
        self.client = Listening(tenant.url + "/api", tenant.account, tenant.username, tenant.password)
        self.account = Account(client=self.client)

    def run(self):
        numbers = self.orders()
        self.backorders()
        self.refusals()
        self.portin()
        self.disconnect(numbers[0])
        self.others(numbers[1])
        self.names()

    def same(self, name: str, is_: object, expected: object):
        self.report.same(f"PyPI: placing: {name}", is_, expected)

    def new(self, order_type: str, made, status: str | None, expected: str):
        """An order that was just placed."""
        self.report.check(f"PyPI: placing: {order_type}: create gives an id", UUID.fullmatch(made.id or ""), made.id)
        self.same(f"{order_type}: create gives its state", status, expected)
        self.placed[made.id] = order_type

    def becomes(self, what: str, get, state: str):
        """Asks until the order is in that state."""
        last = None

        def is_there() -> bool:
            nonlocal last
            last = get()
            return last == state

        try:
            until(what, STATE_SECONDS_MAX, is_there)
        except AssertionError:
            pass  # The check says more.
        self.same(what, last, state)

    def order(self, what: str, state: str, **wanted: object):
        """Orders numbers, and waits for what becomes of it."""
        orders = self.account.orders
        order = orders.create({"name": what, "site_id": self.sandbox.site, **wanted})
        self.new("orders", order, order.order_status, "RECEIVED")
        self.becomes(f"orders: {what}: its state", lambda: orders.get(order.id).order_status, state)
        return orders.get(order.id)

    def orders(self) -> list[str]:
        orders = self.account.orders
        search = {"area_code": "919", "quantity": "2"}
        got = self.order("by area code", "COMPLETE", customer_order_id="PY-1", area_code_search_and_order_type=search)
        numbers = got.completed_numbers.telephone_number.items
        order, id_ = got.order, got.order.id
        is_ = (order.customer_order_id, order.name, order.site_id)
        self.same("orders: what was asked for", is_, ("PY-1", "by area code", self.sandbox.site))
        self.same("orders: the area code of its numbers", [number[:3] for number in numbers], ["919"] * 2)
        is_ = (got.completed_quantity, got.failed_quantity, got.pending_quantity)
        self.same("orders: its quantities", is_, ("2", "0", "0"))
        self.same("orders: tns", (order.tns.list().items, order.tns.count), (numbers, "2"))
        check_notes(self.report, self.tenant, "placing: orders", order.notes, [])

        def row() -> list[tuple]:
            rows = orders.list({"page": "1", "size": "100"}).items
            return [(row.order_status, row.customer_order_id) for row in rows if row.id == id_]

        until("the order is listed", STATE_SECONDS_MAX, row)
        self.same("orders: the list", row(), [("COMPLETE", "PY-1")])

        query = {"areaCode": "919", "quantity": "2"}
        there = self.sandbox.client().available_numbers.list(query).items[:]
        given = {"telephone_number_list": {"telephone_number": there}}
        got = self.order("given numbers", "COMPLETE", existing_telephone_number_order_type=given)
        self.same("orders: they are those numbers", got.completed_numbers.telephone_number.items, there)
        return numbers

    def backorders(self):
        orders = self.account.orders
        search = {"area_code": "919", "quantity": "3"}
        flags = {"back_order_requested": "true", "partial_allowed": "true"}
        wanted = {**flags, "customer_order_id": "ONE-1", "area_code_search_and_order_type": search}
        got = self.order("one is there", "BACKORDERED", **wanted)
        id_ = got.order.id
        self.same("orders: what a backorder has", (got.completed_quantity, got.pending_quantity), ("1", "2"))
        # The client forgets the id when it has saved.
        orders.create({"order_id": id_, "name": "renamed", "customer_order_id": "ONE-2"}, save=False).save()
        got = orders.get(id_)
        is_ = (got.order.name, got.order.customer_order_id, got.order_status)
        self.same("orders: a backorder is renamed", is_, ("renamed", "ONE-2", "BACKORDERED"))
        closing = {"order_id": id_, "close_order": "true"}
        orders.create(closing, save=False).save()
        got = orders.get(id_)
        is_ = (got.order_status, got.completed_quantity, got.failed_quantity)
        self.same("orders: a backorder is closed with what it has", is_, ("PARTIAL", "1", "2"))
        text = refusal(orders.create(closing, save=False).save)
        self.report.check("PyPI: placing: orders: closing it again is refused with 5060", "5060" in text, text)

        got = self.order("none is there", "BACKORDERED", **{**wanted, "customer_order_id": "NONE-1"})
        orders.create({"order_id": got.order.id, "close_order": "true"}, save=False).save()
        got = orders.get(got.order.id)
        is_ = (got.order_status, got.failed_quantity, [error.code for error in got.error_list.error.items])
        self.same("orders: a backorder is closed with nothing", is_, ("FAILED", "3", ["5018"]))

    def refusals(self):
        search = {"area_code": "919", "quantity": "1"}
        for what, code, wanted in (
            ("no site", 5022, {"area_code_search_and_order_type": search}),
            ("a site that is none", 5016, {"site_id": "1", "area_code_search_and_order_type": search}),
            ("no numbers", 5087, {"site_id": self.sandbox.site}),
        ):
            text = refusal(lambda: self.account.orders.create(wanted))
            at_bandwidth = refusal(lambda: self.sandbox.client().orders.create(wanted))
            self.same(f"orders: {what} is refused as by Bandwidth", text, at_bandwidth)
            self.report.check(f"PyPI: placing: orders: that is {code}", f"{code} Iris error" in text, text)
        text = refusal(lambda: self.account.orders.get(NO_ORDER))
        self.report.check("PyPI: placing: orders: one that is not there", "does not exist" in text, text)

    def portin(self):
        portins = self.account.portins
        wanted = {
            "customer_order_id": "PY-PORT",
            "site_id": self.sandbox.site,
            "billing_telephone_number": PORTED[0],
            "subscriber": {"subscriber_type": "BUSINESS", "business_name": "Grüße <&> Co"},
            "loa_authorizing_person": "Somebody",
            "list_of_phone_numbers": {"phone_number": PORTED},
        }
        made = portins.create(wanted)
        id_ = made.id
        self.new("portins", made, made.processing_status, "PENDING_DOCUMENTS")
        self.same("portins: what create says", made.status.code, "201")
        got = portins.get(id_, None)
        is_ = (got.id, got.processing_status, got.account_id, got.customer_order_id, got.site_id)
        expected = (id_, "PENDING_DOCUMENTS", self.tenant.account, "PY-PORT", self.sandbox.site)
        self.same("portins: get", is_, expected)
        is_ = (got.list_of_phone_numbers.items, got.subscriber.business_name)
        self.same("portins: what was asked for", is_, (PORTED, "Grüße <&> Co"))
        self.same("portins: totals", got.totals.get().count, "2")
        text = refusal(lambda: portins.create(wanted))
        self.report.check("PyPI: placing: portins: a number that is being ported: 7205", "7205" in text, text)

        self.documents(id_)

        def state() -> str:
            return portins.get(id_, None).processing_status

        self.becomes("portins: with its document", state, "SUBMITTED")
        supp = portins.create({"order_id": id_, "customer_order_id": "PY-PORT", "billing_type": "PORTIN"}, save=False)
        saved = supp.save()
        self.same("portins: a change", (saved.status.code, saved.processing_status), ("200", "REQUESTED_SUPP"))
        self.becomes("portins: after the change", state, "SUBMITTED")
        got = portins.get(id_, None)
        self.same("portins: what was changed", got.billing_type, "PORTIN")
        states = [entry.status for entry in got.history.list().items]
        expected = ["PENDING_DOCUMENTS", "SUBMITTED", "REQUESTED_SUPP", "SUBMITTED"]
        self.same("portins: history", states, expected)
        check_notes(self.report, self.tenant, "placing: portins", got.notes, [])
        self.same("portins: cancelling it", portins.create({"order_id": id_}, save=False).delete(), True)
        self.same("portins: it is to be cancelled", state(), "REQUESTED_CANCEL")
        text = refusal(portins.create({"order_id": id_}, save=False).delete)
        self.report.check("PyPI: placing: portins: cancelling it again: 7304", "7304" in text, text)
        text = refusal(lambda: portins.create({"billing_telephone_number": PORTED[0]}))
        self.report.check("PyPI: placing: portins: one without a site: 7309", "7309" in text, text)

    def documents(self, id_: str):
        loas = self.account.portins.create({"order_id": id_}, save=False).loas
        with tempfile.TemporaryDirectory() as folder:
            files = [pathlib.Path(folder, name) for name in ("first.pdf", "second.pdf")]
            for nth, file in enumerate(files):
                # No text: a byte that is changed on the way shows.
                file.write_bytes(b"%PDF\r\n\0\xff 9900013 " + bytes([nth]))
            name = loas.create(str(files[0]), PDF)
            self.report.check("PyPI: placing: portins: a document gets a name", name.endswith(".pdf"), name)
            self.same("portins: it is that document", loas.get(name).content, files[0].read_bytes())
            metadata = loas.metadata
            metadata.id, metadata.document_name, metadata.document_type = name, "letter", "LOA"
            metadata.save()
            got = loas.metadata.get(name)
            self.same("portins: what it is", (got.document_name, got.document_type), ("letter", "LOA"))
            self.same("portins: another in its place", loas.update(name, str(files[1]), PDF), True)
            self.same("portins: it is the other", loas.get(name).content, files[1].read_bytes())
            other = loas.create(str(files[0]), PDF)

        def listed() -> list[str]:
            # The client finds nothing: it looks for another root.
            _, _, text = self.tenant.request("GET", f"/portins/{id_}/loas")
            return re.findall("<FileName>(.*?)<", text)

        self.same("portins: the documents", listed(), [name, other])
        self.same("portins: deleting one", loas.delete(other), True)
        self.same("portins: it is gone", listed(), [name])

    def disconnect(self, number: str):
        disconnects = self.account.disconnects
        numbers = {"telephone_number_list": {"telephone_number": [number]}}
        wanted = {"name": "away", "customer_order_id": "PY-AWAY", "disconnect_telephone_number_order_type": numbers}
        made = disconnects.create(wanted)
        id_ = made.id
        self.new("disconnects", made, made.order_status, "RECEIVED")
        self.becomes("disconnects: its state", lambda: disconnects.get(id_).order_status, "COMPLETE")
        got = disconnects.get(id_).order_request
        is_ = (got.id, got.name, got.disconnect_telephone_number_order_type.telephone_number_list.items)
        self.same("disconnects: what was asked for", is_, (id_, "away", [number]))
        notes = disconnects.create({"order_id": id_}, save=False).notes
        check_notes(self.report, self.tenant, "placing: disconnects", notes, [])

    def others(self, number: str):
        numbers = {"telephone_numbers": {"telephone_number": [number]}}
        account = self.account

        def made(order_type: str, orders, first: str, **wanted: object):
            made = orders.create({"customer_order_id": f"PY {order_type}", **wanted})
            id_ = made.id
            self.new(order_type, made, made.processing_status, first)
            self.becomes(f"{order_type}: its state", lambda: orders.get(id_).processing_status, "COMPLETE")
            got = orders.get(id_)
            is_ = (got.id, got.account_id, got.customer_order_id)
            self.same(f"{order_type}: get", is_, (id_, self.tenant.account, f"PY {order_type}"))
            return got

        group = {**numbers, "listing_type": "LISTED", "list_address": "true"}
        got = made("dldas", account.dldas, "RECEIVED", dlda_tn_groups={"dlda_tn_group": [group]})
        is_ = [one.status for one in got.history.list().items]
        self.same("dldas: history", is_, ["RECEIVED", "COMPLETE"])
        group = {**numbers, "subscriber_information": "Somebody", "use_type": "BUSINESS", "visibility": "PUBLIC"}
        got = made("lidbs", account.lidbs, "PENDING", lidb_tn_groups={"lidb_tn_group": [group]})
        is_ = [one.telephone_numbers.items for one in got.lidb_tn_groups.lidb_tn_group.items]
        self.same("lidbs: what was asked for", is_, [[number]])
        group = {**numbers, "sms": "on"}
        got = made("tnoptions", account.tn_option_orders, "RECEIVED", tn_option_groups={"tn_option_group": [group]})
        is_ = [(one.sms, one.telephone_numbers.items) for one in got.tn_option_groups.tn_option_group.items]
        self.same("tnoptions: what was asked for", is_, [("on", [number])])

    def names(self):
        """Nothing but documents, which are nobody's to look into, may show the upstream."""
        url = f"{self.tenant.url}/api/accounts/{self.tenant.account}/"
        client, upstream = self.client, self.sandbox.account
        shown = [text for text in client.heard if re.search(rf"\b{upstream}\b|{self.sandbox.url}", text)]
        self.same("nowhere the upstream's account", [text for text in shown if "%PDF" not in text], [])
        shown = [text for text in client.heard if f">{self.tenant.account}<" in text]
        self.report.check("PyPI: placing: the tenant's account instead", shown)
        elsewhere = [location for location in client.locations if not location.startswith(url)]
        self.report.check("PyPI: placing: there are locations", len(client.locations) >= len(self.placed))
        self.same("each of them is at the relay", elsewhere, [])
