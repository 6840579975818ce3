"""Tells: what a command found out, on a terminal, in a log or as JSON.

    screen     where a command speaks: results on stdout, everything else on stderr
    stream     a standard stream whose trouble never reaches the program
    text       what others wrote, made harmless; durations and counts in words
    lines      what stands indented        money     amounts in words
    document   jobs as JSON data
    troubles   what went wrong with jobs, and what to do about it
    stops      what ended a run early, and what to do about it
    progress   a run while it lasts        summary   a run at its end
    plan       what a run would do         status    where a batch stands
    models     what the models take    forecast   how long it takes
    errors     mistakes, warnings and bugs

Nothing here decides anything, and nothing a person or the service wrote is printed uncleaned.
``text``, ``stream`` and ``errors`` import little: a mistake on the command line is told at once.
"""

from __future__ import annotations
