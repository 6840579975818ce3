"""Decides: no I/O, no await, no clock and no chance of its own.

``facts``      what has happened, in the past tense: of the run, of needs, of jobs
``lifecycle``  the states of a job, and the table of legal steps
``job``        one job: the fold of its facts
``lanes``      one account and model: what is in flight there, and when the next submit may leave
``agenda``     the priority queue under every index
``actions``    the I/O that is wanted now
``policy``     the numbers: limits, back-off, polling cadence, budget
``standing``   all jobs: the fold of all facts
``needs``      what jobs need before they are sent: the fold of its facts
``wishes``     the manifest held against the standing
``preparing``  what is prepared ahead of the lanes
``admission``  which job may be submitted now
``batch``      all jobs: ``after`` a fact, ``decide`` what to do, ``wake_at`` when to look again
"""

from __future__ import annotations
