from __future__ import annotations

import io
import struct
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from batchgen.artifacts import Measured, NotMedia, measure, measure_input

NOISY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def measured(tmp_path):
    """Measure bytes as a file."""

    def of(content):
        path = tmp_path / "sample"
        path.write_bytes(content)
        return measure(path)

    return of


def reason(measured, content):
    with pytest.raises(NotMedia) as caught:
        measured(content)
    return caught.value.reason


@pytest.mark.parametrize("sample", ["slow_start", "fast_start"])
def test_mp4_is_measured(measured, sample, request):
    """A whole MP4 tells sides, length, frames and codecs, wherever its index stands."""
    content = request.getfixturevalue(sample)
    assert measured(content) == Measured(
        media_type="video/mp4",
        suffix=".mp4",
        bytes=len(content),
        width=64,
        height=48,
        duration=pytest.approx(2.1, abs=0.15),
        frames=20,
        fps=10.0,
        video_codec="avc1",
        audio_codec="mp4a",
    )


def test_mp4_without_sound(measured, silent):
    """A silent video has no audio codec and lasts exactly as long as its pictures."""
    found = measured(silent)
    assert (found.audio_codec, found.duration) == (None, 2.0)


def test_mov_is_told_from_mp4(measured, movie):
    """A QuickTime file keeps its own type and suffix."""
    found = measured(movie)
    assert (found.media_type, found.suffix, found.frames) == ("video/quicktime", ".mov", 20)


def test_fragmented_mp4_is_accepted(measured, silent):
    """A video in fragments has no frame table in its index; what the index says is kept."""
    at = silent.index(b"moov") - 4
    index = bytearray(silent[at:])
    size = index.index(b"stsz")
    index[size + 12 : size + 16] = bytes(4)
    found = measured(silent[:at] + bytes(index) + struct.pack(">I4s", 8, b"moof"))
    assert (found.width, found.frames, found.fps) == (64, None, None)


@pytest.mark.parametrize("kind", ["png", "jpeg", "progressive"])
def test_pictures_are_measured(measured, pictures, kind):
    """PNG and JPEG give their sides and no duration."""
    found = measured(pictures[kind])
    assert (found.width, found.height, found.duration) == (64, 48, None)
    assert found.media_type == ("image/png" if kind == "png" else "image/jpeg")


@pytest.mark.parametrize("kind", ["webp lossy", "webp lossless", "webp extended"])
def test_webp_is_measured_in_all_three_forms(measured, pictures, kind):
    """Lossy, lossless and extended WEBP each keep their sides elsewhere; all are found."""
    found = measured(pictures[kind])
    assert (found.media_type, found.width, found.height) == ("image/webp", 64, 48)


def test_camera_trailer_after_jpeg_is_allowed(measured, pictures):
    """Bytes that a camera appends after the end of a JPEG do not make it broken."""
    assert measured(pictures["jpeg"] + b"\0trailer").width == 64


def test_measuring_an_open_file_leaves_it_open(tmp_path, pictures):
    """An open descriptor is read and stays the caller's."""
    path = tmp_path / "a.png"
    path.write_bytes(pictures["png"])
    with path.open("rb") as file:
        assert measure(file.fileno()).width == 64
        assert file.read(4) == b"\x89PNG"


