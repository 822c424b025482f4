"""What roles may do: none of it is superfluous.

Each permission is taken from its role alone, each condition is put so that it does not hold, and each permission to
call a function is taken from that. Then something is done for which it is needed, by a process that remembers nothing:
it must be asked for, and be refused. Afterwards all is given back, and whatever was accepted meanwhile must arrive.
"""

import contextlib
import copy
import fnmatch
import json
import time

from dev import until
from roads import Roads
from stack import ACCOUNT, TENANT, Stack

FUNCTIONS = ("ingest", "inbox", "fanout", "deliver", "schedule", "api")

OF_TENANT = f"/relay/v1/tenants/{TENANT}"

# The rule that calls schedule does so every minute.
ASKED_SECONDS_MAX = 90
# The least that Lambda lets a record of a stream grow old.
GIVEN_UP_SECONDS = 60
HEALED_SECONDS_MAX = 120

# So that what failed comes back within this test; in the template it is six times a function's timeout.
VISIBILITY_SECONDS = 5


class Policy:
    """The one policy of a function's role."""

    def __init__(self, stack: Stack, function: str):
        self.iam = stack.emulator.client("iam")
        self.names = {"RoleName": stack.resource(f"{function.capitalize()}Role"), "PolicyName": function}
        self.document = self.iam.get_role_policy(**self.names)["PolicyDocument"]

    @property
    def role(self) -> str:
        return self.names["RoleName"]

    def permissions(self):
        """Each with the id of its statement."""
        for statement in self.document["Statement"]:
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    yield statement["Sid"], action, resource

    def conditions(self):
        """The permissions that are bound to one."""
        bound = {statement["Sid"] for statement in self.document["Statement"] if "Condition" in statement}
        return [one for one in self.permissions() if one[0] in bound]

    def without(self, *gone):
        """While the block runs, these permissions are missing."""
        return self.changed(lambda statement, one: one not in gone)

    def with_condition_elsewhere(self, *elsewhere):
        """While the block runs, these permissions hold for something else."""

        def change(statement: dict, one: tuple) -> bool:
            if one in elsewhere:
                for asked in statement["Condition"].values():
                    asked.update({name: "another" for name in asked})
            return True

        return self.changed(change)

    @contextlib.contextmanager
    def changed(self, is_kept):
        statements = []
        for statement in self.document["Statement"]:
            for nth, action in enumerate(listed(statement["Action"])):
                for mth, resource in enumerate(listed(statement["Resource"])):
                    single = copy.deepcopy({**statement, "Action": action, "Resource": resource})
                    if is_kept(single, (statement["Sid"], action, resource)):
                        statements.append({**single, "Sid": f"{statement['Sid']}{nth}{mth}"})
        self.put({**self.document, "Statement": statements})
        try:
            yield
        finally:
            self.put(self.document)

    def put(self, document: dict):
        self.iam.put_role_policy(**self.names, PolicyDocument=json.dumps(document))


def listed(one_or_more) -> list:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


@contextlib.contextmanager
def without(stack: Stack, function: str, *statements: str):
    """While the block runs, a function may do nothing of what these statements allow."""
    policy = Policy(stack, function)
    with policy.without(*[one for one in policy.permissions() if one[0] in statements]):
        yield


