from __future__ import annotations

import io
import os
import struct
import wave

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.artifacts import NotMedia, measure, measure_input


def wav(seconds=2.0, *, rate=8000, channels=1, width=2) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", "not compressed"))
        file.writeframes(bytes(int(seconds * rate) * channels * width))
    return target.getvalue()


def encoded(kind: str, codec: str, *, rate: int, seconds: int = 3) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        for number in range(seconds * rate // 800):
            frame = av.AudioFrame(format="s16p", layout="mono", samples=800)
            frame.planes[0].update(os.urandom(1600))
            frame.sample_rate, frame.pts = rate, 800 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()


@pytest.fixture(scope="session")
def mp3():
    """Three seconds, with a tag in front."""
    return encoded("mp3", "mp3", rate=44_100)


@pytest.fixture
def measured(tmp_path):
    """Measure bytes as an input file."""

    def of(content):
        path = tmp_path / "sound"
        path.write_bytes(content)
        with path.open("rb") as file:
            return measure_input(file.fileno())

    return of


def reason(measured, content):
    with pytest.raises(NotMedia) as caught:
        measured(content)
    return caught.value.reason


@pytest.mark.parametrize("form", [{}, {"rate": 44_100, "channels": 2}, {"width": 3}, {"width": 1}])
def test_wav_is_measured(measured, form):
    """The length of a WAV is that of its samples, whatever their form."""
    content = wav(1.5, **form)
    found = measured(content)
    assert (found.media_type, found.duration, found.bytes) == ("audio/wav", 1.5, len(content))


@pytest.mark.parametrize("claimed", [0, 10, 0xFFFFFFFF])
def test_a_wav_lasts_as_long_as_its_bytes(measured, claimed):
    """A length that was never filled in, or that is more than there is, is not believed."""
    content = bytearray(wav(2.0))
    content[40:44] = struct.pack("<I", claimed)
    assert measured(bytes(content)).duration == (0.001 if claimed == 10 else 2.0)


def test_a_wav_with_other_chunks(measured):
    """Notes of an editor before the data, and after it, change nothing."""
    content = wav(2.0)
    note = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    assert measured(content[:36] + note + content[36:] + note).duration == 2.0


def test_a_compressed_wav_is_measured_by_its_rate(measured):
    """Where samples are packed, the header's bytes a second count."""
    form = struct.pack("<2H2I2H", 0x11, 1, 8000, 4055, 256, 4)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", 8110)
    assert measured(b"RIFF\0\0\0\0WAVE" + chunks + bytes(8110)).duration == 2.0


@pytest.mark.parametrize(
    "content",
    [
        b"RIFF\4\0\0\0WAVE",
        wav(0.0),
        wav(2.0)[:30],
        wav(2.0)[:44],
        wav(1.0).replace(b"fmt ", b"tmf "),
    ],
)
def test_a_wav_without_sound_is_refused(measured, content):
    """A header alone is no sound, and neither are samples of which nothing is known."""
    assert reason(measured, content)


@pytest.mark.parametrize("rate", [44_100, 48_000, 32_000, 24_000, 16_000, 8_000])
def test_mp3_is_measured(measured, rate):
    """The length of an MP3 is the sum of its frames, at each of the standard's rates."""
    found = measured(encoded("mp3", "mp3", rate=rate))
    assert (found.media_type, found.suffix) == ("audio/mpeg", ".mp3")
    assert found.duration == pytest.approx(3, abs=0.3)


def test_an_mp3_may_carry_tags(measured, mp3):
    """Tags in front, behind, and rubbish in between do not count as sound."""
    bare = mp3[mp3.index(b"\xff\xfb") :]
    lasts = measured(bare).duration
    cover = b"ID3\4\0\0" + bytes([0, 2, 0, 0]) + b"\xff\xfb\x90\0" * (1 << 13)
    assert measured(cover + bare + b"TAG" + bytes(125)).duration == lasts
    assert measured(bare[:2000] + b"\xff\xff rubbish" + bare[2000:]).duration <= lasts


def test_a_cut_mp3_lasts_as_long_as_what_is_left(measured, mp3):
    """Nothing that a header announces is counted unless it is there."""
    assert measured(mp3[: len(mp3) // 2]).duration == pytest.approx(1.5, abs=0.2)
    frame = b"\xff\xfb\x90\0" + bytes(413)
    assert measured(frame * 2 + frame[:100]).duration == round(2 * 1152 / 44_100, 3)
    assert measured(frame * 3).duration == round(3 * 1152 / 44_100, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"ID3\4\0\0\0\0\0\0",
        b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(100),
        b"ID3\4\0\0\0\0\0\0" + b"\xff" * 3_000_000,
        b"\xff\xfb\x90\0" + bytes(100_000),
    ],
)
def test_what_only_begins_like_an_mp3_is_refused(measured, content):
    """A tag or a single frame makes no sound, and costs no time."""
    assert "MP3" in reason(measured, content)


def test_endless_rubbish_ends(measured, monkeypatch):
    """A file of a thousand false beginnings is given up."""
    monkeypatch.setattr("batchgen.artifacts.sounds._STEPS", 1_000)
    assert "more frames" in reason(measured, b"ID3\4\0\0\0\0\0\0" + b"\xff" * 3_000)


def test_a_sound_is_no_result(tmp_path, mp3):
    """No model makes sounds alone: one in a result's place is refused as before."""
    path = tmp_path / "result.mp4"
    for content, words in ((mp3, "an MP3 sound"), (wav(), "a WAV sound"), (b"BM..", "a BMP")):
        path.write_bytes(content)
        with pytest.raises(NotMedia, match=words):
            measure(path)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    patches=st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=8)), max_size=5),
    sample=st.sampled_from(
        [
            wav(0.2),
            b"\xff\xfb\x90\0" + bytes(500),
            b"BM" + bytes(60),
            b"II*\0\x08\0\0\0\2\0" + struct.pack("<2H2I2H2I", 256, 4, 1, 4, 257, 4, 1, 3),
            b"RIFF\x40\0\0\0AVI LIST\x40\0\0\0hdrlavih\x38\0\0\0" + b"\1\0\0\0" * 14,
        ]
    ),
)
def test_mutated_input_is_measured_or_refused(measured, patches, sample):
    """Whatever a damaged header says, only a measurement or a reason comes out."""
    changed = bytearray(sample)
    for at, patch in patches:
        changed[at : at + len(patch)] = patch
    try:
        found = measured(bytes(changed))
    except NotMedia:
        return
    assert found.bytes == len(changed)
