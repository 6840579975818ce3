"""Local files on their way to the service: once, whole, as planned, before they are paid for."""

from __future__ import annotations

import asyncio
import os
import wave
from pathlib import Path

import pytest

from batchgen.api import Run, Settings, Summary
from batchgen.errors import ExitCode
from batchgen.manifest import load
from tests.runner.cloud import DONE, KEY, MADE, RESET, SILENCE, Cloud, png

pytestmark = pytest.mark.looptime

START = 1_790_000_000.0
HOUR = 3600.0
TWO = """
region: beijing
defaults: {model: wan2.2-s2v, resolution: 480P, audio_url: speech.wav}
jobs:
  - {id: ann, image_url: ann.png}
  - {id: bob, image_url: bob.png}
"""
SMALL = "jobs:\n  - {id: wave, model: wan2.2-i2v-flash, img_url: ann.png, resolution: 480P}\n"
VIDEO = {**DONE, "output": {**DONE["output"], "video_url": "HOST/1.mp4"}}
EXPIRED = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message>
</Error>"""
NOT_ALLOWED = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>InvalidArgument</Code><Message>This file is not taken.</Message></Error>"""


class Studio:
    """A folder with a manifest and its local files, and a service to run it against."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Cloud(posts=[MADE], looks=[DONE])
        (folder / "ann.png").write_bytes(png("navy", 512))
        (folder / "bob.png").write_bytes(png("teal", 512))
        self.speak(2)

    def speak(self, seconds: int) -> None:
        with wave.open(str(self.folder / "speech.wav"), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(b"\0\0" * 8000 * seconds)

    def plan(self, text: str, *, at: float = START) -> Run:
        (self.folder / "film.yaml").write_text(text)
        manifest = load(self.folder / "film.yaml")
        return Run(manifest, connect=self.cloud.serving, wall=lambda: at)

    async def run(self, text: str = TWO, *, at: float = START) -> Summary:
        return await self.plan(text, at=at).run()

    @property
    def inputs(self) -> list[dict]:
        return [posted.body["input"] for posted in self.cloud.posted]


@pytest.fixture
def studio(tmp_path) -> Studio:
    return Studio(tmp_path)


async def test_a_file_that_jobs_share_is_uploaded_once(studio):
    """Three files for two jobs; each request names its own by their oss:// addresses."""
    summary = await studio.run()
    assert summary.exit_code is ExitCode.DONE
    stored = {f"oss://{form.fields['key']}": form.content for form in studio.cloud.stored}
    assert len(stored) == len(studio.cloud.stored) == 3
    for name, sent in zip(("ann", "bob"), studio.inputs, strict=True):
        assert stored[sent["image_url"]] == (studio.folder / f"{name}.png").read_bytes()
        assert stored[sent["audio_url"]] == (studio.folder / "speech.wav").read_bytes()
    assert set(studio.cloud.asked) == {"wan2.2-s2v"}
    headers = [posted.headers["X-DashScope-OssResourceResolve"] for posted in studio.cloud.posted]
    assert headers == ["enable"] * 2


async def test_the_form_is_the_documented_one_and_carries_no_key(studio):
    """The fields of the reference, the file last, and nothing of ours for the storage to see."""
    await studio.run()
    for form in studio.cloud.stored:
        assert list(form.fields) == [
            *("key", "OSSAccessKeyId", "Signature", "policy", "x-oss-object-acl"),
            *("x-oss-forbid-overwrite", "success_action_status", "file"),
        ]
        assert form.fields["success_action_status"] == "200"
        assert form.fields["key"].endswith("/" + form.fields["file"])
        assert int(form.headers["Content-Length"]) > len(form.content)
        assert KEY not in str(form.headers)
        assert "ann" not in form.fields["file"]


async def test_the_sidecar_names_path_and_content(studio):
    """What was used can be told for ever; its address at the service is nobody's business."""
    await studio.run()
    sidecar = (studio.folder / "output" / "film" / "ann.json").read_text()
    assert '"source": "ann.png"' in sidecar
    assert "oss://" not in sidecar


