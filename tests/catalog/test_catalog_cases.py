"""What a job says changes what a model takes: every documented combination that is refused."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from batchgen.catalog import load
from batchgen.catalog.cases import Case, Condition, settle, together
from batchgen.catalog.keys import Integer, Switch
from tests.catalog.schemas import fits

CATALOG = load()
MODELS = CATALOG.models
SCHEMA = CATALOG.job_schema()
U = "https://example.com/x"
IMAGE = {"type": "reference_image", "url": U}
VIDEO = {"type": "reference_video", "url": U}
FIRST = {"type": "first_frame", "url": U}
LAST = {"type": "last_frame", "url": U}
CLIP = {"type": "first_clip", "url": U}
SOUND = {"type": "driving_audio", "url": U}
EDIT = {"function": "video_edit", "prompt": "x", "video_url": U}
RETOUCH = {"prompt": "x", "base_image_url": U}


def said(name, job):
    """What the check complains of; what it takes the schema must take as well."""
    told = [complaint.message for complaint in MODELS[name].check(job, region=None)]
    assert told or fits(json.loads(json.dumps({**job, "model": name})), SCHEMA)
    return told


REFUSED = [
    ("wan2.6-t2v", {"prompt": "x", "shot_type": "multi", "prompt_extend": False}, "shot_type"),
    ("wan2.6-i2v", {"img_url": U, "shot_type": "multi", "prompt_extend": False}, "shot_type"),
    ("wan2.6-i2v-flash", {"img_url": U, "audio": False, "audio_url": U}, "audio_url"),
    ("wan2.5-i2v-preview", {"img_url": U, "template": "t", "prompt": "x"}, "prompt"),
    ("wan2.2-kf2v-flash", {"first_frame_url": U, "template": "t", "prompt": "x"}, "prompt"),
    ("wan2.2-kf2v-flash", {"first_frame_url": U, "template": "t", "last_frame_url": U}, "last_f"),
    (
        "wan2.6-r2v",
        {"prompt": "x", "reference_urls": [U], "reference_video_urls": [U]},
        "reference_video_urls",
    ),
    ("wan2.7-r2v", {"prompt": "x", "media": [IMAGE, FIRST], "ratio": "1:1"}, "ratio"),
    ("wan2.6-image", {"prompt": "x", "images": [U], "max_images": 2}, "max_images"),
    (
        "wan2.6-image",
        {"prompt": "x", "enable_interleave": True, "max_images": 2, "prompt_extend": True},
        "prompt_extend",
    ),
    ("wan2.7-image", {"prompt": "x", "bbox_list": [[[0, 0, 1, 1]]]}, "bbox_list"),
    ("wan2.7-image", {"prompt": "x", "images": [U], "thinking_mode": True}, "thinking_mode"),
    (
        "wan2.7-image",
        {"prompt": "x", "enable_sequential": True, "n": 2, "thinking_mode": True},
        "thinking_mode",
    ),
    (
        "wan2.7-image",
        {
            "prompt": "x",
            "enable_sequential": True,
            "n": 2,
            "color_palette": [
                {"hex": "#000000", "ratio": "50.00%"},
                {"hex": "#ffffff", "ratio": "25.00%"},
                {"hex": "#ff0000", "ratio": "25.00%"},
            ],
        },
        "color_palette",
    ),
    ("wanx2.1-imageedit", {**RETOUCH, "function": "expand", "mask_image_url": U}, "mask_image_url"),
    ("wanx2.1-imageedit", {**RETOUCH, "function": "expand", "strength": 0.5}, "strength"),
    ("wanx2.1-imageedit", {**RETOUCH, "function": "doodle", "top_scale": 1.5}, "top_scale"),
    ("wanx2.1-imageedit", {**RETOUCH, "function": "doodle", "upscale_factor": 2}, "upscale_f"),
    ("wanx2.1-imageedit", {**RETOUCH, "function": "expand", "is_sketch": True}, "is_sketch"),
    ("wan2.1-vace-plus", {**EDIT, "mask_image_url": U, "mask_video_url": U}, "mask_video_url"),
    ("wan2.1-vace-plus", {**EDIT, "mask_video_url": U, "mask_frame_id": 1}, "mask_frame_id"),
    ("wan2.1-vace-plus", {**EDIT, "mask_video_url": U, "strength": 0.5}, "strength"),
    (
        "wan2.1-vace-plus",
        {
            "function": "video_repainting",
            "prompt": "x",
            "video_url": U,
            "control_condition": "depth",
            "size": "1280*720",
        },
        "size",
    ),
    ("wan2.1-vace-plus", {**EDIT, "mask_video_url": U, "first_clip_url": U}, "first_clip_url"),
    ("wan2.1-vace-plus", {**EDIT, "mask_video_url": U, "top_scale": 1.5}, "top_scale"),
    (
        "wan2.1-vace-plus",
        {"function": "image_reference", "prompt": "x", "ref_images_url": [U], "video_url": U},
        "video_url",
    ),
]


@pytest.mark.parametrize(("name", "job", "key"), REFUSED)
def test_a_key_that_another_one_rules_out_is_refused(name, job, key):
    """The complaint is about the key, names the model and the reason, and says why."""
    [complaint] = MODELS[name].check(job, region=None)
    assert str(complaint.path[0]).startswith(key)
    start = f"{name} does not take {complaint.path[0]} "
    assert complaint.message.startswith((f"{start}when ", f"{start}with", f"{start}unless "))
    assert complaint.hint


@pytest.mark.parametrize(
    ("name", "job", "message"),
    [
        (
            "wan2.6-r2v",
            {"prompt": "x"},
            "wan2.6-r2v needs one of reference_urls, reference_video_urls",
        ),
        ("wan3.0-video-prime", {}, "wan3.0-video-prime needs one of prompt, media"),
        (
            "wan2.7-image",
            {"prompt": "x", "enable_sequential": True},
            "n is missing: wan2.7-image needs it when enable_sequential is true",
        ),
        (
            "wan2.6-image",
            {"prompt": "x", "enable_interleave": True},
            "max_images is missing: wan2.6-image needs it when enable_interleave is true",
        ),
        ("wan2.6-image", {"prompt": "x"}, "images is missing: wan2.6-image needs it"),
        ("wan2.2-animate-mix", {"image_url": U, "video_url": U}, "mode is missing"),
        ("wan2.2-s2v", {"image_url": U}, "audio_url is missing"),
        ("wan2.2-kf2v-flash", {"last_frame_url": U, "prompt": "x"}, "first_frame_url is missing"),
        ("wan2.7-i2v", {"prompt": "x"}, "media is missing"),
        ("wan2.7-videoedit", {"prompt": "x"}, "media is missing"),
        ("wan2.5-i2i-preview", {"prompt": "x"}, "images is missing"),
        (
            "wanx2.1-imageedit",
            {**RETOUCH, "function": "description_edit_with_mask"},
            "mask_image_url is missing: wanx2.1-imageedit needs it when function is descr",
        ),
        (
            "wanx2.1-vace-plus",
            {"function": "image_reference", "prompt": "x"},
            "ref_images_url is missing: wanx2.1-vace-plus needs it when function is image_ref",
        ),
        (
            "wanx2.1-vace-plus",
            {"function": "video_repainting", "prompt": "x", "video_url": U},
            "control_condition is missing",
        ),
        (
            "wanx2.1-vace-plus",
            EDIT,
            "wanx2.1-vace-plus needs one of mask_image_url, mask_video_url when function is",
        ),
        (
            "wanx2.1-vace-plus",
            {"function": "video_extension", "prompt": "x"},
            "wanx2.1-vace-plus needs one of first_frame_url, last_frame_url, first_clip_url",
        ),
        (
            "wanx2.1-vace-plus",
            {"function": "video_outpainting", "prompt": "x"},
            "video_url is missing",
        ),
    ],
)
def test_what_a_case_needs_is_missed(name, job, message):
    """What is not there is said about the job as a whole, with the case that needs it."""
    [complaint] = MODELS[name].check(job, region=None)
    assert complaint.path == ()
    assert complaint.message.startswith(message)


@pytest.mark.parametrize("name", ["wan2.7-image", "wan2.7-image-pro"])
@pytest.mark.parametrize("job", [{}, {"images": [U]}, {"enable_sequential": True, "n": 4}])
def test_thinking_can_always_be_switched_off(name, job):
    """Where the service does not think anyway, only to switch it on is a mistake."""
    job = {"prompt": "x"} | job
    assert said(name, job | {"thinking_mode": False}) == []
    assert len(said(name, job | {"thinking_mode": True})) == ("images" in job or "n" in job)


def test_a_voice_is_refused_where_the_model_hears_none():
    """The complaint is in the voice's own place."""
    media = [{**FIRST, "reference_voice": U}]
    [complaint] = MODELS["wan2.7-i2v"].check({"media": media}, region=None)
    assert complaint.path == ("media", 0, "reference_voice")
    assert complaint.message.endswith("is not taken with first_frame")


