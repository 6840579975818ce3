from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import apsw
import pytest

from batchgen.sandbox import Sandbox, read_models
from batchgen.sandbox.database import Database
from batchgen.sandbox.models import Currency, built_in
from batchgen.sandbox.tasks.store import Query, Store
from batchgen.sandbox.tasks.task import Task

looptime = pytest.mark.looptime

CHILD = """
import asyncio, pathlib, sys
from batchgen.sandbox import Sandbox

async def main():
    async with Sandbox(pathlib.Path(sys.argv[1]), start=1_790_000_000.0) as sandbox:
        print(sandbox.base_url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@looptime
async def test_tasks_bill_and_clock_wait_for_the_user(serving, tmp_path):
    """The clock stands still while the sandbox is closed: yesterday's task goes on where it was."""
    async with serving(tmp_path) as client:
        done = await client.task()
        await asyncio.sleep(400)
        assert await client.status(done) == "SUCCEEDED"
        left = await client.task()
        await asyncio.sleep(100)
        assert await client.status(left) == "RUNNING"
        await asyncio.sleep(30)
        before = client.sandbox.clock.now()
    await asyncio.sleep(7 * 86_400)
    async with serving(tmp_path, start=None) as client:
        assert client.sandbox.clock.now() == pytest.approx(before, rel=0, abs=0.5)
        assert await client.status(done) == "SUCCEEDED"
        assert await client.status(left) == "RUNNING"
        await asyncio.sleep(250)
        assert await client.status(left) == "SUCCEEDED"
        bill = client.sandbox.bill()
        assert (bill.succeeded, bill.video_seconds, bill.amount) == (2, 10, 1_500_000)


@looptime
async def test_a_queue_survives_in_order(serving, tmp_path):
    """What waited first still starts first after a restart."""
    ids = []
    async with serving(tmp_path) as client:
        for number in range(5):
            ids.append(await client.task("wan2.2-t2v-plus", f"fox {number}"))
            await asyncio.sleep(1)
        await asyncio.sleep(20)
    async with serving(tmp_path) as client:
        await asyncio.sleep(1000)
        rows = (await client.get("/tasks"))["data"]
        starts = {row["task_id"]: row["start_time"] for row in rows}
        assert sorted(ids, key=starts.get) == ids


@looptime
async def test_another_speed_keeps_the_time(serving, tmp_path):
    """The clock goes on from where it was, only faster."""
    async with serving(tmp_path) as client:
        task_id = await client.task()
        await asyncio.sleep(20)
        before = client.sandbox.clock.now()
    async with serving(tmp_path, speed=100) as client:
        assert client.sandbox.clock.now() == pytest.approx(before, rel=0, abs=0.5)
        await asyncio.sleep(4)
        assert await client.status(task_id) == "SUCCEEDED"


@looptime
async def test_a_url_works_after_a_restart(serving, tmp_path):
    """The ports and the signing secret are remembered."""
    async with serving(tmp_path) as client:
        task_id = await client.task("wan2.5-t2v-preview", size="624*624")
        await asyncio.sleep(400)
        url = (await client.output(task_id))["video_url"]
        content, base_url = await client.download(url), client.sandbox.base_url
    async with serving(tmp_path) as client:
        assert client.sandbox.base_url == base_url
        assert await client.download(url) == content


