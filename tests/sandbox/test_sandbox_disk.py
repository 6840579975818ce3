"""A disk that refuses costs a wait: no task in doubt, no broken answer, no traceback."""

from __future__ import annotations

import asyncio
import base64
import errno
import io
import os
import resource
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from batchgen.sandbox.database import Database
from batchgen.sandbox.models import Currency
from batchgen.sandbox.orders import Order
from batchgen.sandbox.tasks.store import Store
from batchgen.sandbox.tasks.task import Status, Task

pytestmark = pytest.mark.looptime
SMALL = {"size": "624*624"}


class SmallDisk:
    """A file system of one megabyte."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self):
        with pytest.raises(OSError, match="No space left"):
            self._ballast.write_bytes(bytes(2 << 20))

    def free(self):
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no small file system here: {made.stderr.strip()}")
    yield SmallDisk(folder)
    subprocess.run(["umount", str(folder)], check=True)


async def submitted(client, model="wan2.5-t2v-preview", **given):
    answer = await client.submit(model, given={"prompt": "fox"} | given, **SMALL)
    return client.answer.status, answer


async def test_a_sandbox_does_not_open_on_a_full_disk(serving, disk):
    """It says so at the start, as an OSError that names the reason."""
    disk.fill()
    with pytest.raises(OSError, match="database or disk is full") as caught:
        async with serving(disk.folder / "sandbox"):
            pass
    assert caught.value.errno == errno.ENOSPC
    disk.free()
    async with serving(disk.folder / "sandbox") as client:
        assert (await submitted(client))[0] == 200


async def test_no_task_is_made_on_a_full_disk(serving, disk):
    """The client is told to wait, in the service's own way, and is in doubt about nothing."""
    async with serving(disk.folder) as client:
        disk.fill()
        status, answer = await submitted(client)
        assert (status, answer["code"]) == (503, "Throttling")
        assert "sandbox's disk is full" in answer["message"]
        assert answer.keys() == {"code", "message", "request_id"}
        assert (await client.get("/tasks"))["total"] == 0
        await asyncio.sleep(1)
        disk.free()
        assert (await submitted(client))[0] == 200
        assert client.sandbox.bill().tasks_created == 1


async def test_what_has_happened_is_kept_until_the_disk_takes_it(serving, disk):
    """A query is refused rather than answered with what a restart would forget."""
    async with serving(disk.folder) as client:
        task_id = (await submitted(client))[1]["output"]["task_id"]
        await asyncio.sleep(400)
        disk.fill()
        for _ in range(2):
            answer = await client.get(f"/tasks/{task_id}")
            assert (client.answer.status, answer["code"]) == (503, "Throttling")
        disk.free()
        assert await client.status(task_id) == "SUCCEEDED"
    async with serving(disk.folder) as client:
        assert await client.status(task_id) == "SUCCEEDED"
        assert client.sandbox.bill().succeeded == 1


async def test_an_answer_does_not_need_the_clock_on_disk(serving, disk):
    """Where nothing else has to be written, a full disk is no concern, nor is it at the end."""
    async with serving(disk.folder) as client:
        task_id = (await submitted(client))[1]["output"]["task_id"]
        disk.fill()
        assert await client.status(task_id) == "PENDING"
        assert client.answer.status == 200


async def test_a_cancelled_task_is_cancelled_on_disk_or_not_at_all(serving, disk):
    """A refused cancel leaves the task in its queue."""
    async with serving(disk.folder) as client:
        task_id = (await submitted(client))[1]["output"]["task_id"]
        disk.fill()
        await client.post(f"/tasks/{task_id}/cancel")
        assert client.answer.status == 503
        disk.free()
        await asyncio.sleep(400)
        assert await client.status(task_id) == "SUCCEEDED"


@pytest.mark.parametrize("room", [0, 4_096, 40_960])
async def test_a_result_without_room_comes_later(serving, disk, room):
    """503 while the disk is full, no half file under its name, and the whole one afterwards."""
    async with serving(disk.folder) as client:
        task_id = (await submitted(client))[1]["output"]["task_id"]
        await asyncio.sleep(400)
        url = (await client.output(task_id))["video_url"]
        disk.fill()
        with disk._ballast.open("r+b") as ballast:
            ballast.truncate(disk._ballast.stat().st_size - room)
        refusal = await client.download(url)
        assert client.answer.status == 503
        assert b"sandbox's disk is full" in refusal
        assert list((disk.folder / "results").iterdir()) == []
        disk.free()
        assert b"moov" in await client.download(url)
        assert client.answer.status == 200


async def test_half_an_input_is_no_input(serving, disk):
    """A picture that was cut off by a full disk is not taken for the picture afterwards."""
    content = io.BytesIO()
    Image.effect_noise((400, 400), 90).save(content, "PNG")
    url = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
    async with serving(disk.folder) as client:
        disk.fill()
        given = {"img_url": url}
        answer = await client.submit("wan2.6-i2v", given=given, resolution="720P")
        assert (client.answer.status, answer["code"]) == (503, "Throttling")
        assert list((disk.folder / "inputs").iterdir()) == []
        await asyncio.sleep(1)
        disk.free()
        answer = await client.submit("wan2.6-i2v", given=given, resolution="720P")
        await asyncio.sleep(4)
        assert await client.status(answer["output"]["task_id"]) != "FAILED"


@contextmanager
def no_file_may_grow():
    """What a disk that is broken looks like, for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def task(number):
    work = Order(
        model="wan2.5-t2v-preview", prompt="fox", seed=1, width=624, height=624, tier="480P",
        ratio="", seconds=5, fps=30, sound=True, images=0, together=False, story=False,
        extend=True, watermark=False, inputs=(), cost=1,
    )  # fmt: skip
    return Task(
        number=number, id=f"task {number}", request_id="r", account="a", model=work.model,
        digest="d", work=work, code=None, message=None, created=1.0, ready=2.0, run=3.0,
    )  # fmt: skip


async def test_a_broken_disk_is_an_oserror(tmp_path):
    """SQLite's errors stay in the store, which goes on where it was when the disk is back."""
    database = Database(tmp_path / "sandbox.sqlite")
    store = Store(database, Currency.USD)
    first, second = task(1), task(2)
    store.create(first)
    with no_file_may_grow():
        for refused in (
            lambda: store.create(second),
            lambda: store.update([first.started(2.0)]),
            lambda: database.remember("clock", 5.0),
        ):
            with pytest.raises(OSError, match="disk I/O error"):
                refused()
    assert store.active() == [first]
    assert store.next_number() == 2
    store.create(second)
    store.update([first.canceled(2.0)])
    database.close()
    database = Database(tmp_path / "sandbox.sqlite")
    store = Store(database, Currency.USD)
    assert [one.status for one in map(store.find, ("task 1", "task 2")) if one] == [
        Status.CANCELED,
        Status.PENDING,
    ]
    database.close()


async def test_a_file_that_cannot_be_opened_is_an_oserror(tmp_path):
    """A folder in the place of the file is no traceback."""
    (tmp_path / "sandbox.sqlite").mkdir()
    with pytest.raises(OSError, match="unable to open database file"):
        Database(tmp_path / "sandbox.sqlite")
