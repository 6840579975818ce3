from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import resource
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from batchgen.artifacts import NotMedia, Occupied, Tree
from batchgen.artifacts import part as part_module
from batchgen.errors import MachineError
from tests.artifacts.painted import noise, picture

DOCUMENT = {"job": "fox", "manifest": "detective", "batchgen": {"version": "0", "sidecar": 1}}
FOX = picture("fox")
OWL = picture("owl")


@pytest.fixture(params=[part_module.HELD, 1], ids=["in one go", "piece by piece"])
def held(request, monkeypatch):
    """Small results are written in one go, others as they come: all holds for both."""
    monkeypatch.setattr(part_module, "HELD", request.param)
    return request.param


@pytest.fixture
def tree(held, tmp_path):
    with Tree(tmp_path / "output", "detective") as opened:
        yield opened


def again(tree):
    """The same folder, as the next run opens it."""
    tree.close()
    return Tree(tree.folder.parent, tree.folder.name)


@pytest.fixture
def mounted(tmp_path):
    """Mount file systems for one test."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    with ExitStack() as mounts:

        def mount(*arguments, at):
            at.mkdir(exist_ok=True)
            done = subprocess.run(["mount", *arguments, at], check=False, capture_output=True)
            if done.returncode:
                pytest.skip(f"this machine does not mount: {done.stderr.decode().strip()}")
            mounts.callback(subprocess.run, ["umount", "--lazy", at], check=True)
            return at

        yield mount


async def keep(tree, part, name="fox.png"):
    """Publish what an open part holds."""
    published, _ = await tree.keep(part, lambda _measured: name)
    return published


async def kept(tree, content, name="fox.png"):
    """Append to the part what comes, and publish it."""
    part = tree.part(name)
    async with part:
        await part.write(content)
        return await keep(tree, part, name)


async def begun(tree, content, name="fox.png"):
    part = tree.part(name)
    async with part:
        await part.write(content)
    return part


def listing(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def path_of(fd, root):
    """Return where an open file or folder stands."""
    found = os.fstat(fd)
    return next(p for p in (root, *root.rglob("*")) if os.path.samestat(p.stat(), found))


def parts(tree):
    return listing(tree.folder / ".batchgen" / "parts")


async def test_result_goes_from_part_to_final_name(tree):
    """A published result stands under its name with its bytes; its part is gone, and with the
    sidecar everything else that spoke of it.
    """
    published = await kept(tree, FOX)
    assert published.path.read_bytes() == FOX
    assert published.as_json() == {
        "path": "fox.png",
        "bytes": len(FOX),
        "sha256": hashlib.sha256(FOX).hexdigest(),
    }
    assert parts(tree) == ["fox.png.receipt"]
    await tree.write_sidecar("fox", DOCUMENT | {"files": [published.as_json()]})
    assert parts(tree) == []


async def test_final_name_is_not_seen_early(tree):
    """Until it is published, a download shows only among the parts."""
    async with tree.part("fox.png") as part:
        await part.write(b"vid")
        assert listing(tree.folder) == []
    assert parts(tree) == ["fox.png.part"]


async def test_part_is_resumed_with_the_hash_of_the_whole(tree):
    """A download that goes on in a later run has the checksum of all its bytes."""
    async with tree.part("fox.png") as part:
        await part.write(FOX[:6])
    part = tree.part("fox.png")
    assert await part.size() == 6
    async with part:
        await part.write(FOX[6:])
        assert await part.size() == len(FOX)
        published = await keep(tree, part)
    assert published.sha256 == hashlib.sha256(FOX).hexdigest() == part.sha256
    assert published.path.read_bytes() == FOX


async def test_cancelled_download_keeps_what_came(tree):
    """Cancelling a download twice, as task groups do, loses no byte even while the disk is busy."""
    reached, free = asyncio.Event(), threading.Event()

    async def download():
        async with tree.part("fox.png") as part:
            await part.write(b"x" * 100)
            reached.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(download())
    await reached.wait()
    for _ in range(4):
        tree._executor.submit(free.wait)
    task.cancel()
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    free.set()
    tree.close()
    assert (tree.folder / ".batchgen/parts/fox.png.part").stat().st_size == 100


async def test_discarded_part_starts_from_nothing(tree):
    """After a discard, open or closed, no old byte is left in the file or in the hash."""
    async with tree.part("fox.png") as part:
        await part.write(b"old")
        await part.discard()
    assert await part.size() == 0
    async with part:
        await part.write(b"new")
        with pytest.raises(NotMedia):
            await keep(tree, part)
    await part.discard()
    await part.discard()
    assert (part.sha256, await part.size(), parts(tree)) == (None, 0, [])
    assert (await kept(tree, FOX)).path.read_bytes() == FOX


async def test_restarted_part_goes_on_from_nothing(tree):
    """A server that ignores where we stopped makes us begin again, in the same open part."""
    part = tree.part("fox.png")
    async with part:
        await part.write(b"old")
        await part.restart()
        assert await part.size() == 0
        await part.write(FOX)
        published = await keep(tree, part)
    assert published.path.read_bytes() == FOX


async def test_part_is_measured_before_it_is_published(tree, silent):
    """What came is told from an error page while it has no final name yet."""
    seen = []

    def name_of(measured):
        seen.append((measured.frames, listing(tree.folder)))
        return "fox.mp4"

    async with tree.part("fox.mp4") as part:
        await part.write(silent)
        published, measured = await tree.keep(part, name_of)
    assert (seen, measured.frames) == ([(20, [])], 20)
    assert published.path.read_bytes() == silent
    with pytest.raises(NotMedia, match="an HTML page"):
        await kept(tree, b"<html>", "owl.mp4")
    assert listing(tree.folder) == ["fox.mp4"]


async def test_unfinished_part_cannot_be_published(tree):
    """Bytes that may not be on the disk never get a final name."""
    part = await begun(tree, FOX)
    with pytest.raises(RuntimeError, match=r"<Part fox.png.part closed> is not open"):
        await keep(tree, part)
    assert (listing(tree.folder), parts(tree)) == ([], ["fox.png.part"])


async def test_part_that_differs_from_its_hash_is_not_finished(tree):
    """Bytes on the disk that were never hashed (a write that failed half-way) are found."""
    part = await begun(tree, b"")
    part.path.touch()
    size = len(FOX)
    async with part:
        await part.write(FOX)
        with part.path.open("ab") as other:
            other.write(b"more")
        with pytest.raises(MachineError, match=f"holds {size + 4} bytes where {size} were written"):
            await keep(tree, part)
    assert (part.sha256, listing(tree.folder)) == (None, [])


async def test_closed_part_cannot_be_written(tree):
    """Writing outside the context is a bug that is named."""
    with pytest.raises(RuntimeError, match="is not open"):
        await tree.part("fox.png").write(b"x")


@pytest.mark.fault(11, 12)
async def test_crash_between_link_and_unlink_is_finished(tree):
    """A part that already has its final name is finished and adopted without new bytes."""
    part = await begun(tree, FOX)
    os.link(part.path, tree.folder / "fox.png")
    again = tree.part("fox.png")
    async with again:
        with pytest.raises(RuntimeError, match="published already"):
            await again.write(b"more")
        published = await keep(tree, again)
    assert (published.bytes, parts(tree)) == (len(FOX), ["fox.png.receipt"])
    assert published.path.read_bytes() == FOX


async def test_same_bytes_under_the_final_name_are_adopted(tree):
    """A result that was published before a crash is taken as it is when it comes again."""
    (tree.folder / "fox.png").write_bytes(FOX)
    before = (tree.folder / "fox.png").stat()
    published = await kept(tree, FOX)
    assert published.sha256 == hashlib.sha256(FOX).hexdigest()
    assert (tree.folder / "fox.png").stat().st_ino == before.st_ino
    assert parts(tree) == ["fox.png.receipt"]


def put_file(path):
    path.write_bytes(b"mine")


def put_link(path):
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("put", [put_file, put_link, os.mkfifo, os.mkdir])
async def test_foreign_thing_under_a_name_is_never_overwritten(tree, put):
    """A file, link, pipe or folder of somebody else stays; the result waits in its part."""
    for name in ("fox.png", "fox.json"):
        put(tree.folder / name)
    before = [os.lstat(tree.folder / name) for name in ("fox.png", "fox.json")]
    with pytest.raises(Occupied, match=r"fox\.png is in the way") as caught:
        await kept(tree, FOX)
    assert caught.value.path == tree.folder / "fox.png"
    with pytest.raises(Occupied, match=r"fox\.json is in the way"):
        await tree.write_sidecar("fox", DOCUMENT)
    after = [os.lstat(tree.folder / name) for name in ("fox.png", "fox.json")]
    assert [(s.st_ino, s.st_mtime_ns) for s in before] == [(s.st_ino, s.st_mtime_ns) for s in after]
    assert "fox.png.part" in parts(tree)
    assert (tree.folder / ".batchgen/parts/fox.png.part").read_bytes() == FOX


@pytest.mark.parametrize("put", [put_file, put_link, os.mkfifo])
async def test_what_lies_there_unlisted_is_no_beginning(tree, put):
    """A file system may list a part under another Unicode form of its name: whoever begins anew
    has neither its bytes nor its note.
    """
    part = tree.part("fox.png")
    put(part.path)
    put(part.path.with_suffix(".note"))
    async with part:
        await part.restart()
        await part.write(FOX)
        published = await keep(tree, part)
    assert published.path.read_bytes() == FOX
    assert published.sha256 == hashlib.sha256(FOX).hexdigest()
    assert parts(tree) == ["fox.png.receipt"]


async def test_what_lies_there_unlisted_is_discarded(tree):
    """What is thrown away goes, under whatever form of its name it is listed."""
    part = tree.part("fox.png")
    part.path.write_bytes(b"old")
    part.path.with_suffix(".note").write_text("{}")
    await part.discard()
    assert parts(tree) == []


@pytest.fixture
def without_links(monkeypatch):
    """A file system that knows no hard links, as FAT and some network shares are."""

    def refuse(*arguments, **options):
        raise PermissionError(errno.EPERM, "no hard links")

    monkeypatch.setattr(os, "link", refuse)


@pytest.fixture
def linkless(held, without_links, tmp_path):
    with Tree(tmp_path, "detective") as opened:
        yield opened


@pytest.mark.fault(94)
async def test_publishing_without_hard_links(linkless):
    """Where there are no links, results are published whole and still never overwrite."""
    published = await kept(linkless, FOX)
    assert published.path.read_bytes() == FOX
    with pytest.raises(Occupied):
        await kept(linkless, OWL)
    await linkless.write_sidecar("fox", DOCUMENT)
    assert listing(linkless.folder) == ["fox.json", "fox.png"]
    assert published.path.read_bytes() == FOX


async def test_own_claim_is_taken_up_without_hard_links(linkless):
    """The empty file that a crash left between claim and rename does not block the result."""
    (linkless.folder / "fox.png").touch()
    published = await kept(linkless, FOX)
    assert published.path.read_bytes() == FOX


async def test_empty_foreign_file_is_respected_with_hard_links(tree):
    """Where links work an empty file cannot be our claim, so it is somebody else's."""
    (tree.folder / "fox.png").touch()
    with pytest.raises(Occupied):
        await kept(tree, FOX)


