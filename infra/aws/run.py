"""What the checks of the stack begin and end with."""

import argparse
import collections.abc
import signal
import sys

from dev import Report
from emulated import Emulator
from roads import Endpoint, Roads
from stack import Stack


def on_emulated_aws(
    who: str, options: tuple[str, ...], check: collections.abc.Callable[[Roads, argparse.Namespace], None]
) -> int:
    """Runs a check on an AWS of its own, with nothing deployed; answers the exit code."""
    arguments = argparse.ArgumentParser()
    for name in ("emulator", "sam", "hookline", "template", "architecture", *options):
        arguments.add_argument(f"--{name}", required=True)
    chosen = arguments.parse_args()
    # As an exception, so that what was started here is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report = Report()
    endpoint = Endpoint()
    try:
        with Emulator(chosen.emulator) as emulator:
            stack = Stack(emulator, chosen.sam, chosen.hookline, chosen.architecture)
            try:
                check(Roads(stack, endpoint, report), chosen)
            except (AssertionError, LookupError, OSError, ValueError) as error:
                report.check("the run comes to its end:", False, f"{error!r}\n{emulator.logged(60)}")
        report.same("no process is left", emulator.processes(), {})
    finally:
        endpoint.shutdown()
    return report.end(who)
