"""Reading AVI: sides and length by its main header, and whether the file is as long as it says.

Source: AVI RIFF File Reference (learn.microsoft.com), 2021.
"""

from __future__ import annotations

import struct

from batchgen.artifacts.measured import Measured, NotMedia, Source

_MICRO = 1_000_000


def measure_avi(source: Source) -> Measured:
    """Read the header list at the start. Raises `NotMedia`."""
    (length,) = struct.unpack("<I", source.read(4, 4))
    if length + 8 > source.size:
        raise NotMedia(f"cut: an AVI of {length + 8} bytes of which {source.size} are there")
    if source.read(12, 4) != b"LIST" or source.read(20, 8) != b"hdrlavih":
        raise NotMedia("an AVI without its header")
    frame, _, _, _, frames, _, _, _, width, height = struct.unpack("<10I", source.read(32, 40))
    if not width or not height or not frames:
        raise NotMedia("an AVI without a picture")
    return Measured(
        media_type="video/x-msvideo",
        suffix=".avi",
        bytes=source.size,
        width=width,
        height=height,
        duration=round(frames * frame / _MICRO, 3) or None,
        frames=frames,
        fps=round(_MICRO / frame, 3) if frame else None,
    )
