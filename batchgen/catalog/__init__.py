"""Knows: every model, what it takes, forbids, costs and how it answers.

The facts are data: ``models/*.yaml`` (a file a family) and ``regions.yaml``, each with its source.
The code knows no model by name; a new model of a known shape is a few lines of YAML, in the
package or in a file of the user's.

    catalog = load()
    model = catalog.find(values["model"])
    complaints = model.check(values, region="singapore")   # no errors: the job is sound
    found = {slot.path: look(slot) for slot in model.slots(values)}
    complaints = model.check_media(values, found)          # what measuring local files shows
    request = model.request(values, found)                 # complete: with every costly default
    model.price(request, "singapore")                      # the most it can cost
    model.route(request.answer)                            # where to POST, with which headers
    model.body(request, address)                           # the JSON to POST
    model.cost(request, usage, "singapore")                # what the answer's usage is billed
"""

from __future__ import annotations

from batchgen.catalog.complaint import Complaint, Severity
from batchgen.catalog.facts import Limits, ResultShape
from batchgen.catalog.inspection import Inspection
from batchgen.catalog.model import Model
from batchgen.catalog.money import Money
from batchgen.catalog.reader import Catalog, CatalogError, CatalogProblem, load
from batchgen.catalog.regions import Region
from batchgen.catalog.request import Answer, Measured, Media, MediaKind, Request
from batchgen.catalog.routes import MediaSlot, Route, Way

__all__ = [
    "Answer",
    "Catalog",
    "CatalogError",
    "CatalogProblem",
    "Complaint",
    "Inspection",
    "Limits",
    "Measured",
    "Media",
    "MediaKind",
    "MediaSlot",
    "Model",
    "Money",
    "Region",
    "Request",
    "ResultShape",
    "Route",
    "Severity",
    "Way",
    "load",
]
