"""Places that lose files are warned of, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchgen.journal.surroundings import cautions

LINE = "36 35 98:0 / {point} rw,noatime shared:1 - {kind} /dev/x rw\n"


def mounts(folder: Path, *lines: tuple[str, str]) -> Path:
    path = folder / "mountinfo"
    path.write_text("".join(LINE.format(point=point, kind=kind) for point, kind in lines))
    return path


@pytest.mark.fault(107)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("tmpfs", "lies in memory"),
        ("nfs4", "network file system"),
        ("fuse.sshfs", "network file system"),
        ("ext4", None),
        ("overlay", None),
    ],
)
def test_the_kind_of_the_file_system_is_told(tmp_path: Path, kind: str, words: str | None):
    """The file system that the folder itself lies on counts, not one above or beside it."""
    place = tmp_path / "my disk" / "output"
    place.mkdir(parents=True)
    point = str(tmp_path / "my disk").replace(" ", "\\040")
    found = mounts(tmp_path, ("/", "tmpfs"), (point, kind), (f"{tmp_path}/my", "nfs"))
    told = list(cautions(place, found))
    assert [words in text for text in told] == ([True] if words else [])


@pytest.mark.fault(107)
def test_what_was_mounted_last_counts(tmp_path: Path):
    """A file system mounted over another hides it."""
    found = mounts(tmp_path, (str(tmp_path), "tmpfs"), (str(tmp_path), "ext4"))
    assert not list(cautions(tmp_path, found))


@pytest.mark.fault(107)
@pytest.mark.parametrize(
    ("name", "warned"),
    [
        ("Dropbox", True),
        ("Dropbox (Studio)", True),
        ("OneDrive - Studio Ltd", True),
        ("Nextcloud", True),
        ("com~apple~CloudDocs", True),
        ("GoogleDrive-me@example.com", True),
        ("dropboxes", False),
        ("sync", False),
    ],
)
def test_a_synchronised_folder_is_known_by_its_name(tmp_path: Path, name: str, warned: bool):
    """An older journal that is put back buys jobs twice: the words say so."""
    place = tmp_path / name / "films"
    place.mkdir(parents=True)
    told = list(cautions(place, tmp_path / "none"))
    assert [f"({name})" in text and "bought twice" in text for text in told] == [True] * warned


@pytest.mark.fault(107)
def test_syncthing_is_known_by_its_mark(tmp_path: Path):
    """Its folders have any name."""
    (tmp_path / ".stfolder").mkdir()
    assert "(Syncthing)" in next(cautions(tmp_path, tmp_path / "none"))
