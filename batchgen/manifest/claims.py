"""What only one job of a batch may have: its request, its id, and its file names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from batchgen.artifacts.names import folded
from batchgen.manifest.entries import Entry
from batchgen.manifest.problems import Place, Problems


class _Owner(NamedTuple):
    job_id: str
    name: str
    place: Place


class Claims:
    """Remembers who was first; every later claim is a problem that names the first."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._requests: dict[str, Place] = {}
        self._names: dict[str, _Owner] = {}

    def request(self, identity: str, entry: Entry) -> bool:
        """Claim a request for a job; False if another job asks for the same."""
        place = entry.place
        first = self._requests.setdefault(identity, place)
        if first is place:
            return True
        where = first.seen_from(entry.file)
        self._problems.add(
            place,
            f"this asks for the same as the job in {where}, and would be paid for twice",
            "to have another take, give it another `seed` or prompt",
        )
        return False

    def names(self, job_id: str, names: Iterable[str], entry: Entry) -> bool:
        """Claim file names for a job; False if another job has one of them."""
        place = entry.place
        for name in names:
            first = self._names.setdefault(folded(name), _Owner(job_id, name, place))
            if first.place is not place:
                self._problems.add(
                    entry.place_of("id"), _clash(job_id, name, first, entry), "choose another `id`"
                )
                return False
        return True


def _clash(job_id: str, name: str, first: _Owner, entry: Entry) -> str:
    where = first.place.seen_from(entry.file)
    if first.job_id == job_id:
        return f"the id `{job_id}` is already that of the job in {where}"
    if first.name == name:
        return f"its file {name} would be a file of the job `{first.job_id}` in {where} as well"
    return (
        f"its file {name} cannot be told from {first.name} of the job `{first.job_id}` in {where} "
        "on every file system"
    )
