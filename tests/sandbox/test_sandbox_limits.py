"""Limits that can be read, lowered for a workspace, and changed in mid-run."""

from __future__ import annotations

import asyncio

import pytest

from batchgen.sandbox import Faults, Lag, Limits, Point, Rule

pytestmark = pytest.mark.looptime


async def limits(client, model="wan2.6-t2v"):
    (quota,) = (await client.get("/models/limits", model=model))["output"]["quotas"]
    return quota


async def update(client, **change):
    return await client.post("/models/limits", {"models": [{"model": "wan2.6-t2v"} | change]})


async def submits(client, count, model="wan2.6-t2v"):
    """The statuses of submits made at once."""
    statuses = []
    for number in range(count):
        await client.submit(model, given={"prompt": f"fox {number}"})
        statuses.append(client.answer.status)
    return statuses


async def test_limits_are_told_as_documented(client):
    """The page's own sample of a video model, key by key."""
    answer = await client.get("/models/limits", model="wan2.6-i2v-flash")
    assert answer.keys() == {"code", "message", "success", "output", "request_id"}
    assert (answer["code"], answer["message"], answer["success"]) == (None, None, True)
    output = answer["output"]
    assert (output["total"], output["page_no"], output["page_size"]) == (1, 1, 20)
    (quota,) = output["quotas"]
    assert quota == {
        "model": "wan2.6-i2v-flash",
        "workspace_id": "ws-sandbox",
        "model_limit": {
            "request_limit": 5,
            "request_limit_period": 1,
            "usage_limit": None,
            "usage_limit_field": None,
            "usage_limit_period": None,
            "async_user_queue_limit": 500,
            "async_user_concurrency_limit": 5,
        },
        "workspace_limit": None,
    }


async def test_limits_are_searched_and_paged(client):
    """By a part of the name, or page by page; the older address does the same."""
    names = []
    for page in (1, 2):
        found = await client.get("/quotas", name="kf2v", page_size=2, page_no=page)
        assert found["output"]["total"] == 3
        names.append([quota["model"] for quota in found["output"]["quotas"]])
    assert [len(page) for page in names] == [2, 1]
    assert all("kf2v" in name for page in names for name in page)
    await client.get("/models/limits", page_size=0)
    assert client.answer.status == 400


async def test_a_model_without_tasks_has_no_queue(client):
    """It answers at once."""
    quota = await limits(client, "wan2.2-s2v-detect")
    assert quota["model_limit"]["async_user_queue_limit"] is None


async def test_a_workspaces_limit_holds(serving, tmp_path):
    """Two submits a minute, for this account alone, over a restart, until it is taken away."""
    keys = {"sk-a": "one", "sk-b": "two"}
    async with serving(tmp_path, keys=keys, key="sk-a") as client:
        answer = await update(client, request_limit=2, request_limit_period=60)
        assert (answer["success"], answer["output"]) == (True, None)
        assert await submits(client, 3) == [200, 200, 429]
        client.headers = {"Authorization": "Bearer sk-b"}
        assert await submits(client, 3) == [200, 200, 200]
    async with serving(tmp_path, keys=keys, key="sk-a") as client:
        quota = await limits(client)
        assert quota["workspace_limit"]["request_limit"] == 2
        assert quota["workspace_limit"]["request_limit_period"] == 60
        assert await submits(client, 3) == [200, 200, 429]
        await asyncio.sleep(60)
        assert await submits(client, 1) == [200]
        await update(client, operation_type="DELETE")
        assert (await limits(client))["workspace_limit"] is None
        assert await submits(client, 3) == [200, 200, 200]


async def test_what_an_update_leaves_out_stays(client):
    """OVERLAY replaces what is given."""
    await update(client, request_limit=60, request_limit_period=30)
    await update(client, usage_limit=1000)
    limit = (await limits(client))["workspace_limit"]
    assert (limit["request_limit"], limit["request_limit_period"]) == (60, 30)
    assert (limit["usage_limit"], limit["usage_limit_field"]) == (1000, "total_tokens")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"usage_limit": 5}, "Cannot set TPM without QPM for model wan2.6-t2v"),
        ({"operation_type": "DELETE", "request_limit": 5}, "must be empty for DELETE"),
        ({"operation_type": "FORGET"}, "operation_type"),
        ({"request_limit": -1}, "request_limit"),
        ({"request_limit_period": 0}, "request_limit_period"),
        ({"model": "wan9"}, "is not authorized for Inference"),
        ({"model": ""}, "model"),
    ],
)
async def test_an_update_that_makes_no_sense_changes_nothing(client, change, part):
    """400, and the words of the page where it has any."""
    answer = await update(client, **change)
    assert (client.answer.status, answer["code"]) == (400, "InvalidParameter")
    assert part in answer["message"]
    assert (await limits(client))["workspace_limit"] is None


