"""A summary is the old one or the new one, and takes no other file's place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchgen.errors import Mistake
from batchgen.notify import refuse_unfit, write_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_document_takes_the_place_of_the_old(tmp_path):
    """The document is there, and nothing else is left beside it."""
    path = tmp_path / "summary.json"
    write_file(path, b"old")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["summary.json"]


def test_what_a_killed_writer_left_is_swept(tmp_path):
    """A part of another day does not stay for ever, and nothing of another name is touched."""
    (tmp_path / ".summary.json.4711.part").write_bytes(b"ha")
    (tmp_path / ".other.json.4711.part").write_bytes(b"ha")
    write_file(tmp_path / "summary.json", b"new")
    assert names(tmp_path) == [".other.json.4711.part", "summary.json"]


def test_a_refused_write_leaves_the_old_document(tmp_path, monkeypatch):
    """A disk that fails at the last moment costs the news, not what was there."""
    path = tmp_path / "summary.json"
    write_file(path, b"old")

    def refuse(_descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["summary.json"]


def test_the_umask_decides_who_may_read_it(tmp_path):
    """A tight umask keeps the summary to its owner."""
    before = os.umask(0o077)
    try:
        write_file(tmp_path / "summary.json", b"{}")
    finally:
        os.umask(before)
    assert (tmp_path / "summary.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", ["/dev/null", "/", "/no/such/folder/summary.json"])
def test_what_could_not_be_written_in_the_end_is_refused_in_the_beginning(path):
    """A device would be replaced by a file, and a folder that is not there has no file."""
    with pytest.raises(Mistake):
        refuse_unfit(Path(path))


def test_a_file_that_is_there_is_fit(tmp_path):
    """Yesterday's summary is no obstacle."""
    path = tmp_path / "summary.json"
    refuse_unfit(path)
    path.write_text("{}")
    refuse_unfit(path)
