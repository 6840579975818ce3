"""What a run finds of an earlier one that died: whose bytes, how far, and what they prove."""

from __future__ import annotations

import lzma
import os
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.artifacts import NotMedia, Tree
from batchgen.artifacts import part as part_module
from batchgen.artifacts.checksums import Digest
from batchgen.errors import MachineError
from tests.artifacts.painted import picture

NOTE = {"etag": '"A1"', "bytes": 9, "md5": None, "crc64": 7}
DOCUMENT = {"job": "fox", "manifest": "detective", "batchgen": {"version": "0", "sidecar": 1}}
FOX = picture("fox")


class Space(NamedTuple):
    """What a file system says of its room."""

    f_blocks: int
    f_bavail: int
    f_frsize: int
    f_files: int
    f_favail: int


@pytest.fixture(params=[part_module.HELD, 1], ids=["in one go", "piece by piece"])
def tree(tmp_path, request, monkeypatch):
    """Small results are written in one go, others as they come: all holds for both."""
    monkeypatch.setattr(part_module, "HELD", request.param)
    with Tree(tmp_path / "output", "detective") as opened:
        yield opened


def parts(tree):
    return sorted(path.name for path in (tree.folder / ".batchgen" / "parts").iterdir())


def again(tree):
    """The same folder, as the next run opens it."""
    tree.close()
    return Tree(tree.folder.parent, tree.folder.name)


def names(tree):
    return sorted(path.name for path in tree.folder.iterdir() if path.is_file())


async def left(tree, content, name="fox.png.0a"):
    """What a run has written that came no further."""
    part = tree.part(name)
    async with part:
        await part.restart(NOTE)
        await part.write(content)
    return part


async def keep(tree, part, name):
    """Publish what an open part holds, and say what it is."""
    return await tree.keep(part, lambda _measured: name)


async def measured(tree, content, name, **checksums):
    """Fetch and publish, and say what it is."""
    part = tree.part(f"{name}.0a")
    async with part:
        await part.restart(NOTE, **checksums)
        await part.write(content)
        _, found = await keep(tree, part, name)
    return found


async def kept(tree, content):
    part = tree.part("fox.png.0a")
    async with part:
        await part.restart(NOTE)
        await part.write(content)
        published, _ = await keep(tree, part, "fox.png")
    return published


def crc64_of(content):
    """The checksum that an .xz file carries of the same bytes, behind its block."""
    packed = lzma.compress(content, lzma.FORMAT_XZ, lzma.CHECK_CRC64)
    end = len(packed) - 12 - 4 * (int.from_bytes(packed[-8:-4], "little") + 1)
    return int.from_bytes(packed[end - 8 : end], "little") if content else 0


@given(st.lists(st.binary(max_size=300)), st.integers(0, 70_000), st.integers(0, 63))
def test_a_crc64_is_recognised_and_no_other(pieces, much, bit):
    """However the bytes come, their checksum matches, and one that differs in a bit does not."""
    pieces = [*pieces, bytes(much)]
    checksum = crc64_of(b"".join(pieces))
    for expected, matches in ((checksum, True), (checksum ^ 1 << bit, False)):
        digest = Digest(crc64=expected)
        for piece in pieces:
            digest.update(piece)
        assert (digest.difference() is None) is matches


@pytest.mark.fault(73)
async def test_flipped_bytes_are_no_result(tree, silent):
    """The container is whole and the length is right, and only the checksums tell."""
    checksum, flipped = crc64_of(silent), bytearray(silent)
    flipped[silent.index(b"mdat") + 100] ^= 1
    assert (await measured(tree, silent, "fox.mp4", crc64=checksum)).frames == 20
    assert (await measured(tree, flipped, "owl.mp4")).frames == 20
    with pytest.raises(NotMedia, match="do not match their CRC-64"):
        await measured(tree, flipped, "bear.mp4", crc64=checksum)
    with pytest.raises(NotMedia, match="do not match their MD5"):
        await measured(tree, flipped, "wolf.mp4", md5="0" * 32, crc64=crc64_of(bytes(flipped)))
    assert names(tree) == ["fox.mp4", "owl.mp4"]


@pytest.mark.fault(9, 73)
@pytest.mark.parametrize("changed", [False, True])
async def test_what_an_earlier_run_has_left_is_held_against_the_checksums_too(
    tree, silent, changed
):
    """Half of the bytes came in an earlier run; one that has changed since is found."""
    half = len(silent) // 2
    part = tree.part("fox.mp4.0a")
    async with part:
        await part.restart(NOTE)
        await part.write(silent[: half - 1] + (b"?" if changed else silent[half - 1 : half]))
    with again(tree) as later:
        part = later.part("fox.mp4.0a")
        part.expect(crc64=crc64_of(silent))
        async with part:
            await part.write(silent[half:])
            if changed:
                with pytest.raises(NotMedia, match="do not match their CRC-64"):
                    await keep(later, part, "fox.mp4")
            else:
                assert (await keep(later, part, "fox.mp4"))[1].frames == 20
        assert names(later) == ([] if changed else ["fox.mp4"])


