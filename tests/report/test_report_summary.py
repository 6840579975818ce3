"""The end of a run tells what to do next."""

from __future__ import annotations

import json

from batchgen.catalog import Money
from batchgen.errors import ExitCode, ServiceUnreachable
from batchgen.report.summary import refusal_data, summary_data, summary_view


def test_nothing_to_do_is_one_line(job, summary, shown):
    """A run that finds all results on disk says so, and where."""
    jobs = (job("fox", files=("fox.mp4",)), job("set", files=("set-1.png", "set-2.png")))
    seen = shown(summary_view(summary(*jobs, submitted=0)))
    assert seen == "night: all 3 results are on disk: /out/night"


def test_a_good_night(job, summary, shown):
    """Counts, files, money and time."""
    jobs = [job(name, files=(f"{name}.mp4",)) for name in ("fox", "wave")]
    spent = Money(1_500_000, "USD")
    seen = shown(summary_view(summary(*jobs, saved=1, spent=spent)))
    assert seen.splitlines() == [
        "night: 2 done",
        "2 results (1 of them new) in /out/night",
        "spent USD 1.50, by all runs of this batch",
        "it took 2 h 05 min",
    ]


def test_failures_have_the_services_words(job, summary, shown):
    """Each failed job is named; those that failed alike share the words."""
    refused = {"state": "failed", "code": "InvalidParameter", "message": "size [x] not allowed"}
    seen = shown(summary_view(summary(job("a", **refused), job("b", **refused), job("c"))))
    assert "night: 1 done, 2 failed" in seen
    assert "2 jobs failed" in seen
    assert "a, b: InvalidParameter: size [x] not allowed" in seen
    assert "a change in the manifest" in seen


def test_in_doubt_says_what_a_person_can_do(job, summary, shown):
    """A job in doubt is told with its model, and that nothing sends it again by itself."""
    doubt = job("fox", state="in doubt", message="connection reset")
    seen = shown(summary_view(summary(doubt)))
    assert "1 job in doubt" in seen
    assert "fox: wan2.6-t2v: connection reset" in seen
    assert "never sends it again by itself" in seen
    assert "console" in seen


def test_changed_too_late(job, summary, shown):
    """A job that was changed after it was paid for is named, beside what became of it."""
    seen = shown(summary_view(summary(job("fox", files=("fox.mp4",)), changed=("fox",))))
    assert "night: 1 done, 1 changed too late" in seen
    assert "1 job changed" in seen
    assert "Changed in the manifest after it was paid for" in seen


def test_unfinished_jobs_say_run_again(job, summary, shown):
    """What was stopped early says how to go on, and why it stopped."""
    stops = ("the account: Arrearage\x1b[2J",)
    seen = shown(summary_view(summary(job("fox", state="rendering"), stops=stops)))
    assert "1 job to go on with: run the same command again" in seen
    assert r"stopped: the account: Arrearage\x1b[2J" in seen


def test_json_has_everything(job, summary):
    """A program finds the code, the counts, each job, the money and the error."""
    error = ServiceUnreachable("Nothing was heard.", hint="Run again.")
    jobs = (job("fox", files=("fox.mp4",)), job("wave", state="pending"))
    told = summary_data(summary(*jobs, spent=Money(1_500_000, "USD"), error=error))
    assert json.loads(json.dumps(told)) == told
    assert told["exit_code"] == ExitCode.UNREACHABLE
    assert told["counts"] == {"done": 1, "pending": 1}
    assert told["spent"] == {"amount": 1.5, "currency": "USD"}
    assert told["error"] == {"code": 8, "message": "Nothing was heard.", "hint": "Run again."}
    assert [one["id"] for one in told["jobs"]] == ["fox", "wave"]


def test_a_refused_run_is_json_too():
    """A program that started a second run learns why it did nothing."""
    told = refusal_data("night", ServiceUnreachable("no"))
    assert told == {
        "name": "night",
        "exit_code": 8,
        "error": {"code": 8, "message": "no", "hint": None},
    }