@looptime
async def test_a_taken_port_is_replaced_unless_it_was_asked_for(serving, tmp_path):
    """A remembered port is a preference, a given one is an order."""
    async with serving(tmp_path) as client:
        port = int(client.sandbox.base_url.split(":")[2].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        async with serving(tmp_path) as client:
            assert f":{port}/" not in client.sandbox.base_url
            await client.task()
        with pytest.raises(OSError, match="in use"):
            async with serving(tmp_path, port=port):
                pass


@looptime
async def test_a_folder_of_something_else_is_left_alone(serving, tmp_path):
    """A database that is not the sandbox's is refused, and not touched."""
    path = tmp_path / "sandbox.sqlite"
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE other (x); PRAGMA user_version = 7")
    db.close()
    with pytest.raises(ValueError, match="not a sandbox of version 2"):
        async with serving(tmp_path):
            pass
    db = apsw.Connection(str(path))
    assert db.execute("SELECT name FROM sqlite_schema").get == "other"
    db.close()


async def tasks_of_version_1(serving, folder):
    """A folder as version 1 left it: one task that succeeded, one with a picture on its way."""
    async with serving(folder) as client:
        done = await client.task(duration=2, size="1280*720")
        await asyncio.sleep(400)
        given = {"img_url": "https://example.com/a.png"}
        answer = await client.submit("wan2.6-i2v", given=given)
        assert await client.status(done) == "SUCCEEDED"
    db = apsw.Connection(str(folder / "sandbox.sqlite"))
    db.execute((Path(__file__).parent / "version_1.sql").read_text())
    db.close()
    return done, answer["output"]["task_id"]


@looptime
async def test_a_folder_of_version_1_goes_on(serving, tmp_path):
    """Tasks, bill and clock are taken over, the orders of then are understood."""
    done, left = await tasks_of_version_1(serving, tmp_path)
    async with serving(tmp_path, start=None) as client:
        assert client.sandbox.bill().amount == 200_000
        assert await client.status(done) == "SUCCEEDED"
        assert await client.status(left) == "PENDING"
        await asyncio.sleep(200)
        assert await client.status(left) == "SUCCEEDED"
        assert (await client.get("/tasks"))["total"] == 2
        assert await client.task()


def steps_of_a_list(database, *, done, status):
    """What SQLite does, in steps of its machine, to list by status where so many tasks are done and
    three are not.
    """
    store, steps = Store(database, Currency.USD), []
    for number in range(1, done + 4):
        task = Task(
            number=number, id=f"task {number}", request_id="r", account="a", model="m",
            digest=str(number), work=None, code="E", message=None, created=float(number),
            ready=2.0, run=None,
        )  # fmt: skip
        store.create(task)
        if number <= done:
            store.update([task.finished(5.0)])
    database._connection.set_progress_handler(lambda: bool(steps.append(1)), 1)
    query = Query(start=0.0, end=1e9, model="m", status=status, size=100)
    total, tasks = store.listed("a", query, 0.0)
    database._connection.set_progress_handler(None)
    assert (total, [task.number for task in tasks]) == (3, [done + 3, done + 2, done + 1])
    return len(steps)


def test_a_list_by_status_costs_what_it_finds():
    """A client that asks each second for what is under way makes no work of all that is done."""
    steps = []
    for done in (10, 400):
        database = Database(None)
        steps.append(steps_of_a_list(database, done=done, status="PENDING"))
        database.close()
    assert steps[1] == steps[0]


def test_a_folder_of_an_earlier_day_is_looked_up_as_fast(tmp_path):
    """What has come to be looked up by since is added when the folder is opened."""
    path = tmp_path / "sandbox.sqlite"
    Database(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("DROP INDEX task_by_status")
    connection.close()
    old, new = Database(path), Database(None)
    steps = [steps_of_a_list(each, done=40, status="PENDING") for each in (old, new)]
    assert steps[0] == steps[1]
    old.close()
    new.close()


@looptime
async def test_a_folder_with_tasks_of_unknown_models(serving, tmp_path):
    """A sandbox that does not play them says so; one that does goes on."""
    async with serving(tmp_path) as client:
        await client.task()
    models = {"wan2.7-t2v": built_in()["wan2.7-t2v"]}
    with pytest.raises(ValueError, match=r"models that are not known: wan2\.6-t2v"):
        async with serving(tmp_path, models=models):
            pass
    async with serving(tmp_path) as client:
        assert (await client.get("/tasks"))["total"] == 1


@looptime
async def test_a_folder_keeps_to_one_currency(serving, tmp_path):
    """Amounts of two cannot be added: a region with another price list needs another folder."""
    async with serving(tmp_path, region="cn-beijing") as client:
        await client.task(duration=5, size="1280*720")
        await asyncio.sleep(500)
        bill = client.sandbox.bill()
        assert (bill.currency, bill.amount) == ("CNY", 3_000_000)
    with pytest.raises(ValueError, match="billed in CNY, and the region sells in USD"):
        async with serving(tmp_path):
            pass
    async with serving(tmp_path, region="beijing") as client:
        assert client.sandbox.bill() == bill


@looptime
async def test_a_folder_that_says_no_currency_is_in_dollars(serving, tmp_path):
    """All were, before there was another; one without tasks takes any."""
    async with serving(tmp_path / "used") as client:
        await client.task()
    async with serving(tmp_path / "new"):
        pass
    for name in ("used", "new"):
        db = apsw.Connection(str(tmp_path / name / "sandbox.sqlite"))
        db.execute("DELETE FROM memory WHERE name = 'currency'")
        db.close()
    with pytest.raises(ValueError, match="billed in USD"):
        async with serving(tmp_path / "used", region="beijing"):
            pass
    async with serving(tmp_path / "new", region="beijing") as client:
        assert client.sandbox.bill().currency == "CNY"


@looptime
async def test_models_of_a_persons_own(serving, tmp_path):
    """A file adds to those there are."""
    path = tmp_path / "models.yaml"
    path.write_text("models: {wan9-t2v: {like: wan2.6-t2v, running: 1}}")
    async with serving(models=read_models(path)) as client:
        assert await client.task("wan9-t2v")
        assert await client.task("wan2.6-t2v")


async def test_a_killed_sandbox_forgets_nothing_that_it_has_answered(serving, tmp_path):
    """After SIGKILL the task, the bill's count and the time already shown are still there."""
    arguments = [sys.executable, "-c", CHILD, str(tmp_path)]
    child = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    url = (await child.stdout.readline()).decode().strip()
    async with serving() as client:
        client.sandbox.base_url = url
        task_id = await client.task()
        (row,) = (await client.get("/tasks"))["data"]
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    child._transport.close()
    async with serving(tmp_path) as client:
        assert client.sandbox.clock.now() * 1000 >= row["gmt_create"]
        assert client.sandbox.base_url == url
        assert await client.status(task_id) == "PENDING"
        assert client.sandbox.bill().tasks_created == 1


@looptime
async def test_one_folder_has_one_sandbox(serving, tmp_path):
    """A second one would run the same queue again; it is told so at the start."""
    async with serving(tmp_path):
        with pytest.raises(BlockingIOError, match="another sandbox is running in this folder"):
            async with serving(tmp_path):
                pass
    async with serving(tmp_path):
        pass


def test_the_sandbox_listens_on_this_machine_alone():
    """It has no secrets worth guarding, and no business with a network."""
    with pytest.raises(ValueError, match="on this machine alone"):
        Sandbox(host="0.0.0.0")


@looptime
async def test_no_key_is_kept(serving, tmp_path):
    """Neither the database nor anything beside it holds the API key."""
    async with serving(tmp_path, keys={"sk-canary-1234": "me"}, key="sk-canary-1234") as client:
        await client.task()
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes()


@looptime
async def test_silence_is_cheaper_where_the_price_list_says_so(client):
    """wan2.6-i2v-flash costs half without sound; images cost by the piece."""
    given = {"img_url": "https://example.com/a.png"}
    for audio in (True, False):
        await client.submit("wan2.6-i2v-flash", given=given, resolution="720P", audio=audio)
    await asyncio.sleep(100)
    assert client.sandbox.bill().amount == 5 * 50_000 + 5 * 25_000
    path = "/services/aigc/text2image/image-synthesis"
    await client.submit("wan2.5-t2i-preview", path, given={"prompt": "fox"}, n=3)
    await asyncio.sleep(60)
    bill = client.sandbox.bill()
    assert (bill.images, bill.amount) == (3, 375_000 + 90_000)
