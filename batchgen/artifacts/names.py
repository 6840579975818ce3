"""The names of result files: from a job's id, safe on every file system, and never two the same.

Rules of this file:

- An id is a file name as it stands or it is refused; nothing is escaped or shortened silently,
  because people look for a result under the id that they wrote.
- What is safe is the intersection of Linux, macOS and Windows: an output folder is copied to a
  stick, a share or a colleague sooner or later.
- Two ids are the same if any usual file system would think so, see `folded`.
"""

from __future__ import annotations

import re
import unicodedata

MAX_NAME_BYTES = 200
"""Bytes of UTF-8 in the longest name made from an id; file systems allow 255, and the name of an
unfinished download carries a task id as well."""

SLUG_CHARACTERS = 40

_LONGEST_SUFFIX = "-999.webp"
_RESERVED_CHARACTERS = frozenset('/\\<>:"|?*')
# Characters that reorder or hide text: the name on the screen would not be the name on the disk.
_INVISIBLE = frozenset("\u061c\u200b\u200e\u200f\u2028\u2029\u2060\ufeff") | frozenset(
    map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
_JOINERS = {0x200C: None, 0x200D: None}
_PLAIN = re.compile(r"[A-Za-z0-9 ._-]*")
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE
)


def problem_with(job_id: str) -> str | None:
    """Say why an id is no safe file name everywhere and what would be right; None if it is safe."""
    if not job_id.strip():
        return "an id must not be empty; give it a letter or a digit"
    for problem in (_problem_with_characters, _problem_with_ends, _problem_with_length):
        if (found := problem(job_id)) is not None:
            return found
    if _DEVICE.fullmatch(job_id):
        return f"Windows keeps the name {job_id!r} for a device; put a word before it"
    return None


def _problem_with_characters(job_id: str) -> str | None:
    if _PLAIN.fullmatch(job_id):  # as nearly all of a hundred thousand are
        return None
    for character in job_id:
        category = unicodedata.category(character)
        if category == "Cs":
            return "an id must be whole Unicode text; leave out the half character (a surrogate)"
        if category == "Cc" or character in _INVISIBLE:
            return f"an id must not hold the invisible character U+{ord(character):04X}; remove it"
        if character in _RESERVED_CHARACTERS:
            return f"an id must not hold {character!r}; use '-' instead"
    return None


def _problem_with_ends(job_id: str) -> str | None:
    if job_id[0] in "-.":
        return f"an id must not begin with {job_id[0]!r}; begin with a letter or a digit"
    if job_id[-1] == ".":
        return "an id must not end with a dot; remove it"
    if job_id != job_id.strip():
        return "an id must not begin or end with a space; remove it"
    return None


def _problem_with_length(job_id: str) -> str | None:
    limit = MAX_NAME_BYTES - len(_LONGEST_SUFFIX)
    length = len(job_id.encode())
    if length > limit:
        return f"an id must not be longer than {limit} bytes of UTF-8 (it has {length}); shorten it"
    return None


def folded(name: str) -> str:
    """Return the key under which two names collide on some file system.

    APFS and NTFS ignore case, HFS+ and APFS ignore the Unicode form, HFS+ ignores joiners: this
    ignores all three (canonical caseless matching, The Unicode Standard, section 3.13).
    """
    if name.isascii():
        return name.lower()
    visible = name.translate(_JOINERS)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", visible).casefold())


def slug(prompt: str) -> str:
    """Return a short safe name that reminds of a prompt: at most 40 characters, never empty."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", prompt).lower())
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in plain).split()
    short = _joined(words) or "job"
    return f"{short}-job" if _DEVICE.fullmatch(short) else short


def _joined(words: list[str]) -> str:
    """Join as many whole words as fit; cut only a first word that is too long by itself."""
    joined = "-".join(words[:1])[:SLUG_CHARACTERS]
    for word in words[1:]:
        longer = f"{joined}-{word}"
        if len(longer) > SLUG_CHARACTERS:
            break
        joined = longer
    return joined


def result_name(job_id: str, index: int, count: int, suffix: str) -> str:
    """Return the file name of one result of a job.

    ``index`` is the result's place in the answer, from 0; ``count`` is how many the request may
    give, not how many came: ``fox.mp4`` for one, ``fox-1.png``, ``fox-2.png`` for several.
    """
    if not 0 <= index < count:
        raise IndexError(f"a request for {count} results has none at place {index}")
    return f"{job_id}-{index + 1}{suffix}" if count > 1 else f"{job_id}{suffix}"


def sidecar_name(job_id: str) -> str:
    """Return the file name of a job's sidecar."""
    return f"{job_id}.json"


def names_of(job_id: str, count: int, suffix: str) -> tuple[str, ...]:
    """Return every file name that a job may write: its results, then its sidecar.

    Distinct ids may still claim one name (``fox-1`` with one picture, ``fox`` with two): a batch
    is sound when all its jobs' names differ under `folded`.
    """
    results = (result_name(job_id, index, count, suffix) for index in range(count))
    return (*results, sidecar_name(job_id))
