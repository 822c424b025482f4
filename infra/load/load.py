"""Load on `hookline dev`, and an endpoint that notes what it is told and when. All of it in one thread."""

import asyncio
import re
import time
import urllib.parse

CONNECTIONS = 32

# States of one order, one after the other: what comes second stands behind the first.
STATES = ("SUBMITTED", "COMPLETE")
AT = "2026-02-03T10:11:{second:02}.000Z"


class Sink:
    """An endpoint that takes its time, and remembers when it was told what. Below `/hang` it never answers."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.told: dict[tuple[str, str], list[float]] = {}

    async def start(self) -> str:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        try:
            while True:
                path, body = await self._request(reader)
                if path.startswith(b"/hang"):
                    await reader.read()
                    return
                order = re.search(rb"<OrderId>(.*?)<", body).group(1).decode()
                status = re.search(rb"<Status>(.*?)<", body).group(1).decode()
                await asyncio.sleep(self.seconds)
                self.told.setdefault((order, status), []).append(time.monotonic())
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(re.search(rb"content-length: (\d+)", head).group(1))
        return head.split(b" ", 2)[1], await reader.readexactly(length)


class Load:
    """Posts as an upstream that sends its credentials at once, on connections that it keeps."""

    def __init__(self, rate: float, name: str = "order"):
        self.rate = rate
        self.name = name
        self.count = 0
        # When each was accepted.
        self.accepted: dict[tuple[str, str], float] = {}
        self.refused = 0

    async def run(self, url: str, authorization: str, seconds: float) -> list[asyncio.Task]:
        """Until `seconds` are over, whatever the answers; what is under way then is left to the tasks."""
        jobs: asyncio.Queue = asyncio.Queue()
        workers = [asyncio.create_task(self._work(url, authorization, jobs)) for _ in range(CONNECTIONS)]
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while sent < passed * self.rate:
                order, state = divmod(self.count, len(STATES))
                jobs.put_nowait((f"{self.name}-{order}", state))
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
                f"<CustomerOrderId>{self.name}</CustomerOrderId>"
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
                    self.accepted[order, STATES[state]] = time.monotonic()
                else:
                    self.refused += 1
            except (OSError, asyncio.IncompleteReadError):
                connection = None
