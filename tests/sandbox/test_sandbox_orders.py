from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.sandbox import orders
from batchgen.sandbox.models import Flaw, built_in, sold_in
from batchgen.sandbox.orders import Input, InputKind, Order, Refusal

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "requests").glob("*.json"))
AT = "https://example.com"
PICTURE, CLIP, SOUND = f"{AT}/a.png", f"{AT}/b.mp4", f"{AT}/c.wav"


def body(model, given, **parameters):
    return {"model": model, "input": given, "parameters": parameters}


def media(*items, **more):
    return {"media": [{"type": kind, "url": url} for kind, url in items], **more}


def message(*images, text="a fox"):
    content = [{"text": text}, *({"image": image} for image in images)]
    return {"messages": [{"role": "user", "content": content}]}


def ordered(body, *measured, rng=1):
    """The order of a body whose media were measured so, in their order."""
    model = built_in()[body["model"]]
    orders.check_required(model, body)
    inputs = [Input(one.role, one.kind, one.url, name=one.name)
              for one in orders.media_in(model, body)]  # fmt: skip
    for place, facts in enumerate(measured):
        inputs[place] = replace(inputs[place], **facts)
    return orders.read(model, body, inputs, Random(rng))


def order(model, given, *measured, **parameters):
    return ordered(body(model, given, **parameters), *measured)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_recorded_request_makes_an_order(path):
    """What the client sends for each of its models is what the service understands."""
    made = ordered(json.loads(path.read_text())["body"])
    assert made.cost > 0
    assert (made.seconds > 0) != (made.images > 0)


@pytest.mark.parametrize(
    ("model", "given", "parameters", "words"),
    [
        ("wan2.6-t2v", {}, {}, "input.prompt"),
        ("wan2.6-i2v", {"prompt": "x"}, {}, "input.img_url"),
        ("wan2.2-kf2v-flash", {"head_frame": PICTURE, "prompt": "x"}, {}, "input.first_frame_url"),
        ("wan2.2-s2v", {"image_url": PICTURE}, {}, "input.audio_url"),
        ("wan2.2-animate-move", {"image_url": PICTURE, "video_url": CLIP}, {}, "parameters.mode"),
        ("wanx2.1-imageedit", {"prompt": "x", "base_image_url": PICTURE}, {}, "input.function"),
        ("wan2.5-i2i-preview", {"prompt": "x"}, {}, "input.images"),
        ("wan2.7-image", {}, {}, "input.messages"),
    ],
)
def test_a_missing_field_is_refused_at_once(model, given, parameters, words):
    """With 400 and the field's path; there is no task then."""
    with pytest.raises(Refusal) as caught:
        orders.check_required(built_in()[model], body(model, given, **parameters))
    assert (caught.value.status, caught.value.code) == (400, "InvalidParameter")
    assert caught.value.message == f"Field required: {words}"