async def test_order_on_disk(tree, held, monkeypatch):
    """Bytes and receipt are durable before the name, and the name before the part goes and the
    sidecar comes. Of what is written in one go the receipt comes before the bytes.
    """
    steps = []

    def watch(name):
        original = getattr(os, name)

        def step(*arguments, **options):
            subject = arguments[0]
            where = path_of(subject, tree.folder.parent) if name == "fsync" else Path(subject)
            original(*arguments, **options)
            steps.append((name, where.name))

        monkeypatch.setattr(os, name, step)

    for name in ("fsync", "link", "rename", "unlink"):
        watch(name)
    await kept(tree, FOX)
    await tree.write_sidecar("fox", DOCUMENT)
    await tree.write_sidecar("fox", DOCUMENT | {"usage": {}})
    content = [("fsync", "fox.png.part")]
    receipt = [
        ("fsync", "fox.png.receipt.tmp"),
        ("rename", "fox.png.receipt.tmp"),
        ("fsync", "parts"),
    ]
    assert [step for step in steps if step != ("unlink", "fox.json.tmp")] == [
        *(content + receipt if held == 1 else receipt + content),
        ("link", "fox.png.part"),
        ("fsync", "detective"),
        ("unlink", "fox.png.part"),
        ("fsync", "fox.json.tmp"),
        ("link", "fox.json.tmp"),
        ("fsync", "detective"),
        ("fsync", "fox.json.tmp"),
        ("rename", "fox.json.tmp"),
        ("fsync", "detective"),
    ]


