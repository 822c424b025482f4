"""Whether a large table makes a relay slower: two of them in turns, with an empty table and with one that was filled.

Through its front door a million events take an hour. So a relay writes one of each, and while it is stopped its rows
are multiplied in the database: new names and keys, the same shapes.
"""

import time

from filler import DUE, STANDING, Filler
from loader import Loader
from relay import FAN_OUT, KNOWN_SECONDS, OPEN_CONNECTIONS, Relay, body, in_turns, starts, stored, whole

EVENTS = 1_000_000
SUBSCRIPTIONS = 100_000
PARKED = 100_000
OF_ONE_ORDER = 10_000

# What the copies are made of: orders by these names, and an hour's wait before a second try.
EVENT, WANTED, LATER, LONG = "fillevent", "fillwanted", "filllater", "filllong"
LATER_SECONDS = 3600
# Events of one order go one after the other.
ORDER_RATE = 50


def rows(options, loader: Loader):
    folders = options.folder / "empty", options.folder / "full"
    relays = [Relay(options.hookline, loader, folder) for folder in folders]
    try:
        for relay in relays:
            seed(relay)
        relays[1].dev.stop()
        filler = Filler(folders[1])
        fill(filler)
        items = filler.count()
        filler.close()
        value = f"{items:,} items, {stored(folders[1]) / 1e9:.1f} GB"
        yield "state", "1M events, 100k subscriptions, 100k parked, 10k in an order", value, ""
        relays[1] = Relay(options.hookline, loader, folders[1], relays[1].made)
        for relay in relays:
            relay.target.run(seconds=2)
        empty, full = in_turns(lambda relay: figures(relay, options.seconds / 2), *relays)
        for relay in relays:
            relay.widen()
        time.sleep(KNOWN_SECONDS)
        wide = in_turns(lambda relay: to_five(relay, options.seconds / 4), *relays)
        for relay, folder, side, more in zip(relays, folders, (empty, full), wide):
            side.update(more)
            relay.dev.stop()
            side["start to ready, ms"], side["memory when ready, MB"] = starts(options.hookline, loader, folder)
    finally:
        for relay in relays:
            relay.dev.kill()
    for what, before in empty.items():
        ratio = full[what] / before
        # Of a speed, the other way round.
        ratio = 1 / ratio if "per second" in what else ratio
        yield "state", what, f"{before:.2f} -> {full[what]:.2f}, {ratio:.2f} x", "<= 1.2 x"


def figures(relay: Relay, seconds: float) -> dict[str, float]:
    target = relay.target
    calm, most = target.at_100(seconds), target.run(seconds=seconds / 4)
    long = target.run(body=body(order=LONG), rate=ORDER_RATE, connections=OPEN_CONNECTIONS, seconds=seconds / 2)
    for each in (calm, most, long):
        whole(each)
    return {
        "at 100/s, p50 in ms": calm["delivery"]["p50"],
        "at 100/s, p99 in ms": calm["delivery"]["p99"],
        "at 100/s, CPU-seconds per 1,000": calm["cpu_per_1000"],
        "16 connections, accepted and delivered per second": most["delivered_per_second"],
        "16 connections, CPU-seconds per 1,000": most["cpu_per_1000"],
        "16 connections, most memory so far, MB": most["memory_mb"],
        f"one order at {ORDER_RATE}/s, p50 in ms": long["delivery"]["p50"],
        f"one order at {ORDER_RATE}/s, p99 in ms": long["delivery"]["p99"],
    }


def to_five(relay: Relay, seconds: float) -> dict[str, float]:
    wide = relay.target.run(seconds=seconds, fan_out=FAN_OUT)
    whole(wide)
    return {"fan-out 5, 16 connections, deliveries per second": wide["delivered_per_second"]}


def seed(relay: Relay):
    """Has the relay write one of each."""
    loader = relay.target.loader
    for order in (EVENT, WANTED, LATER, LONG):
        post(relay, order)
    relay.subscribe(loader.endpoint, order_type="orders", order_id=WANTED)
    later = {"order_type": "orders", "order_id": LATER, "retry_schedule": [LATER_SECONDS]}
    relay.subscribe(f"{loader.endpoint}fail", **later)
    time.sleep(KNOWN_SECONDS)
    post(relay, LATER)
    # The attempt that fails is written a moment later.
    time.sleep(1)


def post(relay: Relay, order: str):
    whole(relay.target.run(body=body(order), seconds=10, most=1, connections=1))


def fill(filler: Filler):
    hashes = {order: filler.event_key(order) for order in (EVENT, LATER, LONG)}
    _, digest = hashes[EVENT]
    filler.copy({EVENT: "printf('fill-%08d', n)", digest: "printf('a%031x', n)"}, EVENTS)

    _, digest = hashes[LATER]
    later = {LATER: "printf('later-%08d', n)", digest: "printf('b%031x', n)"}
    filler.copy(later, PARKED)
    for index in (DUE, STANDING):
        assert filler.copy(later, PARKED, index) == PARKED, f"nothing was parked in {index}"

    subscription = filler.subscription(WANTED)
    wanted = {WANTED: "printf('wanted-%08d', n)", subscription: "printf('%08x-0000-4000-8000-000000000000', n)"}
    filler.copy(wanted, SUBSCRIPTIONS)

    at, digest = hashes[LONG]
    earlier = f"strftime('%Y-%m-%dT%H:%M:%fZ', '{at}', '-' || n || ' seconds')"
    filler.copy({f"{at}#{digest}": f"{earlier} || printf('#c%031x', n)", digest: "printf('c%031x', n)"}, OF_ONE_ORDER)
