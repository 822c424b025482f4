"""Whether one tenant notices that another's endpoint hangs while very much waits for it: two relays in turns."""

import time

from loader import Loader
from relay import KNOWN_SECONDS, Relay, body, in_turns, whole

PENDING = 50_000
NEIGHBOUR = "5500002"
# Well above what the relay takes in, so that a run is bounded by its count.
SECONDS_MAX = 300


def rows(options, loader: Loader):
    relays = [Relay(options.hookline, loader, options.folder / name) for name in ("alone", "beside")]
    try:
        for relay in relays:
            share(relay, loader)
        time.sleep(KNOWN_SECONDS)
        for relay in relays:
            relay.target.run(seconds=2)
        pend(relays[1])
        alone, beside = in_turns(lambda relay: p99(relay, options.seconds), *relays)
    finally:
        for relay in relays:
            relay.dev.kill()
    one, other = alone["p99"], beside["p99"]
    yield "isolation", "at 100/s, p99 alone", f"{one:.1f} ms", ""
    what = f"beside {PENDING:,} pending for an endpoint that hangs"
    yield "isolation", what, f"{other:.1f} ms, {other / one:.2f} x", "<= 1.2 x"


def share(relay: Relay, loader: Loader):
    """Gives the upstream a second tenant, whose endpoint hangs."""
    relay.call("POST", "/tenants", {"id": NEIGHBOUR})
    relay.subscribe(f"{loader.endpoint}hang", NEIGHBOUR)
    account, tenant = relay.made["upstream"]["account"], relay.made["tenant"]["account"]
    rules = [{"prefix": "neighbour", "tenant": NEIGHBOUR}]
    relay.call("PUT", f"/upstreams/{account}", {"rules": rules, "default_tenant": tenant})


def p99(relay: Relay, seconds: float) -> dict[str, float]:
    figures = relay.target.at_100(seconds)
    whole(figures)
    return {"p99": figures["delivery"]["p99"]}


def pend(relay: Relay):
    """Has the neighbour be sent so many, none of which arrives."""
    left = PENDING
    while left > 0:
        run = relay.target.run(
            body=body(name="neighbour"), seconds=SECONDS_MAX, most=left, fan_out=0, settle_seconds=0
        )
        left -= run["accepted"]
        assert run["accepted"], run
    # Until all of them have been fanned out, the relay is busy with that.
    quiet(relay)


def quiet(relay: Relay):
    """Waits until what is posted arrives at once again."""
    for _ in range(60):
        if relay.target.at_100(1)["delivery"]["p50"] < 20:
            return
    raise AssertionError("the relay does not come to rest")
