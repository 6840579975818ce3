"""People can look into a journal with the SQLite of their system, at any time."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.core import facts
from batchgen.core.facts import Fact, JobFact, Kinds
from batchgen.journal import Journal
from tests.core.histories import World, needy, wishes


def system_sqlite() -> str:
    program = shutil.which("sqlite3")
    if program is None:
        pytest.skip("there is no sqlite3 program here")
    words = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    if tuple(map(int, words.stdout.split()[0].split("."))) < (3, 38):
        pytest.skip("the views need SQLite 3.38 or later")
    return program


@pytest.fixture
def look(folder: Path, home: Path, story: list[Fact]):
    """Ask the system's SQLite, while a run has the journal open."""
    program = system_sqlite()

    def ask(sql: str) -> list[dict[str, Any]]:
        command = [program, "-readonly", "-json", str(home / "journal.sqlite"), sql]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        assert answer.stderr == ""
        return json.loads(answer.stdout or "[]")

    with Journal.open(folder, kind="sandbox", manifest="detective") as journal:
        journal.append(story)
        yield ask


def test_every_view_runs_while_a_run_writes(home: Path, look):
    """No view needs a newer SQLite than the system's, or waits for the run."""
    views = [row["name"] for row in look("SELECT name FROM sqlite_schema WHERE type = 'view'")]
    assert {"jobs", "attempts", "spend", "problems", "story"} <= set(views)
    assert all(look(f"SELECT * FROM {view}") for view in views)


def test_jobs_says_where_each_job_stands(look):
    """One row a job in the manifest's order, in words, ISO times and whole money."""
    fox, owl, wave, crab = look("SELECT * FROM jobs")
    assert fox == {
        "job": "fox",
        "state": "done",
        "model": "wan2.6-t2v",
        "attempts": 1,
        "task_id": "t-fox",
        "submitted": "1970-01-01T00:16:42Z",
        "finished": "1970-01-01T00:18:10Z",
        "cost": 0.5,
        "currency": "USD",
        "files": "fox.mp4",
    }
    states = [(row["job"], row["state"], row["task_id"]) for row in (owl, wave, crab)]
    assert states == [
        ("owl", "failed", None),
        ("wave", "in doubt", None),
        ("crab", "rendering", "t-crab"),
    ]


def test_attempts_lists_what_may_have_been_paid_for(look):
    """One row a request that left, with what became of it."""
    rows = look("SELECT job, attempt, state, cost, currency, code, message FROM attempts")
    assert [tuple(row.values()) for row in rows] == [
        ("crab", 1, "rendering", None, None, None, None),
        ("fox", 1, "done", 0.5, "USD", None, None),
        ("owl", 1, "failed", None, None, "DataInspectionFailed", "the owl is not allowed"),
        ("wave", 1, "in doubt", None, None, None, "the connection was reset"),
    ]


def test_spend_adds_up_what_was_bought(look):
    """A row for each model and currency, in whole units."""
    assert look("SELECT * FROM spend") == [
        {
            "model": "wan2.6-t2v",
            "currency": "USD",
            "attempts": 1,
            "results": 2,
            "cost": 0.5,
            "unpriced": 0,
        }
    ]


def test_problems_gives_the_words_of_the_service(look):
    """What a person should look at, and nothing that has mended itself."""
    rows = look("SELECT job, state, code, message FROM problems")
    assert [tuple(row.values()) for row in rows] == [
        ("owl", "failed", "DataInspectionFailed", "the owl is not allowed"),
        ("wave", "in doubt", None, "the connection was reset"),
        (None, "stopped: wan2.1", "AccessDenied", "not bought"),
    ]


def test_the_story_is_all_facts_in_order(look, story: list[Fact]):
    """Nothing is left out of the story, and its prompts are readable."""
    rows = look("SELECT what, details FROM story")
    assert [row["what"] for row in rows] == [type(fact).__name__ for fact in story]
    assert any("狐狸" in row["details"] for row in rows)


def test_every_kind_of_fact_about_a_job_has_a_meaning(home: Path, folder: Path):
    """A new kind of fact cannot be forgotten in the views, nor an old one stay in them."""
    with Journal.open(folder, kind="sandbox", manifest="detective"):
        connection = apsw.Connection(str(home / "journal.sqlite"))
        meanings = {kind for (kind,) in connection.execute("SELECT kind FROM meaning")}
        connection.close()
    kinds = (vars(facts)[name] for name in Kinds.by_name)
    leaves = (kind for kind in kinds if not kind.__subclasses__())
    about_jobs = {kind.__name__ for kind in leaves if issubclass(kind, JobFact)}
    assert meanings == about_jobs - {"Saved", "LinkStale", "FetchDeferred"}, "these move nothing"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_views_agree_with_the_program_about_any_history(data):
    """State and money of every job, whatever came in whatever order."""
    wanted = [
        replace(wish, needs=needy(data.draw(st.integers(0, 4)), wish.model))
        for wish in wishes(data.draw(st.integers(1, 4)))
    ]
    world = World.wanting([replace(wish, direct=data.draw(st.booleans())) for wish in wanted])
    for _ in range(data.draw(st.integers(0, 40))):
        world.decide()
        running = sorted(world.batch.under_way, key=repr)
        if data.draw(st.integers(0, 9)) == 0:
            world.crash()
        elif running:
            action = data.draw(st.sampled_from(running))
            world.finish(action, *data.draw(st.sampled_from(world.outcomes(action)))())
        elif world.batch.wake_at(world.now) < float("inf"):
            world.wait()
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.open(Path(folder), kind="sandbox", manifest="film") as journal,
    ):
        journal.append(world.log)
        path = str(Path(folder) / ".batchgen" / "journal.sqlite")
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        rows = connection.execute("SELECT job, state FROM jobs").fetchall()
        costs = connection.execute("SELECT cost FROM spend").fetchall()
        connection.close()
    standing = world.batch.standing
    assert dict(rows) == {job.id: job.state for job in standing.jobs.values()}
    assert round(sum(cost for (cost,) in costs) * 1e6) == standing.spent


def test_the_views_of_an_older_batchgen_are_renewed_by_the_next_run(
    folder: Path, home: Path, story: list[Fact]
):
    """A kind of fact that the older one did not know shows in them; and nothing else changes."""
    with Journal.open(folder, kind="sandbox", manifest="detective") as journal:
        journal.append(story)
    with closing(apsw.Connection(str(home / "journal.sqlite"))) as database:
        before = database.execute("SELECT * FROM jobs").fetchall()
        database.execute("DROP VIEW jobs; CREATE VIEW jobs AS SELECT 'old'")
        database.execute("CREATE VIEW forgotten AS SELECT 1")
    with Journal.open(folder, kind="sandbox", manifest="detective") as journal:
        assert list(journal.replay()) == story
    with closing(apsw.Connection(str(home / "journal.sqlite"))) as database:
        assert database.execute("SELECT * FROM jobs").fetchall() == before
        names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'view'").fetchall()
        assert ("forgotten",) not in names
