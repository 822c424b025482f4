"""The whole stack, deployed by SAM to an emulated AWS that enforces IAM, and used as its users use it.

    aws.py --emulator PYTHON --sam SAM --hookline PATH --template BUILT --architecture x86_64|arm64

`PYTHON` is the interpreter of an environment with MiniStack; `BUILT` is what `sam build` wrote. Follows notifications
from API Gateway to an endpoint, through retries, parking, dead letters, a replay and the inbox, takes each permission
from each role in turn, and removes it all again. One line for each check; the last counts them.
"""

import argparse
import json
import sys
import time

import permissions
from dev import Report, until
from emulated import REGION
from roads import AT, DELIVERY_SECONDS_MAX, Roads
from run import on_emulated_aws
from stack import ACCOUNT, Stack

# `schedule` runs every minute, and looks a minute ahead.
NOTICE_SECONDS = 120
SCHEDULE_SECONDS_MAX = NOTICE_SECONDS + DELIVERY_SECONDS_MAX
# A job begins in the first minute that is 90 seconds after it was asked for.
REPLAY_SECONDS_MAX = 90 + 60 + DELIVERY_SECONDS_MAX


# ---- The road


def order_retries_and_signatures(roads: Roads):
    order = roads.order()
    roads.endpoint.answer["/flaky"] = 500
    roads.stack.subscribe(roads.endpoint, "flaky", retry_schedule=[1, 2, 3, 600])
    roads.stack.subscribe(roads.endpoint, "json", format="json")
    roads.tell("orders", order, "SUBMITTED", "FOC", "COMPLETE")
    attempts = lambda: [one for one in list(roads.endpoint.deliveries) if one.path == "/flaky"]
    until("two failed attempts", DELIVERY_SECONDS_MAX, lambda: len(attempts()) >= 2)
    del roads.endpoint.answer["/flaky"]
    roads.arrives("flaky", order, "SUBMITTED", "FOC", "COMPLETE")
    failed = {one.state for one in attempts() if not one.ok}
    roads.report.same("what failed was the first state only", failed, {"SUBMITTED"})
    first, *others = [one.headers for one in attempts() if one.state == "SUBMITTED"]
    numbers = [headers["hookline-attempt"] for headers in (first, *others)]
    roads.report.same("attempts are numbered", numbers, [str(nth + 1) for nth in range(len(numbers))])
    roads.report.same("one webhook-id", {headers["webhook-id"] for headers in others}, {first["webhook-id"]})
    roads.stack.bandwidth.notify("orders", order, AT.format(2), Status="COMPLETE")
    bodies = [json.loads(one.body)["status"] for one in list(roads.endpoint.deliveries) if one.path == "/json"]
    roads.report.same("json: all three came", bodies, ["SUBMITTED", "FOC", "COMPLETE"])


def dead_letters(roads: Roads):
    order = roads.order()
    roads.endpoint.answer["/dead"] = 500
    roads.stack.subscribe(roads.endpoint, "dead", retry_schedule=[1])
    roads.stack.subscribe(roads.endpoint, "told", event_type="delivery.exhausted")
    roads.tell("orders", order, "FAILED")
    until("its owner is told", DELIVERY_SECONDS_MAX, lambda: roads.endpoint.taken("told"))
    roads.report.same("told: delivery.exhausted", roads.endpoint.states("told"), ["delivery.exhausted"])
    [dead] = roads.stack.of_tenant("GET", "/deliveries/dead")["items"]
    del roads.endpoint.answer["/dead"]
    roads.stack.call("POST", roads.stack.retry_path(dead))
    roads.arrives("dead", order, "FAILED")
    [again] = roads.endpoint.taken("dead", order)
    roads.report.same("it says that it is made again", again.headers.get("hookline-replay"), "true")
    roads.report.same("nothing is dead any more", roads.stack.of_tenant("GET", "/deliveries/dead")["items"], [])