@pytest.mark.fault(83)
async def test_failed_fsync_throws_the_part_away(tree, monkeypatch):
    """After EIO from fsync nobody trusts the bytes again: the part is gone, fsync not repeated."""
    part = tree.part("fox.png")
    async with part:
        await part.write(FOX)
        with (
            failing_fsync(monkeypatch, tree, "fox.png.part") as failed,
            pytest.raises(MachineError, match="input/output error"),
        ):
            await keep(tree, part)
    assert failed == ["fox.png.part"]
    assert (part.sha256, listing(tree.folder)) == (None, [])
    assert set(parts(tree)) <= {"fox.png.receipt"}, "which speaks of bytes that are not there"
    assert await tree.recall(part, "fox.png") is None
    assert (await kept(tree, FOX)).path.read_bytes() == FOX


@pytest.mark.fault(83)
@pytest.mark.parametrize("name", ["fox.png.receipt.tmp", "parts", "detective"])
async def test_failed_fsync_of_receipt_or_folder_is_made_good(tree, monkeypatch, name):
    """What may not be durable is told, and the same result is published when it comes again."""
    with (
        failing_fsync(monkeypatch, tree, name) as failed,
        pytest.raises(MachineError, match=r"Cannot publish .*fox\.png: .*input/output error"),
    ):
        await kept(tree, FOX)
    assert failed == [name]
    assert listing(tree.folder) == (["fox.png"] if name == "detective" else [])
    part = tree.part("fox.png")
    async with part:
        await part.restart()
        await part.write(FOX)
        published = await keep(tree, part)
    assert published.path.read_bytes() == FOX
    assert parts(tree) == ["fox.png.receipt"]


