"""The faults that batchgen must survive, by number: gaps in the numbers mean nothing.

Each row is asserted by at least one test that names it: ``@pytest.mark.fault(23)``. A test asserts
what a user would notice: files, sidecars, exit code, words, tasks created. Further tests of a row
may look at a part of the program alone; the rows of ``BELOW`` have only such.
"""

from __future__ import annotations

ROWS = {
    # The process dies, or the machine does.
    1: "killed before the intent is committed",
    2: "killed after the intent, before a byte of the POST",
    3: "killed after the POST left, before its answer",
    4: "killed after the answer arrived, before the task id is committed",
    5: "killed right after the task id is committed",
    6: "killed during polling, any number of times",
    7: "killed after SUCCEEDED arrived, before it is committed",
    8: "killed between the known result and its download",
    9: "killed in the middle of a download",
    10: "killed after the last byte, before fsync",
    11: "killed after fsync, before the result has its name",
    12: "killed after the result has its name, before the sidecar",
    13: "killed while the sidecar is written",
    14: "killed after the sidecar, before the job is done",
    15: "killed while the journal is created or migrated",
    16: "killed during a checkpoint or at close",
    17: "a power cut at any of these steps",
    18: "killed while the summary file is written",
    19: "killed again and again during a whole batch",
    20: "the holder of the lock is killed",
    21: "a worker raises what nobody expected",
    22: "killed for want of memory; memory stays bounded",
    # Submits.
    23: "the connection is reset after the server has read the request",
    24: "the answer comes after the time-out",
    25: "a kept-alive connection that has gone stale",
    26: "200 with a truncated, non-JSON, HTML or NaN body",
    27: "200 without a task id, or with an empty one",
    29: "500, 502, 504 with and without an error body",
    30: "a 5xx with a throttling code",
    31: "429 with any form of Retry-After",
    32: "a long series of 429 without Retry-After",
    33: "429 or 403 that speak of the account",
    34: "401, 403, or the key of another region",
    35: "invalid parameter, content refused, unknown model",
    37: "a redirection of the POST",
    38: "no DNS, refused, black hole, no network",
    39: "TLS: unknown authority, wrong name, expired",
    41: "the budget is reached in the middle",
    43: "each POST is answered after a minute",
    # Polls.
    44: "poll errors for an hour",
    45: "429 on polls",
    46: "UNKNOWN soon after the submit, or with the wrong key",
    47: "UNKNOWN after a day, or for a task that was seen running",
    49: "CANCELED elsewhere",
    52: "FAILED without a code, with a retryable one, by moderation",
    53: "stuck PENDING or RUNNING",
    55: "down over the weekend, and everything expired meanwhile",
    56: "10,000 tasks to poll at 20 queries a second",
    57: "times in the answer without a zone",
    # Downloads.
    58: "a stall in the body",
    59: "a drip for ever",
    60: "truncated, with Content-Length",
    61: "truncated, without Content-Length",
    63: "chunked, cut before the last chunk",
    64: "an encoded answer, a decompression bomb",
    65: "200 with an HTML or XML page",
    66: "403: the signature has expired",
    67: "404, 410, 416",
    69: "redirections of a download",
    70: "addresses that are not http(s), with a user, on odd ports",
    71: "a host that resolves to an internal address",
    72: "zero bytes, too many, endless",
    73: "the right length with flipped bytes",
    75: "200 results at once, few file handles",
    76: "submits are paused while results wait",
    # Disk.
    77: "the disk is full while a result is written",
    78: "the disk is full for the journal",
    80: "an error only at close",
    81: "a file size limit, a quota",
    82: "the output is read-only, or turns so",
    83: "EIO from fsync of a result",
    84: "EIO from the journal",
    85: "a folder that cannot be written, a file in its place",
    87: "names too long, reserved, or with control characters",
    88: "names that are equal on some file system",
    89: "a path instead of a name",
    90: "symbolic links in the output tree",
    92: "finished files deleted, truncated or edited",
    94: "a file system without hard links or locks",
    95: "no inodes left; folders of 100,000 files",
    # Journal.
    96: "a flipped bit",
    98: "written by a newer version",
    99: "written by an older version",
    101: "the journal is lost, the results are there",
    103: "the batch's folder is moved",
    104: "another program holds a lock on the journal",
    105: "two runs of one manifest at the same moment",
    106: "two manifests in one output folder",
    107: "the journal lies in memory or in a synchronised folder",
    # Manifest.
    108: "the prompt of a job that is done is edited",
    109: "reordered, reformatted, defaults moved",
    112: "alias bombs, deep nesting",
    113: "duplicate and unknown keys, wrong types",
    114: "encodings, control characters, lone surrogates",
    115: "a prompt that is too long, empty, only blanks",
    116: "100,000 jobs; huge files and lines; devices and pipes",
    121: "local files that nobody should send",
    # Secrets.
    122: "the key, or a signed query, anywhere on disk or screen",
    124: "the key on the command line",
    125: "the key in a download, a redirection, a command run at the end",
    126: "the key is rotated during the run",
    # The process and its surroundings.
    128: "SIGINT once, twice, three times",
    129: "SIGTERM",
    130: "SIGHUP, and nohup",
    131: "a signal before the loop, or during clean-up",
    134: "the wall clock jumps",
    136: "cron starts while yesterday's run goes on",
    138: "fsync blocks for a minute: all else goes on, and no word is said of it",
    139: "the command run at the end fails, hangs, or floods",
    140: "batchgen is upgraded or downgraded between runs",
    142: "the sandbox and the service are mixed up",
}

UNBUILT = {
    118: "markup in prompts: there is no gallery yet",
    120: "formulas in a CSV export: there is no export yet",
}
"""Rows that speak of features that batchgen does not have."""

BELOW = {
    71: "only the downloads of a public service are refused inner addresses, and no test reaches a"
    " public service: the downloader is asked itself",
}
"""Rows that end below a run, and why."""
