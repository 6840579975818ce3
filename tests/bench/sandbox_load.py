"""How much of a core the sandbox takes under load: 5,000 tasks of ten accounts under way, and 200
requests a second about them.

    python tests/bench/sandbox_load.py [--seconds 20]

The sandbox runs in a process of its own, as slow as the service, in a folder on the disk. First the
tasks are submitted as fast as the quotas let them; then every account asks 20 times a second: 13
times for one task, 5 times for a page of its list, once for the face's state and once for the bill.
It prints what share of a core the sandbox's process took in each part, and the latencies; it stops
by itself, and judges nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

import aiohttp

ACCOUNTS = 10
TASKS = 5_000
QUERIES, LISTS, PAGES = 13, 5, ("state", "bill")
"""Of each account in a second."""

MODELS = ("wan2.6-t2v", "wan2.7-t2v", "wan2.5-t2v-preview", "wan3.0-video", "wan3.0-video-prime")
VIDEO = "/services/aigc/video-generation/video-synthesis"
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """The sandbox's process, and the time its core has spent on it."""

    def __init__(self, folder: str) -> None:
        keys = [word for n in range(ACCOUNTS) for word in ("--key", f"sk-{n}=account-{n}")]
        command = [sys.executable, "-m", "batchgen", "sandbox", "--port", "0", "--folder", folder]
        self.process = subprocess.Popen(
            [*command, *keys],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self.process.stdout is not None
        self.base_url = self.process.stdout.readline().partition("=")[2].strip()

    def core_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> float:
        """MB in RAM."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


class Part:
    """A part of the load: its length, the share of a core, the latencies."""

    def __init__(self, server: Server, name: str) -> None:
        self._server, self._name = server, name
        self.latencies: list[float] = []
        self.refused = 0

    def __enter__(self) -> Self:
        self._start, self._core = time.monotonic(), self._server.core_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        took = time.monotonic() - self._start
        share = (self._server.core_seconds() - self._core) / took
        cuts = statistics.quantiles([1000 * each for each in self.latencies], n=100)
        print(  # noqa: T201 - figures are all it is for
            f"{self._name}: {len(self.latencies)} requests in {took:.1f} s"
            f" ({len(self.latencies) / took:.0f}/s, {self.refused} refused);"
            f" {share:.0%} of a core; latency p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms;"
            f" {self._server.memory():.0f} MB"
        )

    async def send(self, request: aiohttp.client._RequestContextManager) -> dict:
        start = time.monotonic()
        async with request as response:
            answer = await response.json()
        self.latencies.append(time.monotonic() - start)
        self.refused += response.status != 200
        return answer


class Load:
    """The requests of all accounts."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self._server, self._session = server, session

    async def run(self, seconds: float) -> None:
        with Part(self._server, "submits") as part:
            ids = await asyncio.gather(*(self._submit(part, n) for n in range(ACCOUNTS)))
        with Part(self._server, "queries") as part:
            end = time.monotonic() + seconds
            await asyncio.gather(*(self._ask(part, n, ids[n], end) for n in range(ACCOUNTS)))

    async def _submit(self, part: Part, n: int) -> list[str]:
        """The ids of an account's tasks, all of its models in turn, as fast as the quotas allow."""
        ids: list[str] = []
        headers = {"Authorization": f"Bearer sk-{n}", "X-DashScope-Async": "enable"}
        while len(ids) < TASKS // ACCOUNTS:
            model, number = MODELS[len(ids) % len(MODELS)], len(ids)
            body = {"model": model, "input": {"prompt": f"Fox {number} of account {n}"}}
            url = self._server.base_url + VIDEO
            answer = await part.send(self._session.post(url, json=body, headers=headers))
            if "output" in answer:
                ids.append(answer["output"]["task_id"])
            await asyncio.sleep(1 / (5 * len(MODELS)))
        return ids

    async def _ask(self, part: Part, n: int, ids: list[str], end: float) -> None:
        """Twenty requests a second, evenly."""
        headers = {"Authorization": f"Bearer sk-{n}"}
        base = self._server.base_url
        urls = [f"{base}/tasks/{ids[place * 7 % len(ids)]}" for place in range(QUERIES)]
        urls += [f"{base}/tasks?page_no={page}" for page in range(1, LISTS + 1)]
        urls += [base.replace("/api/v1", f"/sandbox/{page}") for page in PAGES]
        next_time, place = time.monotonic(), 0
        async with asyncio.TaskGroup() as requests:
            while time.monotonic() < end:
                url = urls[place % len(urls)]
                requests.create_task(part.send(self._session.get(url, headers=headers)))
                place, next_time = place + 1, next_time + 1 / len(urls)
                await asyncio.sleep(max(0.0, next_time - time.monotonic()))


async def load(server: Server, seconds: float) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        await Load(server, session).run(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of the second part")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        try:
            asyncio.run(load(server, arguments.seconds))
        finally:
            server.process.terminate()
            server.process.wait()


if __name__ == "__main__":
    main()