async def test_an_upload_is_used_while_it_lives_and_made_anew_afterwards(studio):
    """A day later another job finds the file there; two hours before the end it does not."""
    three = TWO + "  - {id: eve, image_url: ann.png, resolution: 720P}\n"
    four = three + "  - {id: joe, image_url: bob.png, resolution: 720P}\n"
    await studio.run(TWO)
    assert (await studio.run(three, at=START + 24 * HOUR)).exit_code is ExitCode.DONE
    assert len(studio.cloud.stored) == 3
    assert (await studio.run(four, at=START + 46.5 * HOUR)).exit_code is ExitCode.DONE
    assert len(studio.cloud.stored) == 5
    assert studio.inputs[-1]["audio_url"] != studio.inputs[0]["audio_url"]


async def test_a_faster_stand_in_forgets_a_file_sooner(studio):
    """At sixty times the speed two days are 48 minutes, and two hours two minutes."""
    for minutes, picture, uploads in ((0, "", 3), (45, "ann", 3), (47, "bob", 5)):
        more = f"  - {{id: more, image_url: {picture}.png, resolution: 720P}}\n" if picture else ""
        more = more.replace("more", f"more{minutes}")
        (studio.folder / "film.yaml").write_text(TWO + more)
        at = START + minutes * 60
        manifest, faster = load(studio.folder / "film.yaml"), Settings(service_speed=60)
        run = Run(manifest, faster, connect=studio.cloud.serving, wall=lambda at=at: at)
        assert (await run.run()).exit_code is ExitCode.DONE
        assert len(studio.cloud.stored) == uploads


async def test_a_policy_that_expired_on_the_way_is_replaced(studio):
    """The storage says so in its own words: a fresh one is asked for at once."""
    studio.cloud.stores = [(403, EXPIRED), (200, "")]
    summary = await studio.run()
    assert summary.exit_code is ExitCode.DONE
    assert len(studio.cloud.asked) == 4
    assert max(studio.cloud.asked_at) - min(studio.cloud.asked_at) < 0.5


@pytest.mark.parametrize(
    "trouble", [RESET, (503, "<Error><Code>ServiceUnavailable</Code></Error>"), (407, "<html>")]
)
async def test_a_broken_upload_is_made_again_later(studio, trouble):
    """Resets, refusals for now and strangers' pages cost time, never a job."""
    studio.cloud.stores = [trouble] * 5 + [(200, "")]
    summary = await studio.run()
    assert summary.exit_code is ExitCode.DONE
    assert len(studio.cloud.posted) == 2
    assert summary.seconds > 3


@pytest.mark.parametrize(("place", "code"), [("policies", "NoPolicy"), ("stores", "SlowDown")])
async def test_what_is_answered_with_the_same_trouble_is_given_up_for_the_run(studio, place, code):
    """For an hour, then in the service's words; the next run tries anew."""
    answers = {
        "policies": (500, {"code": "InternalError", "message": "broken", "request_id": "r"}),
        "stores": (503, "<Error><Code>SlowDown</Code><Message>broken</Message></Error>"),
    }
    setattr(studio.cloud, place, [answers[place]])
    summary = await studio.run()
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert {job.code for job in summary.failed} == {code}
    assert "broken" in summary.failed[0].message
    assert "for 60 minutes" in summary.failed[0].message
    assert HOUR <= summary.seconds < 2 * HOUR
    setattr(studio.cloud, place, [None] if place == "policies" else [(200, "")])
    assert (await studio.run()).exit_code is ExitCode.DONE


async def test_a_picture_that_never_gets_through_does_not_hold_up_the_next_job(studio):
    """One place in the lane: the first job's file is refused for now, the second is rendered."""
    text = TWO.replace("defaults:", "limits: {max_in_flight: 1}\ndefaults:").replace(
        "speech.wav", "https://example.com/a.wav"
    )
    slow = (503, "<Error><Code>SlowDown</Code><Message>broken</Message></Error>")
    studio.cloud.stores = [slow, (200, ""), slow]
    run = studio.plan(text)
    asyncio.get_running_loop().call_later(60, run.stop)
    summary = await run.run()
    assert sorted(job.state for job in summary.jobs) == ["done", "pending"]


