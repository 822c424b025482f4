"""What each check of the stack starts from, and somewhere to deliver to."""

import http.server
import itertools
import re
import threading
import time

from standardwebhooks import Webhook

from dev import Report, request, until
from emulated import ADDRESS
from stack import Stack

# Queues hand out and poll by the second.
DELIVERY_SECONDS_MAX = 30

AT = "2026-02-03T10:11:{:02}.000Z"


class Delivery:
    def __init__(self, path: str, headers: dict[str, str], body: bytes):
        self.path = path
        self.headers = headers
        text = body.decode()
        self.order = self._element(text, "OrderId")
        self.state = self._element(text, "Status") or self._element(text, "EventType")
        self.body = body

    @staticmethod
    def _element(text: str, name: str) -> str:
        found = re.search(f"<{name}>(.*?)<", text)
        return found.group(1) if found else ""


class Endpoint(http.server.ThreadingHTTPServer):
    """Takes deliveries, answers as `answer` says, and verifies each signature."""

    daemon_threads = True

    def __init__(self):
        self.secrets: dict[str, str] = {}
        self.deliveries: list[Delivery] = []
        self.unverified: list[Delivery] = []
        # Status by path; 200 where there is none.
        self.answer: dict[str, int] = {}
        super().__init__((ADDRESS, 0), _Taking)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def taken(self, path: str, order: str = "") -> list[Delivery]:
        """What came to a path and was answered by 200, in order."""
        return [one for one in list(self.deliveries) if one.path == f"/{path}" and one.ok and order in one.order]

    def states(self, path: str, order: str = "") -> list[str]:
        return [one.state for one in self.taken(path, order)]


class _Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        delivery = Delivery(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        try:
            Webhook(self.server.secrets[self.path]).verify(body, delivery.headers, json_parse=False)
        except Exception:
            self.server.unverified.append(delivery)
        status = self.server.answer.get(self.path, 200)
        delivery.ok = status == 200
        self.server.deliveries.append(delivery)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Roads:
    """What each check starts from: the stack, somewhere to deliver to, and orders that nobody else uses."""

    def __init__(self, stack: Stack, endpoint: Endpoint, report: Report):
        self.stack = stack
        self.table = stack.emulator.client("dynamodb")
        self.endpoint = endpoint
        self.report = report
        self.orders = itertools.count(1)
        self.posted = 0

    def order(self) -> str:
        return f"1b9a2c44-8a1b-4f0e-9a57-{next(self.orders):012}"

    def tell(self, order_type: str, order: str, *states: str):
        """Has Bandwidth tell of an order's states, in seconds one after the other."""
        for nth, state in enumerate(states):
            self.stack.bandwidth.notify(order_type, order, AT.format(nth), Status=state)
            self.posted += 1

    def refused(self, order: str) -> int:
        """Posts an order without regard to the answer; answers its status."""
        bandwidth = self.stack.bandwidth
        elements = f"<OrderType>orders</OrderType><OrderId>{order}</OrderId><Status>COMPLETE</Status>"
        xml = f"<Notification>{elements}</Notification>"
        headers = {**bandwidth.headers, "authorization": bandwidth.authorization}
        status, _, _ = request("POST", bandwidth.url, headers, xml.encode())
        return status

    def arrives(self, path: str, order: str, *states: str, by: str = ""):
        """Whether just these states come, in this order."""
        expected = list(states)
        try:
            until("", DELIVERY_SECONDS_MAX, lambda: len(self.endpoint.states(path, order)) >= len(expected))
        except AssertionError:
            pass
        name = f"{by}: " if by else ""
        self.report.same(f"{name}{path}: {', '.join(expected)} came", self.endpoint.states(path, order), expected)

    def parked(self) -> list[tuple[str, str]]:
        """The keys of deliveries that wait for `schedule`."""
        return [key for key, place in self.at_rest().items() if place.startswith("DUE#")]

    def at_rest(self) -> dict[tuple[str, str], str]:
        """Where in the index `due` deliveries stand, by their keys."""
        items = self.table.scan(TableName=self.stack.outputs["TableName"], IndexName="due")["Items"]
        return {(one["pk"]["S"], one["sk"]["S"]): one["due"]["S"] for one in items}

    def make_due(self, key: tuple[str, str], seconds: int):
        """Does what hours would do: it is due in so many seconds."""
        pk, sk = key
        whose = {"TableName": self.stack.outputs["TableName"], "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}
        at = time.gmtime(time.time() + seconds)
        stamp = "%Y-%m-%dT%H:%M:%S.000Z"
        changed = {
            "due": time.strftime("DUE#%Y-%m-%dT%H:%M#0", at),
            "due_at": time.strftime(stamp, at),
            "next_at": time.strftime(stamp, at),
            "finished_at": time.strftime(stamp, time.gmtime(time.time() - 3_600)),
        }
        item = self.table.get_item(**whose)["Item"]
        changed = {name: value for name, value in changed.items() if name in item}
        # Nothing else: another may be put behind it meanwhile, which is written into it.
        self.table.update_item(
            **whose,
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changed),
            ExpressionAttributeNames={f"#{name}": name for name in changed},
            ExpressionAttributeValues={f":{name}": {"S": value} for name, value in changed.items()},
        )

    def minute(self, ago: int = 120):
        """Has `schedule` do what it would have done in the last minutes; it was late."""
        through = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() - ago))
        self.put({"pk": {"S": "SCHEDULE"}, "sk": {"S": "DUE"}, "v": {"N": "1"}, "through": {"S": through}})
        function = f"{self.stack.NAME}-schedule:live"
        self.stack.emulator.client("lambda").invoke(FunctionName=function, Payload=b"{}")

    def settle_jobs(self):
        """Does what minutes would do: by now every function goes by what was so when a job was asked for."""
        long_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
        for job in self.items("JOBS"):
            self.put({**job, "asked_at": {"S": long_ago}})

    # The items of a partition, as DynamoDB writes them.

    def items(self, partition: str, prefix: str = "") -> list[dict]:
        values = {":pk": {"S": partition}}
        condition = "pk = :pk"
        if prefix:
            values[":sk"] = {"S": prefix}
            condition += " AND begins_with(sk, :sk)"
        asked = {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}
        return self.table.query(TableName=self.stack.outputs["TableName"], **asked)["Items"]

    def put(self, item: dict):
        self.table.put_item(TableName=self.stack.outputs["TableName"], Item=item)