class Sweep:
    def __init__(self, roads: Roads):
        self.roads = roads
        self.stack = roads.stack
        self.endpoint = roads.endpoint
        self.table = self.stack.emulator.client("dynamodb")
        self.name = self.stack.outputs["TableName"]
        self.policies = {function: Policy(self.stack, function) for function in FUNCTIONS}
        self.swept: list[str] = []

    def run(self):
        self.prepare()
        for function, policy in self.policies.items():
            for permission in policy.permissions():
                self.take(function, policy, permission, policy.without(permission), "needs")
            for permission in policy.conditions():
                elsewhere = policy.with_condition_elsewhere(permission)
                self.take(function, policy, permission, elsewhere, "is bound by the condition of")
        for function, do in (("ingest", self.refused_order), ("api", self.read), ("schedule", lambda: None)):
            self.take_caller(function, do)
        self.heals()

    def take(self, function: str, policy: Policy, permission: tuple[str, str, str], gone, how: str):
        statement, action, resource = permission
        queue = resource.rsplit(f"{self.stack.NAME}-", 1)[-1].split("-")[0]
        keys = ((function, statement, queue), (function, statement, action), (function, statement), function)
        do = next(self.DEEDS[key] for key in keys if key in self.DEEDS)
        name = f"{function} {how} {action} on {resource.split(':', 5)[-1]}"
        with self.expecting(name, policy.role, action, resource), gone:
            self.stack.restart(function)
            do(self)
            until(name, ASKED_SECONDS_MAX, self.refused)

    def take_caller(self, function: str, do):
        """Takes away that the gateway, or the rule of every minute, may call a function."""
        client = self.stack.emulator.client("lambda")
        whose = {"FunctionName": f"{self.stack.NAME}-{function}", "Qualifier": "live"}
        [statement] = json.loads(client.get_policy(**whose)["Policy"])["Statement"]
        caller = statement["Principal"]["Service"]
        name = f"{function} is called by {caller} by its policy"
        with self.expecting(name, caller, statement["Action"], statement["Resource"]):
            client.remove_permission(**whose, StatementId=statement["Sid"])
            try:
                do()
                until(name, ASKED_SECONDS_MAX, self.refused)
            finally:
                [source] = statement["Condition"]["ArnLike"].values()
                again = {"Action": statement["Action"], "Principal": caller, "SourceArn": source}
                client.add_permission(**whose, StatementId=statement["Sid"], **again)

    @contextlib.contextmanager
    def expecting(self, name: str, who: str, action: str, resource: str):
        """One check: that in the block it is asked for, and refused. `refused` tells whether it has been."""
        before = len(self.stack.emulator.asked())

        def refused() -> bool:
            return any(
                asked == who and what == action and fnmatch.fnmatch(whose, resource) and not allowed
                for asked, what, whose, allowed in self.stack.emulator.asked()[before:]
            )

        self.refused = refused
        try:
            yield
            self.roads.report.check(name, True)
        except AssertionError as error:
            self.roads.report.check(name, False, error)

    def heals(self):
        # `recover` leaves to the stream what came in within the last hour.
        long_ago = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 2 * 3_600))
        for order in self.missing():
            for event in self.roads.items(f"ORDER#{ACCOUNT}#{order}", "EVENT#"):
                self.roads.put({**event, "received_at": {"S": long_ago}})
        since = ("--since", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86_400)))
        outputs = self.stack.outputs
        self.stack.command("recover", "--table", outputs["TableName"], "--wake-queue", outputs["WakeQueueUrl"], *since)
        with contextlib.suppress(AssertionError):
            until("all that was accepted arrives", HEALED_SECONDS_MAX, lambda: not self.missing())
        name = f"all {len(self.swept)} that were accepted meanwhile arrive, missing"
        self.roads.report.same(name, self.missing(), [])

    def missing(self) -> list[str]:
        told = {one.order for one in self.endpoint.taken("swept")}
        return [order for order in self.swept if order not in told]

    # ---- What there is to do it with

    def prepare(self):
        sqs = self.stack.emulator.client("sqs")
        for queue in ("WakeQueue", "AsideQueue", "InboxQueue"):
            attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
            sqs.set_queue_attributes(QueueUrl=self.stack.resource(queue), Attributes=attributes)
        self.stack.subscribe(self.endpoint, "swept", order_type="orders")
        self.stack.subscribe(self.endpoint, "limited", order_type="lidbs", rate_limit=1)
        self.failing = {
            # What it is told stays pending, with a wake in a queue.
            "stuck": self.subscribe_failing("stuck", order_type="portins", retry_schedule=[850, 850]),
            # It is parked at once,
            "parked": self.subscribe_failing("parked", order_type="portouts", retry_schedule=[3600]),
            # dead after two attempts,
            "hopeless": self.subscribe_failing("hopeless", order_type="disconnects", retry_schedule=[1]),
            # or has its breaker open after ten.
            "broken": self.subscribe_failing("broken", order_type="dldas", retry_schedule=[1] * 11),
        }
        for order_type in ("portins", "dldas", "disconnects"):
            self.roads.tell(order_type, self.roads.order(), "SUBMITTED")

    def subscribe_failing(self, path: str, **wanted) -> str:
        self.endpoint.answer[f"/{path}"] = 500
        return self.stack.subscribe(self.endpoint, path, **wanted)

    # ---- What to do, by function

    def order(self):
        """A new order; it may take long to arrive, but must."""
        order = self.roads.order()
        self.roads.tell("orders", order, "COMPLETE")
        self.swept.append(order)

    def order_past_ingest(self):
        with without(self.stack, "ingest", "Store"):
            self.order()

    def refused_order(self):
        self.roads.refused(self.roads.order())

    def order_to_the_inbox(self):
        """It is refused."""
        gone = [one for one in self.policies["ingest"].permissions() if one[0] in ("Store", "SendToInbox")]
        with self.policies["ingest"].without(*gone):
            self.refused_order()

    def order_behind_another(self):
        """Who gives up the first reads on to the second."""
        self.roads.tell("disconnects", self.roads.order(), "SUBMITTED", "COMPLETE")

    def order_in_vain(self):
        self.roads.tell("disconnects", self.roads.order(), "COMPLETE")

    def more_than_its_limit(self):
        for _ in range(3):
            self.roads.tell("lidbs", self.roads.order(), "COMPLETE")

    def order_that_fanout_gives_up(self):
        """First its failure cannot be sent; then, with the permission, it can."""
        mappings = self.stack.emulator.client("lambda")
        name = f"{self.stack.NAME}-fanout:live"
        [mapping] = mappings.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        sqs, queue = self.stack.emulator.client("sqs"), self.stack.resource("FanoutFailures")
        count = "ApproximateNumberOfMessages"
        is_sent = lambda: sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[count])["Attributes"][count] == "1"
        policy = self.policies["fanout"]
        stores = [one for one in policy.permissions() if one[0] == "Store"]
        send = [one for one in policy.permissions() if one[0] == "SendFailures"]
        mappings.update_event_source_mapping(UUID=mapping["UUID"], MaximumRecordAgeInSeconds=GIVEN_UP_SECONDS)
        try:
            with policy.without(*stores, *send):
                self.order()
                until("it is given up", GIVEN_UP_SECONDS + ASKED_SECONDS_MAX, self.refused)
            with policy.without(*stores):
                self.order()
                until("its failure is sent", GIVEN_UP_SECONDS + ASKED_SECONDS_MAX, is_sent)
        finally:
            before = mapping["MaximumRecordAgeInSeconds"]
            mappings.update_event_source_mapping(UUID=mapping["UUID"], MaximumRecordAgeInSeconds=before)

    def order_with_a_subscription_of_its_own(self):
        order = self.roads.order()
        self.roads.tell("orders", order, "RECEIVED")
        known = lambda: self.stack.of_tenant("GET", "/orders/orders?limit=200")["items"]
        until("the order is known", ASKED_SECONDS_MAX, lambda: any(one["order_id"] == order for one in known()))
        self.stack.subscribe(self.endpoint, "own", order_type="orders", order_id=order)
        self.roads.tell("orders", order, "RECEIVED", "COMPLETE")
        self.swept.append(order)
        until("it is told the end", ASKED_SECONDS_MAX, lambda: self.endpoint.taken("own", order))
        # Who comes by later takes the subscription away.
        self.hurry()

    def hurry(self):
        """Whatever is parked is due."""
        self.roads.tell("portouts", self.roads.order(), "SUBMITTED")
        until("something is parked", ASKED_SECONDS_MAX, lambda: self.roads.parked())
        for item in self.roads.parked():
            self.roads.make_due(item, 0)
        self.roads.minute()

    def minute_of_an_audit(self):
        """As at two in the morning, where an order has an event of yesterday that no feed of yesterday lists."""
        order = self.roads.order()
        self.roads.tell("orders", order, "RECEIVED", "COMPLETE")
        until("it is delivered", ASKED_SECONDS_MAX, lambda: len(self.endpoint.taken("swept", order)) == 2)
        # Back to a minute before the last two o'clock, and half a day before that.
        ago = int(time.time() - 2 * 3_600) % 86_400 + 60
        yesterday = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - ago - 14 * 3_600))
        [*_, event] = self.roads.items(f"ORDER#{ACCOUNT}#{order}", "EVENT#")
        [entry, *_] = [one for one in self.roads.items(f"TENANT#{TENANT}#FEED") if one["subject"]["S"] == order]
        digest = entry["sk"]["S"].split("#")[1]
        self.roads.put({**event, "received_at": {"S": yesterday}})
        listed = {**entry, "received_at": {"S": yesterday}, "sk": {"S": f"{yesterday}#{digest}"}}
        self.roads.put(listed)
        self.roads.minute(ago)
        self.roads.put(event)
        self.table.delete_item(TableName=self.name, Key={"pk": listed["pk"], "sk": listed["sk"]})

    def let_go_of_what_was_held(self):
        """Of a subscription that was disabled for a while."""
        path = f"/subscriptions/{self.failing['parked']}"
        wanted = {"url": f"{self.endpoint.url}parked", "order_type": "portouts", "retry_schedule": [3600]}
        self.stack.of_tenant("PUT", path, {**wanted, "enabled": False})
        self.stack.restart("deliver")
        self.roads.tell("portouts", self.roads.order(), "SUBMITTED")
        held = f"HELD#{self.failing['parked']}"
        until("it is held", ASKED_SECONDS_MAX, lambda: held in self.roads.at_rest().values())
        self.stack.of_tenant("PUT", path, wanted)
        self.roads.settle_jobs()
        # The last look is a run of its own.
        until("it is let go", ASKED_SECONDS_MAX, lambda: self.roads.minute() or self.refused())

    def ask_bandwidth(self):
        """As for an upstream whose API may be asked; what it answers is none of this."""
        at = {"url": self.endpoint.url, "username": "relay", "password": "relay", "gateway": False}
        self.stack.answer("PUT", f"/relay/v1/upstreams/{ACCOUNT}/api", at)
        # As if it had never been asked.
        self.table.delete_item(TableName=self.name, Key={"pk": {"S": "RECONCILE"}, "sk": {"S": ACCOUNT}})
        self.roads.minute()

    def read(self):
        self.stack.answer("GET", "/relay/v1/tenants")

    def list_undelivered(self):
        self.stack.answer("GET", f"{OF_TENANT}/deliveries/undelivered")

    def add_a_tenant(self):
        self.stack.answer("POST", "/relay/v1/tenants", {"id": f"77{self.roads.order()[-5:]}"})

    def delete_a_key(self):
        made = self.stack.call("POST", "/relay/v1/keys", {"tenant": TENANT, "role": "read"})
        self.stack.answer("DELETE", f"/relay/v1/keys/{made['id']}")

    def retry(self):
        undelivered = self.stack.of_tenant("GET", "/deliveries/undelivered?limit=200")["items"]
        first = next(one for one in undelivered if one["subscription"] == self.failing["stuck"])
        path = self.stack.retry_path(first)
        self.stack.restart("api")
        self.stack.answer("POST", path)

    def test(self):
        self.stack.answer("POST", f"{OF_TENANT}/subscriptions/{self.failing['stuck']}/test")

    def subscribe_first(self):
        """As when nobody has ever had a secret."""
        keys = self.roads.items("VAULT")
        for item in keys:
            self.table.delete_item(TableName=self.name, Key={"pk": item["pk"], "sk": item["sk"]})
        self.stack.answer("POST", f"{OF_TENANT}/subscriptions", {"url": f"{self.endpoint.url}none"})
        for item in keys:
            self.roads.put(item)

    DEEDS = {
        "ingest": order,
        ("ingest", "SendToInbox"): order_to_the_inbox,
        "inbox": order_past_ingest,
        "fanout": order,
        ("fanout", "SendFailures"): order_that_fanout_gives_up,
        "deliver": order,
        ("deliver", "Store", "dynamodb:Query"): order_behind_another,
        ("deliver", "Store", "dynamodb:PutItem"): order_in_vain,
        ("deliver", "Store", "dynamodb:DeleteItem"): order_with_a_subscription_of_its_own,
        ("deliver", "SendWakes", "WakeQueue"): more_than_its_limit,
        ("deliver", "SendWakes", "AsideQueue"): order_in_vain,
        "schedule": lambda self: self.roads.minute(),
        ("schedule", "Store", "dynamodb:BatchGetItem"): minute_of_an_audit,
        ("schedule", "Store", "dynamodb:UpdateItem"): let_go_of_what_was_held,
        ("schedule", "Store", "dynamodb:DeleteItem"): let_go_of_what_was_held,
        ("schedule", "UnwrapDataKey"): ask_bandwidth,
        ("schedule", "SendWakes", "WakeQueue"): hurry,
        "api": read,
        ("api", "Store", "dynamodb:BatchGetItem"): list_undelivered,
        ("api", "Store", "dynamodb:PutItem"): add_a_tenant,
        ("api", "Store", "dynamodb:DeleteItem"): delete_a_key,
        ("api", "Store", "dynamodb:UpdateItem"): retry,
        ("api", "ListUndelivered"): list_undelivered,
        ("api", "MakeAndUnwrapDataKey", "kms:GenerateDataKey"): subscribe_first,
        ("api", "MakeAndUnwrapDataKey", "kms:Decrypt"): test,
        ("api", "SendWakes"): retry,
    }