async def test_an_upload_is_not_used_with_another_key(studio):
    """Another account cannot read it: every file is uploaded anew, for that account."""
    await studio.run()
    studio.cloud.key = "sk-another-0123456789abcdef"
    three = TWO + "  - {id: eve, image_url: ann.png, resolution: 720P}\n"
    assert (await studio.run(three, at=START + HOUR)).exit_code is ExitCode.DONE
    assert len(studio.cloud.stored) == 3 + 2
    assert studio.inputs[-1]["image_url"] != studio.inputs[0]["image_url"]
    journal = studio.folder / "output" / "film" / ".batchgen" / "journal.sqlite"
    assert studio.cloud.key.encode() not in journal.read_bytes()


@pytest.mark.parametrize("text", [TWO, SMALL], ids=["uploaded", "inlined"])
async def test_a_file_whose_place_a_pipe_has_taken_is_noticed(studio, text):
    """A pipe would be read without end: the job is refused, and the run ends."""
    run = studio.plan(text)
    (studio.folder / "ann.png").unlink()
    os.mkfifo(studio.folder / "ann.png")
    summary = await asyncio.wait_for(run.run(), 60)
    (job,) = summary.failed
    assert job.code == "InputChanged"
    assert "it is no file" in job.message
    (studio.folder / "ann.png").unlink()
    (studio.folder / "ann.png").write_bytes(png("navy", 512))
    studio.cloud.looks = [VIDEO]
    assert (await studio.run(text)).exit_code is ExitCode.DONE, "nothing was sent, so it is tried"


async def test_a_throttled_policy_is_waited_for(studio):
    """429 on the way to a policy is patience, too."""
    busy = {"code": "Throttling.RateQuota", "message": "later", "request_id": "r"}
    studio.cloud.policies = [(429, busy), (429, busy), None]
    assert (await studio.run()).exit_code is ExitCode.DONE


async def test_a_file_that_is_not_taken_fails_its_jobs_in_the_storages_words(studio):
    """Nothing is sent, nothing is paid, exit 1; the job with another file is done."""
    studio.cloud.stores = [(400, NOT_ALLOWED), (200, "")]
    summary = await studio.run()
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert "This file is not taken." in summary.failed[0].message
    assert {job.code for job in summary.failed} == {"InvalidArgument"}
    assert len(studio.cloud.posted) == 2 - len(summary.failed)


async def test_a_file_beyond_the_storages_limit_is_told_before_it_is_sent(studio):
    """The policy names the limit: the refusal does, too."""
    studio.cloud.policies = [studio.cloud.policy(upload_host="HOST/store", max_file_size_mb=0)]
    summary = await studio.run()
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert {job.code for job in summary.failed} == {"FileTooLarge"}
    assert not studio.cloud.stored


async def test_a_file_that_changed_since_the_plan_is_noticed_and_the_new_one_taken_later(studio):
    """Its job is refused before anything is paid; the others go on, and a new plan knows better."""
    run = studio.plan(TWO)
    (studio.folder / "bob.png").write_bytes(png("red", 512))
    summary = await run.run()
    assert {job.id: job.state for job in summary.jobs} == {"ann": "done", "bob": "failed"}
    assert (summary.failed[0].code, len(studio.cloud.posted)) == ("InputChanged", 1)
    assert png("red", 512) not in [form.content for form in studio.cloud.stored]
    assert (await studio.run()).exit_code is ExitCode.DONE
    assert png("red", 512) in [form.content for form in studio.cloud.stored]


async def test_a_file_that_is_gone_fails_its_job_alone(studio):
    """A deleted picture is no bug and no reason to stop."""
    run = studio.plan(TWO)
    (studio.folder / "bob.png").unlink()
    summary = await run.run()
    assert [(job.id, job.code) for job in summary.failed] == [("bob", "InputChanged")]
    assert "cannot be read any more" in summary.failed[0].message