I2V = [
    [FIRST],
    [FIRST, SOUND],
    [FIRST, LAST],
    [FIRST, LAST, SOUND],
    [CLIP],
    [CLIP, LAST],
]


@pytest.mark.parametrize("media", [*I2V, *(media[::-1] for media in I2V)])
def test_the_documented_sets_of_frames_and_clips_are_taken(media):
    """Each of the six, in whatever order."""
    assert said("wan2.7-i2v", {"media": media}) == []


@pytest.mark.parametrize("media", [[LAST], [SOUND], [CLIP, FIRST], [CLIP, SOUND], [LAST, SOUND]])
def test_another_set_of_frames_and_clips_is_refused(media):
    """The complaint names the set and lists those that are taken."""
    [complaint] = MODELS["wan2.7-i2v"].check({"media": media}, region=None)
    kinds = " + ".join(item["type"] for item in media)
    assert complaint.message == f"media of wan2.7-i2v holds {kinds}, which is not taken"
    assert complaint.hint.endswith("first_clip; first_clip + last_frame")


@pytest.mark.parametrize(
    ("name", "media", "message"),
    [
        ("wan2.7-i2v", [FIRST, FIRST], "may hold 1 first_frame at most, not 2"),
        ("wan2.7-r2v", [FIRST], "must hold 1 to 5 of reference_image or reference_video, not 0"),
        ("wan2.7-r2v", [IMAGE] * 4 + [VIDEO] * 2, "must hold 1 to 5 of reference_image or"),
        ("wan2.7-r2v", [IMAGE, FIRST, FIRST], "may hold 1 first_frame at most, not 2"),
        ("wan2.7-videoedit", [IMAGE], "must hold 1 of video, not 0"),
        ("wan2.7-videoedit", [{"type": "video", "url": U}] * 2, "must hold 1 of video, not 2"),
        (
            "wan2.7-videoedit",
            [{"type": "video", "url": U}, *[IMAGE] * 5],
            "may hold 4 reference_image at most, not 5",
        ),
        ("wan3.0-video", [FIRST, IMAGE], "may not hold both first_frame or last_frame and refer"),
        ("wan3.0-video", [FIRST, {"type": "link", "url": U}], "may not hold both first_frame or l"),
        ("wan3.0-video", [LAST], "may hold a last_frame only with a first_frame"),
        (
            "wan3.0-video",
            [{"type": "file", "url": U}, {"type": "link", "url": U}],
            "may not hold both file and link",
        ),
        ("wan3.0-video", [IMAGE] * 11, "may hold 10 reference_image at most, not 11"),
        ("wan3.0-video", [VIDEO] * 6, "may hold 5 reference_video at most, not 6"),
        ("wan3.0-video", [{"type": "reference_audio", "url": U}] * 6, "may hold 5 reference_audio"),
    ],
)
def test_a_list_of_media_that_breaks_a_rule_together_is_refused(name, media, message):
    """Counts and exclusions are about the list as a whole."""
    job = {"media": media, "prompt": "x"}
    [complaint] = MODELS[name].check(job, region=None)
    assert complaint.path == ("media",)
    assert complaint.message.startswith(f"media of {name} {message}")