def test_fast_start_cut_in_half_is_found(measured, fast_start):
    """A fast-start file keeps its whole index when it is cut; the frames beyond the end tell."""
    words = reason(measured, fast_start[: len(fast_start) // 2])
    assert words.startswith("cut: ")
    assert words.endswith("of 20 frames lie beyond the end of the media data")


def test_fast_start_cut_with_open_ended_data_is_found(measured, fast_start):
    """Media data of unstated size ('to the end') hides no cut: the sample tables still tell."""
    at = fast_start.index(b"mdat") - 4
    content = fast_start[:at] + bytes(4) + fast_start[at + 4 :]
    assert measured(content).frames == 20
    assert "frames lie beyond" in reason(measured, content[:-2000])


def test_cut_of_slow_start_is_found(measured, slow_start):
    """A file with its index at the end loses it by any cut."""
    assert "without its index" in reason(measured, slow_start[: len(slow_start) // 2])


@pytest.mark.parametrize("sample", ["slow_start", "fast_start", "silent", "movie"])
def test_every_truncation_of_a_video_is_found(measured, sample, request):
    """No beginning of a video passes for the whole, however long it is."""
    content = request.getfixturevalue(sample)
    for end in (*range(0, len(content) - 1, 97), len(content) - 1):
        assert reason(measured, content[:end])


def test_every_truncation_of_a_picture_is_found(measured, pictures):
    """No beginning of a picture passes for the whole, however long it is."""
    for content in pictures.values():
        for end in (*range(0, len(content) - 1, 41), len(content) - 2, len(content) - 1):
            assert reason(measured, content[:end])


def test_index_that_points_elsewhere_is_found(measured, silent):
    """A sample table that points outside the media data belongs to another file."""
    at = silent.index(b"stco") + 12
    content = silent[:at] + struct.pack(">I", 4) + silent[at + 4 :]
    assert "20 of 20 frames" in reason(measured, content)


def test_sound_that_points_elsewhere_is_found(measured, slow_start):
    """The sound is paid for as well: its samples must be there too."""
    at = slow_start.rindex(b"stco") + 12
    content = slow_start[:at] + struct.pack(">I", len(slow_start)) + slow_start[at + 4 :]
    assert "sound track lies beyond" in reason(measured, content)


def test_frames_without_a_place_are_found(measured, silent):
    """An index that counts frames but places none of them is damaged."""
    at = silent.index(b"stco") + 8
    content = silent[:at] + bytes(4) + silent[at + 4 :]
    assert "20 samples have no place" in reason(measured, content)


def test_cut_behind_the_last_frame_is_found(measured, silent):
    """A file that ends inside a box is cut even if every frame is there."""
    assert "the last 92 bytes are missing" in reason(
        measured, silent + struct.pack(">I4s", 100, b"free")
    )


def test_flipped_byte_in_png_is_found(measured, pictures):
    """A PNG's check sums find damage in the middle."""
    content = bytearray(pictures["png"])
    content[len(content) // 2] ^= 1
    assert "check sum" in reason(measured, bytes(content))


FRAME = b"\xff\xc0\0\x0b\x08\0\x30\0\x40\x01\x01\x11\0"


@pytest.mark.parametrize("count", [4093, 4094, 4095, 4096])
def test_end_of_jpeg_is_found_across_reads(measured, count):
    """The end marker is found wherever the reading happens to be divided."""
    content = b"\xff\xd8" + FRAME + b"\xff\xda\0\x02" + bytes(count) + b"\xff\xd9"
    assert (measured(content).width, measured(content).height) == (64, 48)


def test_jpeg_without_a_scan_is_found(measured):
    """A JPEG that ends before its picture data is no picture."""
    assert "without picture data" in reason(measured, b"\xff\xd8" + FRAME + b"\xff\xd9")


def test_webp_whose_chunks_do_not_add_up_is_found(measured, pictures):
    """A WEBP chunk longer than its file is damage, whatever the header says."""
    content = pictures["webp lossy"]
    broken = content[:16] + struct.pack("<I", len(content)) + content[20:]
    assert "do not add up" in reason(measured, broken)


@pytest.mark.parametrize("kind", ["png", "webp lossy"])
def test_foreign_bytes_after_a_picture_are_found(measured, pictures, kind):
    """Two answers run together are no picture."""
    assert "foreign bytes" in reason(measured, pictures[kind] + b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\0" * 4096, "nothing but zeros"),
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"  <html><body>Bad gateway", "an HTML page"),
        (
            b"<?xml?><Error><Code>AccessDenied</Code><StringToSign>s3cr3t</StringToSign></Error>",
            "an XML error page (AccessDenied)",
        ),
        (b'<?xml version="1.0"?><svg/>', "an XML page"),
        (b'{"code": "InvalidApiKey"}', "JSON text"),
        (b"upstream timed out\n", "text"),
        (b"GIF89a\1\0\1\0", "a GIF picture"),
        (b"\x1f\x8b\x08\0", "gzip data"),
        (b"\0\0\0\x1cftypavif", "an AVIF or HEIC picture"),
        (b"\x1aE\xdf\xa3\x01", "a WebM or Matroska video"),
        (b"\x01\x02\x03", "bytes of an unknown kind (they begin 01 02 03)"),
    ],
)
def test_what_is_no_media_is_named(measured, content, words):
    """The reason says what the bytes look like; of an error page it repeats the code alone."""
    assert reason(measured, content) == words


def test_folder_is_no_media(tmp_path):
    """A folder is refused in words instead of failing in a read."""
    with pytest.raises(NotMedia, match="a folder or a device"):
        measure(tmp_path)


def test_json_of_a_measurement_has_the_sidecars_keys(measured, pictures):
    """The entry has every key, null where a picture has nothing, and no path."""
    assert list(measured(pictures["png"]).as_json().items())[1:5] == [
        ("media_type", "image/png"),
        ("width", 64),
        ("height", 48),
        ("duration", None),
    ]


def box(kind, *payload):
    content = b"".join(payload)
    return struct.pack(">I4s", 8 + len(content), kind) + content


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (box(b"free") * 10_001, "more than 10000 boxes"),
        (box(b"trak") * 100, "100 tracks"),
        (struct.pack(">I4s", 1 << 31, b"trak"), "does not fit"),
        (b"\0" * (9 << 20), "where a small one belongs"),
    ],
)
def test_hostile_index_is_refused(measured, index, words):
    """Counts and sizes that no real video has are refused before they cost anything."""
    assert words in reason(measured, box(b"ftyp", b"isom") + box(b"moov", index) + box(b"mdat"))


def test_claimed_counts_cost_nothing(measured, silent):
    """A table that claims four thousand million rows is refused without making room for them."""
    at = silent.index(b"stsz") + 12
    content = silent[:at] + b"\xff\xff\xff\xff" + silent[at + 4 :]
    tracemalloc.start()
    try:
        assert "shorter than it says" in reason(measured, content)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


MUTATIONS = st.lists(
    st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6
)


def mutated(content, mutations, *, below):
    """Overwrite places in the first ``below`` bytes, where the structure is."""
    changed = bytearray(content)
    for place, patch in mutations:
        at = int(place * (below - 8))
        changed[at : at + len(patch)] = patch
    return bytes(changed)


def measured_or_refused(measured, content):
    try:
        found = measured(content)
    except NotMedia:
        return
    assert found.width > 0 < found.height
    assert found.bytes == len(content)


@NOISY
@given(mutations=MUTATIONS)
def test_mutated_video_is_measured_or_refused(measured, fast_start, mutations):
    """Whatever a damaged index says, only a measurement or a reason comes out."""
    measured_or_refused(measured, mutated(fast_start, mutations, below=fast_start.index(b"mdat")))


@NOISY
@given(mutations=MUTATIONS, kind=st.sampled_from(["jpeg", "progressive", "webp lossy", "png"]))
def test_mutated_picture_is_measured_or_refused(measured, pictures, mutations, kind):
    """Whatever a damaged picture says, only a measurement or a reason comes out."""
    measured_or_refused(measured, mutated(pictures[kind], mutations, below=200))


@NOISY
@given(
    magic=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x20\0\0\0WEBP", b""]),
    content=st.binary(max_size=200),
)
def test_noise_is_measured_or_refused(measured, magic, content):
    """Noise behind a known beginning, or behind none, never escapes as another error."""
    measured_or_refused(measured, magic + content)


def opaque_and_clear():
    """Pictures of each kind, and whether they have a channel for transparency."""
    grey = Image.new("L", (4, 3))
    return [
        (grey, "PNG", {}, False),
        (grey, "PNG", {"transparency": 0}, True),
        (Image.new("RGB", (4, 3)), "PNG", {}, False),
        (Image.new("RGBA", (4, 3)), "PNG", {}, True),
        (Image.new("LA", (4, 3)), "PNG", {}, True),
        (Image.new("P", (4, 3)), "PNG", {"transparency": 0}, True),
        (grey, "JPEG", {}, False),
        (Image.new("RGB", (4, 3)), "WEBP", {}, False),
        (Image.new("RGBA", (4, 3), (1, 2, 3, 4)), "WEBP", {}, True),
        (Image.new("RGBA", (4, 3), (1, 2, 3, 4)), "WEBP", {"lossless": True}, True),
        (Image.new("RGB", (4, 3)), "WEBP", {"lossless": True}, False),
    ]


@pytest.mark.parametrize(("picture", "kind", "options", "alpha"), opaque_and_clear())
def test_transparency_is_told(measured, picture, kind, options, alpha):
    """A channel for transparency is told, in every form that a picture may have it."""
    target = io.BytesIO()
    picture.save(target, kind, **options)
    assert measured(target.getvalue()).alpha is alpha


@pytest.fixture
def measured_input(tmp_path):
    """Measure bytes as a file that is to be sent."""

    def of(content):
        path = tmp_path / "input"
        path.write_bytes(content)
        with path.open("rb") as file:
            return measure_input(file.fileno())

    return of


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_bmp_is_an_input(measured_input, mode):
    """A BMP tells its sides; a fourth byte that no mask calls alpha is none; a cut is told."""
    target = io.BytesIO()
    Image.new(mode, (63, 48)).save(target, "BMP")
    found = measured_input(target.getvalue())
    assert (found.media_type, found.width, found.height) == ("image/bmp", 63, 48)
    assert found.alpha is False
    assert "cut: a BMP" in reason(measured_input, target.getvalue()[:-1])


def test_an_old_bmp_and_one_that_stands_on_its_head(measured_input):
    """The oldest header is read, and rows from the top down are as good as from the bottom up."""
    old = b"BM" + struct.pack("<I2HI", 0, 0, 0, 26) + struct.pack("<I4H", 12, 4, 3, 1, 24)
    assert measured_input(old + bytes(36)).height == 3
    turned = (
        b"BM"
        + struct.pack("<I2HI", 0, 0, 0, 54)
        + struct.pack("<I2i2H6I", 40, 4, -3, 1, 24, *[0] * 6)
    )
    assert measured_input(turned + bytes(36)).height == 3
    assert "negative width" in reason(
        measured_input, turned.replace(b"\4\0\0\0\xfd", b"\xfc\xff\xff\xff\xfd")
    )


@pytest.mark.parametrize("mask", [0, 0xFF000000])
def test_a_bmp_with_a_mask_for_alpha(measured_input, mask):
    """The newer headers say which bits are transparency, and whether there are any."""
    masks = (0xFF0000, 0xFF00, 0xFF, mask)
    header = struct.pack("<I2i2H6I4I52x", 108, 4, 3, 1, 32, 3, *[0] * 5, *masks)
    content = b"BM" + struct.pack("<I2HI", 0, 0, 0, 14 + len(header)) + header + bytes(48)
    assert measured_input(content).alpha is bool(mask)


@pytest.mark.parametrize(("mode", "alpha"), [("L", False), ("RGB", False), ("RGBA", True)])
def test_tiff_is_an_input(measured_input, mode, alpha):
    """A TIFF tells its sides and its transparency; half a directory is refused."""
    target = io.BytesIO()
    Image.new(mode, (63, 48)).save(target, "TIFF")
    found = measured_input(target.getvalue())
    assert (found.media_type, found.width, found.height) == ("image/tiff", 63, 48)
    assert found.alpha is alpha
    assert "cut" in reason(measured_input, target.getvalue()[:20])


def test_a_tiff_in_the_other_order(measured_input):
    """Old workstations wrote the high byte first."""
    entries = struct.pack(">2HIHxx2HII", 256, 3, 1, 63, 257, 4, 1, 48)
    content = b"MM\0*" + struct.pack(">IH", 8, 2) + entries
    assert (measured_input(content).width, measured_input(content).height) == (63, 48)


def test_avi_is_an_input(measured_input, avi):
    """An AVI tells its sides and its length; one that is cut, or empty, is refused."""
    content = avi
    found = measured_input(content)
    assert (found.media_type, found.width, found.height) == ("video/x-msvideo", 64, 48)
    assert (found.duration, found.frames, found.fps) == (2.0, 20, 10.0)
    assert "cut: an AVI" in reason(measured_input, content[:-1])
    assert "without its header" in reason(measured_input, content.replace(b"avih", b"hiva"))
    assert "without a picture" in reason(measured_input, content[:32] + bytes(40) + content[72:])


@pytest.mark.parametrize("sample", ["slow_start", "movie"])
def test_results_are_inputs_as_well(measured_input, request, sample):
    """What one model has made may be sent to another."""
    content = request.getfixturevalue(sample)
    assert measured_input(content).duration == pytest.approx(2.1, abs=0.15)


def test_a_length_that_the_frames_contradict_is_not_believed(measured, silent):
    """A video of two seconds that says it lasts an hour, or nothing, lasts two seconds."""
    at = silent.index(b"mvhd") + 20
    for claimed in (3_600_000, 0, 1):
        content = silent[:at] + struct.pack(">I", claimed) + silent[at + 4 :]
        assert measured(content).duration == 2.0
