"""What part of the work is the relay's own, and what the embedded table's and queue's, by instructions.

`hookline dev` runs under callgrind, which counts the instructions below each function: the same on every machine of
one kind, however busy. Of the CPU time, the share is taken that it has of the instructions.
"""

import os
import pathlib
import re
import subprocess

from loader import Loader
from relay import Relay, whole

# Below these lies all that AWS would do. None of them is called by another, and all are functions in the program.
EMBEDDED = (
    r"simulator::aws::Aws as .*HttpConnector>::call",
    r"simulator::aws::queue::Queue::receive",
    r"simulator::aws::queue::Queue::delete",
    r"simulator::aws::stream::Stream::batch",
    r"simulator::aws::stream::Stream::finish",
)
# Under callgrind everything takes fifty times as long.
READY_SECONDS_MAX = 120
SECONDS = 20


def rows(options, loader: Loader):
    calm = calm_cpu(options, loader)
    yield "own", "at 100/s: CPU-seconds per 1,000", f"{calm:.2f}", ""
    each, embedded = instructions(options, loader)
    own = (1 - embedded) * calm
    yield "own", "instructions for one notification, millions", f"{each / 1e6:.2f}", ""
    yield "own", "of these by the embedded table and queue", f"{embedded:.0%}", ""
    yield "own", "at 100/s: CPU-seconds per 1,000 without these", f"{own:.2f}", "<= 0.5"


def calm_cpu(options, loader: Loader) -> float:
    relay = Relay(options.hookline, loader, options.folder / "calm")
    try:
        relay.target.run(seconds=1)
        calm = relay.target.at_100(options.seconds / 2)
        whole(calm)
        return calm["cpu_per_1000"]
    finally:
        relay.dev.kill()


def instructions(options, loader: Loader) -> tuple[float, float]:
    """For one notification, and the share of these that is the embedded AWS's."""
    out = options.folder / "callgrind"
    wrapper = options.folder / "hookline"
    wrapper.write_text(f'#!/bin/sh\nexec valgrind --tool=callgrind --callgrind-out-file={out} {options.hookline} "$@"\n')
    wrapper.chmod(0o700)
    relay = Relay(str(wrapper), loader, options.folder / "counted", ready_seconds=READY_SECONDS_MAX)
    try:
        relay.target.run(seconds=1, connections=2)
        subprocess.run(["callgrind_control", "--zero", str(relay.dev.process.pid)], check=True, capture_output=True)
        counted = relay.target.run(seconds=SECONDS, connections=2)
        whole(counted)
    finally:
        relay.dev.stop()
    command = ["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(out)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "COLUMNS": "500"}).stdout
    total = count(re.search(r"([\d,]+) \(.*PROGRAM TOTALS", text)[1])
    embedded = 0
    for pattern in EMBEDDED:
        lines = re.findall(rf"^ *([\d,]+) .*{pattern}(?:[^:'].*)?$", text, re.MULTILINE)
        assert lines, f"the program has no function {pattern}"
        embedded += sum(map(count, lines))
    return total / counted["accepted"], embedded / total


def count(text: str) -> int:
    return int(text.replace(",", ""))