@pytest.mark.parametrize(
    ("media", "path", "message", "hint"),
    [
        ("a.png", (), "must be a list of {type, url}, not 'a.png'", None),
        (["a.png"], (0,), "must be {type, url}, not 'a.png'", None),
        (
            [{"url": U}],
            (0,),
            "has no type",
            "it is one of reference_image, reference_video, first_frame",
        ),
        ([{"type": "reference_image"}], (0,), "has no url", None),
        (
            [IMAGE, {"type": "reference_imge", "url": U}],
            (1, "type"),
            "must be reference_image, reference_video or first_frame, not 'reference_imge'",
            "did you mean reference_image?",
        ),
        (
            [{**IMAGE, "reference_vioce": U}],
            (0, "reference_vioce"),
            "has an unknown key 'reference_vioce'",
            "did you mean reference_voice?",
        ),
        ([{**IMAGE, "url": 7}], (0, "url"), "must be a path or a URL, not 7", None),
        (
            [{**IMAGE, "reference_voice": ""}],
            (0, "reference_voice"),
            "is empty",
            "name a file or a URL",
        ),
    ],
)
def test_an_item_of_media_is_complained_of_in_its_own_place(media, path, message, hint):
    """An editor can jump to the item and the field that is wrong."""
    [complaint] = MODELS["wan2.7-r2v"].check({"prompt": "x", "media": media}, region=None)
    assert complaint.path == ("media", *path)
    assert complaint.message.endswith(message)
    assert complaint.hint == hint


