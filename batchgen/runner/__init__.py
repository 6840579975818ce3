"""Does: everything that a decision wants, around one loop.

``loop``       decide, write down, act, listen; the only one that touches batch and journal
``uploader``   one local file          ``inspector`` one check of an input
``submitter``  one POST, once          ``poller``  one look at a task
``searcher``   the task of a lost answer, on the service's list
``surveyor``   what is alive, on the list; the limits             ``pages`` the list, read
``fetcher``    one result to disk      ``sealer``  one sidecar
``outcome``    what comes of an action ``clock``   the loop's time as the wall's
``media``      local inputs, read      ``progress``  how far it has come
``needs``      what comes before a POST  ``rendering`` what was made, as a fact
``errand``     what all hands know     ``mishaps``  what nobody expected
``silence``    when to give up          ``prompts``   what a task repeats
``start``      puts it all together    ``throttle``  how long questions wait
"""

from __future__ import annotations
