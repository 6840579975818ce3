"""What stays in the sandbox's folder: nothing for ever, and nothing that is still needed goes."""

from __future__ import annotations

import asyncio
import base64
import io
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from batchgen.sandbox import Sandbox
from batchgen.sandbox.disk import Shelf
from batchgen.sandbox.inputs import inputs as kept

pytestmark = pytest.mark.looptime


def files(folder, *names, size=10):
    """Files of a size, the first the most recently used."""
    for age, name in enumerate(names):
        (folder / name).write_bytes(b"x" * size)
        os.utime(folder / name, (1000 - age, 1000 - age))


def put(shelf, folder, name, size=10):
    part = folder / f"{name}.part"
    part.write_bytes(b"x" * size)
    shelf.put(part, name)


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_the_least_recently_used_make_room(tmp_path):
    """The newest stays even when it alone is too large, and so does what is spared; a file that is
    put there again counts once.
    """
    files(tmp_path, "middle", "old", "needed")
    shelf = Shelf(tmp_path, 40, lambda: {"needed"})
    put(shelf, tmp_path, "new")
    assert names(tmp_path) == {"new", "middle", "old", "needed"}
    put(shelf, tmp_path, "new")
    assert names(tmp_path) == {"new", "middle", "old", "needed"}
    put(shelf, tmp_path, "large", size=100)
    assert names(tmp_path) == {"large", "needed"}


def test_a_full_folder_is_looked_through_once_in_a_while(tmp_path):
    """It is emptied to nine tenths: the next files fit without another look."""
    shelf = Shelf(tmp_path, 100)
    looks = []
    shelf._spared = lambda: looks.append(1) or ()
    for number in range(31):
        put(shelf, tmp_path, str(number), size=5)
    assert len(looks) <= 6
    assert len(names(tmp_path)) <= 20


def test_what_is_being_made_is_let_alone(tmp_path):
    """A part is about to change its name: nobody else may look for it under the old one."""
    (tmp_path / "other.part").symlink_to(tmp_path / "already renamed")
    shelf = Shelf(tmp_path, 5)
    put(shelf, tmp_path, "result")
    assert names(tmp_path) == {"other.part", "result"}


def test_two_threads_make_room_at_the_same_time(tmp_path):
    """Neither stumbles over a file that the other has removed."""
    shelf = Shelf(tmp_path, 1000)

    def fill(thread):
        for number in range(150):
            put(shelf, tmp_path, f"{thread}-{number}", size=100)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(2)))
    assert len(names(tmp_path)) <= 11


async def test_what_a_kill_has_left_goes_at_the_next_start(tmp_path):
    """Half of a result, of an input and of an upload; and an upload that nothing knows of."""
    for room in ("results", "inputs", "uploads"):
        (tmp_path / room).mkdir()
        files(tmp_path / room, "half.part")
    files(tmp_path / "uploads", "f" * 64)
    files(tmp_path / "results", "whole")
    async with Sandbox(tmp_path):
        assert {room: names(tmp_path / room) for room in ("results", "inputs", "uploads")} == {
            "results": {"whole"},
            "inputs": set(),
            "uploads": set(),
        }


async def test_another_sandboxs_half_files_are_its_own(serving, tmp_path):
    """A second sandbox in the folder is refused before it tidies anything up."""
    async with serving(tmp_path):
        files(tmp_path / "results", "half.part")
        with pytest.raises(BlockingIOError):
            await Sandbox(tmp_path).__aenter__()
        assert names(tmp_path / "results") == {"half.part"}


def inlined(colour):
    content = io.BytesIO()
    Image.new("RGB", (400, 400), colour).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


async def given(client, colour):
    """A task with a picture; the pictures there are."""
    answer = await client.submit("wan2.6-i2v", given={"img_url": inlined(colour)})
    assert client.answer.status == 200, answer
    await asyncio.sleep(1)
    return names(client.sandbox._folder / "inputs")


async def test_inputs_make_room_a_day_after_their_task(serving, tmp_path, monkeypatch):
    """Until then a result may still be drawn from them."""
    monkeypatch.setattr(kept, "MOST_BYTES", 1)
    async with serving(tmp_path) as client:
        first = await given(client, (9, 9, 9))
        both = await given(client, (99, 9, 9))
        assert len(first) == 1
        assert first < both
        await asyncio.sleep(25 * 3600)
        await client.get("/tasks")
        assert len(await given(client, (199, 9, 9)) & both) == 0
