"""What the sidecar tells of a job's inputs and words."""

from __future__ import annotations

import hashlib
import json
import wave
from itertools import count

import pytest

from batchgen.api import Run
from batchgen.errors import ExitCode
from batchgen.manifest import load
from tests.runner.cloud import DONE, MADE, Cloud, png

pytestmark = pytest.mark.looptime

VIDEO = {**DONE, "output": {**DONE["output"], "video_url": "HOST/1.mp4"}}
CHAIR = png("teal", 512)
SIGNED = "https://b.example/sofa.png?Expires=1&Signature=SECRETSIG"


@pytest.fixture
def sidecar(tmp_path):
    """Run one job; its sidecar."""
    numbers = count(1)

    async def sidecar(job: str, look: dict = VIDEO) -> dict:
        (tmp_path / "chair.png").write_bytes(CHAIR)
        with wave.open(str(tmp_path / "voice.wav"), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(b"\0\0" * 16000)
        path = tmp_path / f"film{next(numbers)}.yaml"
        path.write_text(f"jobs:\n  - id: it\n{job}")
        cloud = Cloud(posts=[MADE], looks=[look])
        summary = await Run(load(path), connect=cloud.serving).run()
        assert summary.exit_code is ExitCode.DONE
        return json.loads((tmp_path / "output" / path.stem / "it.json").read_text())

    return sidecar


async def test_one_input_is_told_alone_and_a_list_as_a_list(sidecar):
    """Also a list of one, and an address without its signature."""
    told = await sidecar(
        f"    model: wan2.2-kf2v-flash\n    prompt: Morning.\n    first_frame_url: chair.png\n"
        f"    last_frame_url: {SIGNED}\n"
    )
    assert told["inputs"] == {
        "first_frame_url": {"source": "chair.png", "sha256": hashlib.sha256(CHAIR).hexdigest()},
        "last_frame_url": {"source": "https://b.example/sofa.png", "sha256": None},
    }
    images = {"choices": [{"message": {"content": [{"image": "HOST/1.png"}]}}]}
    edited = {**DONE, "output": {"task_status": "SUCCEEDED", **images}}
    told = await sidecar(
        "    model: wan2.6-image\n    prompt: Linen.\n    images: [chair.png]\n    size: 1K\n",
        edited,
    )
    assert [item["source"] for item in told["inputs"]["images"]] == ["chair.png"]


async def test_a_typed_item_says_its_type_and_its_voice(sidecar):
    """As the manifest has them, each with its own content."""
    told = await sidecar(
        "    model: wan2.7-r2v\n    prompt: Image 1 speaks.\n    media:\n"
        "      - {type: reference_image, url: chair.png, reference_voice: voice.wav}\n"
    )
    (item,) = told["inputs"]["media"]
    assert (item["type"], item["source"]) == ("reference_image", "chair.png")
    assert item["reference_voice"]["source"] == "voice.wav"
    assert len(item["reference_voice"]["sha256"]) == 64


async def test_what_was_cut_is_told_twice(sidecar):
    """As written, and as sent; null where all was sent whole."""
    long = "word " * 400
    plus = "    model: wan2.2-t2v-plus\n    size: 832*480\n"
    told = await sidecar(
        f"{plus}    long_prompt: cut\n    prompt: {long}x\n    negative_prompt: {long}y\n"
    )
    assert (told["prompt"], told["negative_prompt"]) == (f"{long}x", f"{long}y")
    assert told["cut"] == {
        "prompt": told["prompt"][:800],
        "negative_prompt": told["negative_prompt"][:500],
    }
    told = await sidecar(f"{plus}    prompt: Short.\n")
    assert (told["prompt"], told["cut"]) == ("Short.", None)