async def test_a_refused_key_stops_at_the_first_policy(studio):
    """Exit 5, and not one file has left."""
    no = {"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r"}
    studio.cloud.policies = [(401, no)]
    summary = await studio.run()
    assert summary.exit_code is ExitCode.ACCOUNT
    assert (summary.count("pending"), studio.cloud.stored) == (2, [])


async def test_a_storage_that_is_never_there_ends_the_run(studio):
    """After an hour without an answer: exit 8, nothing sent, and the next run begins anew."""
    studio.cloud.stores = [RESET]
    summary = await studio.run()
    assert summary.exit_code is ExitCode.UNREACHABLE
    assert not studio.cloud.posted


async def test_an_address_in_the_storage_that_the_user_wrote_is_resolved_too(studio):
    """The header follows the body, whoever put the oss:// address there."""
    text = TWO.replace("bob.png", "oss://dashscope-instant/own/bob.png")
    assert (await studio.run(text)).exit_code is ExitCode.DONE
    sent = {posted.body["input"]["image_url"]: posted for posted in studio.cloud.posted}
    mine = sent["oss://dashscope-instant/own/bob.png"]
    assert mine.headers["X-DashScope-OssResourceResolve"] == "enable"


async def test_a_small_picture_goes_into_the_body_where_the_field_takes_it(studio):
    """No upload, no header, and the very bytes of the file."""
    studio.cloud.looks = [VIDEO]
    assert (await studio.run(SMALL)).exit_code is ExitCode.DONE
    assert studio.inputs[0]["img_url"].startswith("data:image/png;base64,")
    assert not studio.cloud.asked
    assert "X-DashScope-OssResourceResolve" not in studio.cloud.posted[0].headers


async def test_an_early_end_does_not_wait_for_an_upload(studio):
    """Nothing is paid for by it: the next run makes it anew."""
    studio.cloud.stores = [SILENCE]
    run = studio.plan(TWO)
    asyncio.get_running_loop().call_later(5, run.stop)
    summary = await run.run()
    assert (summary.exit_code, summary.count("pending")) == (ExitCode.MORE_TO_DO, 2)
    assert summary.seconds < 6
    studio.cloud.stores = [(200, "")]
    assert (await studio.run()).exit_code is ExitCode.DONE


async def test_an_upload_that_falls_silent_is_made_again(studio):
    """After a minute without a sign, under another name."""
    studio.cloud.stores = [SILENCE, (200, "")]
    assert (await studio.run()).exit_code is ExitCode.DONE
    assert len({form.fields["key"] for form in studio.cloud.stored}) == 3


BEHIND_A_DEAR_ONE = """
region: beijing
budget: {amount: 2.5, currency: CNY}
defaults: {model: wan2.2-s2v}
jobs:
  - {id: small, image_url: ann.png, audio_url: speech.wav, resolution: 480P}
  - id: dear
    image_url: https://x.test/a.png
    audio_url: https://x.test/a.wav
    resolution: 720P
"""


async def test_a_job_that_rests_is_not_given_up_for_a_dear_one_behind_it(studio):
    """Its upload is late by one refusal; the budget allows it, and not the other."""
    slow = (503, "<Error><Code>SlowDown</Code><Message>broken</Message></Error>")
    studio.cloud.stores = [slow, (200, "")]
    summary = await studio.run(BEHIND_A_DEAR_ONE)
    assert {job.id: job.state for job in summary.jobs} == {"small": "done", "dear": "pending"}
    assert summary.exit_code is ExitCode.ACCOUNT


async def test_throttling_of_uploads_is_waited_out(studio):
    """However often the service asks for patience: nothing fails by that."""
    throttled = {"code": "Throttling.RateQuota", "message": "slow down", "request_id": "r"}
    studio.cloud.policies = [(429, throttled)] * 60 + [None]
    summary = await studio.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert summary.seconds > HOUR