VIDEO = ("video", CLIP)
FIRST, LAST = ("first_frame", PICTURE), ("last_frame", PICTURE)
IMAGE, REFERENCE = ("reference_image", PICTURE), ("reference_video", CLIP)
FLAWS = [
    ("wan2.6-t2v", {"prompt": "x"}, {"size": "832*480"}, "size is not match the model"),
    ("wan2.6-t2v", {"prompt": "x"}, {"size": "9" * 5000 + "*2"}, "size is not match the model"),
    ("wan2.6-t2v", {"prompt": "x"}, {"duration": 16}, "duration must be one of"),
    ("wan2.6-t2v", {"prompt": "x"}, {"duration": True}, "duration must be one of"),
    ("wan2.6-t2v", {"prompt": "x"}, {"duration": -1}, "duration must be one of"),
    ("wan2.6-t2v", {"prompt": "x"}, {"seed": -1}, "seed must be in"),
    ("wan2.6-t2v", {"prompt": "x"}, {"shot_type": "triple"}, "shot_type must be one of single"),
    ("wan2.7-t2v", {"prompt": "x"}, {"ratio": "21:9"}, "ratio must be one of"),
    ("wan2.7-t2v", {"prompt": "x"}, {"ratio": "adaptive"}, "ratio must be one of"),
    ("wan2.7-r2v", media(IMAGE, prompt="x"), {"ratio": "adaptive"}, "ratio must be one of"),
    ("wan2.7-videoedit", media(VIDEO), {"ratio": "adaptive"}, "ratio must be one of"),
    ("wan2.7-t2v", {"prompt": "x"}, {"resolution": "480P"}, "resolution must be one of"),
    ("wan2.7-i2v", {"img_url": PICTURE}, {}, "Field required: input.media"),
    ("wan2.7-i2v", media(FIRST, ("first_clip", CLIP)), {}, "two modes are mutually exclusive. "),
    ("wan2.7-i2v", media(LAST), {}, "media needs 1 or more of first_frame, first_clip"),
    ("wan2.7-i2v", media(FIRST, FIRST), {}, "too many media of the type first_frame"),
    ("wan2.7-i2v", media(FIRST, IMAGE), {}, "media type must be one of"),
    ("wan2.7-i2v", media(("first_frame", "")), {}, r"Field required: input.media\[0\].url"),
    ("wan2.7-i2v", {"media": "x"}, {}, "media needs"),
    ("wan2.7-r2v", media(*[IMAGE] * 5, REFERENCE, prompt="x"), {}, "too many media: 6 of"),
    ("wan2.7-r2v", media(FIRST, prompt="x"), {}, "media needs 1 or more of reference_image"),
    ("wan2.7-r2v", media(REFERENCE, prompt="x"), {"duration": 11}, "duration must be one of"),
    ("wan2.6-r2v", {"prompt": "x"}, {}, "media needs 1 or more"),
    ("wan2.6-r2v", {"prompt": "x", "reference_urls": [CLIP] * 4}, {}, "too many media: 4"),
    ("wan2.6-r2v", {"prompt": "x", "reference_urls": [PICTURE] * 6}, {}, "at most 5"),
    ("wan2.6-r2v", {"prompt": "x", "reference_urls": [5]}, {}, "Field required: input.reference"),
    ("wan2.7-videoedit", media(IMAGE), {}, "media needs 1 or more of video"),
    ("wan2.7-videoedit", media(VIDEO), {"duration": 1}, "duration must be one of"),
    ("wan2.7-videoedit", media(VIDEO), {"audio_setting": "mute"}, "audio_setting must be one of"),
    ("wan3.0-video", {}, {}, "Field required: input.prompt or input.media"),
    ("wan3.0-video", media(FIRST, IMAGE), {}, "two modes are mutually exclusive. "),
    ("wan3.0-video", media(("file", "x"), ("link", "x")), {}, "two modes are mutually exclusive. "),
    ("wan3.0-video", media(LAST), {}, "last_frame needs a first_frame"),
    ("wan3.0-video", media(*[IMAGE] * 11), {}, "at most 10"),
    ("wan3.0-video", {"prompt": "x"}, {"duration": 31}, "duration must be one of"),
    ("wan2.1-vace-plus", {"prompt": "x", "function": "video-synthesis"}, {}, "function must be"),
    (
        "wan2.1-vace-plus",
        {"prompt": "x", "function": "image_reference"},
        {},
        "Field required: input.ref_images_url",
    ),
    (
        "wan2.1-vace-plus",
        {"prompt": "x", "function": "video_repainting", "video_url": CLIP},
        {},
        "Field required: parameters.control_condition",
    ),
    (
        "wan2.1-vace-plus",
        {"prompt": "x", "function": "video_edit", "video_url": CLIP},
        {},
        "Field required: input.mask_image_url or input.mask_video_url",
    ),
    (
        "wan2.1-vace-plus",
        {"prompt": "x", "function": "video_edit", "video_url": CLIP, "mask_image_url": PICTURE,
         "mask_video_url": CLIP},
        {},
        "too many media: 2 of mask",
    ),
    (
        "wan2.1-vace-plus",
        {"prompt": "x", "function": "video_outpainting", "video_url": CLIP},
        {"top_scale": 2.5},
        r"top_scale must be in \[1, 2\]",
    ),
    (
        "wanx2.1-imageedit",
        {"prompt": "x", "function": "description_edit_with_mask", "base_image_url": PICTURE},
        {},
        "Field required: input.mask_image_url",
    ),
    (
        "wanx2.1-imageedit",
        {"prompt": "x", "function": "super_resolution", "base_image_url": PICTURE},
        {"upscale_factor": "2"},
        "upscale_factor must be in",
    ),
    (
        "wan2.2-animate-mix",
        {"image_url": PICTURE, "video_url": CLIP},
        {"mode": "wan-max"},
        "mode must be one of wan-std, wan-pro",
    ),
    ("wan2.6-t2i", message(PICTURE), {}, "number of images"),
    ("wan2.6-t2i", message(), {"size": "1024x1024"}, "size is not match the format"),
    ("wan2.6-t2i", message(), {"size": "1279*1280"}, "size is not match the model"),
    ("wan2.6-t2i", message(), {"size": "1440*1441"}, "size is not match the model"),
    ("wan2.5-t2i-preview", {"prompt": "x"}, {"size": "1695*960"}, "size is not match the model"),
    ("wan2.6-t2i", message(), {"n": 5}, r"n must be in \[1, 4\]"),
    ("wan2.6-t2i", {"messages": [{"content": []}]}, {}, "one user message with one text"),
    ("wan2.6-t2i", {"messages": [{"content": [{"text": "a"}] * 2}]}, {}, "with one text"),
    ("wan2.6-image", message(), {}, "media needs 1 or more of image"),
    ("wan2.6-image", message(*[PICTURE] * 5), {}, "at most 4"),
    ("wan2.6-image", message(), {"enable_interleave": True, "n": 2}, "num_images_per_prompt"),
    (
        "wan2.6-image",
        message(PICTURE, PICTURE),
        {"enable_interleave": True},
        "at most 1",
    ),
    ("wan2.6-image", message(), {"enable_interleave": True, "size": "2K"}, "size is not match"),
    ("wan2.7-image", message(), {"size": "4K"}, "size is not match"),
    ("wan2.7-image", message(*[PICTURE] * 10), {}, "at most 9"),
    ("wan2.7-image-pro", message(PICTURE), {"size": "4K"}, "size is not match"),
    ("wan2.7-image-pro", message(), {"size": "4K", "enable_sequential": True}, "size is not match"),
    ("wan2.7-image", message(PICTURE), {"bbox_list": []}, "one list for each of the 1 images"),
    ("wan2.7-image", message(PICTURE), {"bbox_list": [[[0, 0, 1, 1]] * 3]}, "at most 2 boxes"),
    ("wan2.7-image", message(PICTURE), {"bbox_list": [[[5, 0, 1, 1]]]}, "a box of bbox_list"),
    ("wan2.7-image", message(), {"color_palette": []}, "3 to 10 colors"),
    (
        "wan2.7-image",
        message(),
        {"color_palette": [{"hex": "red", "ratio": "100.00%"}] * 3},
        "a color must be",
    ),
    (
        "wan2.7-image",
        message(),
        {"color_palette": [{"hex": "#ff0000", "ratio": "33.33%"}] * 3},
        "add up to 100.00%",
    ),
    ("wan2.5-i2i-preview", {"prompt": "x", "images": [PICTURE] * 4}, {}, "at most 3"),
    ("wan2.5-i2i-preview", {"prompt": "x", "images": [PICTURE]}, {"size": "2048*2048"}, "size is"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "given", "parameters", "words"), FLAWS)
