"""Local files, measured, against what each model's inputs must be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from batchgen.catalog import Measured, Media, MediaKind, Severity, Way, load
from batchgen.catalog.keys import MediaList, TypedMedia
from batchgen.catalog.keys.typed_media import VOICE

MODELS = load().models
OTHERS = yaml.safe_load((Path(__file__).parent / "sound_jobs.yaml").read_text())
TYPES = {
    MediaKind.IMAGE: "image/png",
    MediaKind.AUDIO: "audio/wav",
    MediaKind.VIDEO: "video/mp4",
    MediaKind.DOCUMENT: "application/pdf",
}
MB = 1_000_000
SOUND = Measured(size=1000, width=1000, height=1000, seconds=5.0, alpha=False)


def file(media_type, **changes):
    values = {"size": 1000, "width": 1000, "height": 1000, "seconds": 5.0, "alpha": False}
    return Media("a", "00", media_type, measured=Measured(**{**values, **changes}))


def complaints(name, job, path, medium):
    """What is said about one local file of a job whose other media are public addresses."""
    model = MODELS[name]
    assert model.check(job, region=None) == []
    assert path in {slot.path for slot in model.slots(job)}
    return [
        (complaint.path, complaint.message, complaint.severity)
        for complaint in model.check_media(job, {path: medium})
    ]


def places():
    """Every place of every model that takes files, with a job that has one there."""
    for model in MODELS.values():
        others = [job for word in OTHERS if word in model.name for job in OTHERS[word]]
        for key in model.media_keys:
            job = next(job for job in (model.example, *others) if key in model.terms(job).keys)
            for name, value, at, accepts in values(model.keys[key]):
                if accepts.kind is not MediaKind.LINK:
                    case = {**job, key: value} | ({"duration": 15} if accepts.begins_result else {})
                    yield pytest.param(
                        model, case, (key, *at), accepts, id=f"{model.name}-{key}-{name}"
                    )


def values(takes):
    """Values of a key with one medium of each kind, its place, and what it must be."""
    if isinstance(takes, TypedMedia):
        for role, accepts in takes.types.items():
            item = {"type": role, "url": "a"}
            yield role, [item], (0, "url"), accepts
            if accepts.voice:
                voiced = [{**item, VOICE: "b"}]
                yield f"{role}-voice", voiced, (0, VOICE), accepts.voice
    elif isinstance(takes, MediaList):
        for accepts in takes.accepts:
            yield accepts.kind, ["a"], (0,), accepts
    else:
        yield takes.accepts.kind, "a", (), takes.accepts


def fitting(accepts, **changes):
    """A file that breaks nothing but what the changes break."""
    side = max(accepts.min_side or 0, min(1000, accepts.max_side or 1000))
    seconds = accepts.min_seconds or 1.0
    values = {"size": 1000, "width": side, "height": side, "seconds": seconds, "alpha": False}
    return Media("a", "00", TYPES[accepts.kind], measured=Measured(**{**values, **changes}))


def edges(accepts):
    """Good and bad measures on both sides of each bound, by the data."""
    small, large, ratio = accepts.min_side, accepts.max_side, accepts.max_ratio
    if accepts.max_bytes:
        yield {"size": accepts.max_bytes}, {"size": accepts.max_bytes + 1}
    if small and large:
        yield {"width": small, "height": small}, {"width": small, "height": small - 1}
        yield {"width": large, "height": large}, {"width": large + 1, "height": large}
    if ratio:
        short = max(small or 1, 100)
        long = int(short * ratio)
        yield {"width": long, "height": short}, {"width": long + 1, "height": short}
        yield {"width": short, "height": long}, {"width": short, "height": long + 1}
    if accepts.min_seconds:
        yield {"seconds": accepts.min_seconds}, {"seconds": accepts.min_seconds - 0.01}
    if accepts.max_seconds:
        yield {"seconds": accepts.max_seconds + 0.1}, {"seconds": accepts.max_seconds + 0.11}
    if accepts.below_bytes:
        yield {"size": accepts.below_bytes - 1}, {"size": accepts.below_bytes}
    if accepts.below_seconds:
        yield {"seconds": accepts.below_seconds - 0.01}, {"seconds": accepts.below_seconds}
    if not accepts.alpha:
        yield {"alpha": False}, {"alpha": True}


@pytest.mark.parametrize(("model", "job", "path", "accepts"), [*places()])
def test_the_bounds_of_the_data_hold_from_both_sides(model, job, path, accepts):
    """The last good file passes, the first bad one is complained of in its own place."""

    def errors(medium):
        found = model.check_media(job, {path: medium})
        return [complaint for complaint in found if complaint.severity is Severity.ERROR]

    assert errors(fitting(accepts)) == []
    for good, bad in edges(accepts):
        assert errors(fitting(accepts, **good)) == []
        [complaint] = errors(fitting(accepts, **bad))
        assert complaint.path == path
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path[1:])
        assert complaint.message.startswith(f"{path[0]}{steps} of {model.name} ")


I2V = {"img_url": "a"}
T2V = {"prompt": "x", "audio_url": "a", "duration": 5}


@pytest.mark.parametrize(
    ("name", "job", "path", "good", "bad"),
    [
        ("wan2.6-i2v", I2V, ("img_url",), {"size": 20 * MB}, {"size": 20 * MB + 1}),
        ("wan2.6-i2v", I2V, ("img_url",), {"width": 240, "height": 240}, {"height": 239}),
        ("wan2.6-i2v", I2V, ("img_url",), {"width": 8000}, {"width": 8001}),
        ("wan2.6-i2v", I2V, ("img_url",), {"width": 2000, "height": 250}, {"width": 8001}),
        ("wan2.6-i2v", I2V, ("img_url",), {"alpha": False}, {"alpha": True}),
        ("wan2.2-i2v-plus", I2V, ("img_url",), {"size": 10 * MB}, {"size": 10 * MB + 1}),
        ("wan2.2-i2v-plus", I2V, ("img_url",), {"width": 360, "height": 2000}, {"width": 359}),
        ("wan2.1-i2v-turbo", I2V, ("img_url",), {"width": 2000}, {"width": 2001}),
        ("wan2.6-t2v", T2V, ("audio_url",), {"seconds": 3.0}, {"seconds": 2.9}),
        ("wan2.6-t2v", T2V, ("audio_url",), {"seconds": 30.1}, {"seconds": 30.11}),
        ("wan2.7-t2v", T2V, ("audio_url",), {"seconds": 2.0}, {"seconds": 1.9}),
        ("wan2.7-t2v", T2V, ("audio_url",), {"size": 15 * MB}, {"size": 15 * MB + 1}),
    ],
)
def test_the_documented_limits_hold_from_both_sides(name, job, path, good, bad):
    """The last documented measure is sound, and the next one is refused."""
    kind = "audio/mpeg" if "audio" in path[0] else "image/jpeg"

    def errors(measures):
        found = complaints(name, job, path, file(kind, **measures))
        return [message for _, message, severity in found if severity is Severity.ERROR]

    assert errors(good) == []
    assert len(errors(bad)) >= 1


LIMITS = {
    ("wan2.7-i2v", "first_clip"): (2, 10, 100 * MB, 240, 4096),
    ("wan2.7-i2v", "driving_audio"): (2, 30, 15 * MB, None, None),
    ("wan2.7-i2v", "last_frame"): (None, None, 20 * MB, 240, 8000),
    ("wan2.7-r2v", "reference_video"): (1, 30, 100 * MB, 240, 4096),
    ("wan2.7-r2v", "reference_voice"): (1, 10, 15 * MB, None, None),
    ("wan2.7-videoedit", "video"): (2, 10, 100 * MB, 240, 4096),
    ("wan3.0-video", "reference_video"): (1, 15, 100 * MB, 240, 4096),
    ("wan3.0-video", "file"): (None, None, 100 * MB, None, None),
    ("wan2.2-s2v", "image_url"): (None, None, None, 400, 7000),
    ("wan2.2-s2v", "audio_url"): (None, None, None, None, None),
    ("wan2.2-animate-move", "image_url"): (None, None, 5 * MB, 200, 4096),
    ("wan2.2-animate-mix", "video_url"): (2, 30, 200 * MB, 200, 2048),
    ("wan2.2-kf2v-flash", "last_frame_url"): (None, None, 10 * MB, 360, 2000),
    ("wan2.7-image", "images"): (None, None, 20 * MB, 240, 8000),
    ("wan2.6-image", "images"): (None, None, 10 * MB, 240, 8000),
    ("wan2.6-r2v", "reference_urls"): (None, None, 20 * MB, 240, 8000),
    ("wan2.5-i2i-preview", "images"): (None, None, 10 * MB, 384, 5000),
    ("wanx2.1-imageedit", "base_image_url"): (None, None, 10 * MB, 512, 4096),
}


@pytest.mark.parametrize(("place", "limits"), LIMITS.items())
def test_what_the_data_say_of_media_is_what_is_documented(place, limits):
    """Seconds, bytes and sides of each kind of input, by the reference."""
    name, key = place
    takes = MODELS[name].keys.get(key) or MODELS[name].keys["media"]
    role = key if isinstance(takes, TypedMedia) else None
    accepts = takes.accepted(role)[0]
    sides = accepts.min_side, accepts.max_side
    assert (accepts.min_seconds, accepts.max_seconds, accepts.max_bytes, *sides) == limits


@pytest.mark.parametrize(
    ("name", "job", "path", "media_type", "message"),
    [
        (
            "wan2.6-i2v",
            I2V,
            ("img_url",),
            "image/gif",
            "img_url of wan2.6-i2v must be JPEG, PNG, BMP or WEBP, not image/gif",
        ),
        (
            "wan2.6-t2v",
            T2V,
            ("audio_url",),
            "video/mp4",
            "audio_url of wan2.6-t2v must be WAV or MP3, not video/mp4",
        ),
        (
            "wan2.6-r2v",
            {"prompt": "x", "reference_urls": ["a"]},
            ("reference_urls", 0),
            "audio/wav",
            (
                "reference_urls[0] of wan2.6-r2v must be JPEG, PNG, BMP, WEBP, MP4 or MOV, "
                "not audio/wav"
            ),
        ),
    ],
)
def test_a_file_of_another_format_is_refused(name, job, path, media_type, message):
    """What the content is decides, not what the file is called."""
    assert complaints(name, job, path, file(media_type)) == [(path, message, Severity.ERROR)]


OPAQUE = {
    ("wan2.6-i2v", "img_url"),
    ("wan2.2-i2v-plus", "img_url"),
    ("wan2.1-i2v-turbo", "img_url"),
    ("wan2.7-i2v", "first_frame"),
    ("wan2.7-i2v", "last_frame"),
    ("wan2.2-kf2v-flash", "first_frame_url"),
    ("wanx2.1-kf2v-plus", "last_frame_url"),
    ("wan2.6-image", "images"),
    ("wan2.7-image-pro", "images"),
    ("wan2.5-i2i-preview", "images"),
    ("wan2.6-r2v-flash", "reference_urls"),
    ("wan2.7-videoedit", "reference_image"),
}
OTHER_PICTURES = {
    ("wanx2.1-imageedit", "base_image_url"),
    ("wan2.1-vace-plus", "ref_images_url"),
    ("wan2.2-s2v", "image_url"),
    ("wan2.2-animate-move", "image_url"),
    ("wan2.7-r2v", "first_frame"),
    ("wan2.7-r2v", "reference_image"),
    ("wan3.0-video", "first_frame"),
    ("wan3.0-video", "reference_image"),
}


@pytest.mark.parametrize("place", [*OPAQUE, *OTHER_PICTURES])
def test_an_alpha_channel_is_forbidden_where_a_page_says_so(place):
    """And in no other picture."""
    name, key = place
    takes = MODELS[name].keys.get(key) or MODELS[name].keys["media"]
    accepts = takes.accepted(key)[0]
    found = [fault.message for fault in accepts.faults(file("image/png", alpha=True))]
    assert found == ["must not have an alpha channel"] * (place in OPAQUE)


def test_a_speech_has_less_than_fifteen_megabytes():
    """And is told so, with the digits that make the difference."""
    job, path = {"image_url": "i", "audio_url": "a"}, ("audio_url",)
    accepts = MODELS["wan2.2-s2v"].keys["audio_url"].accepts
    assert (accepts.below_seconds, accepts.below_bytes) == (20, 15 * MB)
    assert complaints("wan2.2-s2v", job, path, file("audio/wav", size=15 * MB - 1)) == []
    [(_, message, _)] = complaints("wan2.2-s2v", job, path, file("audio/wav", size=15 * MB + 4))
    assert message == "audio_url of wan2.2-s2v must have less than 15 MB, not 15.000004"


@pytest.mark.parametrize(
    ("name", "job", "path", "medium", "told"),
    [
        ("wan2.6-i2v", I2V, ("img_url",), file("image/png", size=20_004_999), "MB, not 20.005"),
        ("wan2.6-t2v", T2V, ("audio_url",), file("audio/wav", seconds=2.9996), "not 2.9996"),
        ("wan2.6-t2v", T2V, ("audio_url",), file("audio/wav", seconds=2.5), "not 2.50"),
        (
            "wan3.0-video",
            {"media": [{"type": "reference_video", "url": "a"}], "duration": 20},
            ("media", 0, "url"),
            file("video/mp4", seconds=10.001),
            "not 10.001 + 20",
        ),
    ],
)
def test_a_measure_is_told_apart_from_the_bound_that_it_breaks(name, job, path, medium, told):
    """Nobody reads that 30.00 is not 30."""
    [message] = [
        message
        for _, message, severity in complaints(name, job, path, medium)
        if severity is Severity.ERROR
    ]
    assert message.endswith(told)


@pytest.mark.parametrize(
    ("seconds", "duration", "told"),
    [(5.0, 6, None), (4.9, None, None), (5.0, 5, "5.00"), (5.02, 5, "5.02"), (5.0, None, "5.00")],
)
def test_a_clip_must_leave_something_to_be_made(seconds, duration, told):
    """The result begins with the clip, and is billed whole."""
    job = {"media": [{"type": "first_clip", "url": "a"}], "duration": duration}
    path = ("media", 0, "url")
    job = {key: value for key, value in job.items() if value}
    found = complaints("wan2.7-i2v", job, path, file("video/mp4", seconds=seconds))
    assert [at for at, _, _ in found] == [path] * bool(told)
    if told:
        [(_, message, severity)] = found
        assert severity is Severity.ERROR
        assert f"lasts {told} seconds: the result of 5 begins with it" in message


def test_roles_alike_have_each_a_total_of_their_own():
    """Two roles of which the same is asked are not added up."""
    alike = {"kind": "audio", "total_seconds": 10}
    takes = TypedMedia(type="typed_media", types={"voices": alike, "noises": alike})
    value = [{"type": role, "url": "a"} for role in ("voices", "noises", "noises")]

    def told(*seconds):
        found = {
            (index, "url"): file("audio/wav", seconds=length)
            for index, length in enumerate(seconds)
        }
        return [fault.message for fault in takes.measured_faults(value, found, 5)]

    assert told(9.0, 5.0, 5.0) == []
    assert told(9.0, 5.0, 6.0) == ["may hold audios of 10 seconds together, not 11.00"]


def test_media_of_one_role_are_looked_at_together_whatever_others_are_like():
    """Two roles whose files must be the same are two roles; one whose list is full is told once."""
    media = [{"type": "last_frame", "url": "a"}, {"type": "first_frame", "url": "b"}]
    found = {("media", index, "url"): file("image/png") for index in range(2)}
    assert MODELS["wan2.7-i2v"].check_media({"media": media}, found) == []
    videos = [{"type": "reference_video", "url": name} for name in "abcdef"]
    job = {"prompt": "x", "media": videos}
    found = {("media", index, "url"): file("video/mp4", seconds=2.0) for index in range(6)}
    model = MODELS["wan3.0-video"]
    told = [*model.check(job, region=None), *model.check_media(job, found)]
    assert [one.message for one in told] == [
        "media of wan3.0-video may hold 5 reference_video at most, not 6"
    ]
    pictures = {"prompt": "x", "reference_urls": list("abcdef")}
    found = {("reference_urls", index): file("image/png", seconds=None) for index in range(6)}
    model = MODELS["wan2.6-r2v"]
    told = [*model.check(pictures, region=None), *model.check_media(pictures, found)]
    assert [one.message for one in told] == ["reference_urls of wan2.6-r2v must hold 1 to 5, not 6"]


@pytest.mark.parametrize("seconds", [19.99, 20.0, 20.05])
def test_a_speech_is_shorter_than_twenty_seconds(seconds):
    """Strictly, as the task fails otherwise: its padding counts."""
    job = {"image_url": "i", "audio_url": "a"}
    found = complaints("wan2.2-s2v", job, ("audio_url",), file("audio/wav", seconds=seconds))
    told = f"audio_url of wan2.2-s2v must last less than 20 seconds, not {seconds:.2f}"
    assert [message for _, message, _ in found] == [told] * (seconds >= 20)
    assert "less than 20 seconds" in MODELS["wan2.2-s2v"].keys["audio_url"].describe()


def test_a_lone_file_may_not_be_longer_than_all_may_be_together():
    """Reference sounds have no length of their own, only one for all of them."""
    job = {"prompt": "x", "media": [{"type": "reference_audio", "url": "a"}]}
    path = ("media", 0, "url")
    assert complaints("wan3.0-video", job, path, file("audio/wav", seconds=15.1)) == []
    [(where, message, _)] = complaints("wan3.0-video", job, path, file("audio/wav", seconds=40.0))
    assert where == ("media",)
    assert message == "media of wan3.0-video may hold audios of 15 seconds together, not 40.00"


def test_any_reference_may_carry_a_voice():
    """A first frame as well, and the voice keeps its own limits."""
    media = [
        {"type": "first_frame", "url": "a", "reference_voice": "b"},
        {"type": "reference_video", "url": "c", "reference_voice": "d"},
    ]
    job = {"prompt": "x", "media": media}
    path = ("media", 0, "reference_voice")
    assert complaints("wan2.7-r2v", job, path, file("audio/wav", seconds=10.0)) == []
    [(_, message, _)] = complaints("wan2.7-r2v", job, path, file("audio/wav", seconds=11.0))
    assert "must last 1 to 10 seconds" in message


def test_a_sound_that_is_not_as_long_as_its_video_is_warned_of():
    """What is cut and what stays silent is said, and stops nothing."""
    path = ("audio_url",)
    [(_, long, severity)] = complaints("wan2.6-t2v", T2V, path, file("audio/wav", seconds=7.25))
    assert severity is Severity.WARNING
    assert long == (
        "audio_url of wan2.6-t2v lasts 7.25 seconds: the video ends after 5, and cuts it"
    )
    [(_, short, severity)] = complaints("wan2.6-t2v", T2V, path, file("audio/wav", seconds=3.5))
    assert severity is Severity.WARNING
    assert short == (
        "audio_url of wan2.6-t2v lasts 3.50 seconds: the rest of the video's 5 seconds is silent"
    )
    assert complaints("wan2.6-t2v", T2V, path, file("audio/wav", seconds=5.05)) == []
    by_default = {"prompt": "x", "audio_url": "a"}
    assert complaints("wan2.6-t2v", by_default, path, file("audio/wav", seconds=5.0)) == []


def test_a_voice_is_no_sound_of_the_video():
    """A reference voice may be of any length within its bounds without a warning."""
    media = [{"type": "reference_image", "url": "a", "reference_voice": "b"}]
    job = {"prompt": "x", "media": media}
    path = ("media", 0, "reference_voice")
    assert complaints("wan2.7-r2v", job, path, file("audio/wav", seconds=1.0)) == []


def test_reference_videos_count_together():
    """Each is short enough, and all of them are too long; with the result as well."""
    media = [{"type": "reference_video", "url": name} for name in ("a", "b")]
    job = {"media": media, "prompt": "x", "duration": 10}
    model = MODELS["wan3.0-video"]

    def said(job, *seconds):
        found = {
            ("media", index, "url"): file("video/mp4", seconds=length)
            for index, length in enumerate(seconds)
        }
        return [complaint.message for complaint in model.check_media(job, found)]

    assert said(job, 7.0, 8.0) == []
    assert said(job, 7.0, 8.11) == [
        "media of wan3.0-video may hold videos of 15 seconds together, not 15.11"
    ]
    assert said({**job, "duration": 15}, 7.0, 8.0) == []
    assert said({**job, "duration": 16}, 7.0, 8.0) == [
        "media of wan3.0-video and the result may last 30 seconds together, not 15.00 + 16"
    ]
    assert said({**job, "duration": -1}, 7.0, 8.0) == []


def test_videos_of_a_mixed_list_are_counted_by_their_content():
    """Four of the five references are videos, and only three may be."""
    model = MODELS["wan2.6-r2v"]
    job = {"prompt": "x", "reference_urls": ["a", "b", "c", "d", "e"]}
    found = {("reference_urls", index): file("video/mp4") for index in range(4)}
    found["reference_urls", 4] = file("image/png", seconds=None)
    [complaint] = model.check_media(job, found)
    assert complaint.message == "reference_urls of wan2.6-r2v may hold 3 videos at most, not 4"
    found["reference_urls", 3] = file("image/png", seconds=None)
    assert model.check_media(job, found) == []


def test_what_is_not_measured_is_not_checked():
    """A public address is taken at its word."""
    job = {"prompt": "x", "reference_urls": ["https://example.com/a", "https://example.com/b"]}
    found = {("reference_urls", 0): Media("https://example.com/a")}
    assert MODELS["wan2.6-r2v"].check_media(job, found) == []


def test_slots_name_every_medium_with_its_kinds_and_role():
    """A reader of manifests learns where to look, and what may be there."""
    model = MODELS["wan2.7-r2v"]
    media = [{"type": "reference_video", "url": "v.mp4", "reference_voice": "v.wav"}, {"url": "x"}]
    first, second = model.slots({"media": media})
    assert (first.path, first.source, first.role) == (
        ("media", 0, "url"),
        "v.mp4",
        "reference_video",
    )
    assert first.kinds == {MediaKind.VIDEO}
    assert (second.path, second.role) == (("media", 0, "reference_voice"), "reference_voice")
    assert second.kinds == {MediaKind.AUDIO}
    [slot] = MODELS["wan2.6-r2v"].slots({"reference_urls": ["a", 7, ""]})
    assert slot.kinds == {MediaKind.IMAGE, MediaKind.VIDEO}


@pytest.mark.parametrize(
    ("name", "key", "medium", "way"),
    [
        ("wan2.6-i2v", "img_url", Media("https://example.com/a"), Way.AS_IS),
        ("wan2.6-i2v", "img_url", Media("data:image/png;base64,AA=="), Way.AS_IS),
        ("wan2.6-i2v", "img_url", Media("oss://a/b"), Way.AS_IS),
        ("wan2.6-i2v", "img_url", file("image/png", size=2 * MB), Way.INLINE),
        ("wan2.6-i2v", "img_url", file("image/png", size=2 * MB + 1), Way.UPLOAD),
        ("wan2.6-i2v", "audio_url", file("audio/wav"), Way.UPLOAD),
        ("wan2.2-kf2v-flash", "last_frame_url", file("image/png"), Way.INLINE),
        ("wan2.7-image", "images", file("image/png"), Way.INLINE),
        ("wan2.6-r2v", "reference_urls", file("image/png"), Way.UPLOAD),
        ("wan2.2-s2v", "image_url", file("image/png"), Way.UPLOAD),
    ],
)
def test_the_way_of_a_medium(name, key, medium, way):
    """Addresses go as they are, small pictures inline where that is documented, the rest up."""
    assert MODELS[name].way(key, medium) is way


@pytest.mark.parametrize("role", ["reference_video", "reference_voice", "first_frame"])
def test_items_of_media_are_uploaded(role):
    """No page speaks of data URIs for them."""
    medium = Media("a", "00", "image/png", role=role, measured=SOUND)
    assert MODELS["wan2.7-r2v"].way("media", medium) is Way.UPLOAD


@pytest.mark.parametrize(("role", "way"), [("reference_image", Way.INLINE), ("video", Way.UPLOAD)])
def test_a_reference_of_an_edit_may_be_inline(role, way):
    """The page shows data URIs for the pictures beside the video."""
    medium = Media("a", "00", "image/png", role=role, measured=SOUND)
    assert MODELS["wan2.7-videoedit"].way("media", medium) is way


def test_a_data_uri_is_refused_where_none_is_documented():
    """The hint says what works instead."""
    uri = "data:audio/wav;base64,UklGRg=="
    [complaint] = MODELS["wan2.6-t2v"].check({"prompt": "x", "audio_url": uri}, region=None)
    assert complaint.message == "audio_url of wan2.6-t2v takes no data URI"
    assert complaint.hint == "name a file, which is uploaded, or give a URL"
    uri = "data:image/png;base64,iVBORw0KGgo="
    assert MODELS["wan2.6-i2v"].check({"img_url": uri}, region=None) == []


def test_a_link_is_the_address_of_a_page():
    """A local file cannot be a public page."""
    media = [{"type": "link", "url": "page.html"}]
    [complaint] = MODELS["wan3.0-video"].check({"media": media}, region=None)
    assert complaint.path == ("media", 0, "url")
    assert complaint.message.endswith("must be the address of a public page")


def test_a_request_keeps_roles_and_voices():
    """Its media are in the order of the job, each with what it is for."""
    model = MODELS["wan2.7-r2v"]
    media = [
        {"type": "reference_image", "url": "a.png", "reference_voice": "a.wav"},
        {"type": "first_frame", "url": "b.png"},
    ]
    values = {"prompt": "x", "media": media}
    found = {slot.path: Media(slot.source, "00") for slot in model.slots(values)}
    first, second = model.request(values, found).media["media"]
    assert (first.role, first.voice) == (
        "reference_image",
        Media("a.wav", "00", role="reference_voice"),
    )
    assert (second.role, second.voice) == ("first_frame", None)
    assert [item.source for item in model.request(values, found).files] == [
        "a.png",
        "a.wav",
        "b.png",
    ]
