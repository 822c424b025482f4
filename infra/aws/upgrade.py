"""This release and the one before it, one after the other and side by side on one stack.

    upgrade.py --emulator PYTHON --sam SAM --hookline PATH --architecture x86_64|arm64 --template BUILT --before BUILT
               --half BUILT --other-half BUILT

The last three are templates like `--template`: with the functions of the release before, and with some functions of one
release and the rest of the other. Each deployment goes on with what the one before it has left undone in the table:
deliveries that wait for their retry, that stand behind another, that are parked and that are dead. Bandwidth posts all
the while, and no call of it may fail. One line for each check; the last counts them.
"""

import argparse
import contextlib
import sys
import threading

from dev import until
from roads import AT, DELIVERY_SECONDS_MAX, Roads
from run import on_emulated_aws

POSTS_APART_SECONDS = 0.25

# What the endpoints that fail are subscribed to, and with which waits.
RETRIED, PARKED, DEAD = "portins", "portouts", "disconnects"
WAITS = {RETRIED: [5] * 30, PARKED: [3600] * 2, DEAD: [1]}


class Steady(threading.Thread):
    """Bandwidth, which tells of one new order after the other."""

    def __init__(self, roads: Roads):
        super().__init__(daemon=True)
        self.roads = roads
        self.done = threading.Event()
        self.posted: list[str] = []
        self.failed: list[str] = []

    def __enter__(self) -> "Steady":
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()

    def run(self):
        while not self.done.wait(POSTS_APART_SECONDS):
            order = self.roads.order()
            try:
                self.roads.tell("orders", order, "COMPLETE")
                self.posted.append(order)
            except (AssertionError, OSError) as error:
                self.failed.append(f"{order}: {error!r}")


class Undone:
    """What one release leaves to the other."""

    def __init__(self, roads: Roads):
        self.roads = roads
        self.orders = {order_type: roads.order() for order_type in WAITS}
        for order_type, order in self.orders.items():
            roads.endpoint.answer[f"/{order_type}"] = 500
            roads.tell(order_type, order, "SUBMITTED", "FOC")
        dead = lambda: roads.stack.of_tenant("GET", "/deliveries/dead")["items"]
        is_dead = lambda: [one for one in dead() if one["order_id"] == self.orders[DEAD]]
        until("both are dead", DELIVERY_SECONDS_MAX, lambda: len(is_dead()) == 2)
        until("one is parked", DELIVERY_SECONDS_MAX, roads.parked)
        self.dead = is_dead()

    def finish(self, who: str):
        """In another deployment, where the endpoints work again."""
        roads = self.roads
        for order_type in WAITS:
            del roads.endpoint.answer[f"/{order_type}"]
        for key in roads.parked():
            roads.make_due(key, 0)
        roads.minute()
        for order_type in (RETRIED, PARKED):
            roads.stack.bandwidth.notify(order_type, self.orders[order_type], AT.format(2), Status="COMPLETE")
            roads.arrives(order_type, self.orders[order_type], "SUBMITTED", "FOC", "COMPLETE", by=who)
        for delivery in sorted(self.dead, key=lambda one: one["event"]):
            roads.stack.call("POST", roads.stack.retry_path(delivery))
            until("it is delivered", DELIVERY_SECONDS_MAX, lambda: delivery_of(roads, delivery)["state"] == "delivered")
        roads.arrives(DEAD, self.orders[DEAD], "SUBMITTED", "FOC", by=who)


def delivery_of(roads: Roads, delivery: dict) -> dict:
    notification = roads.stack.retry_path(delivery).split("/deliveries/")[0]
    [found] = [
        one
        for one in roads.stack.call("GET", notification)["deliveries"]
        if one["subscription"] == delivery["subscription"]
    ]
    return found


def one_after_the_other(roads: Roads, options: argparse.Namespace):
    stack, endpoint, report = roads.stack, roads.endpoint, roads.report
    # A key that is not the stack's own.
    key = stack.emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
    stack.deploy(options.before, KeyArn=key)
    stack.populate()
    stack.subscribe(endpoint, "steady", order_type="orders")
    for order_type, waits in WAITS.items():
        stack.subscribe(endpoint, order_type, order_type=order_type, retry_schedule=waits)
    with Steady(roads) as steady:
        # With those that it exchanges.
        for who, template, exchanged in (
            ("half of each", options.half, {"fanout", "inbox", "schedule"}),
            ("this release", options.template, {"api", "deliver", "ingest"}),
            ("the other halves", options.other_half, {"fanout", "inbox", "schedule"}),
            ("the release before", options.before, {"api", "deliver", "ingest"}),
        ):
            undone = Undone(roads)
            old = stack.versions()
            stack.deploy(template, KeyArn=key)
            new = stack.versions()
            changed = {name.rsplit("-", 1)[-1] for name in new if old[name] != new[name]}
            report.same(f"{who}: new versions of {', '.join(sorted(exchanged))}", changed, exchanged)
            undone.finish(who)
    report.same("calls of Bandwidth that failed", steady.failed, [])
    missing = lambda: set(steady.posted) - {one.order for one in endpoint.taken("steady")}
    with contextlib.suppress(AssertionError):
        until("all arrive", DELIVERY_SECONDS_MAX, lambda: not missing())
    report.same(f"of the {len(steady.posted)} orders of that time are missing", missing(), set())
    report.same("deliveries that standardwebhooks refuses", endpoint.unverified, [])
    try:
        stack.command("audit", "--table", stack.outputs["TableName"])
        report.check("audit: everything is accounted for", True)
    except AssertionError as error:
        report.check("audit: everything is accounted for", False, error)


if __name__ == "__main__":
    sys.exit(on_emulated_aws("upgrade", ("before", "half", "other-half"), one_after_the_other))
