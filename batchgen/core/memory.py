"""A standing as JSON data, and back: what many facts add up to, without taking them in again.

Rules of this file:

* What comes back equals what the same facts add up to when they are taken in one by one, to the
  last bit; a test holds the two against each other over random histories. What does not follow from
  facts is not remembered.
* Some of what is remembered follows from the policy as well (how long a pause is, which failures
  count). Under another policy, or from a batchgen whose jobs have other fields, nothing comes back:
  ``Forgotten``. The facts are all still there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from sys import intern
from typing import Any

from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lanes import Gate, Lane
from batchgen.core.lifecycle import State
from batchgen.core.needs import Preparation
from batchgen.core.policy import Policy
from batchgen.core.results import Result, ResultState
from batchgen.core.standing import Standing


class Forgotten(Exception):
    """What was remembered does not fit this batchgen or this policy."""


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


_SUMS = ("spent", "reserved", "bytes_ahead", "at_service", "failures", "currency", "private")
_LANE_SUMS = ("submitting", "posting", "at_service", "sent_at", "rendered", "render_seconds")
_JOB, _RESULT, _NEED = _names(Job), _names(Result), _names(f.Need)
_GATE, _PREPARATION = _names(Gate), _names(Preparation)

SHAPE: Sequence[Sequence[str]] = (
    *(_SUMS, _LANE_SUMS, _names(Lane), _JOB, _RESULT, _NEED, _GATE, _PREPARATION),
    *(_names(f.LaneStopped), _names(f.Connected)),
)
"""What is remembered, by name: another shape cannot be read."""

_job_values = attrgetter(*_JOB)
_result_values = attrgetter(*_RESULT)
_STATE, _NEEDS, _RESULTS = map(_JOB.index, ("state", "needs", "results"))
_SHARED = tuple(map(_JOB.index, ("account", "model", "currency", "story")))
"""Texts that many jobs have in common: each is kept once."""
_STATES: Mapping[str, State] = {state.value: state for state in State}
_RESULT_STATES: Mapping[str, ResultState] = {state.value: state for state in ResultState}


# -- a job ---------------------------------------------------------------------------------------


def job_data(job: Job) -> list[Any]:
    """A job as JSON data."""
    values = list(_job_values(job))
    if job.needs:
        values[_NEEDS] = [_plain(need, _NEED) for need in job.needs]
    values[_RESULTS] = list(map(_result_values, job.results))
    return values


def _job(values: list[Any]) -> Job:
    values[_STATE] = _STATES[values[_STATE]]
    values[_NEEDS] = tuple(f.Need(**_named(need, _NEED)) for need in values[_NEEDS])
    values[_RESULTS] = [_result(*result) for result in values[_RESULTS]]
    for place in _SHARED:
        if values[place] is not None:
            values[place] = intern(values[place])
    return Job(*values)


def _result(state: str, *values: Any) -> Result:
    return Result(_RESULT_STATES[state], *values)


# -- the rest ------------------------------------------------------------------------------------


def rest_data(standing: Standing) -> dict[str, Any]:
    """All of a standing but its jobs, as JSON data."""
    own = {job.task_id for job in standing.jobs.values()}
    return {
        "policy": _terms(standing.policy),
        "taken": standing.taken,
        "sums": _plain(standing, _SUMS),
        "counts": dict(standing.counts),
        "in_doubt": sorted(standing.in_doubt),
        "more_tasks": sorted(standing.task_ids - own),
        "connected": standing.connected and _plain(standing.connected, _names(f.Connected)),
        "gates": [[account, _gate_data(gate)] for account, gate in standing.gates.items()],
        "lanes": [_lane_data(lane) for lane in standing.lanes.values()],
        "preparations": [
            [account, _plain(need, _NEED), _plain(it, _PREPARATION)]
            for (account, need), it in standing.preparations.known()
        ],
    }


def _gate_data(gate: Gate) -> list[Any]:
    values = _plain(gate, _GATE)
    return [_plain(v, _names(f.LaneStopped)) if isinstance(v, f.LaneStopped) else v for v in values]


def _lane_data(lane: Lane) -> list[Any]:
    answered = list(map(list, lane.answered))
    sums, sought = _plain(lane, _LANE_SUMS), dict(lane.sought)
    return [lane.account, lane.model, _gate_data(lane.gate), sums, sought, answered]


def recalled(policy: Policy, rest: Mapping[str, Any], jobs: Iterable[list[Any]]) -> Standing:
    """The standing that was remembered. Raises Forgotten where it does not fit, and whatever
    reading data of another shape may raise.
    """
    standing = Standing(policy)
    for account, gate in rest["gates"]:
        standing.gates[account] = _gate(gate)
    for account, model, *values in rest["lanes"]:
        standing.lanes[account, model] = _lane(Lane(account, model, policy.lane(model)), *values)
    if rest["policy"] != _terms(policy):
        raise Forgotten("it was remembered under another policy")
    for values in jobs:
        job = _job(values)
        standing.jobs[job.id] = job
    own = (job.task_id for job in standing.jobs.values() if job.task_id is not None)
    standing.task_ids = {*own, *rest["more_tasks"]}
    standing.in_doubt = set(rest["in_doubt"])
    standing.counts.update({_STATES[state]: count for state, count in rest["counts"].items()})
    standing.taken = rest["taken"]
    _set(standing, _SUMS, rest["sums"])
    if rest["connected"]:
        standing.connected = f.Connected(**_named(rest["connected"], _names(f.Connected)))
    endpoint = standing.connected.endpoint if standing.connected else None
    standing.preparations.recall(endpoint, _preparations(rest["preparations"]))
    return standing


def _gate(values: list[Any]) -> Gate:
    told = _named(values, _GATE)
    if told["stopped"]:
        told["stopped"] = f.LaneStopped(**_named(told["stopped"], _names(f.LaneStopped)))
    return Gate(**told)


def _lane(
    lane: Lane,
    gate: list[Any],
    sums: list[Any],
    sought: Mapping[str, int],
    answered: list[tuple[float, str]],
) -> Lane:
    lane.gate = _gate(gate)
    _set(lane, _LANE_SUMS, sums)
    lane.sought.update(sought)
    lane.answered = deque((at, task_id) for at, task_id in answered)
    return lane


def _preparations(rows: Iterable[list[Any]]) -> Iterator[tuple[tuple[str, f.Need], Preparation]]:
    for account, need, values in rows:
        told = _named(values, _PREPARATION)
        told["refusal"] = told["refusal"] and tuple(told["refusal"])
        told["good_until"] = float(told["good_until"])
        yield (account, f.Need(**_named(need, _NEED))), Preparation(**told)


def _terms(policy: Policy) -> list[str]:
    """What of a policy has a say in what facts add up to."""
    return list(map(repr, (policy.retry, policy.stop_after_failures, policy.service_speed)))


# -- fields --------------------------------------------------------------------------------------


def _plain(of: object, names: Sequence[str]) -> list[Any]:
    return [_finite(getattr(of, name)) for name in names]


def _finite(value: Any) -> Any:
    """JSON has no infinity: only its name."""
    return "inf" if value == float("inf") else value


def _named(values: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    return dict(zip(names, values, strict=True))


def _set(of: object, names: Sequence[str], values: Sequence[Any]) -> None:
    for name, value in _named(values, names).items():
        setattr(of, name, value)
