"""Questions of many actions, one pace."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from batchgen.core.queries import Queries
from batchgen.runner.clock import Clock
from batchgen.runner.turns import Turns

pytestmark = pytest.mark.looptime


async def test_the_pages_of_three_lists_leave_one_after_another():
    """Each list is begun in a turn of its own; what follows waits, and all come on alike."""
    clock, queries = Clock(1000.0), Queries(20)
    left: list[tuple[float, str]] = []

    async def read(name: str) -> None:
        turns = Turns(queries, clock)
        for _ in range(10):
            await turns.wait()
            left.append((clock.now(), name))
            await asyncio.sleep(0.01)

    async def begin(name: str) -> None:
        await asyncio.sleep(queries.turn(clock.now()) - clock.now())
        await read(name)

    await asyncio.gather(*map(begin, "abc"))
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(left)]
    assert min(gaps) >= 1 / 19 - 1e-6
    assert left[-1][0] - left[0][0] <= 1.2 * 29 / 19
    assert {name for _, name in left[:3]} == {name for _, name in left[-3:]} == {*"abc"}


async def test_a_long_list_leaves_every_other_turn_to_looks():
    """At one question a second, ten looks have taken no more than twice their time."""
    clock, queries = Clock(1000.0), Queries(1)
    looks: list[float] = []

    async def look() -> None:
        while len(looks) < 10:
            if (wait := queries.free_at - clock.now()) > 0:
                await asyncio.sleep(wait)
                continue
            looks.append(queries.turn(clock.now()))

    async def read() -> None:
        turns = Turns(queries, clock)
        while True:
            await turns.wait()
            await asyncio.sleep(0.05)

    reading = asyncio.create_task(read())
    await look()
    reading.cancel()
    assert looks[-1] - looks[0] <= 25
