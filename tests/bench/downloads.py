"""How fast batchgen downloads, beside a plain streaming copy of the same files.

    python tests/bench/downloads.py [--files 20] [--megabytes 100] [--at-once 4] [--md5]

A store on this machine serves videos from a process with a core of its own, where there are two,
and says their CRC-64, as object storage does (with ``--md5`` their MD5 instead). Then, in turn:

``plain``     aiohttp, pieces of 1 MiB, each written as it comes, and one fsync a file
``batchgen``  what a run does with a result: fetched, hashed, held against its checksums, measured
              to its end, made durable, published; the fetcher itself, without service and journal

Both may use every core (``--one-core``: all but the store's); of three rounds each the best counts.
It stops by itself, and judges nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import io
import lzma
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import av
from PIL import Image

PIECE = 1 << 20
CORES = sorted(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Cost:
    """Of one round: seconds on the clock and of a core, and the most memory, in MB."""

    took: float
    cpu: float
    memory: float


def video(size: int) -> bytes:
    """A whole MP4 of so many bytes: a second of noise, and a free box that fills it up."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            picture = Image.effect_noise((64, 48), 5 * number).convert("RGB")
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    room = size - len(file.getvalue())
    noise = os.urandom(1 << 16)
    filling = (noise * (room // len(noise) + 1))[: room - 8]
    return file.getvalue() + room.to_bytes(4, "big") + b"free" + filling


def crc64(content: bytes) -> int:
    """The checksum that an .xz file carries behind its block."""
    packed = lzma.compress(content, lzma.FORMAT_XZ, lzma.CHECK_CRC64, preset=0)
    end = len(packed) - 12 - 4 * (int.from_bytes(packed[-8:-4], "little") + 1)
    return int.from_bytes(packed[end - 8 : end], "little")


def store(path: Path, *, md5: bool) -> None:
    """Serve one file under every name, until the standard input ends."""
    content = path.read_bytes()
    digest = hashlib.md5(content)
    lines = [
        "HTTP/1.1 200 OK",
        "Content-Type: video/mp4",
        f'ETag: "{digest.hexdigest().upper()}"',
        f"Content-Length: {len(content)}",
        "Connection: close",
    ]
    if md5:
        lines.append(f"Content-MD5: {base64.b64encode(digest.digest()).decode()}")
    else:
        lines.append(f"x-oss-hash-crc64ecma: {crc64(content)}")
    head = "\r\n".join((*lines, "", "")).encode()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve(connection: socket.socket) -> None:
        with connection, path.open("rb") as file:
            if connection.recv(PIECE):
                connection.sendall(head)
                connection.sendfile(file)

    def accept() -> None:
        while True:
            threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    say(f"http://127.0.0.1:{listener.getsockname()[1]}")
    sys.stdin.read()


async def plain(url: str, folder: Path, files: int, at_once: int) -> float:
    slots, loop = asyncio.Semaphore(at_once), asyncio.get_running_loop()

    async def copy(number: int, session: aiohttp.ClientSession) -> None:
        async with slots, session.get(f"{url}/{number}.mp4") as response:
            with (folder / f"{number}.mp4").open("wb") as file:
                while piece := await response.content.read(PIECE):
                    file.write(piece)
                file.flush()
                await loop.run_in_executor(None, os.fsync, file.fileno())

    unbounded = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(read_bufsize=PIECE, timeout=unbounded) as session:
        began = time.monotonic()
        await asyncio.gather(*(copy(number, session) for number in range(files)))
        return time.monotonic() - began


async def batchgen(url: str, folder: Path, files: int, at_once: int) -> float:
    from batchgen.artifacts import Tree  # noqa: PLC0415 - the other must not pay for it
    from batchgen.catalog import Request, load  # noqa: PLC0415
    from batchgen.core.facts import Saved  # noqa: PLC0415
    from batchgen.core.job import Job, Result  # noqa: PLC0415
    from batchgen.dashscope.downloads import Downloader  # noqa: PLC0415
    from batchgen.runner.clock import Clock  # noqa: PLC0415
    from batchgen.runner.errand import Errand  # noqa: PLC0415
    from batchgen.runner.fetcher import Fetcher  # noqa: PLC0415

    request = Request("wan2.6-t2v", {"prompt": "noise"}, {}, {"size": "1920*1080", "duration": 15})
    errand = Errand(
        manifest="set",
        folder=folder,
        catalog=load(),
        region=None,
        request_of=lambda _identity: request,
        clock=Clock(time.time()),
    )
    jobs = [
        Job(str(n), "a", model=request.model, attempt=1, task_id=str(n), results=[Result()])
        for n in range(files)
    ]
    links = {(job.id, 1, 0): f"{url}/{job.id}.mp4" for job in jobs}
    slots = asyncio.Semaphore(at_once)
    with Tree(folder, "set") as tree:
        async with Downloader(private_ok=True) as downloader:
            fetcher = Fetcher(errand, downloader, tree, links)

            async def fetch(job: Job) -> None:
                async with slots:
                    outcome = await fetcher.fetch(job, 0)
                if not isinstance(outcome.facts[0], Saved):
                    raise SystemExit(f"{outcome}")

            began = time.monotonic()
            await asyncio.gather(*map(fetch, jobs))
            return time.monotonic() - began


@contextmanager
def serving(path: Path, *, md5: bool) -> Iterator[str]:
    """The store's address."""
    command = [sys.executable, __file__, "--as", "store", str(path), *(["--md5"] if md5 else [])]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        os.sched_setaffinity(process.pid, {CORES[-1]})
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def timed(who: str, url: str, arguments: argparse.Namespace) -> Cost:
    """One round of one of them, in a process of its own and an empty folder."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        command = [sys.executable, __file__, "--as", who, folder, "--url", url]
        command += ["--files", str(arguments.files), "--at-once", str(arguments.at_once)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if arguments.one_core:
            os.sched_setaffinity(process.pid, set(CORES[:-1] or CORES))
        assert process.stdout is not None
        took, memory = process.stdout.read().split()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{who}: exit code {process.returncode}")
    return Cost(float(took), usage.ru_utime + usage.ru_stime, float(memory) / 1000)


def compare(arguments: argparse.Namespace) -> None:
    total = arguments.files * arguments.megabytes * 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        path.write_bytes(video(arguments.megabytes * 1_000_000))
        with serving(path, md5=arguments.md5) as url:
            rounds = [(who, timed(who, url, arguments)) for who in ("plain", "batchgen") * 3]
    best = {}
    for who in ("plain", "batchgen"):
        costs = [cost for name, cost in rounds if name == who]
        best[who] = min(cost.took for cost in costs)
        cpu, memory = min(cost.cpu for cost in costs), max(cost.memory for cost in costs)
        say(
            f"{who:8}  {total / best[who] / 1e6:.0f} MB/s, {1e9 * cpu / total:.2f} s of CPU a GB,"
            f" {memory:.0f} MB of memory, the program's own included"
        )
    say(f"batchgen at {best['plain'] / best['batchgen']:.0%} of the plain copy")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - figures are all it is for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="on the disk that is to be written to")
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=100, help="of each file")
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--md5", action="store_true", help="instead of a CRC-64")
    parser.add_argument("--one-core", action="store_true", help="keep off the store's core")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--as", dest="part", default="compare", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part == "compare":
        compare(arguments)
    elif arguments.part == "store":
        store(arguments.folder, md5=arguments.md5)
    else:
        run = plain if arguments.part == "plain" else batchgen
        files, at_once = arguments.files, arguments.at_once
        took = asyncio.run(run(arguments.url, arguments.folder, files, at_once))
        # Not ru_maxrss: a child begins with what its parent has needed.
        memory = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        say(f"{took} {memory[1] if memory else 'nan'}")


if __name__ == "__main__":
    main()
