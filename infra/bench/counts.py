"""What a notification costs in counts, which no clock is in, held against those kept in counts.json.

    counts.py --steps PROGRAM --stored PROGRAM [--write]

`steps` (crates/domain/examples) takes one step of a notification's way so many times over, and valgrind counts its
instructions and allocations. Each step is run TIMES and twice TIMES, so that what every start takes cancels out.
`stored` (crates/local/examples) says how many bytes are kept, and what is billed.

Fails where a count is more than TOLERANCE off in either direction: what has become less is to be kept too, by
`--write`. Instructions are of one architecture. Where none are kept for the machine's own they are only shown.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

KEPT = pathlib.Path(__file__).with_name("counts.json")
TOLERANCE = 0.05
TIMES = 500
RUN_SECONDS_MAX = 120

# A tool of valgrind, and what it says at the end.
TOOLS = {
    "instructions": (["--tool=callgrind", "--callgrind-out-file=/dev/null"], r"Collected : (\d+)"),
    "allocations": (["--tool=memcheck", "--leak-check=no"], r"total heap usage: ([\d,]+) allocs"),
}

Counts = dict[str, float]


def said(*command: str) -> str:
    """What a program writes, the environment cut down to what is the same everywhere."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, env=environment)
    assert done.returncode == 0, f"{command}: {done.returncode}, {done.stderr}"
    return done.stdout + done.stderr


def counted(steps: str, step: str, unit: str) -> int:
    """For one time that a step is taken."""
    options, pattern = TOOLS[unit]

    def total(times: int) -> int:
        told = said("valgrind", *options, steps, step, str(times))
        return int(re.search(pattern, told)[1].replace(",", ""))

    return round((total(2 * TIMES) - total(TIMES)) / TIMES)


def machine_counts(steps: str) -> Counts:
    wanted = [(unit, step) for unit in TOOLS for step in said(steps).splitlines()]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda one: counted(steps, one[1], one[0]), wanted)
        return {f"{unit}: {step}": count for (unit, step), count in zip(wanted, found)}


def stored_counts(stored: str) -> Counts:
    found = json.loads(said(stored))
    units = {f"{what}, {unit}": count for what, units in found["units"].items() for unit, count in units.items()}
    return {f"{kind}: {what}": count for kind, all in {**found, "units": units}.items() for what, count in all.items()}


def difference(kept: float | None, now: float | None) -> float:
    if kept is None or now is None:
        return float("inf")
    return (now - kept) / kept if kept else float("inf" if now else 0)


def compare(kept: Counts, now: Counts) -> int:
    """Prints each, and answers how many are off."""
    failed = 0
    for name in list(dict.fromkeys([*kept, *now])):
        off = difference(kept.get(name), now.get(name))
        is_off = abs(off) > TOLERANCE
        failed += is_off
        print(f"{'FAIL' if is_off else 'ok  '} {name:<58} {kept.get(name, '-'):>12} {now.get(name, '-'):>12} {off:>+8.1%}")
    return failed


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--steps", required=True)
    arguments.add_argument("--stored", required=True)
    arguments.add_argument("--write", action="store_true")
    arguments.add_argument("--show", action="store_true", help="a difference is no failure")
    options = arguments.parse_args()

    machine = platform.machine()
    made_by = {"rustc": said("rustc", "--version").strip(), "valgrind": said("valgrind", "--version").strip()}
    now = {"everywhere": stored_counts(options.stored), machine: machine_counts(options.steps)}
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if options.write:
        new = {**kept, **now, "made_by": {**kept.get("made_by", {}), machine: made_by}}
        KEPT.write_text(json.dumps(new, indent=2) + "\n")
        print(f"{KEPT.name} is written anew")
        return 0

    print(f"{'':<63} {'kept':>12} {'now':>12}")
    failed = compare(kept["everywhere"], now["everywhere"])
    if machine in kept:
        failed += compare(kept[machine], now[machine])
    else:
        print(f"No instructions and allocations are kept for {machine}; they are not compared:")
        for name, count in now[machine].items():
            print(f"     {name:<58} {'':>12} {count:>12}")
    print(f"counts: {failed} off by more than {TOLERANCE:.0%}")
    if failed:
        before = kept["made_by"].get(machine)
        if before and before != made_by:
            print(f"These may be to blame: kept with {before}, counted with {made_by}.")
        print("Where it has to be so, or is better: `.ci/run write_counts`, and commit infra/bench/counts.json.")
    return 1 if failed and not options.show else 0


if __name__ == "__main__":
    sys.exit(main())
