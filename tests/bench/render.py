"""What a rendered clip costs: CPU time, wall time, memory and disk, for each kind of clip.

    python tests/bench/render.py [--clips 50] [--wide]

Each kind is rendered in a process of its own through the sandbox's Renderer, with its two threads,
so that the peak of memory is that kind's. The clips of a kind differ in prompt, seed and task, and
share their pictures, as the jobs of a batch do. All are of 5 s at 720P with sound; `--wide` is
1080P. The baseline is the memory of a process that has only imported the renderer.

Two rows show what is made once where it is equal: `again` asks for the results of t2v a second
time, and `own` is i2v with another picture for each clip, which i2v itself has in common.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from PIL import Image

from batchgen.sandbox.orders import Input, InputKind, Order
from batchgen.sandbox.render import Renderer

KINDS = {
    "t2v": (),
    "i2v": ("first_frame",),
    "kf2v": ("first_frame", "last_frame"),
    "r2v": ("reference_image", "reference_image", "reference_image"),
    "again": (),
    "own": ("first_frame",),
}
PICTURE = (1600, 1200)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of all clips of a kind: seconds, and bytes."""

    cpu: float
    wall: float
    baseline: int
    peak: int
    disk: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--clips", type=int, default=50, help="of each kind (default: 50)")
    parser.add_argument("--wide", action="store_true", help="1080P instead of 720P")
    given = parser.parse_args()
    size = (1920, 1080) if given.wide else (1280, 720)
    header = f"{size[0]}x{size[1]}, 5 s, 30 fps, sound; {given.clips} clips each"
    columns = (
        f"{'':6}{'CPU s/clip':>12}{'wall s/clip':>13}{'peak MB':>9}{'base MB':>9}{'KB/clip':>9}"
    )
    print(header, columns, sep="\n")  # noqa: T201 - a program for people
    context = multiprocessing.get_context("spawn")
    for kind in KINDS:
        with context.Pool(1) as pool:
            cost = pool.apply(measured, (kind, size, given.clips))
        cells = [
            f"{kind:6}{cost.cpu / given.clips:12.3f}{cost.wall / given.clips:13.3f}",
            f"{cost.peak / 2**20:9.0f}{cost.baseline / 2**20:9.0f}",
            f"{cost.disk / given.clips / 1000:9.0f}",
        ]
        print("".join(cells), flush=True)  # noqa: T201


def measured(kind: str, size: tuple[int, int], clips: int) -> Cost:
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(_rendered(kind, size, clips, Path(name)))


async def _rendered(kind: str, size: tuple[int, int], clips: int, folder: Path) -> Cost:
    renderer = Renderer(folder / "results", folder / "inputs")
    common = tuple(_pictures(KINDS[kind], folder / "inputs", 0))
    orders = [_order(kind, size, number, common) for number in range(clips)]
    if kind == "own":
        for number, order in enumerate(orders):
            own = tuple(_pictures(KINDS[kind], folder / "inputs", number))
            orders[number] = replace(order, inputs=own)
    baseline = _peak()
    if kind == "again":
        await _files(renderer, orders)
    cpu, wall = time.process_time(), time.perf_counter()
    paths = await _files(renderer, orders)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    disk = sum(path.stat().st_size for path in paths)
    renderer.close()
    return Cost(cpu, wall, baseline, _peak(), disk)


async def _files(renderer: Renderer, orders: Iterable[Order]) -> list[Path]:
    jobs = (renderer.file(order, str(UUID(int=order.seed)), 0) for order in orders)
    return await asyncio.gather(*jobs)


def _peak() -> int:
    """Bytes; the system counts in kilobytes, but on a Mac in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _pictures(roles: Iterable[str], folder: Path, clip: int) -> Iterable[Input]:
    for place, role in enumerate(roles):
        image = Image.effect_noise(PICTURE, 40).convert("RGB")
        tint = Image.new("RGB", PICTURE, ("#1c7293", "#e07a5f", "#2d6a4f")[place])
        Image.blend(image, tint, 0.8).save(folder / f"{clip}-{place}", "JPEG", quality=92)
        yield Input(
            role,
            InputKind.IMAGE,
            f"{place}.jpg",
            f"{clip}-{place}",
            f"Image {place + 1}",
            *PICTURE,
        )


def _order(kind: str, size: tuple[int, int], number: int, inputs: tuple[Input, ...]) -> Order:
    return Order(
        model=f"wan-{kind}",
        prompt=f"Take {number}: a fox detective reads the case files under a neon sign in the rain",
        seed=number,
        width=size[0],
        height=size[1],
        tier=f"{size[1]}P",
        ratio="16:9",
        seconds=5.0,
        fps=30,
        sound=True,
        images=0,
        together=False,
        story=False,
        extend=True,
        watermark=False,
        inputs=inputs,
        cost=0,
    )


if __name__ == "__main__":
    main()