@contextmanager
def failing_fsync(monkeypatch, tree, name):
    """A disk that reports an error when the file or folder is to be made durable."""
    failed, original = [], os.fsync

    def fsync(fd):
        if path_of(fd, tree.folder.parent).name == name:
            failed.append(name)
            raise OSError(errno.EIO, "input/output error")
        original(fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        yield failed


@contextmanager
def without_handles():
    """No further file can be opened, until it is ``lifted``."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open("/", os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))

    def lift():
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    try:
        yield lift
    finally:
        lift()


@pytest.mark.fault(75)
@pytest.mark.looptime
@pytest.mark.parametrize("resumed", [True, False])
async def test_out_of_file_handles_is_no_fault_of_the_disk(tree, resumed):
    """EMFILE passes as it is: the caller waits, no job fails for it."""
    if resumed:
        await begun(tree, b"")
    with without_handles(), pytest.raises(OSError, match="Too many open files"):
        await kept(tree, FOX)
    assert (await kept(tree, FOX)).path.read_bytes() == FOX


@pytest.mark.fault(75)
@pytest.mark.looptime
async def test_file_handles_are_waited_for(tree):
    """What has come is published when there are handles again, and not fetched anew."""
    part = tree.part("fox.png")
    async with part:
        await part.write(FOX)
        with without_handles() as lift:
            asyncio.get_running_loop().call_later(20, lift)
            published = await keep(tree, part)
    assert published.path.read_bytes() == FOX
    assert parts(tree) == ["fox.png.receipt"]


@pytest.mark.fault(81)
async def test_file_size_limit_is_named(tree):
    """A limit of the shell is told as such, with its number."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(MachineError, match=r"fox\.png\.part: .*1000 bytes, see ulimit -f"):
            await kept(tree, noise(25))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.fault(77)
async def test_full_disk_keeps_the_part_and_goes_on(mounted, tmp_path):
    """A full disk is told with the file's path; when space is back the download goes on."""
    small = mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", at=tmp_path / "small")
    with Tree(small, "detective") as tree:
        filler = small / "filler"
        filler.write_bytes(bytes(3 << 19))
        content = noise(600)
        assert len(content) > part_module.HELD
        with pytest.raises(MachineError, match=r"Cannot write .*fox\.png\.part: the disk is full"):
            await kept(tree, content)
        filler.unlink()
        part = tree.part("fox.png")
        there = await part.size()
        published = await kept(tree, content[there:])
        assert 0 < there < published.bytes
        assert published.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.fault(77)
async def test_full_disk_leaves_no_half_result(mounted, tmp_path):
    """What does not fit in one go has no name and is nobody's; it is published when it comes again
    and there is space.
    """
    small = mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", at=tmp_path / "small")
    with Tree(small, "detective") as tree:
        filler = small / "filler"
        filler.write_bytes(bytes(3 << 19))
        content, part = noise(500), tree.part("fox.png")
        assert 1 << 19 < len(content) < part_module.HELD
        with pytest.raises(MachineError, match=r"Cannot write .*fox\.png\.part: the disk is full"):
            await kept(tree, content)
        assert (listing(tree.folder), await part.note()) == ([], None)
        assert await tree.recall(part, "fox.png") is None
        filler.unlink()
        async with part:
            await part.restart()
            await part.write(content)
            published = await keep(tree, part)
        assert published.path.read_bytes() == content


@pytest.mark.fault(80)
@pytest.mark.parametrize("finishing", [True, False])
async def test_an_error_that_shows_only_at_the_end_is_one_of_the_write(
    mounted, tmp_path, finishing
):
    """A few bytes go into a buffer and find no room only when it is emptied: the part is not
    finished, be it closed or made durable.
    """
    small = mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs", at=tmp_path / "small")
    with Tree(small, "detective") as tree:
        part = await begun(tree, b"")
        with pytest.raises(OSError, match="No space"):
            (small / "filler").write_bytes(bytes(1 << 21))
        with pytest.raises(MachineError, match=r"Cannot write .*fox\.png\.part: the disk is full"):
            await (kept(tree, FOX) if finishing else begun(tree, FOX))
        assert (part.sha256, listing(tree.folder)) == (None, [])
        (small / "filler").unlink()
        assert (await kept(tree, FOX)).path.read_bytes() == FOX


async def test_full_disk_leaves_no_half_sidecar(mounted, tmp_path):
    """A sidecar that does not fit is not there at all, and is written when space is back."""
    small = mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", at=tmp_path / "small")
    with Tree(small, "detective") as tree:
        document = DOCUMENT | {"prompt": "x" * (1 << 20)}
        filler = small / "filler"
        filler.write_bytes(bytes(3 << 19))
        with pytest.raises(MachineError, match=r"fox\.json: the disk is full"):
            await tree.write_sidecar("fox", document)
        assert listing(tree.folder) == []
        filler.unlink()
        await tree.write_sidecar("fox", document)
        assert await tree.read_sidecar("fox") == document
        assert parts(tree) == []


@pytest.mark.fault(82)
def test_read_only_output_is_found_at_the_start(mounted, tmp_path):
    """An output folder that cannot be written to is told before anything is bought."""
    Tree(tmp_path / "real", "detective").close()
    bound = mounted("--bind", tmp_path / "real", at=tmp_path / "bound")
    subprocess.run(["mount", "-o", "remount,ro,bind", bound], check=True)
    with pytest.raises(MachineError, match=r"Cannot write to .*detective: .* read-only"):
        Tree(bound, "detective")
    with pytest.raises(MachineError, match="read-only"):
        Tree(bound, "another")


@pytest.mark.fault(90)
@pytest.mark.parametrize("link", ["detective", "detective/.batchgen", "detective/.batchgen/parts"])
def test_linked_folder_is_refused(tmp_path, link):
    """No folder below the output folder may lead elsewhere, and nothing is written there."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = tmp_path / "output" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(elsewhere)
    with pytest.raises(MachineError, match="it is a symbolic link"):
        Tree(tmp_path / "output", "detective")
    assert list(elsewhere.iterdir()) == []


def test_linked_output_folder_is_the_users_choice(tmp_path):
    """The output folder itself may be a link to a bigger disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "output").symlink_to(tmp_path / "disk")
    Tree(tmp_path / "output", "detective").close()
    assert (tmp_path / "disk" / "detective").is_dir()


