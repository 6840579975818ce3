"""When a command ends early: ``--until`` and ``--max-duration``.

The clock on the wall is read when the command begins, to find the end, and when its first batch
does, to wait for it; from then on the event loop is the clock, so that a wall clock that is set, or
a night on which summer time ends, moves no end.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta


def end_of(until: time | None, max_duration: float | None, *, now: float) -> float | None:
    """The moment at which to end, in Unix seconds; None where none was set."""
    ends = [] if until is None else [next_time(until, now=now)]
    ends += [] if max_duration is None else [now + max_duration]
    return min(ends, default=None)


def next_time(shown: time, *, now: float) -> float:
    """When a clock of the local zone (TZ) next shows this, in Unix seconds, always after ``now``.

    A time that the clock shows twice comes twice. One that it leaps over is as far after the leap
    as it stands after the leap's beginning: 02:30 is 03:30 then.
    """
    today = _local(now).date()
    days = [today + timedelta(days=n) for n in range(3)]
    naive = [datetime.combine(day, shown).replace(fold=fold) for day in days for fold in (0, 1)]
    moments = [one.timestamp() for one in naive if not (one.fold and _leapt_over(one))]
    return min(moment for moment in moments if moment > now)


def in_words(moment: float) -> str:
    """``07:00 on Monday 23 November, +08:00``: as a clock of the local zone shows it."""
    local = _local(moment)
    offset = f"{local:%z}"
    return f"{local:%H:%M} on {local:%A} {local.day} {local:%B}, {offset[:3]}:{offset[3:5]}"


def _leapt_over(naive: datetime) -> bool:
    return _local(naive.timestamp()).replace(tzinfo=None, fold=0) != naive.replace(fold=0)


def _local(moment: float) -> datetime:
    return datetime.fromtimestamp(moment).astimezone()
