"""Talks: the service's language and its HTTP, results included; no files, no journal.

``endpoint``   where the service is and who we are
``answers``    the values that an answer is read into; ``refusals`` what a refusal's code means
``wire``       reads answers without any network, ``events`` those that come piece by piece,
               ``results`` where results stand in them, ``times`` their moments, ``documents`` the
               JSON
``client``     asks; ``connection`` sends each request once, with the key; ``transport`` puts
               network failures into words
``uploads``    stores inputs, ``downloads`` fetches results; ``addresses`` says where, ``pages``
               reads error pages

Nothing is imported here, because aiohttp takes a third of a second to load and a command that only
needs to know where the service is should not wait for it.
"""

from __future__ import annotations
