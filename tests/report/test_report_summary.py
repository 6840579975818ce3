"""The end of a run tells what to do next."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from batchgen.catalog import Money
from batchgen.errors import ExitCode, MachineError, ServiceUnreachable
from batchgen.report.summary import summary_data, summary_view


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
    assert "night: 1 done; 1 of these changed too late" in seen
    assert "1 job changed" in seen
    assert "Changed in the manifest after it was paid for" in seen


def test_unfinished_jobs_say_run_again(job, summary, shown):
    """What was interrupted says how to go on."""
    seen = shown(summary_view(summary(job("fox", state="rendering"))))
    assert "1 job to go on with: run the same command again. Nothing is bought twice." in seen


@pytest.mark.parametrize(
    ("stop", "advice"),
    [
        ("the account: InvalidApiKey: no\x1b[2J", "Look at DASHSCOPE_API_KEY"),
        ("the account: KeyRefused: HTTP 401: no", "Look at DASHSCOPE_API_KEY"),
        ("the account: HTTP 401: login", "Look at DASHSCOPE_API_KEY"),
        ("the account: Arrearage: pay", "Look at the bill in the service's console"),
        ("the account: PostpaidBillOverdue: pay", "Look at the bill in the service's console"),
        ("the account: AllocationQuota.FreeTierOnly: used up", "Look at its plan and quota"),
        ("the account: Throttling.AllocationQuota: week", "Look at its plan and quota"),
        ("the account: WorkSpaceNotFound: no", "Look at DASHSCOPE_WORKSPACE_ID"),
        ("wan2.6-t2v: Workspace.AccessDenied: no", "Look at DASHSCOPE_WORKSPACE_ID"),
        ("wan2.6-t2v: CommodityNotPurchased: buy", "Activate the model in the service's console"),
        ("wan2.6-t2v: AccessDenied.Unpurchased: buy", "Activate the model in the service's"),
        ("wan2.6-t2v: Model.AccessDenied: no", "Activate the model in the service's console"),
        ("the account: HTTP 404: Not Found", "Look at the base URL, which should end in /api/v1"),
        ("the account: HTTP 403: Forbidden", "Look at the base URL, which should end in /api/v1"),
        ("wan2.6-t2v: ModelXNew: words", "Look into the service's console"),
    ],
)
def test_a_stop_says_what_to_do_about_it(job, summary, shown, stop, advice):
    """The service's words, what a person can do, and no promise that running again is enough."""
    jobs = (job("fox", state="pending"), job("wave", state="pending"))
    seen = shown(summary_view(summary(*jobs, stops=(stop, stop))))
    assert seen.count(f"stopped: {stop}".replace("\x1b", r"\x1b")) == 1
    assert seen.count(advice) == 1
    assert "2 jobs to go on with: put that right, then run again. Nothing is bought twice." in seen
    assert "run the same command" not in seen


def test_what_is_to_do_is_said_once(job, summary, shown):
    """Three models to activate are one errand."""
    stops = [f"{model}: Model.AccessDenied: no" for model in ("a", "b", "c")]
    seen = shown(summary_view(summary(job("fox", state="pending"), stops=tuple(stops))))
    assert seen.count("stopped: ") == 3
    assert seen.count("Activate the model") == 1


def test_a_reached_budget_says_how_to_raise_it(job, summary, shown):
    """The same command again would stop at the same amount."""
    budget, spent = Money(800_000, "USD"), Money(500_000, "USD")
    ended = summary(job("fox", state="pending"), budget=budget, spent=spent, budget_reached=True)
    seen = shown(summary_view(ended))
    assert "stopped: what is left can cost USD 0.20 more than the budget of USD 0.80" in seen
    assert "Raise `budget:` in the manifest, or --budget, then run again." in seen
    assert "run the same command" not in seen


def test_an_error_comes_before_another_run(job, summary, shown):
    """What ended the run is told elsewhere, with its hint; here it is no mere interruption."""
    error = MachineError("The disk is full.")
    seen = shown(summary_view(summary(job("fox", state="pending"), error=error)))
    assert "1 job to go on with: put that right, then run again" in seen


def test_a_stuck_job_fits_every_reason(job, summary, shown):
    """A file in the way is no task that does not move."""
    stuck = job("fox", state="stuck", message="fox.mp4 is in the way")
    seen = shown(summary_view(summary(stuck)))
    assert "fox.mp4 is in the way" in seen
    assert "Put right what stands in its way, if you can" in seen
    assert "moved" not in seen


def test_what_is_stuck_and_made_says_until_when(job, summary, shown):
    """Paid for, and not on disk: when it will be gone stands with what keeps it from coming."""
    stuck = job("fox", state="stuck", message="fox.mp4 is in the way", deadline=1_790_050_000.0)
    seen = shown(summary_view(summary(stuck)))
    assert "made, and kept there until 2026-09-22 04:06 UTC: fox.mp4 is in the way" in seen
    assert "fetch the first by 2026-09-22 04:06 UTC" in seen


def test_a_bug_is_told_with_what_became_of_the_jobs(job, summary, shown):
    """Nothing of the bug's own words, the worst of all codes but a signal's, and every job."""
    ended = summary(
        job("fox"), job("owl", state="pending"), bug=KeyError("https://a/b?Signature=c")
    )
    assert ended.exit_code is ExitCode.BUG
    told = summary_data(ended)
    assert told["error"] == {
        "exit_code": 70,
        "message": "a bug of batchgen: KeyError",
        "hint": None,
    }
    assert told["counts"] == {"done": 1, "pending": 1}
    assert "run the same command again" in shown(summary_view(ended))
    assert replace(ended, signal=ExitCode.SIGINT).exit_code is ExitCode.SIGINT
    assert replace(ended, error=MachineError("disk")).exit_code is ExitCode.BUG


