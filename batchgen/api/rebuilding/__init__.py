"""A journal that is damaged or lost, made anew from what is left of its batch.

``journal``     the old one leaves, the new one takes its place
``concluding``  what became of each job, where nothing that is left says it outright
``retelling``   a job's story, with the least that must have happened where facts are missing
``testimony``   what a sidecar says, as facts
"""

from __future__ import annotations

from batchgen.api.rebuilding.concluding import Conclusion
from batchgen.api.rebuilding.journal import Rebuilt, rebuild, recalled, refuse_lost

__all__ = ["Conclusion", "Rebuilt", "rebuild", "recalled", "refuse_lost"]
