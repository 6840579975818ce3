"""What there is to fear for a journal where it lies.

Linux tells the kind of a file system in ``/proc/self/mountinfo`` (proc_pid_mountinfo(5), 2024);
where there is none, nothing is said of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

_IN_MEMORY = {"tmpfs", "ramfs"}
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "davfs", "lustre", "glusterfs"}
_REMOTE_BY_FUSE = re.compile(r"fuse\.(sshfs|rclone|s3fs|gcsfuse|glusterfs|ceph|davfs2?|gvfsd-fuse)")
_SYNCHRONISED = re.compile(
    r"dropbox( .*)?|onedrive( ?-.*)?|google ?drive(-.*)?|icloud ?drive|com~apple~clouddocs"
    r"|mobile documents|nextcloud\d?|owncloud|pclouddrive|seafile|syncthing",
    re.IGNORECASE,
)
_SYNCTHING_MARK = ".stfolder"


def cautions(folder: Path, mounts: Path = MOUNTS) -> Iterator[str]:
    """What a person should know before a batch is paid for whose journal lies in ``folder``."""
    kind = _file_system(folder, mounts)
    if kind in _IN_MEMORY:
        yield (
            f"{folder} lies in memory ({kind}): when this machine restarts, the results are gone,"
            " and so is the memory of what was paid for"
        )
    elif kind in _REMOTE or _REMOTE_BY_FUSE.fullmatch(kind):
        yield (
            f"{folder} lies on a network file system ({kind}): run this batch on one machine only,"
            " for locks may not hold between several"
        )
    if (name := _synchronised(folder)) is not None:
        yield (
            f"{folder} lies in a folder that another program synchronises ({name}): it may put an"
            " older journal back, and then jobs are bought twice; use --output with another folder"
        )


def _file_system(folder: Path, mounts: Path) -> str:
    """The kind of the file system, as Linux names it; empty where nobody says."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    found, place = "", folder.resolve()
    longest = 0
    for line in lines:
        mounted, _, described = line.partition(" - ")
        point = Path(_unescaped(mounted.split()[4]))
        # What was mounted last lies on top.
        if place.is_relative_to(point) and len(point.parts) >= longest:
            longest, found = len(point.parts), described.split()[0]
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _synchronised(folder: Path) -> str | None:
    place = folder.resolve()
    for part in place.parts:
        if _SYNCHRONISED.fullmatch(part):
            return part
    marked = any((parent / _SYNCTHING_MARK).exists() for parent in (place, *place.parents))
    return "Syncthing" if marked else None