def replay(roads: Roads):
    """Asks for two states of one order again, the second of which waits for the first; answers what is to be checked
    when it has begun, which is later."""
    order = roads.order()
    subscription = roads.stack.subscribe(roads.endpoint, "again", order_type="orders")
    roads.tell("orders", order, "SUBMITTED", "COMPLETE")
    roads.arrives("again", order, "SUBMITTED", "COMPLETE")
    wanted = {"from": "2026-01-01T00:00:00Z", "order_id": order, "subscription": subscription}
    asked = roads.stack.of_tenant("POST", "/replays", wanted)
    job = lambda: roads.stack.of_tenant("GET", f"/replays/{asked['id']}")

    def replayed(roads: Roads):
        until("the replay is done", REPLAY_SECONDS_MAX, lambda: "done_at" in job())
        roads.report.same("a replay makes again", job()["count"], 2)
        for delivery in roads.parked():
            roads.make_due(delivery, 0)
        roads.minute()
        roads.arrives("again", order, *["SUBMITTED", "COMPLETE"] * 2)
        told = [one.headers.get("hookline-replay") for one in roads.endpoint.taken("again", order)]
        roads.report.same("the second time they say so", told, [None, None, "true", "true"])

    return replayed


def parking(roads: Roads):
    order = roads.order()
    roads.endpoint.answer["/late"] = 500
    roads.stack.subscribe(roads.endpoint, "late", retry_schedule=[3600])
    roads.tell("orders", order, "SUBMITTED", "COMPLETE")
    until("it is parked", DELIVERY_SECONDS_MAX, lambda: roads.parked())
    del roads.endpoint.answer["/late"]
    [item] = roads.parked()
    roads.make_due(item, NOTICE_SECONDS)
    until("it is woken", SCHEDULE_SECONDS_MAX, lambda: len(roads.endpoint.states("late", order)) == 2)
    roads.arrives("late", order, "SUBMITTED", "COMPLETE")


def inbox(roads: Roads):
    """The table refuses ingest, which may not use it any more."""
    order = roads.order()
    roads.stack.subscribe(roads.endpoint, "inboxed")
    with permissions.without(roads.stack, "ingest", "Store"):
        roads.tell("orders", order, "COMPLETE")
    roads.arrives("inboxed", order, "COMPLETE")
    with permissions.without(roads.stack, "ingest", "Store", "SendToInbox"):
        status = roads.refused(roads.order())
    roads.report.same("with neither store it is refused", status, 503)


def quarantine(roads: Roads):
    roads.stack.bandwidth.post("<Notification>no end", 400)
    kept = roads.stack.call("GET", f"/relay/v1/upstreams/{ACCOUNT}/quarantine")["items"]
    roads.report.same("what is no notification is kept", len(kept), 1)


# ---- What an operator looks at


def metrics(roads: Roads):
    """Read back from the logs, and held against what was done."""
    counted = roads.stack.metrics()
    accepted = sum(counted["Accepted"])
    # The relay's own events are stored by the functions that tell of them.
    roads.report.same("metrics: Accepted", accepted, roads.posted)
    roads.report.same("metrics: Deduplicated", sum(counted["Deduplicated"]), 1)
    roads.report.same("metrics: Diverted", sum(counted["Diverted"]), 1)
    roads.report.same("metrics: Refused", sum(counted["Refused"]), 1)
    roads.report.same("metrics: Quarantined", sum(counted["Quarantined"]), 1)
    deliveries = list(roads.endpoint.deliveries)
    succeeded = [one for one in deliveries if one.ok]
    roads.report.same("metrics: Delivered", sum(counted["Delivered"]), len(succeeded))
    roads.report.same("metrics: Failed, once for each attempt", len(counted["Failed"]), len(deliveries))
    roads.report.same("metrics: Failed", sum(counted["Failed"]), len(deliveries) - len(succeeded))
    roads.report.same("metrics: Parked", sum(counted["Parked"]), 1)
    roads.report.same("metrics: Dead", sum(counted["Dead"]), 1)
    # Of the flaky and of the dead endpoint; all later failures were the last, or parked.
    roads.report.same("metrics: Retried", sum(counted["Retried"]), len(deliveries) - len(succeeded) - 2)
    first_time = [one for one in succeeded if "hookline-replay" not in one.headers]
    lags = counted["LagMilliseconds"]
    roads.report.same("metrics: LagMilliseconds, once for each delivery", len(lags), len(first_time))
    # Their orders changed long ago, but for the event of the relay's own.
    year_ago = time.mktime((2026, 2, 3, 10, 11, 0, 0, 0, 0)) * 1000
    since = time.time() * 1000 - year_ago
    close = [lag for lag in lags if abs(since - lag) < 86_400_000 or lag < 60_000]
    roads.report.same("metrics: LagMilliseconds are those of these orders", len(close), len(lags))
    times = counted["AttemptMilliseconds"]
    roads.report.check("metrics: AttemptMilliseconds", len(times) == len(deliveries) and max(times) < 15_000, times)


