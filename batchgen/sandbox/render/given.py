"""Opening a given video or sound with care.

Some formats that FFmpeg guesses are lists of other files and addresses, which it would go and open:
only plain media are recognised here, and only from this disk.
"""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer

_CARE = {"format_whitelist": "avi,mov,mp3,wav", "protocol_whitelist": "file"}


def opened(path: Path) -> InputContainer:
    """Raises av.FFmpegError for anything that is no plain video or sound."""
    return av.open(str(path), options=_CARE, metadata_errors="replace")