def test_all_that_is_wrong_with_a_list_of_media_is_told_at_once():
    """A bad item hides neither the others nor what they break together."""
    media = [
        {"type": "first_fram", "url": ""},
        {"type": "first_frame", "url": " "},
        {"type": "first_frame", "url": U},
        {"type": "first_clip", "url": 7},
    ]
    found = MODELS["wan2.7-i2v"].check({"media": media}, region=None)
    assert [
        (complaint.path, complaint.message.split(" wan2.7-i2v ")[1]) for complaint in found
    ] == [
        (
            ("media", 0, "type"),
            "must be first_frame, last_frame, driving_audio or first_clip, not 'first_fram'",
        ),
        (("media", 0, "url"), "is empty"),
        (("media", 1, "url"), "is empty"),
        (("media", 3, "url"), "must be a path or a URL, not 7"),
        (("media",), "may hold 1 first_frame at most, not 2"),
        (("media",), "holds first_frame + first_clip, which is not taken"),
    ]


def test_a_misspelt_type_may_be_what_is_missing():
    """What the misspelt item would mend is not told besides."""
    media = [{"type": "last_frame", "url": U}, {"type": "first_fram", "url": U}]
    [complaint] = MODELS["wan2.7-i2v"].check({"media": media}, region=None)
    assert complaint.hint == "did you mean first_frame?"
    [complaint] = MODELS["wan3.0-video"].check({"media": media}, region=None)
    assert complaint.hint == "did you mean first_frame?"
    media = [{"type": "vidoe", "url": U}, {"type": "reference_image", "url": U}]
    [complaint] = MODELS["wan2.7-videoedit"].check({"media": media}, region=None)
    assert complaint.hint == "did you mean video?"


def test_a_list_that_goes_along_with_another_has_its_length():
    """A box list for each picture, a word for each reference."""
    boxes = {"prompt": "x", "images": [U, U], "bbox_list": [[[0, 0, 1, 1]]]}
    assert said("wan2.7-image", boxes) == [
        "bbox_list of wan2.7-image must have an item for each of images: 2, not 1"
    ]
    assert said("wan2.7-image", {**boxes, "bbox_list": [[[0, 0, 1, 1]], []]}) == []
    words = {"function": "image_reference", "prompt": "x", "ref_images_url": [U, U]}
    assert said("wan2.1-vace-plus", {**words, "obj_or_bg": ["obj", "bg"]}) == []
    assert said("wan2.1-vace-plus", {**words, "obj_or_bg": ["obj"]})
    assert said("wan2.1-vace-plus", {**words, "obj_or_bg": ["bg", "bg"]}) == [
        "obj_or_bg of wan2.1-vace-plus may say bg 1 time at most"
    ]


