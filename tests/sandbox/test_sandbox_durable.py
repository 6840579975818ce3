"""What is on the disk before it is answered: a power cut takes nothing away that a client knows."""

from __future__ import annotations

import io
import os

import aiohttp
import pytest

pytestmark = pytest.mark.looptime

FULL, NORMAL = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"


def traced(client, done, *beginnings):
    """Add to `done` what the sandbox tells SQLite, of the statements that begin so."""

    def trace(_, statement, __):
        for beginning in (*beginnings, FULL, NORMAL):
            if statement.startswith(beginning):
                done.append(beginning)
        return True

    client.sandbox._scheduler._store._database._connection.exec_trace = trace


async def test_a_task_and_its_cancel_are_synced(serving, tmp_path):
    """Each is written while SQLite waits for the disk."""
    async with serving(tmp_path) as client:
        await client.get("/tasks")
        done = []
        traced(client, done, "INSERT INTO task", "UPDATE task")
        task_id = await client.task()
        assert done == [FULL, "INSERT INTO task", NORMAL]
        done.clear()
        await client.post(f"/tasks/{task_id}/cancel")
        assert client.answer.status == 200
        assert done == [FULL, "UPDATE task", NORMAL]


async def test_an_upload_is_synced_before_its_row(serving, tmp_path, monkeypatch):
    """First its bytes, then the row that says there is one."""
    async with serving(tmp_path) as client:
        given = (await client.get("/uploads", action="getPolicy", model="wan2.6-i2v"))["data"]
        form = aiohttp.FormData()
        for name, value in {
            "OSSAccessKeyId": given["oss_access_key_id"],
            "Signature": given["signature"],
            "policy": given["policy"],
            "key": f"{given['upload_dir']}/cat.png",
            "x-oss-object-acl": "private",
            "x-oss-forbid-overwrite": "true",
        }.items():
            form.add_field(name, value)
        form.add_field("file", io.BytesIO(b"content"), filename="cat.png")
        done = []
        monkeypatch.setattr(os, "fsync", lambda _: done.append("file"))
        traced(client, done, "INSERT OR REPLACE INTO upload")
        async with client.session.post(given["upload_host"], data=form) as answer:
            assert answer.status == 204
        assert done == ["file", FULL, "INSERT OR REPLACE INTO upload", NORMAL]
