"""How fast `hookline dev` is, and what it costs, in one table.

    bench.py --hookline PROGRAM --load PROGRAM [--only relay,own,state,isolation] [--counts FILE] [--functions FILE]
             [--peer FILE [--endpoint ADDRESS]]

Each figure stands beside what it is to be compared with: a goal, or the same figure of this very run without what is
in question. Load, relay and endpoint share the machine, which should have nothing else to do. Nothing here fails
because it is slow: it fails only when something does not arrive.

What the steps `counts` and `bench_functions` have printed becomes part of the table.

A peer is another relay, started by hand and told to deliver to the endpoint that is named at the start. FILE is JSON:
`{"name", "url", "url_of_five", "headers": [[name, value]], "body", "pids": [process ids]}`. In path, headers and body
`{n}` stands for the message's mark, which the delivery has to have in it, and `{time}` for a time. What is posted to
`url_of_five`, which may be missing, is delivered five times.
"""

import argparse
import json
import pathlib
import re
import sys
import tempfile

import isolation
import own
import relay
import state
from loader import Loader, processor_time

# How a step's own table begins, in lines that tell of something.
COUNT = re.compile(r"^(?:ok  |FAIL) (?P<what>.+?) +(?P<kept>[\d.-]+) +(?P<now>[\d.-]+) +(?P<off>\S+%)$", re.MULTILINE)
FUNCTION = re.compile(r"^(?P<name>[a-z]+) +(?P<bytes>\d+)" + r" +([\d.-]+)" * 8 + "$", re.MULTILINE)

PARTS = {"relay": relay.rows, "own": own.rows, "state": state.rows, "isolation": isolation.rows}


def peer_rows(options: argparse.Namespace, loader: Loader):
    """The same figures of another relay, in the same run."""
    given = json.loads(pathlib.Path(options.peer).read_text())
    input(f"{given['name']} is to deliver to {loader.endpoint}. Enter when it does: ")

    def target(url: str) -> relay.Target:
        return relay.Target(loader, url, given["headers"], given["body"], given["pids"])

    rows = [*relay.speed(target(given["url"]), options.seconds)]
    if "url_of_five" in given:
        rows += relay.wide(target(given["url_of_five"]), options.seconds)
    # The goals are ours.
    for _, what, value, _ in rows:
        yield given["name"], what, value, ""


def count_rows(text: str):
    for one in COUNT.finditer(text):
        yield "counts", one["what"], one["now"], f"kept {one['kept']}, {one['off']}"


def function_rows(text: str):
    for one in FUNCTION.finditer(text):
        init, cold, ratio, p50, p99, _, own_cpu, peak = one.groups()[2:]
        name = one["name"]
        yield "functions", f"{name}: bytes; peak MiB", f"{int(one['bytes']):,}; {peak}", "<= 32 MB"
        yield "functions", f"{name}: init; first invocation", f"{init} ms; {cold} ms, {ratio} x hello", "<= 1.5 x hello"
        beside = "own CPU <= 1 ms" if name == "ingest" else ""
        yield "functions", f"{name}: warm p50; p99; own CPU", f"{p50} ms; {p99} ms; {own_cpu} ms", beside


def row(part: str, what: str, value: str, beside: str) -> str:
    return f"{part:<10} {what:<52} {value:>34}   {beside}"


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--hookline", required=True)
    arguments.add_argument("--load", required=True)
    arguments.add_argument("--only", default=",".join(PARTS))
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--counts", help="what `counts` has printed")
    arguments.add_argument("--functions", help="what `bench_functions` has printed")
    arguments.add_argument("--peer")
    arguments.add_argument("--endpoint", default="127.0.0.1:0", help="where the load's endpoint listens")
    options = arguments.parse_args()
    loader = Loader(options.load, options.endpoint)
    whole, taken = processor_time()
    rows = []
    for printed, read in ((options.counts, count_rows), (options.functions, function_rows)):
        rows += read(pathlib.Path(printed).read_text()) if printed else []
    try:
        makers = [PARTS[name] for name in options.only.split(",")] + ([peer_rows] if options.peer else [])
        for make in makers:
            with tempfile.TemporaryDirectory() as folder:
                options.folder = pathlib.Path(folder)
                for one in make(options, loader):
                    print(row(*one), file=sys.stderr, flush=True)
                    rows.append(one)
    finally:
        loader.end()
    now, taken_now = processor_time()
    share = (taken_now - taken) / (now - whole)
    rows.append(("machine", "processor time that others on the host took", f"{share:.0%}", ""))
    print("The data of hookline dev: SQLite, WAL, synchronous=NORMAL; journals are not flushed.")
    print(row("part", "what", "measured", "goal, or the same without it"))
    for one in rows:
        print(row(*one))
    return 0


if __name__ == "__main__":
    sys.exit(main())
