"""The check of an input before the request that is paid for with it."""

from __future__ import annotations

import pytest

from batchgen.api import Run, Summary
from batchgen.errors import ExitCode
from batchgen.manifest import load
from tests.runner.cloud import DONE, MADE, RESET, Cloud, png

pytestmark = pytest.mark.looptime

PRICE = 4_000
"""Micro-units of CNY for one look at a picture."""
TWO = """
region: beijing
defaults: {model: wan2.2-s2v, resolution: 480P, image_url: ann.png, detect: true}
jobs:
  - {id: one, audio_url: "https://example.com/1.wav"}
  - {id: two, audio_url: "https://example.com/2.wav"}
"""
GOOD = {"output": {"check_pass": True, "humanoid": True}, "usage": {"image_count": 1}}
BAD = {
    "output": {"check_pass": False, "code": "InvalidImage.NoHuman", "message": "Nobody is there."},
    "usage": {"image_count": 1},
    "request_id": "r",
}


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(posts=[MADE], looks=[DONE], checks=[GOOD])


@pytest.fixture
def run(tmp_path, cloud):
    async def run(text: str = TWO) -> Summary:
        (tmp_path / "ann.png").write_bytes(png("navy", 512))
        (tmp_path / "film.yaml").write_text(text)
        return await Run(load(tmp_path / "film.yaml"), connect=cloud.serving).run()

    return run


async def test_a_picture_is_checked_once_for_all_its_jobs(run, cloud):
    """One look, before the first request; both jobs are done, and the look is in what was spent."""
    summary = await run()
    assert summary.exit_code is ExitCode.DONE
    assert (len(cloud.checked), len(cloud.posted)) == (1, 2)
    render = 4 * 500_000
    assert summary.spent.micro == 2 * render + PRICE
    assert summary.reserved.micro == 0
    again = await run(TWO + '  - {id: six, audio_url: "https://example.com/3.wav"}\n')
    assert (again.submitted, len(cloud.checked)) == (1, 1)


async def test_what_is_inspected_is_uploaded_for_the_model_that_inspects(run, cloud):
    """An upload holds for one model alone: the picture goes to the storage twice."""
    await run()
    assert sorted(cloud.asked) == ["wan2.2-s2v", "wan2.2-s2v-detect"]
    (checked,) = cloud.checked
    assert checked.path == "aigc/image2video/face-detect"
    assert checked.body["input"]["image_url"].startswith("oss://")
    assert checked.body["input"]["image_url"] != cloud.posted[0].body["input"]["image_url"]
    assert "X-DashScope-Async" not in checked.headers


async def test_a_check_that_fails_buys_nothing(run, cloud):
    """The jobs fail in the service's words; only the look was paid for, and never again."""
    cloud.checks = [BAD]
    summary = await run()
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert {(job.code, job.message) for job in summary.failed} == {
        ("InvalidImage.NoHuman", "Nobody is there.")
    }
    assert (cloud.posted, summary.spent.micro) == ([], PRICE)
    await run()
    assert len(cloud.checked) == 1


async def test_a_lost_answer_is_asked_for_a_few_times_and_its_price_stays_reserved(run, cloud):
    """Nobody knows whether it was billed; a budget must not count on it."""
    cloud.checks = [RESET, (502, "<html>"), GOOD]
    summary = await run()
    assert summary.exit_code is ExitCode.DONE
    assert (len(cloud.checked), summary.reserved.micro) == (3, 2 * PRICE)


async def test_answers_that_never_come_end_in_a_word_and_no_purchase(run, cloud):
    """Three losses are enough."""
    cloud.checks = [RESET]
    summary = await run()
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert {job.code for job in summary.failed} == {"CheckLost"}
    assert (len(cloud.checked), cloud.posted) == (3, [])


async def test_a_picture_that_the_service_could_not_fetch_is_sent_three_times(run, cloud):
    """A time-out at the service passes, or fails the jobs in its words."""
    slow = {"code": "InvalidParameter.DataInspection", "message": "timed out", "request_id": "r"}
    cloud.checks = [(400, slow)]
    summary = await run()
    assert {job.code for job in summary.failed} == {"InvalidParameter.DataInspection"}
    assert (len(cloud.checked), summary.spent.micro) == (3, 0)


async def test_only_the_same_trouble_in_a_row_uses_up_the_patience_for_it(run, cloud):
    """Two throttlings and one time-out are no three time-outs; and a new run counts anew."""
    busy = {"code": "Throttling.RateQuota", "message": "later", "request_id": "r"}
    slow = {"code": "InvalidParameter.DataInspection", "message": "timed out", "request_id": "r"}
    cloud.checks = [(429, busy), (429, busy), (400, slow), GOOD]
    assert (await run()).exit_code is ExitCode.DONE


async def test_patience_begins_anew_with_each_run(run, cloud):
    """Three time-outs are the end of one run; the next gives the picture three more."""
    slow = {"code": "InvalidParameter.DataInspection", "message": "timed out", "request_id": "r"}
    cloud.checks = [(400, slow)] * 5 + [GOOD]
    assert (await run()).exit_code is ExitCode.SOME_FAILED
    assert (await run()).exit_code is ExitCode.DONE


async def test_a_picture_at_an_address_that_failed_is_looked_at_again_by_the_next_run(run, cloud):
    """Another picture may lie there now; a local file with the same bytes is the same for ever."""
    cloud.checks = [BAD, GOOD]
    text = TWO.replace("image_url: ann.png", 'image_url: "https://example.com/ann.png"')
    assert (await run(text)).exit_code is ExitCode.SOME_FAILED
    assert (await run(text)).exit_code is ExitCode.DONE
    assert len(cloud.checked) == 2


async def test_a_check_that_was_not_purchased_stops_its_jobs(run, cloud):
    """Without it they would be bought unchecked: exit 5, and they wait."""
    no = {"code": "AccessDenied.Unpurchased", "message": "Access denied.", "request_id": "r"}
    cloud.checks = [(403, no)]
    summary = await run()
    assert summary.exit_code is ExitCode.ACCOUNT
    assert (summary.count("pending"), cloud.posted) == (2, [])


async def test_a_check_is_not_made_for_a_job_that_the_budget_does_not_allow(run, cloud):
    """Even a fraction of a cent is not spent on what cannot be bought."""
    summary = await run(f"budget: {{amount: 0.1, currency: CNY}}\n{TWO.lstrip()}")
    assert summary.exit_code is ExitCode.ACCOUNT
    assert summary.budget_reached
    assert cloud.checked == []


async def test_a_budget_of_the_worst_case_is_enough(run, cloud):
    """The check's price is counted once: 21 seconds (one for the service's rounding), one look."""
    one = TWO[: TWO.index("  - {id: two")].replace("\n", "", 1)
    summary = await run(f"budget: {{amount: 10.504, currency: CNY}}\n{one}")
    assert summary.exit_code is ExitCode.DONE
    assert len(cloud.posted) == 1
