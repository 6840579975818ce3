"""Knows: every model, what it takes, forbids, costs and how it answers.

The facts are data: ``models/*.yaml`` (a file a family) and ``regions.yaml``, each with its source.
The code knows no model by name; a new model of a known shape is a few lines of YAML.

    catalog = load()
    model = catalog.find(values["model"])
    complaints = model.check(values, region="singapore")   # empty: the job is sound
    request = model.request(values, media)                 # complete: with every costly default
    model.price(request, "singapore")                      # the most it can cost
    model.body(request, urls)                              # the JSON to POST to model.path
    model.cost(request, usage, "singapore")                # what the answer's usage is billed
"""

from __future__ import annotations

from batchgen.catalog.complaint import Complaint
from batchgen.catalog.model import Limits, Model, ResultShape
from batchgen.catalog.money import Money
from batchgen.catalog.reader import Catalog, load
from batchgen.catalog.regions import Region
from batchgen.catalog.request import Media, Request

__all__ = [
    "Catalog",
    "Complaint",
    "Limits",
    "Media",
    "Model",
    "Money",
    "Region",
    "Request",
    "ResultShape",
    "load",
]
