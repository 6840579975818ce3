"""Measuring media in pure Python: what a file is, and whether it is whole.

A download that ended early, or an error page saved under a result's name, must not pass for a
result that was paid for; and what is sent along with a job is known before the job is paid for.
The containers are walked to their ends; pixels are not decoded.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping

from batchgen.artifacts.avi import measure_avi
from batchgen.artifacts.measured import InMemory, Measured, NotMedia, Source
from batchgen.artifacts.mp4 import measure_mp4
from batchgen.artifacts.pictures import (
    measure_bmp,
    measure_jpeg,
    measure_png,
    measure_tiff,
    measure_webp,
)
from batchgen.artifacts.sounds import begins_like_mp3, measure_mp3, measure_wav

_HEAD = 1024

# First bytes, at an offset, of what may lie where a result should be.
_OTHERS = (
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"\x1aE\xdf\xa3", "a WebM or Matroska video"),
    (8, b"AVI ", "an AVI video"),
    (8, b"WAVE", "a WAV sound"),
    (0, b"ID3", "an MP3 sound"),
    (0, b"OggS", "an Ogg file"),
    (0, b"fLaC", "a FLAC sound"),
    (0, b"%PDF", "a PDF"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "gzip data"),
)
_STILL_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"}
# The object store's error pages name their reason in <Code>; the rest of the page may repeat the
# signature of the request and is left alone.
_ERROR_CODE = re.compile(rb"<Code>([A-Za-z.]{1,64})</Code>")


def measure(source: str | os.PathLike[str] | int) -> Measured:
    """Measure a file by path or by open descriptor (which stays open).

    Raises `NotMedia` when it is no whole MP4, MOV, PNG, JPEG or WEBP, and OSError when it cannot be
    read. Bounded in time by the file's size, in memory by a few times `MAX_READ`.
    """
    if isinstance(source, int):
        return _measure(source, _RESULTS)
    fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return _measure(fd, _RESULTS)
    finally:
        os.close(fd)


def measure_bytes(content: bytes) -> Measured:
    """Measure what a file will hold; as `measure`."""
    return _read(InMemory(content), _RESULTS)


def measure_input(fd: int) -> Measured:
    """Measure an open file that is to be sent: also BMP, TIFF, AVI, WAV and MP3, which no
    model makes.

    Raises `NotMedia` and OSError as `measure` does, and is bounded in the same way.
    """
    return _measure(fd, {**_RESULTS, **_INPUTS})


_Reader = Callable[[Source], Measured]
_Test = Callable[[bytes], bool]

_RESULTS: Mapping[_Test, _Reader] = {
    lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"): measure_png,
    lambda head: head.startswith(b"\xff\xd8\xff"): measure_jpeg,
    lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP": measure_webp,
    lambda head: head[4:8] == b"ftyp" and head[8:12] not in _STILL_BRANDS: measure_mp4,
}
_INPUTS: Mapping[_Test, _Reader] = {
    lambda head: head.startswith(b"BM"): measure_bmp,
    lambda head: head.startswith((b"II*\0", b"MM\0*")): measure_tiff,
    lambda head: head.startswith(b"RIFF") and head[8:12] == b"WAVE": measure_wav,
    lambda head: head.startswith(b"RIFF") and head[8:12] == b"AVI ": measure_avi,
    begins_like_mp3: measure_mp3,
}


def _measure(fd: int, readers: Mapping[_Test, _Reader]) -> Measured:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise NotMedia("a folder or a device, no file")
    return _read(Source(fd), readers)


def _read(source: Source, readers: Mapping[_Test, _Reader]) -> Measured:
    head = source.head(_HEAD)
    for begins_like, reader in readers.items():
        if begins_like(head):
            return reader(source)
    raise NotMedia(_what_it_looks_like(head))


def _what_it_looks_like(head: bytes) -> str:
    if not head:
        return "empty"
    for at, magic, words in _OTHERS:
        if head[at:].startswith(magic):
            return words
    if head[4:8] == b"ftyp":
        return "an AVIF or HEIC picture"
    return _text_in_words(head) or f"bytes of an unknown kind (they begin {head[:8].hex(' ')})"


def _text_in_words(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if text.startswith((b"<?xml", b"<error")):
        code = _ERROR_CODE.search(head)
        return f"an XML error page ({code[1].decode()})" if code else "an XML page"
    if not head.strip(b"\0"):
        return "nothing but zeros"
    if any(byte < 0x20 and byte not in b"\t\n\r\f" for byte in head):  # noqa: PLR2004 - ASCII space
        return None
    return "JSON text" if text.startswith((b"{", b"[")) else "text"