def test_the_shares_of_a_palette_add_up_to_the_whole():
    """A hundredth of a per cent too little is told."""
    colours = [
        {"hex": "#C2D1E6", "ratio": "33.33%"},
        {"hex": "#c2d1e6", "ratio": "33.33%"},
        {"hex": "#000000", "ratio": "33.33%"},
    ]
    job = {"prompt": "x", "color_palette": colours}
    assert said("wan2.7-image", job) == [
        "color_palette of wan2.7-image must have ratios that add up to 100.00%, not 99.99%"
    ]
    colours[2] = {"hex": "#000000", "ratio": "33.34%"}
    assert said("wan2.7-image", job) == []
    colours[1] = {"hex": "blue", "ratio": "33.33%"}
    [complaint] = MODELS["wan2.7-image"].check(job, region=None)
    assert complaint.path == ("color_palette", 1)


def test_a_medium_alone_stands_for_a_list_of_one():
    """`images: a.png` is the list of that picture."""
    model = MODELS["wan2.7-image"]
    job = {"prompt": "x", "images": "a.png"}
    assert said("wan2.7-image", job) == []
    [slot] = model.slots(job)
    assert (slot.path, slot.source) == (("images", 0), "a.png")


# -- the mechanism ----------------------------------------------------------------------------

KEYS = {
    "n": Integer(type="integer", minimum=1, maximum=4, default=1),
    "on": Switch(type="switch", default=False),
}


def test_a_condition_reads_the_default_where_the_job_says_nothing():
    """A case for `on: false` holds for a job that does not speak of it."""
    case = Case(when={"on": False})
    assert case.holds({}, {"on": False})
    assert case.holds({"on": None}, {"on": False})
    assert not case.holds({"on": True}, {"on": False})


def test_a_number_is_not_mistaken_for_a_truth_value():
    """1 and true are equal in Python and different in a job."""
    assert not Condition(one_of=(True,)).is_met(1)
    assert not Condition(one_of=(1,)).is_met(True)


def test_a_job_without_its_function_hears_only_that():
    """What the function would rule out is not held against a job that names none."""
    job = {"prompt": "x", "base_image_url": U, "strength": 0.5, "top_scale": 1.5}
    assert said("wanx2.1-imageedit", job) == ["function is missing: wanx2.1-imageedit needs it"]


def test_cases_that_no_job_meets_together_are_not_looked_at_together():
    """Two values of one key, given and not given, or a value and none exclude each other."""
    edit, extend = Case(when={"f": "edit"}), Case(when={"f": "extend"})
    other = Case(when={"f": {"none_of": ["edit"]}})
    given, missing = Case(when={"g": {"given": True}}), Case(when={"g": {"given": False}})
    assert together([edit, extend]) == ((), (edit,), (extend,))
    assert together([edit, other]) == ((), (edit,), (other,))
    assert together([extend, other])[-1] == (extend, other)
    assert together([given, missing]) == ((), (given,), (missing,))
    assert together([edit, given])[-1] == (edit, given)
    with pytest.raises(ValueError, match="too many cases"):
        together([Case(when={f"k{number}": True}) for number in range(7)])


def test_what_one_case_refuses_no_other_gives_back():
    """Two cases that hold together are laid one over the other."""
    narrow, refuse = Case(keys={"n": {"maximum": 2}}), Case(keys={"n": None})
    for cases in ([narrow, refuse], [refuse, narrow]):
        terms = settle(KEYS, cases)
        assert "n" not in terms.keys
        assert terms.refused == {"n": refuse}
    assert settle(KEYS, [narrow]).keys["n"].maximum == 2


@pytest.mark.parametrize(
    "overlay", [{"m": None}, {"n": {"minimun": 2}}, {"n": {"maximum": "many"}}]
)
def test_a_case_that_makes_no_sense_is_refused(overlay):
    """A slip in the data is found when it is read."""
    with pytest.raises((ValueError, ValidationError)):
        settle(KEYS, [Case(keys=overlay)])
