"""Uploads, checks and direct answers against the sandbox, which checks them as the service does."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import pytest
from PIL import Image

from batchgen.errors import ExitCode

pytestmark = pytest.mark.looptime

SPEECH = """
region: beijing
defaults: {model: wan2.2-s2v, resolution: 480P, image_url: face.png, detect: true}
jobs:
  - {id: one, audio_url: speech.wav}
  - {id: two, audio_url: speech.wav, resolution: 720P}
"""
DIRECT = """
jobs:
  - {id: tea, prompt: A tea bowl., model: wan2.6-t2i, size: 1280*1280, n: 2, answer: sync}
  - id: fold
    model: wan2.6-image
    prompt: How to fold a crane.
    enable_interleave: true
    max_images: 2
    size: 1280*1280
    answer: stream
"""


def local_files(folder: Path) -> None:
    target = io.BytesIO()
    Image.effect_noise((640, 640), 60).convert("RGB").save(target, "PNG")
    (folder / "face.png").write_bytes(target.getvalue())
    with wave.open(str(folder / "speech.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 8000 * 3)


async def test_local_files_are_uploaded_checked_and_rendered(rehearsal, tmp_path):
    """From files beside the manifest to videos with sidecars, through storage and check."""
    local_files(tmp_path)
    summary = await rehearsal.run(SPEECH)
    assert summary.exit_code is ExitCode.DONE
    assert (rehearsal.output / "one.mp4").exists()
    assert rehearsal.sidecar("one")["inputs"]["audio_url"]["source"] == "speech.wav"
    assert rehearsal.bill.tasks_created == 3, "two videos and one look at the face"


async def test_direct_answers_become_files(rehearsal):
    """A synchronous answer and a stream, each with pictures of its own."""
    summary = await rehearsal.run(DIRECT)
    assert summary.exit_code is ExitCode.DONE
    assert (rehearsal.output / "tea-2.png").exists()
    assert (rehearsal.output / "fold-1.png").exists()
    assert rehearsal.sidecar("fold")["text"]
    assert rehearsal.sidecar("tea")["task_id"] is None