def test_a_closer_look_finds_what_the_model_forbids(model, given, parameters, words):
    """As a flaw, which fails a task, and is a refusal where there is no task to fail."""
    with pytest.raises(Flaw, match=words) as caught:
        order(model, given, **parameters)
    refusal = Refusal.of(caught.value)
    assert (refusal.status, refusal.code) == (400, "InvalidParameter")
    assert refusal.message == caught.value.message


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from([PICTURE, CLIP, "720P", "1280*720", "2K", "16:9", "expand", "wan-std"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "url", "content", "text", "image", "hex"]), inner),
    max_leaves=6,
)  # fmt: skip
BODIES = st.sampled_from([json.loads(path.read_text())["body"] for path in SAMPLES])
NAMES = ["prompt", "function", "media", "messages", "watermark", "size", "resolution", "ratio",
         "duration", "n", "seed", "enable_sequential", "top_scale", "upscale_factor", "bbox_list",
         "color_palette"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(data=st.data(), request=BODIES, part=st.sampled_from(["input", "parameters"]))
def test_whatever_is_sent_makes_an_order_or_a_complaint(data, request, part):
    """A good request can become wrong in any way without anything breaking."""
    names = st.sampled_from([*request[part], *NAMES])
    changes = data.draw(st.dictionaries(names, ANYTHING, min_size=1, max_size=2))
    try:
        made = ordered(request | {part: request[part] | changes})
    except (Flaw, Refusal):
        return
    assert made.cost > 0
    assert Order.from_json(made.as_json()) == made


def test_fields_that_no_model_reads_are_ignored_and_a_long_prompt_is_cut():
    """Without a word, as the official SDK sends some of them with every request."""
    given = {"prompt": "x" * 2000, "extend_prompt": True, "function": "video-synthesis",
             "reference_url": PICTURE}  # fmt: skip
    made = order("wan2.6-t2v", given, is_async=True)
    assert (made.prompt, made.function, made.inputs) == ("x" * 1500, "", ())


@pytest.mark.parametrize(
    ("given", "resolving", "refused"),
    [
        ({"img_url": "oss://k/a.png"}, False, True),
        ({"media": [{"url": "oss://k/a.png"}]}, False, True),
        ({"img_url": "oss://k/a.png"}, True, False),
        ({"prompt": "the oss:// scheme"}, False, False),
    ],
)
def test_uploaded_files_need_the_header_that_resolves_them(given, resolving, refused):
    """Without it the service cannot download them, and says so at once."""
    if refused:
        with pytest.raises(Refusal, match=r"400 InvalidParameter\.DataInspection"):
            orders.check_uploads(body("wan2.6-i2v", given), resolving=resolving)
    else:
        orders.check_uploads(body("wan2.6-i2v", given), resolving=resolving)


@pytest.mark.parametrize(
    ("model", "given", "names"),
    [
        (
            "wan2.6-r2v",
            {"prompt": "x", "reference_urls": [CLIP, "data:image/png;base64,", "oss://k/C.MOV"]},
            [("reference_video", "character1"), ("reference_image", "character2"),
             ("reference_video", "character3")],
        ),
        (
            "wan2.7-r2v",
            media(REFERENCE, IMAGE, ("reference_video", "data:video/mp4;base64,"), prompt="x"),
            [("reference_video", "Video 1"), ("reference_image", "Image 1"),
             ("reference_video", "Video 2")],
        ),
        ("wan2.7-image", message(PICTURE, PICTURE), [("image", "Image 1"), ("image", "Image 2")]),
        ("wan2.7-i2v", media(FIRST, LAST), [("first_frame", ""), ("last_frame", "")]),
    ],
)  # fmt: skip
def test_media_are_called_what_a_prompt_calls_them(model, given, names):
    """Images and videos are numbered apart, and characters together."""
    assert [(one.role, one.name) for one in order(model, given).inputs] == names


def test_a_voice_goes_with_the_reference_that_carries_it():
    """Any item may: the voice is a sound of its own, with the name of the person who speaks."""
    kinds = {"reference_image": PICTURE, "reference_video": CLIP, "first_frame": PICTURE}
    items = [{"type": kind, "url": url, "reference_voice": SOUND} for kind, url in kinds.items()]
    made = order("wan2.7-r2v", {"prompt": "x", "media": items})
    assert [(one.role, one.kind, one.name) for one in made.inputs] == [
        ("reference_image", InputKind.IMAGE, "Image 1"),
        ("reference_voice", InputKind.AUDIO, "Image 1"),
        ("reference_video", InputKind.VIDEO, "Video 1"),
        ("reference_voice", InputKind.AUDIO, "Video 1"),
        ("first_frame", InputKind.IMAGE, ""),
        ("reference_voice", InputKind.AUDIO, ""),
    ]


PORTRAIT = {"width": 900, "height": 1600}
EDIT = {"prompt": "x", "base_image_url": PICTURE}
VACE = {"prompt": "x", "video_url": CLIP}
SIZES = [
    ("wan2.7-t2v", {"prompt": "x"}, [], {"ratio": "4:3", "resolution": "720P"}, "1104*832"),
    ("wan2.7-t2v", {"prompt": "x"}, [], {"ratio": "3:4"}, "1248*1648"),
    ("wan2.6-i2v", {"img_url": PICTURE}, [PORTRAIT], {"resolution": "720P"}, "720*1280"),
    ("wan2.6-i2v", {"img_url": PICTURE}, [], {}, "1920*1080"),
    ("wan2.6-r2v", {"prompt": "x", "reference_urls": [PICTURE]}, [PORTRAIT], {}, "1920*1080"),
    (
        "wan2.7-r2v",
        media(IMAGE, FIRST, prompt="x"),
        [{}, PORTRAIT],
        {"ratio": "1:1", "resolution": "720P"},
        "720*1280",
    ),
    ("wan2.7-r2v", media(IMAGE, prompt="x"), [PORTRAIT], {"ratio": "1:1"}, "1440*1440"),
    ("wan2.7-videoedit", media(VIDEO), [PORTRAIT], {"resolution": "720P"}, "720*1280"),
    ("wan2.7-videoedit", media(VIDEO), [PORTRAIT], {"ratio": "16:9"}, "1920*1080"),
    ("wan3.0-video", media(FIRST), [PORTRAIT], {"resolution": "480P"}, "480*832"),
    ("wan3.0-video", media(IMAGE), [PORTRAIT], {"ratio": "1:1"}, "1440*1440"),
    ("wan3.0-video", media(IMAGE), [PORTRAIT], {"ratio": "adaptive"}, "1080*1920"),
    ("wan2.2-s2v", {"image_url": PICTURE, "audio_url": SOUND}, [PORTRAIT], {}, "480*832"),
    (
        "wan2.2-animate-mix",
        {"image_url": PICTURE, "video_url": CLIP},
        [{"width": 400, "height": 400}, PORTRAIT],
        {"mode": "wan-std"},
        "720*1280",
    ),
    ("wan2.1-vace-plus", VACE | {"function": "video_outpainting"},
     [{"width": 800, "height": 800}], {"left_scale": 1.5, "right_scale": 1.5}, "1360*672"),
    ("wan2.1-vace-plus", VACE | {"function": "image_reference", "ref_images_url": [PICTURE]},
     [PORTRAIT], {"size": "832*1088"}, "832*1088"),
    ("wan2.7-image", message(), [], {"size": "1K"}, "1024*1024"),
    ("wan2.7-image", message(PICTURE), [PORTRAIT], {}, "1536*2736"),
    ("wan2.7-image-pro", message(), [], {"size": "4K"}, "4096*4096"),
    ("wan2.6-image", message(PICTURE), [], {}, "1280*1280"),
    ("wan2.6-image", message(), [], {"enable_interleave": True, "size": "1K"}, "1280*1280"),
    ("wan2.6-t2i", message(), [], {"size": "1440*1440"}, "1440*1440"),
    ("wan2.6-t2i", message(), [], {"size": "1472*1104"}, "1472*1104"),
    ("wan2.5-t2i-preview", {"prompt": "x"}, [], {"size": "960*1696"}, "960*1696"),
    ("wanx2.1-imageedit", EDIT | {"function": "colorization"}, [PORTRAIT], {}, "900*1600"),
    ("wanx2.1-imageedit", EDIT | {"function": "expand"}, [PORTRAIT],
     {"top_scale": 1.5, "right_scale": 2}, "1800*2400"),
    ("wanx2.1-imageedit", EDIT | {"function": "super_resolution"}, [PORTRAIT],
     {"upscale_factor": 2}, "1800*3200"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "given", "measured", "parameters", "size"), SIZES)
def test_a_result_has_the_size_its_model_makes_of_the_request(
    model, given, measured, parameters, size
):
    """By `size`, by `resolution` and `ratio`, or by the shape of what was given."""
    made = order(model, given, *measured, **parameters)
    assert f"{made.width}*{made.height}" == size


def long(seconds):
    return {"seconds": seconds}


LENGTHS = [
    ("wan2.6-t2v", {"prompt": "x"}, [], {}, (5, 0)),
    ("wan2.7-i2v", media(("first_clip", CLIP)), [long(3)], {"duration": 15}, (15, 0)),
    ("wan2.6-r2v", {"prompt": "x", "reference_urls": [CLIP] * 2}, [long(3), long(4)], {}, (5, 5)),
    ("wan2.6-r2v", {"prompt": "x", "reference_urls": [CLIP]}, [long(2.2)], {}, (5, 3)),
    ("wan2.6-r2v", {"prompt": "x", "reference_urls": [PICTURE]}, [], {"duration": 10}, (10, 0)),
    ("wan2.7-r2v", media(IMAGE, prompt="x"), [], {"duration": 15}, (15, 0)),
    ("wan2.7-r2v", media(REFERENCE, prompt="x"), [], {"duration": 10}, (10, 5)),
    ("wan2.7-videoedit", media(VIDEO), [long(5.02)], {}, (5.02, 5.02)),
    ("wan2.7-videoedit", media(VIDEO), [long(8)], {"duration": 3}, (3, 3)),
    ("wan2.7-videoedit", media(VIDEO), [long(4)], {"duration": 9}, (4, 4)),
    ("wan3.0-video", media(REFERENCE, REFERENCE), [long(7.5), long(6)], {"duration": 8}, (8, 13.5)),
    ("wan3.0-video", media(("reference_video", CLIP)), [long(15)], {"duration": 15}, (15, 15)),
    ("wan2.2-s2v", {"image_url": PICTURE, "audio_url": SOUND}, [{}, long(18.13)], {}, (18.13, 0)),
    (
        "wan2.2-animate-move",
        {"image_url": PICTURE, "video_url": CLIP},
        [{}, long(5.2)],
        {"mode": "wan-std"},
        (5.2, 0),
    ),
    ("wan2.1-vace-plus", VACE | {"function": "video_outpainting"}, [long(3.5)], {}, (5, 0)),
    ("wan2.1-vace-plus", VACE | {"function": "video_outpainting"}, [long(9)], {}, (5, 0)),
    ("wan3.0-video", media(REFERENCE), [long(15.08)], {"duration": 10}, (10, 15.08)),
]


@pytest.mark.parametrize(("model", "given", "measured", "parameters", "seconds"), LENGTHS)
def test_a_video_is_as_long_as_asked_or_as_its_source(model, given, measured, parameters, seconds):
    """And of given videos that much is billed along with it."""
    made = order(model, given, *measured, **parameters)
    assert (made.seconds, made.input_seconds) == seconds


def test_a_model_that_may_decide_picks_a_length():
    """Of 4 to 10 seconds, the same for the same request."""
    request = body("wan3.0-video", {"prompt": "x"}, duration=-1)
    assert {ordered(request, rng=rng).seconds for rng in range(60)} == set(range(4, 11))
    assert ordered(request, rng=7) == ordered(request, rng=7)


@pytest.mark.parametrize(
    ("given", "measured", "parameters", "words"),
    [
        (media(*[REFERENCE] * 2), [long(9), long(8)], {}, "must not exceed 15 seconds, not 17.00"),
        (media(*[REFERENCE] * 2), [long(9), long(6.11)], {}, "15 seconds, not 15.11"),
        (media(REFERENCE), [long(12)], {"duration": 20}, "exceed 30 seconds together"),
        (
            media(*[("reference_audio", SOUND)] * 2),
            [long(9), long(8)],
            {},
            "reference_audio must not exceed 15 seconds",
        ),
    ],
)
def test_media_can_be_too_long_together(given, measured, parameters, words):
    """Each for itself may be well within its bounds."""
    with pytest.raises(Flaw, match=words):
        order("wan3.0-video", given, *measured, **parameters)


COSTS = [
    ("wan2.7-t2v", {"prompt": "x"}, [], {}, 5 * 150_000),
    ("wan2.6-i2v-flash", {"img_url": PICTURE}, [], {"resolution": "720P"}, 5 * 50_000),
    ("wan2.6-i2v-flash", {"img_url": PICTURE}, [], {"audio": False}, 5 * 37_500),
    ("wan2.6-r2v", {"prompt": "x", "reference_urls": [CLIP]}, [long(30)], {}, 10 * 150_000),
    ("wan2.7-videoedit", media(VIDEO), [long(5.02)], {"resolution": "720P"}, 1_004_000),
    ("wan3.0-video", media(REFERENCE), [long(15)], {"resolution": "480P"}, 20 * 50_000),
    ("wan2.2-s2v", {"image_url": PICTURE, "audio_url": SOUND}, [{}, long(18.13)], {}, 1_299_504),
    ("wan2.2-animate-mix", {"image_url": PICTURE, "video_url": CLIP}, [{}, long(5.2)],
     {"mode": "wan-pro"}, 1_352_000),
    ("wan2.2-s2v-detect", {"image_url": PICTURE}, [], {}, 545),
    ("wan2.6-t2i", message(), [], {}, 4 * 30_000),
    ("wan2.7-image-pro", message(), [], {"n": 3}, 3 * 76_584),
]  # fmt: skip


@pytest.mark.parametrize(("model", "given", "measured", "parameters", "cost"), COSTS)
def test_an_order_costs_what_the_price_page_says(model, given, measured, parameters, cost):
    """Seconds of the result and of what is billed with it, or images, in micro-USD."""
    assert order(model, given, *measured, **parameters).cost == cost


def test_an_order_costs_what_its_region_pays():
    """The same request, sold in Beijing, is billed by the list in yuan."""
    model = sold_in("cn-beijing", built_in())["wan2.6-i2v-flash"]
    request = body(model.name, {"img_url": PICTURE}, resolution="720P", audio=False)
    assert orders.read(model, request, [], Random(1)).cost == 5 * 150_000


def test_failed_images_are_free():
    """Of four images one fails: three are made and billed."""
    made = order("wan2.5-t2i-preview", {"prompt": "x"})
    failing = made.failing(((2, "DataInspectionFailed", "no"),))
    assert (made.made, made.cost, failing.made, failing.cost) == (4, 120_000, 3, 90_000)


@pytest.mark.parametrize(
    ("model", "given", "parameters", "sound"),
    [
        ("wan2.6-t2v", {"prompt": "x"}, {"audio": False}, True),
        ("wan2.2-t2v-plus", {"prompt": "x"}, {"audio": True}, False),
        ("wan2.6-i2v-flash", {"img_url": PICTURE, "audio_url": SOUND}, {"audio": False}, False),
        ("wan3.0-video", {"prompt": "x"}, {}, True),
    ],
)
def test_a_video_has_sound_where_its_model_makes_some(model, given, parameters, sound):
    """Two models ask; the others always have it, or never."""
    assert order(model, given, **parameters).sound is sound


def test_a_number_of_images_in_one_answer_is_an_upper_bound():
    """The model decides how many of a sequence or a story it makes, the same every time."""
    sequence = body("wan2.7-image", message(), enable_sequential=True, n=8)
    story = body("wan2.6-image", message(), enable_interleave=True)
    counts = {ordered(sequence, rng=rng).images for rng in range(40)}
    assert counts == {4, 5, 6, 7, 8}
    assert {ordered(story, rng=rng).images for rng in range(40)} == {3, 4, 5}
    assert ordered(sequence, rng=9) == ordered(sequence, rng=9)


def test_drawings_that_keep_the_rules_are_taken():
    """One list of boxes for each image, in its pixels, and colors that add up."""
    palette = [{"hex": "#FF0000", "ratio": "33.33%"}, {"hex": "#00ff00", "ratio": "33.33%"},
               {"hex": "#0000ff", "ratio": "33.34%"}]  # fmt: skip
    boxes = [[[0, 0, 900, 1600]], []]
    given = message(PICTURE, PICTURE)
    assert order("wan2.7-image", given, PORTRAIT, bbox_list=boxes, color_palette=palette).images
    with pytest.raises(Flaw, match="a box"):
        order("wan2.7-image", given, PORTRAIT, bbox_list=[[[0, 0, 901, 1600]], []])


@pytest.mark.parametrize("place", ["parameters", "input"])
def test_the_watermark_may_stand_in_either_place(place):
    """The animation models read it from `input`."""
    given = {"image_url": PICTURE, "video_url": CLIP}
    request = body("wan2.2-animate-move", given, mode="wan-std")
    assert not ordered(request).watermark
    request[place]["watermark"] = True
    assert ordered(request).watermark


def test_an_order_can_be_stored_and_read_again():
    """Whole, through JSON."""
    made = order("wan2.7-r2v", media(IMAGE, REFERENCE, prompt="x"), PORTRAIT)
    stored = replace(made, failed=((1, "InternalError.Timeout", "late"),))
    assert Order.from_json(json.loads(json.dumps(stored.as_json()))) == stored


def test_orders_of_an_older_store_are_read():
    """Their one picture is the first of the inputs."""
    values = order("wan2.6-i2v", {"img_url": PICTURE}).as_json()
    for newer in ("inputs", "function", "mode", "input_seconds", "failed"):
        del values[newer]
    picture = {"digest": "ab", "source": "a.png", "width": 9, "height": 8}
    (given,) = Order.from_json(values | {"picture": picture}).inputs
    assert (given.role, given.digest, given.shape) == ("first_frame", "ab", (9, 8))
    assert Order.from_json(values | {"picture": None}).inputs == ()