def test_json_has_everything(job, summary):
    """A program finds the code, the counts, each job, the money and the error."""
    error = ServiceUnreachable("Nothing was heard.", hint="Run again.")
    jobs = (job("fox", files=("fox.mp4",)), job("wave", state="pending"))
    told = summary_data(summary(*jobs, spent=Money(1_500_000, "USD"), error=error))
    assert json.loads(json.dumps(told)) == told
    assert told["exit_code"] == ExitCode.UNREACHABLE
    assert told["counts"] == {"done": 1, "pending": 1}
    assert told["spent"] == {"amount": 1.5, "currency": "USD"}
    assert (told["budget"], told["budget_reached"], told["missing"]) == (None, False, None)
    assert told["error"] == {"exit_code": 8, "message": "Nothing was heard.", "hint": "Run again."}
    assert [one["id"] for one in told["jobs"]] == ["fox", "wave"]


def test_what_waits_at_the_service_is_told_with_its_deadline(job, summary, shown):
    """What is paid for and not fetched, soonest deadline first, and the command that fetches it."""
    later = job("late", state="rendering", task_id="t-2", deadline=1_790_090_000.0)
    soon = job("soon", state="ready", task_id="t-1", deadline=1_790_050_000.0)
    ended = summary(later, soon, job("sent", state="pending"))
    assert [one.id for one in ended.unfetched] == ["soon", "late"]
    seen = shown(summary_view(ended))
    assert "2 jobs sent and not fetched; what is made of them is paid for: fetch the first" in seen
    assert " by 2026-09-22 04:06 UTC" in seen
    assert seen.index("04:06 UTC: soon, task t-1") < seen.index("15:13 UTC: late, task t-2")
    assert "batchgen collect fetches them" in seen


def test_a_long_queue_is_told_in_short(job, summary, shown):
    """Ten are named, and the rest counted."""
    jobs = [job(f"j{n}", state="rendering", deadline=1e9 + n) for n in range(25)]
    seen = shown(summary_view(summary(*jobs)))
    assert "25 jobs sent and not fetched" in seen
    assert seen.count("UTC: j") == 10
    assert "and 15 more" in seen


def test_adopted_jobs_are_told(job, summary, shown):
    """A lost answer that came to a good end is said, and counted for programs."""
    ended = summary(job("fox", adopted=True, files=("fox.mp4",)), job("owl"))
    assert "1 job adopted: the answer to the request was lost" in shown(summary_view(ended))
    assert summary_data(ended)["adopted"] == 1


def test_a_disk_that_is_too_small_is_this_machines_trouble(job, summary, shown):
    """Exit code 6, what is needed, what is free, and that nothing runs before that is mended."""
    ended = summary(job("fox", state="pending"), disk_needed=3 << 30, disk_free=300 << 20)
    assert ended.exit_code is ExitCode.MACHINE
    seen = shown(summary_view(ended))
    assert "the results of the jobs left may need 3.0 GiB, and 300.0 MiB are free" in seen
    assert "--output" in seen
    assert "1 job to go on with: put that right, then run again" in seen
    assert summary_data(ended)["disk_needed"] == 3 << 30


def test_a_run_in_which_everything_fails(job, summary, shown):
    """It says why it stopped, and exits as failed."""
    ended = summary(job("a", state="failed"), job("b", state="pending"), failing=True)
    assert ended.exit_code is ExitCode.SOME_FAILED
    assert "stopped: one job after another failed" in shown(summary_view(ended))


def test_what_was_never_sent_is_nothing_to_collect(job, summary):
    """`collect` ends with 0 when all that is paid for is there, however much waits to be sent."""
    jobs = (job("fox", files=("fox.mp4",)), job("wave", state="pending"))
    assert summary(*jobs, collect=True).exit_code is ExitCode.DONE
    assert summary(*jobs).exit_code is ExitCode.MORE_TO_DO
    rendering = job("owl", state="rendering")
    assert summary(*jobs, rendering, collect=True).exit_code is ExitCode.MORE_TO_DO


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signal": ExitCode.SIGTERM, "disk_needed": 1}, ExitCode.SIGTERM),
        ({"disk_needed": 1, "stops": ("the account: Arrearage: x",)}, ExitCode.MACHINE),
        ({"stops": ("a: b: c",), "error": ServiceUnreachable("x")}, ExitCode.ACCOUNT),
        ({"error": ServiceUnreachable("x")}, ExitCode.UNREACHABLE),
        ({"signal": ExitCode.MORE_TO_DO}, ExitCode.NEEDS_A_PERSON),
    ],
)
def test_where_several_are_true_the_first_counts(job, summary, changes, code):
    """Signal, 6, 5, 8, 3, 1, 7, 0."""
    jobs = [job(name, state=name) for name in ("pending", "failed", "in doubt", "done")]
    assert summary(*jobs, **changes).exit_code is code


def test_a_summary_does_not_show_its_jobs_to_whoever_only_shows_it(job, summary):
    """asyncio shows what a task has returned, to nobody, at the end of every run: a hundred
    thousand jobs would take it seconds."""
    assert "owl" not in repr(summary(job("owl")))
