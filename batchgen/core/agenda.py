"""A priority queue whose items can be moved and dropped: the index under every decision."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class Agenda(Generic[Item]):
    """Items, each with one key (a moment, a deadline, a place in line); the smallest comes first.

    Equal keys leave in the order they came. Moving and dropping leave a dead entry in the heap
    that is skipped when it surfaces, so every operation costs O(log n) amortised.
    """

    def __init__(self) -> None:
        self._keys: dict[Item, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, Item]] = []
        self._arrivals = itertools.count()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, item: object) -> bool:
        return item in self._keys

    def __iter__(self) -> Iterator[Item]:
        return iter(self._keys)

    def __repr__(self) -> str:
        return f"<Agenda of {len(self)}, first at {self.first_key()}>"

    def put(self, item: Item, key: float) -> None:
        """Add the item, or move it to another key."""
        entry = (key, next(self._arrivals))
        self._keys[item] = entry
        heapq.heappush(self._heap, (*entry, item))

    def drop(self, item: Item) -> None:
        """Take the item out, if it is there."""
        self._keys.pop(item, None)

    def first(self) -> Item | None:
        """The item with the smallest key."""
        self._skip_dead()
        return self._heap[0][2] if self._heap else None

    def first_key(self) -> float | None:
        """The smallest key."""
        self._skip_dead()
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Item:
        """Take out the item with the smallest key; IndexError when there is none."""
        self._skip_dead()
        item = heapq.heappop(self._heap)[2]
        del self._keys[item]
        return item

    def due(self, limit: float) -> Iterator[Item]:
        """Take out, one by one, the items whose key is at most ``limit``."""
        while (key := self.first_key()) is not None and key <= limit:
            yield self.pop()

    def count_until(self, limit: float, most: int) -> int:
        """How many items have a key of at most ``limit``; counted no further than ``most``."""
        count, places = 0, [0]
        while places and count < most:
            place = places.pop()
            # What is below a place in the heap comes later.
            if place >= len(self._heap) or self._heap[place][0] > limit:
                continue
            key, arrival, item = self._heap[place]
            count += self._keys.get(item) == (key, arrival)
            places += (2 * place + 1, 2 * place + 2)
        return count

    def clamp(self, limit: float) -> None:
        """Move every item beyond ``limit`` to it; they stay in their order."""
        beyond = [item for item, (key, _) in self._keys.items() if key > limit]
        for item in sorted(beyond, key=self._keys.__getitem__):
            self.put(item, limit)

    def _skip_dead(self) -> None:
        while self._heap and self._keys.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)
