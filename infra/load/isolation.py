"""One tenant's endpoint hangs; what does another tenant notice?

    isolation.py --hookline PATH [--seconds 30] [--rate 50]

Two tenants of one `hookline dev`. First only the one with a good endpoint is sent notifications; then the other one
too, whose endpoint never answers. Prints how long deliveries to the good endpoint took, from being accepted to
arriving, in both halves. A figure, not a test: it fails only when something does not arrive.
"""

import argparse
import asyncio
import json
import pathlib
import sys
import tempfile

from dev import Dev, Report, basic, request
from load import Load, Sink

SETTLED_SECONDS_MAX = 30
HANGING = "5500002"


def share(times: list[float], part: float) -> float:
    return sorted(times)[min(int(len(times) * part), len(times) - 1)] * 1000


def furnish(made: dict, endpoint: str):
    """A second tenant, whose orders have a name of their own and whose endpoint hangs."""
    headers = {"authorization": basic(made["operator"]["username"], made["operator"]["password"])}
    headers["content-type"] = "application/json"

    def call(method: str, path: str, body: dict):
        status, _, text = request(method, made["api_url"] + path, headers, json.dumps(body).encode())
        assert 200 <= status < 300, f"{method} {path}: {status} {text}"

    call("POST", "/tenants", {"id": HANGING})
    call("POST", f"/tenants/{HANGING}/subscriptions", {"url": endpoint + "hang"})
    rules = [{"prefix": "hanging", "tenant": HANGING}]
    account, tenant = made["upstream"]["account"], made["tenant"]["account"]
    call("PUT", f"/upstreams/{account}", {"rules": rules, "default_tenant": tenant})


async def run(options: argparse.Namespace) -> int:
    report = Report()
    sink = Sink(0.0)
    endpoint = await sink.start()
    with tempfile.TemporaryDirectory() as folder:
        dev = Dev(options.hookline, pathlib.Path(folder), endpoint)
        try:
            made = await asyncio.to_thread(dev.ready)
            await asyncio.to_thread(furnish, made, endpoint)
            # A change to an upstream may go unnoticed for as long.
            await asyncio.sleep(6)
            credentials = basic(made["upstream"]["username"], made["upstream"]["password"])
            url = made["notify_url"]
            for name, others in (("alone", []), ("beside", [Load(options.rate, "hanging")])):
                good = Load(options.rate, name)
                runs = [load.run(url, credentials, options.seconds) for load in [good, *others]]
                workers = sum(await asyncio.gather(*runs), [])
                for _ in range(SETTLED_SECONDS_MAX * 10):
                    if good.accepted.keys() <= sink.told.keys():
                        break
                    await asyncio.sleep(0.1)
                for worker in workers:
                    worker.cancel()
                missing = good.accepted.keys() - sink.told.keys()
                report.check(f"{name}: all {len(good.accepted)} arrive", bool(good.accepted) and not missing, missing)
                times = [max(sink.told[one][0] - at, 0.0) for one, at in good.accepted.items() if one in sink.told]
                print(f"{name}: p50 {share(times, 0.5):.1f} ms, p99 {share(times, 0.99):.1f} ms, "
                      f"max {max(times) * 1000:.1f} ms; hanging {sum(len(load.accepted) for load in others)}", flush=True)
        finally:
            dev.kill()
    return report.end("isolation")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--hookline", required=True)
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--rate", type=float, default=50)
    return asyncio.run(run(arguments.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
