"""Batches without an end, killed and lied to, and every promise checked after each:

    python -m tests.soak --minutes 10

A stand-in of the service loses answers, cuts and corrupts downloads, throttles, fails and lags; the
program is killed by SIGKILL at random moments and run again until its batch is done. A line tells
of each batch and a table of them all. Exit code 0: every promise was kept. 1: one was broken; what
and the seed are printed, and the batch's folder is kept. Everything else is removed, and nothing
goes on when it ends.
"""

# ruff: noqa: T201 - what it prints is what it is for

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from tests.soak.night import Night, service

BATCHES_OF_AN_ACCOUNT = 4
"""Then another account: the tasks of three earlier batches are enough for a list of strangers."""

ACCOUNTS = 64


def main() -> int:
    """Run until the minutes are over or a promise is broken; the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options()
    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    tally: Counter[str] = Counter()
    broken: list[str] = []
    try:
        for night in _nights(options, folder):
            tally.update(_figures(night))
            broken = night.broken
    finally:
        shutil.rmtree(folder / "service" if broken else folder)
    print(*(f"{name:<16}{figure:>8}" for name, figure in tally.items()), sep="\n")
    if broken:
        print(f"BROKEN with --seed {options.seed}; the batch is kept in {folder}")
        print(*(f"  {line}" for line in broken), sep="\n")
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6), help="default: any"
    )
    parser.add_argument("--jobs", type=int, default=12, help="of a batch (default 12)")
    parser.add_argument(
        "--losses", type=float, default=0.1, help="share of submits without an answer (default 0.1)"
    )
    return parser.parse_args()


def _nights(options: argparse.Namespace, folder: Path) -> Iterator[Night]:
    """Batch after batch, each checked and told of, until a promise is broken."""
    ends = time.monotonic() + options.minutes * 60
    keys = {f"sk-soak-0123456789abcdef-{number}": f"studio-{number}" for number in range(ACCOUNTS)}
    playing = service(folder / "service", keys=keys, seed=options.seed, losses=options.losses)
    with playing as stand_in:
        accounts = [pair for pair in keys.items() for _ in range(BATCHES_OF_AN_ACCOUNT)]
        for number, (key, account) in enumerate(cycle(accounts)):
            dice = random.Random(f"{options.seed}|{number}")
            place = folder / f"batch-{number}"
            place.mkdir()
            night = Night(place, stand_in, key, account, dice, options.jobs)
            began = time.monotonic()
            night.run()
            print(_line(number, night, time.monotonic() - began), flush=True)
            yield night
            if night.broken or time.monotonic() > ends:
                return
            shutil.rmtree(place)


def _figures(night: Night) -> dict[str, int]:
    return {
        "batches": 1,
        "jobs": night.jobs,
        "runs": night.runs,
        "kills": night.kills,
        "answers lost": night.lost,
        "adopted": night.adopted,
        "bought twice": night.bought_twice,
        "lost": night.jobs - night.done,
        "leftovers": sum(line.endswith("left over") for line in night.broken),
        "broken promises": len(night.broken),
    }


def _line(number: int, night: Night, seconds: float) -> str:
    figures = ", ".join(f"{figure} {name}" for name, figure in _figures(night).items())
    return f"{number:>4} {seconds:6.1f} s  {figures.removeprefix('1 batches, ')}"


if __name__ == "__main__":
    sys.exit(main())
