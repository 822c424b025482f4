"""`hookline dev`, killed again and again under load: all that it accepted is delivered after the last start.

    crash.py --hookline PATH [--kills 20] [--rate 400] [--seconds 3]

Posts notifications at a steady rate, whatever the answers, to a `dev` whose endpoint takes 50 ms; kills it with
SIGKILL, starts it on the same folder, and so on. At the end it waits until nothing is missing. The last lines are
figures: how many were accepted, delivered, and delivered more than once, and how long after a start what had waited
arrived. Only what is missing fails.
"""

import argparse
import asyncio
import pathlib
import re
import sys
import tempfile
import time
import urllib.parse

from dev import Dev, Report, basic

ENDPOINT_SECONDS = 0.05
CONNECTIONS = 32
# States of one order, one after the other: what comes second stands behind the first.
STATES = ("SUBMITTED", "COMPLETE")
SETTLED_SECONDS_MAX = 300
AT = "2026-02-03T10:11:{second:02}.000Z"


class Sink:
    """An endpoint that takes its time, and remembers when it was told what."""

    def __init__(self):
        self.told: dict[tuple[str, str], list[float]] = {}

    async def start(self) -> str:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        try:
            while True:
                body = await self._request(reader)
                order = re.search(rb"<OrderId>(.*?)<", body).group(1).decode()
                status = re.search(rb"<Status>(.*?)<", body).group(1).decode()
                await asyncio.sleep(ENDPOINT_SECONDS)
                self.told.setdefault((order, status), []).append(time.monotonic())
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @staticmethod
    async def _request(reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(re.search(rb"content-length: (\d+)", head).group(1))
        return await reader.readexactly(length)


class Load:
    """Posts as an upstream that sends its credentials at once, on connections that it keeps."""

    def __init__(self, rate: int):
        self.rate = rate
        self.count = 0
        self.accepted: set[tuple[str, str]] = set()
        self.refused = 0

    async def run(self, url: str, authorization: str, seconds: float):
        """Until `seconds` are over; what is under way then is left to its fate."""
        jobs: asyncio.Queue = asyncio.Queue()
        workers = [asyncio.create_task(self._work(url, authorization, jobs)) for _ in range(CONNECTIONS)]
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while sent < passed * self.rate:
                order, state = divmod(self.count, len(STATES))
                jobs.put_nowait((f"order-{order}", state))
                self.count += 1
                sent += 1
            await asyncio.sleep(0.005)
        return workers

    async def _work(self, url: str, authorization: str, jobs: asyncio.Queue):
        to = urllib.parse.urlsplit(url)
        connection = None
        while True:
            order, state = await jobs.get()
            body = (
                f"<Notification><Status>{STATES[state]}</Status><OrderId>{order}</OrderId><OrderType>orders</OrderType>"
                f"<LastModifiedDate>{AT.format(second=state)}</LastModifiedDate></Notification>"
            )
            head = (
                f"POST {to.path} HTTP/1.1\r\nhost: {to.netloc}\r\nauthorization: {authorization}\r\n"
                f"content-type: application/xml\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            try:
                connection = connection or await asyncio.open_connection(to.hostname, to.port)
                reader, writer = connection
                writer.write((head + body).encode())
                answer = await reader.readuntil(b"\r\n\r\n")
                if answer.startswith(b"HTTP/1.1 200"):
                    self.accepted.add((order, STATES[state]))
                else:
                    self.refused += 1
            except (OSError, asyncio.IncompleteReadError):
                connection = None


async def run(options: argparse.Namespace) -> int:
    report = Report()
    sink, load = Sink(), Load(options.rate)
    endpoint = await sink.start()
    starts, delays, credentials = [], [], None
    with tempfile.TemporaryDirectory() as folder:
        for nth in range(options.kills + 1):
            waiting = load.accepted - sink.told.keys()
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
                    while load.accepted - sink.told.keys() and time.monotonic() < end:
                        await asyncio.sleep(0.1)
                    # What comes now comes once more.
                    await asyncio.sleep(1)
            finally:
                dev.kill()
            arrived = [sink.told[one][0] - starts[-1] for one in waiting if one in sink.told]
            delays.append(max(arrived, default=0.0))
            print(f"start {nth}: {len(waiting)} waited, {len(arrived)} of them arrived, "
                  f"the last {delays[-1]:.1f} s after it", flush=True)
    missing = load.accepted - sink.told.keys()
    early = [order for order, _ in sink.told if (order, STATES[1]) in sink.told
             and (order, STATES[0]) in load.accepted and sink.told[order, STATES[1]][0] < sink.told[order, STATES[0]][0]]
    repeats = sum(len(times) - 1 for times in sink.told.values())
    report.check("all that was accepted is delivered", load.accepted != set() and not missing, sorted(missing)[:5])
    print(f"accepted {len(load.accepted)} of {load.count} posted in {options.kills} lives, refused {load.refused}")
    print(f"delivered {len(sink.told)}, {repeats} of them once more: {repeats / max(options.kills, 1):.1f} a kill")
    print(f"orders told their second state first: {len(set(early))}")
    print(f"what waited at a start arrived within {max(delays):.1f} s of it")
    return report.end("crash")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--hookline", required=True)
    arguments.add_argument("--kills", type=int, default=20)
    arguments.add_argument("--rate", type=int, default=400)
    arguments.add_argument("--seconds", type=float, default=3)
    return asyncio.run(run(arguments.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