async def test_a_result_is_kept_under_the_name_that_it_asks_for(tree, silent):
    """All at once: measured, named by what it is, published; and again what it held before."""
    part = tree.part("fox.mp4.0a")
    async with part:
        await part.restart(NOTE, crc64=crc64_of(silent))
        await part.write(silent)
        published, measured = await tree.keep(part, lambda measured: f"fox{measured.suffix}")
    assert (published.path.read_bytes(), published.bytes) == (silent, len(silent))
    assert measured.frames == 20
    assert parts(tree) == ["fox.mp4.receipt"]
    assert await tree.recall(tree.part("fox.mp4.0a"), "fox.mp4") == published


async def test_what_is_no_result_is_not_kept(tree):
    """An error page stays among the parts, and has no name."""
    part = tree.part("fox.mp4.0a")
    async with part:
        await part.restart(NOTE)
        await part.write(b"<html>")
        with pytest.raises(NotMedia, match="an HTML page"):
            await tree.keep(part, lambda measured: f"fox{measured.suffix}")
    assert parts(tree) == ["fox.mp4.0a.note", "fox.mp4.0a.part"]
    assert part.path.read_bytes() == b"<html>"


async def test_what_is_refused_by_name_is_not_kept(tree):
    """A result of another kind than was asked for stays among the parts, and has no name."""

    def refuse(measured):
        raise NotMedia(f"it is {measured.media_type}")

    part = tree.part("fox.mp4.0a")
    async with part:
        await part.restart(NOTE)
        await part.write(FOX)
        with pytest.raises(NotMedia, match="it is image/png"):
            await tree.keep(part, refuse)
    assert names(tree) == []
    assert parts(tree) == ["fox.mp4.0a.note", "fox.mp4.0a.part"]
    assert part.path.read_bytes() == FOX


@pytest.mark.fault(9)
async def test_the_note_outlives_the_run(tree):
    """A later run knows whose bytes an earlier one has left."""
    part = tree.part("fox.mp4.0a")
    async with part:
        await part.restart(NOTE)
        await part.write(b"half")
    with again(tree) as later:
        part = later.part("fox.mp4.0a")
        assert (await part.note(), await part.size()) == (NOTE, 4)
        await part.discard()
        assert (await part.note(), await part.size(), parts(later)) == (None, 0, [])


async def test_bytes_never_stand_under_the_note_of_others(tree, monkeypatch):
    """When another version begins, the old bytes have gone before its note is there, and its note
    is durable before its first byte.
    """
    monkeypatch.setattr(part_module, "HELD", 1)
    part = tree.part("fox.mp4.0a")
    seen = []
    monkeypatch.setattr(os, "rename", seeing(seen, os.rename, part.path))
    monkeypatch.setattr(os, "fsync", seeing(seen, os.fsync, part.path))
    async with part:
        await part.restart(NOTE)
        await part.write(b"old bytes")
        await part.restart(NOTE | {"etag": '"B2"'})
        await part.write(b"new")
    assert seen == [None] * 6, "file, name and folder, twice, while there was no part"
    assert part.path.read_bytes() == b"new"
    assert (await part.note())["etag"] == '"B2"'


def seeing(seen, function, path: Path):
    def watched(*arguments, **options):
        seen.append(path.stat().st_size if path.exists() else None)
        return function(*arguments, **options)

    return watched


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 9000])
async def test_a_note_that_cannot_be_read_is_none(tree, content):
    """What nobody can make sense of makes nobody trust the bytes."""
    part = await left(tree, b"video")
    part.path.with_suffix(".note").write_bytes(content)
    assert await part.note() is None


@pytest.mark.fault(90)
async def test_a_link_in_the_place_of_a_note_is_not_followed(tree, tmp_path):
    """A note is never read or written through a symbolic link."""
    (tmp_path / "other").write_text('{"etag": "x"}')
    part = tree.part("fox.mp4.0a")
    part.path.with_suffix(".note").symlink_to(tmp_path / "other")
    with again(tree) as later:
        part = later.part("fox.mp4.0a")
        with pytest.raises(MachineError, match="symbolic link"):
            await part.note()
        async with part:
            await part.restart(NOTE)
        assert (tmp_path / "other").read_text() == '{"etag": "x"}'
        assert await part.note() == NOTE


@pytest.mark.fault(12)
async def test_a_published_result_is_recalled(tree):
    """Whoever died between the name and the journal finds the result by its receipt, until the
    sidecar is there.
    """
    published = await kept(tree, FOX)
    with again(tree) as later:
        assert await later.recall(later.part("fox.png.0a"), "fox.png") == published
        assert await later.recall(later.part("fox.png.0b"), "fox.png") is None, "another task's"
        await later.write_sidecar("fox", DOCUMENT | {"files": [published.as_json()]})
        assert parts(later) == []
        assert await later.recall(later.part("fox.png.0a"), "fox.png") is None