@pytest.mark.fault(90)
async def test_link_swapped_in_during_the_run_leads_nowhere(tree, tmp_path):
    """Replacing the folder by a link in mid-run does not lead a byte to its target."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = tree.folder.rename(tmp_path / "moved")
    tree.folder.symlink_to(elsewhere)
    await kept(tree, FOX)
    assert list(elsewhere.iterdir()) == []
    assert (moved / "fox.png").read_bytes() == FOX


@pytest.mark.fault(90)
async def test_linked_part_is_refused(tree, tmp_path):
    """A link planted under a part's name does not get the download."""
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tree.folder / ".batchgen/parts/fox.png.part").symlink_to(target)
    with pytest.raises(MachineError, match="it is a symbolic link"):
        await kept(tree, FOX)
    with again(tree) as later, pytest.raises(MachineError, match="it is a symbolic link"):
        await kept(later, FOX)
    assert target.read_bytes() == b"precious"


async def test_pipe_under_a_parts_name_is_refused(tree):
    """A pipe planted under a part's name neither gets the download nor blocks it."""
    os.mkfifo(tree.folder / ".batchgen/parts/fox.png.part")
    with pytest.raises(MachineError, match="not permitted here"):
        await kept(tree, FOX)
    with again(tree) as later, pytest.raises(MachineError, match="not permitted here"):
        await kept(later, FOX)