def ledger(roads: Roads):
    table = roads.stack.outputs["TableName"]
    try:
        said = roads.stack.command("audit", "--table", table)
        roads.report.check("audit: everything is accounted for", True)
        print("     " + said.strip().replace("\n", "\n     "))
    except AssertionError as error:
        roads.report.check("audit: everything is accounted for", False, error)


def other_parameters(roads: Roads, template: str):
    """Deployed again with the same code: the running functions have them."""
    stack = roads.stack
    route53 = stack.emulator.client("route53")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="check")["HostedZone"]["Id"].split("/")[-1]
    functions = stack.emulator.client("lambda")
    before = stack.versions()
    stack.deploy(
        template,
        LogLevel="debug",
        Tracing="Active",
        AllowedNetworks="127.0.0.0/8,10.0.0.0/8",
        DomainName="hooks.example.com",
        CertificateArn=f"arn:aws:acm:{REGION}:000000000000:certificate/00000000-0000-0000-0000-000000000000",
        HostedZoneId=zone,
    )
    after = stack.versions()
    roads.report.check("each function has a new version", all(before[one] != after[one] for one in before), after)
    for name in after:
        live = functions.get_function_configuration(FunctionName=name, Qualifier="live")
        variables = live["Environment"]["Variables"]
        found = variables["RUST_LOG"], live["TracingConfig"]["Mode"], variables.get("ALLOWED_NETWORKS")
        networks = "127.0.0.0/8,10.0.0.0/8" if name.endswith(("-deliver", "-schedule", "-api")) else None
        roads.report.same(f"{name} goes by its parameters", found, ("debug", "Active", networks))
    urls = stack.outputs["ApiUrl"], stack.outputs["NotifyUrl"]
    expected = "https://hooks.example.com", "https://hooks.example.com/notify/{account}"
    roads.report.same("the way in has its name", urls, expected)
    order = roads.order()
    roads.tell("orders", order, "COMPLETE")
    roads.arrives("swept", order, "COMPLETE")


def torn_down(stack: Stack, report: Report):
    table = stack.outputs["TableName"]
    stack.delete()
    stacks = stack.emulator.client("cloudformation").describe_stacks()["Stacks"]
    names = [one["StackName"] for one in stacks if one["StackStatus"] != "DELETE_COMPLETE"]
    report.check("the stack is gone", not [name for name in names if name.startswith(stack.NAME)], names)
    functions = stack.emulator.client("lambda").list_functions()["Functions"]
    report.same("no function is left", [one["FunctionName"] for one in functions], [])
    tables = stack.emulator.client("dynamodb").list_tables()["TableNames"]
    report.check("the table is left", table in tables, tables)


def whole(roads: Roads, options: argparse.Namespace):
    roads.stack.deploy(options.template)
    roads.stack.populate()
    for check in (order_retries_and_signatures, dead_letters):
        check(roads)
    replayed = replay(roads)
    for check in (parking, inbox, quarantine, replayed, metrics, ledger):
        check(roads)
    permissions.Sweep(roads).run()
    given_back = sum(roads.stack.metrics()["GivenBack"])
    roads.report.check("metrics: GivenBack, of what was refused", given_back > 0, given_back)
    ledger(roads)
    other_parameters(roads, options.template)
    roads.report.same("deliveries that standardwebhooks refuses", roads.endpoint.unverified, [])
    # As the kernel writes 127.0.0.1.
    roads.report.same("nothing listens but on loopback", roads.stack.emulator.listening(), {"0100007F"})
    torn_down(roads.stack, roads.report)


if __name__ == "__main__":
    sys.exit(on_emulated_aws("aws", (), whole))
