"""`hookline dev`, killed again and again under load: all that it accepted is delivered after the last start.

    crash.py --hookline PATH [--kills 20] [--rate 400] [--seconds 3] [--within SECONDS]

Posts notifications at a steady rate, whatever the answers, to a `dev` whose endpoint takes 50 ms; kills it with
SIGKILL, starts it on the same folder, and so on. At the end it waits until nothing is missing. The last lines are
figures: how many were accepted, delivered, and delivered more than once, and how long after a start what had waited
arrived. What is missing fails, and with `--within` what arrived later than that after the last start.
"""

import argparse
import asyncio
import pathlib
import sys
import tempfile
import time

from dev import Dev, Report, basic
from load import Load, Sink

ENDPOINT_SECONDS = 0.05
SETTLED_SECONDS_MAX = 300


async def run(options: argparse.Namespace) -> int:
    report = Report()
    sink, load = Sink(ENDPOINT_SECONDS), Load(options.rate)
    endpoint = await sink.start()
    starts, delays, credentials = [], [], None
    with tempfile.TemporaryDirectory() as folder:
        for nth in range(options.kills + 1):
            waiting = load.accepted.keys() - sink.told.keys()
            dev = Dev(options.hookline, pathlib.Path(folder), endpoint)
            try:
                ready = await asyncio.to_thread(dev.ready)
                starts.append(time.monotonic())
                credentials = credentials or basic(ready["upstream"]["username"], ready["upstream"]["password"])
                if nth < options.kills:
                    for worker in await load.run(ready["notify_url"], credentials, options.seconds):
                        worker.cancel()
                    dev.kill()
                else:
                    end = time.monotonic() + SETTLED_SECONDS_MAX
                    while load.accepted.keys() - sink.told.keys() and time.monotonic() < end:
                        await asyncio.sleep(0.1)
                    # What comes now comes once more.
                    await asyncio.sleep(1)
            finally:
                dev.kill()
            arrived = [sink.told[one][0] - starts[-1] for one in waiting if one in sink.told]
            delays.append(max(arrived, default=0.0))
            print(f"start {nth}: {len(waiting)} waited, {len(arrived)} of them arrived, "
                  f"the last {delays[-1]:.1f} s after it", flush=True)
    missing = load.accepted.keys() - sink.told.keys()
    repeats = sum(len(times) - 1 for times in sink.told.values())
    report.check("all that was accepted is delivered", bool(load.accepted) and not missing, sorted(missing)[:5])
    print(f"accepted {len(load.accepted)} of {load.count} posted in {options.kills} lives, refused {load.refused}")
    print(f"delivered {len(sink.told)}, {repeats} of them once more: {repeats / max(options.kills, 1):.1f} a kill")
    print(f"what waited at a start arrived within {max(delays):.1f} s of it")
    if options.within:
        report.check(f"what waited at the last start arrived within {options.within} s", delays[-1] <= options.within, delays[-1])
    return report.end("crash")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--hookline", required=True)
    arguments.add_argument("--kills", type=int, default=20)
    arguments.add_argument("--rate", type=int, default=400)
    arguments.add_argument("--seconds", type=float, default=3)
    arguments.add_argument("--within", type=float)
    return asyncio.run(run(arguments.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
