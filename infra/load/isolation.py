"""One tenant's endpoint hangs; what does another tenant notice?

    isolation.py --hookline PATH [--seconds 30] [--rate 50]

Three tenants of one `hookline dev`. The first, whose endpoint is good, is sent notifications alone; then beside the
second, whose endpoint is good too; then beside the third, whose endpoint never answers. Prints how long deliveries to
the first took, from being accepted to arriving. The second and third part are alike but for the endpoint, so what
differs between them is what it costs the others that one hangs. A figure, not a test: it fails only when something
does not arrive.
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
WINDOW_SECONDS = 10

# Tenants beside the first: by what name of orders they are known, and which way their endpoint goes.
NEIGHBOURS = {"5500002": ("friendly", ""), "5500003": ("hanging", "hang")}


def share(times: list[float], part: float) -> float:
    return sorted(times)[min(int(len(times) * part), len(times) - 1)] * 1000


def furnish(made: dict, endpoint: str):
    """The other tenants, whose orders have names of their own."""
    headers = {"authorization": basic(made["operator"]["username"], made["operator"]["password"])}
    headers["content-type"] = "application/json"

    def call(method: str, path: str, body: dict):
        status, _, text = request(method, made["api_url"] + path, headers, json.dumps(body).encode())
        assert 200 <= status < 300, f"{method} {path}: {status} {text}"

    for tenant, (_, path) in NEIGHBOURS.items():
        call("POST", "/tenants", {"id": tenant})
        call("POST", f"/tenants/{tenant}/subscriptions", {"url": endpoint + path})
    rules = [{"prefix": name, "tenant": tenant} for tenant, (name, _) in NEIGHBOURS.items()]
    account, tenant = made["upstream"]["account"], made["tenant"]["account"]
    call("PUT", f"/upstreams/{account}", {"rules": rules, "default_tenant": tenant})


def tell(name: str, times: list[tuple[float, float]]):
    began = min(accepted for accepted, _ in times)
    windows: dict[int, list[float]] = {}
    for accepted, arrived in times:
        windows.setdefault(int((accepted - began) / WINDOW_SECONDS), []).append(max(arrived - accepted, 0.0))
    took = [one for window in windows.values() for one in window]
    worst = max(share(window, 0.99) for window in windows.values())
    print(f"beside {name}: p50 {share(took, 0.5):.1f} ms, p99 {share(took, 0.99):.1f} ms, max {max(took) * 1000:.1f} ms; "
          f"p99 of the worst {WINDOW_SECONDS} s {worst:.1f} ms", flush=True)


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
            for name in ("nobody", "friendly", "hanging"):
                others = [Load(options.rate, name)] if name != "nobody" else []
                good = Load(options.rate, f"beside-{name}")
                runs = [load.run(url, credentials, options.seconds) for load in [good, *others]]
                workers = sum(await asyncio.gather(*runs), [])
                for _ in range(SETTLED_SECONDS_MAX * 10):
                    if good.accepted.keys() <= sink.told.keys():
                        break
                    await asyncio.sleep(0.1)
                for worker in workers:
                    worker.cancel()
                missing = good.accepted.keys() - sink.told.keys()
                report.check(f"beside {name}: all {len(good.accepted)} arrive", bool(good.accepted) and not missing, missing)
                tell(name, [(at, sink.told[one][0]) for one, at in good.accepted.items() if one in sink.told])
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
