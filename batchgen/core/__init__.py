"""Decides: no I/O, no await, no clock and no chance of its own.

``facts``        what has happened, in the past tense: of the run, of needs, of jobs
``lifecycle``    the states of a job, and the table of legal steps
``results``      one result of an attempt
``job``          one job: the fold of its facts
``lanes``        one account and model: what is in flight there, and when the next submit may leave
``agenda``       the priority queue under every index
``actions``      the I/O that is wanted now
``policy``       the numbers: limits, back-off, polling cadence, budget
``standing``     all jobs: the fold of all facts
``memory``       a standing as data, and back
``needs``        what jobs need before they are sent: the fold of its facts
``prompts``      prompts held against each other
``wishes``       the manifest held against the standing
``preparing``    what is prepared ahead of the lanes
``line``         the jobs that are ready to be sent with one account and model
``admission``    which job may be submitted now
``queries``      how often the service may be asked
``looks``        which tasks are looked at next
``searches``     which lanes' lost answers are sought next
``fetches``      which results are fetched next
``batch``        all jobs: ``after`` a fact, ``decide`` what to do, ``wake_at`` when to look again
``listing``      the service's task list, as far as it matters here
``reconciling``  what became of a request whose answer was lost
"""

from __future__ import annotations