@pytest.mark.fault(85)
def test_file_in_the_way_of_the_folder_is_named(tmp_path):
    """A file where a folder should be is told by its path."""
    (tmp_path / "output").write_text("a file")
    for root in (tmp_path / "output", tmp_path / "output" / "deeper"):
        with pytest.raises(MachineError, match=r"output: something that is no folder stands in"):
            Tree(root, "detective")
    with pytest.raises(MachineError, match=r"output: a file or a symbolic link stands where"):
        Tree(tmp_path, "output")


def test_new_folders_are_durable(tmp_path, monkeypatch):
    """Every folder that is created is synced into its parent before anything is put into it."""
    synced, original = [], os.fsync

    def fsync(fd):
        synced.append(str(path_of(fd, tmp_path).relative_to(tmp_path)))
        original(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    Tree(tmp_path / "a" / "b", "detective").close()
    assert synced == [".", "a", "a/b", "a/b/detective", "a/b/detective/.batchgen"]


def test_opening_leaves_nothing_behind(tmp_path):
    """The proof that the folder is writable is taken away, and opening again changes nothing."""
    for _ in range(2):
        Tree(tmp_path, "detective").close()
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert found == ["detective", "detective/.batchgen", "detective/.batchgen/parts"]


@pytest.mark.parametrize("place", ["detective/.batchgen", "detective/.batchgen/parts"])
def test_failed_opening_closes_its_folders(tmp_path, place):
    """A tree that cannot be opened holds no file handle."""
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("a file")
    before = sorted(Path("/dev/fd").iterdir())
    with pytest.raises(MachineError):
        Tree(tmp_path, "detective")
    assert sorted(Path("/dev/fd").iterdir()) == before


@pytest.mark.fault(89)
@pytest.mark.parametrize("name", ["", ".", "..", "../fox.png", "a/b", "/etc/x", ".batchgen", "a\0"])
async def test_name_that_leaves_the_folder_is_refused(tree, name):
    """Whatever a caller passes, a path is no name; the folder is not left."""
    async with tree.part("fox.png") as part:
        await part.write(FOX)
        with pytest.raises(ValueError, match="no name of a file"):
            await keep(tree, part, name)
    with pytest.raises(ValueError, match="no name of a file"):
        tree.part(name)
    with pytest.raises(ValueError, match="no name of a file"):
        Tree(tree.folder, name)


async def test_sidecar_is_replaced_only_for_the_same_job(tree):
    """A rerun rewrites its own sidecar; the one of another manifest or job stays."""
    await tree.write_sidecar("fox", DOCUMENT)
    await tree.write_sidecar("fox", DOCUMENT | {"usage": {"duration": 5.0}})
    assert (await tree.read_sidecar("fox"))["usage"] == {"duration": 5.0}
    for foreign in (DOCUMENT | {"manifest": "other"}, DOCUMENT | {"job": "wolf"}):
        with pytest.raises(Occupied, match="no sidecar of this job"):
            await tree.write_sidecar("fox", foreign)
    assert parts(tree) == []


async def test_unchanged_sidecar_is_not_written(tree):
    """Writing the same document again changes no byte and no time."""
    await tree.write_sidecar("fox", DOCUMENT)
    before = (tree.folder / "fox.json").stat()
    await tree.write_sidecar("fox", DOCUMENT)
    after = (tree.folder / "fox.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


async def test_rest_of_a_crashed_sidecar_is_removed(tree):
    """Half a sidecar that a crash left among the parts goes when the sidecar is written."""
    (tree.folder / ".batchgen/parts/fox.json.tmp").write_bytes(b'{"job": "f')
    await tree.write_sidecar("fox", DOCUMENT)
    assert json.loads((tree.folder / "fox.json").read_bytes()) == DOCUMENT
    assert parts(tree) == []


async def test_foreign_json_is_no_sidecar(tree):
    """A JSON file of somebody else reads as none and is not replaced."""
    (tree.folder / "fox.json").write_text('{"job": "fox", "manifest": "detective"}')
    assert await tree.read_sidecar("fox") is None
    assert await tree.read_sidecar("wolf") is None
    with pytest.raises(Occupied):
        await tree.write_sidecar("fox", DOCUMENT)


async def test_published_files_are_looked_at(tree, silent):
    """What stands under a final name can be hashed and measured again after a crash."""
    published = await kept(tree, silent, "fox.mp4")
    assert await tree.checksum("fox.mp4") == published
    assert (await tree.measure("fox.mp4")).frames == 20
    assert await tree.checksum("wolf.mp4") is None
    with pytest.raises(MachineError, match=r"Cannot read .*wolf\.mp4: it is gone"):
        await tree.measure("wolf.mp4")


async def test_missing_files_are_named(tree):
    """Absent, shortened and replaced files are missing; whole ones are not."""
    for name, content in (("a.mp4", b"123"), ("b.mp4", b"12")):
        (tree.folder / name).write_bytes(content)
    (tree.folder / "c.mp4").mkdir()
    (tree.folder / "d.mp4").symlink_to(tree.folder / "a.mp4")
    files = [("a.mp4", 3), ("b.mp4", 3), ("c.mp4", 3), ("d.mp4", 3), ("e.mp4", 3)]
    assert tree.missing(files) == ["b.mp4", "c.mp4", "d.mp4", "e.mp4"]


async def test_a_file_is_there_or_a_link_to_one(tree):
    """A sidecar that somebody moved and linked to is a sidecar; a folder or nothing is none."""
    (tree.folder / "a.json").write_bytes(b"{}")
    (tree.folder / "b.json").symlink_to(tree.folder / "a.json")
    (tree.folder / "c.json").mkdir()
    (tree.folder / "d.json").symlink_to(tree.folder / "nowhere")
    names = ("a.json", "b.json", "c.json", "d.json", "e.json")
    assert [tree.has(name) for name in names] == [True, True, False, False, False]


async def test_replaced_results_are_kept_aside(tree):
    """Results that are bought anew move away one beside the other; nothing is lost."""
    places = []
    for content in (FOX, OWL):
        await kept(tree, content)
        places.append(await tree.set_aside("fox.png"))
    assert [place.read_bytes() for place in places] == [FOX, OWL]
    assert places[0] == tree.folder / ".batchgen" / "replaced" / "fox~1.png"
    assert listing(tree.folder) == []
    assert await tree.set_aside("fox.png") is None


async def test_repr_tells_the_state(tree):
    """A part and a tree say in a log where they stand."""
    part = await begun(tree, FOX)
    assert repr(part) == "<Part fox.png.part closed>"
    async with part:
        assert repr(part) == "<Part fox.png.part open>"
        await keep(tree, part)
    assert repr(part) == "<Part fox.png.part finished>"
    assert repr(tree) == f"<Tree {tree.folder}>"


@pytest.mark.looptime
async def test_disk_work_takes_part_in_virtual_time(tree):
    """The disk's threads are visible to a virtual clock: no time passes while a file is kept."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(1):
        await kept(tree, FOX)
    assert loop.time() - began < 1