@pytest.mark.fault(12)
async def test_a_result_that_is_no_longer_what_it_was_is_not_recalled(tree):
    """A receipt without its file, or with another, is worth nothing."""
    published = await kept(tree, FOX)
    published.path.write_bytes(b"vid")
    assert await tree.recall(tree.part("fox.png.0a"), "fox.png") is None
    published.path.unlink()
    assert await tree.recall(tree.part("fox.png.0a"), "fox.png") is None


@pytest.mark.fault(11, 12)
async def test_a_crash_right_after_the_name_leaves_nothing_to_do_but_to_tidy(tree):
    """The part that still stands beside its published name goes when the result is recalled."""
    part = tree.part("fox.png.0a")
    note = part.path.with_suffix(".note")
    published = await kept(tree, FOX)
    os.link(published.path, part.path)
    note.write_text("{}")
    with again(tree) as later:
        assert await later.recall(later.part("fox.png.0a"), "fox.png") == published
        assert parts(later) == ["fox.png.receipt"]


class Died(BaseException):
    """What nobody catches: the run ends where it stands."""


@pytest.mark.fault(11, 12)
@pytest.mark.parametrize("named", [False, True])
async def test_a_death_around_the_name_costs_no_download(tree, monkeypatch, named):
    """With the receipt on the disk, whoever comes later gives the name, or finds it given."""
    original = os.link

    def die(*arguments, **options):
        if named:
            original(*arguments, **options)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", die)
        with pytest.raises(Died):
            await kept(tree, FOX)
    assert names(tree) == (["fox.png"] if named else [])
    with again(tree) as later:
        published = await later.recall(later.part("fox.png.0a"), "fox.png")
        assert published == await later.checksum("fox.png")
        assert published.path.read_bytes() == FOX
        assert parts(later) == ["fox.png.receipt"]


@pytest.mark.fault(10)
async def test_a_death_before_the_last_byte_is_durable_is_not_recalled(tree, monkeypatch):
    """A receipt of bytes that did not all reach the disk gives no name to the others."""

    def die(*_arguments, **_options):
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", die)
        with pytest.raises(Died):
            await kept(tree, FOX)
    part = tree.part("fox.png.0a")
    os.truncate(part.path, 9)
    with again(tree) as later:
        assert await later.recall(later.part("fox.png.0a"), "fox.png") is None
        assert names(later) == []


async def test_what_belongs_to_no_job_any_more_is_swept_away(tree):
    """Parts, notes and receipts of other jobs go; those of the jobs named stay, and a folder does,
    which is none of ours.
    """
    for name in ("fox.png.0a", "fox-2.png.0b", "foxes.png.0c", "owl.png.0d"):
        await left(tree, b"video", name)
    (tree.folder / ".batchgen" / "parts" / "mine").mkdir()
    await tree.sweep({"fox"})
    stay = ["fox-2.png.0b.note", "fox-2.png.0b.part", "fox.png.0a.note", "fox.png.0a.part"]
    assert parts(tree) == [*stay, "mine"]


@pytest.mark.parametrize(
    ("space", "free"),
    [
        (Space(100, 7, 4096, 1000, 900), 7 * 4096),
        (Space(100, 0, 4096, 1000, 900), 0),
        (Space(100, 7, 4096, 1000, 3), 0),
        (Space(100, 7, 4096, 0, 0), 7 * 4096),
        (Space(0, 0, 4096, 0, 0), None),
    ],
)
@pytest.mark.fault(95)
def test_free_space_is_told(tree, monkeypatch, space, free):
    """Bytes that this user may write; none without inodes, unless there is no such limit; and
    nothing where the file system does not know.
    """
    monkeypatch.setattr(os, "fstatvfs", lambda _fd: space)
    assert tree.free() == free


def test_free_space_of_this_disk_is_known(tree):
    """A real file system answers."""
    assert tree.free() > 0


def test_free_space_that_cannot_be_asked_for_is_unknown(tree, monkeypatch):
    """A network file system that has lost the folder stops nobody here."""

    def lost(_fd):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(os, "fstatvfs", lost)
    assert tree.free() is None


@pytest.mark.fault(95)
async def test_a_hundred_thousand_files_are_no_burden(tree):
    """In a folder that full, results are published, missed and swept as in an empty one."""
    names = [f"job-{number:06}.mp4" for number in range(100_000)]
    folder = os.open(tree.folder, os.O_RDONLY)
    for name in names:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    published = await kept(tree, FOX)
    await tree.write_sidecar("fox", DOCUMENT | {"files": [published.as_json()]})
    assert tree.missing([(name, 0) for name in names] + [("fox.png", len(FOX))]) == []
    assert parts(tree) == []