async def test_an_update_takes_one_to_two_hundred_models(client):
    """All of them, or none."""
    for models in ([], [{"model": "wan2.6-t2v", "request_limit": 1}] * 201):
        await client.post("/models/limits", {"models": models})
        assert client.answer.status == 400
    both = [{"model": "wan2.6-t2v", "request_limit": 1}, {"model": "wan9", "request_limit": 1}]
    await client.post("/models/limits", {"models": both})
    assert (await limits(client))["workspace_limit"] is None


async def test_limits_that_change_in_mid_run(serving):
    """From a minute on fewer submits, slots and places in the queue, for ten minutes; then again
    all of them.
    """
    rule = Rule(Point.SUBMIT, Limits(per_second=2, running=1, queue=1), after=60, during=600)
    async with serving(faults=Faults(rule)) as client:
        assert (await limits(client))["model_limit"]["async_user_concurrency_limit"] == 5
        await asyncio.sleep(61)
        limit = (await limits(client))["model_limit"]
        assert limit["request_limit"] == 2
        assert limit["async_user_concurrency_limit"] == limit["async_user_queue_limit"] == 1
        assert await submits(client, 3) == [200, 429, 429]
        await asyncio.sleep(15)
        assert await submits(client, 3) == [200, 429, 429]
        rows = (await client.get("/tasks"))["data"]
        await asyncio.sleep(15)
        rows = (await client.get("/tasks"))["data"]
        assert sorted(row["status"] for row in rows) == ["PENDING", "RUNNING"]
        await asyncio.sleep(600)
        assert await submits(client, 5) == [200] * 5
        await asyncio.sleep(15)
        rows = (await client.get("/tasks"))["data"]
        assert [row["status"] for row in rows].count("RUNNING") == 5


@pytest.mark.parametrize("field", ["request_limit", "request_limit_period"])
async def test_a_limit_beyond_all_bounds(client, field):
    """400 in words, and nothing changes."""
    answer = await update(client, **{"request_limit": 1, field: 10**30})
    assert (client.answer.status, answer["code"]) == (400, "InvalidParameter")
    assert field in answer["message"]
    assert (await limits(client))["workspace_limit"] is None


async def test_a_limit_above_the_models_own_changes_nothing(client):
    """It is taken, and the model's own goes on counting."""
    await update(client, request_limit=1000, request_limit_period=1)
    assert client.answer.status == 200
    assert await submits(client, 6) == [200] * 5 + [429]


async def test_slots_that_are_taken_away_and_given_back(serving):
    """Whoever waits for an answer gets it when there are slots again, though no task changed."""
    rule = Rule(Point.GENERATE, Limits(running=0), during=100)
    async with serving(faults=Faults(rule)) as client:
        content = [{"role": "user", "content": [{"text": "fox"}]}]
        body = {"model": "wan2.6-t2i", "input": {"messages": content}, "parameters": {"n": 1}}
        await client.post("/services/aigc/multimodal-generation/generation", body)
        assert client.answer.status == 200
        assert 100 <= asyncio.get_running_loop().time() < 200


async def test_a_list_that_lags(serving):
    """A new task is known by its id at once, and by the list later."""
    async with serving(faults=Faults(Rule(Point.LIST, Lag(30)))) as client:
        task_id = await client.task()
        assert (await client.get("/tasks"))["total"] == 0
        assert await client.status(task_id) == "PENDING"
        await asyncio.sleep(31)
        assert (await client.get("/tasks"))["total"] == 1


async def test_queries_that_share_an_allowance(serving):
    """Twenty a second for query, list and cancel together."""
    async with serving(shared_queries=True) as client:
        for _ in range(10):
            await client.get("/tasks/x")
            await client.get("/tasks")
        await client.post("/tasks/x/cancel")
        assert client.answer.status == 429


async def test_a_rate_may_double_from_second_to_second(serving):
    """1, 2, 4, and then the model's own 5; faster is Throttling.BurstRate."""
    async with serving(steady_rise=True) as client:
        for most in (1, 2, 4):
            statuses = await submits(client, most + 1)
            assert statuses == [200] * most + [429]
            await asyncio.sleep(1)
        assert await submits(client, 6) == [200] * 5 + [429]
        await asyncio.sleep(10)
        await submits(client, 1)
        answer = await client.submit("wan2.6-t2v", given={"prompt": "fox"})
        assert answer["code"] == "Throttling.BurstRate"
