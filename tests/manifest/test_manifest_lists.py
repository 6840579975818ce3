"""Media in lists, texts that are cut, catalogs of one's own: what goes beyond a key and a word."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.catalog import Answer
from batchgen.errors import ManifestError
from batchgen.manifest import load, load_catalog


@pytest.fixture
def jobs(write, draw):
    """The jobs of a manifest of this text, with two pictures beside it."""
    write(draw(), "a.png")
    write(draw(800, 600), "b.png")
    return lambda text: load(write(text)).jobs


def test_one_picture_is_a_list_of_one(jobs, problems):
    """Where a model takes a list, a single path is one; both spellings ask for the same."""
    (job,) = jobs("jobs: [{model: wan2.6-image, prompt: x, images: a.png}]")
    assert [medium.source for medium in job.request.media["images"]] == ["a.png"]
    listed = "{id: b, model: wan2.6-image, prompt: x, images: [a.png]}"
    (problem,) = problems(f"jobs: [{{model: wan2.6-image, prompt: x, images: a.png}}, {listed}]")
    assert "would be paid for twice" in problem.message


def test_media_keep_their_order_roles_and_voices(write, jobs, tone):
    """A list of typed media goes into the request as it is written."""
    write(tone(3.0), "voice.wav")
    (job,) = jobs(
        "jobs:\n- model: wan2.7-r2v\n  prompt: Image 1 sings\n  media:\n"
        "  - {type: reference_image, url: b.png, reference_voice: voice.wav}\n"
        "  - {url: a.png, type: first_frame}\n"
    )
    first, second = job.request.media["media"]
    assert (first.source, first.role, first.voice.source) == (
        "b.png",
        "reference_image",
        "voice.wav",
    )
    assert (first.voice.media_type, first.voice.measured.seconds) == ("audio/wav", 3.0)
    assert (second.source, second.role, second.voice) == ("a.png", "first_frame", None)
    assert second.sha256 != first.sha256


def test_the_order_of_a_list_is_part_of_the_request(jobs):
    """`character1` is the first of a list: two orders are two requests."""
    head = "{model: wan2.6-r2v, prompt: character1 waves, reference_urls: "
    first, second = jobs(f"jobs: [{head}[a.png, b.png]}}, {head}[b.png, a.png]}}]")
    assert first.identity != second.identity


def test_a_table_may_hold_lists(write, jobs):
    """JSON lines have lists of their own; a CSV cell may hold one in JSON."""
    write('{"id": "j", "images": ["a.png", "b.png"]}\n{"id": "k", "images": "b.png"}\n', "t.jsonl")
    write('id,images\nc,"[""b.png"", ""a.png""]"\nd,a.png\n', "t.csv")
    found = jobs("defaults: {model: wan2.6-image, prompt: x}\njobs_from: [t.jsonl, t.csv]\n")
    sources = {job.id: [medium.source for medium in job.request.media["images"]] for job in found}
    assert sources == {
        "j": ["a.png", "b.png"],
        "k": ["b.png"],
        "c": ["b.png", "a.png"],
        "d": ["a.png"],
    }


def test_a_wrong_item_of_a_table_is_told_at_its_column(write, problems):
    """The third word of a line of JSON may be the wrong one."""
    line = '{"id": "j", "model": "wan2.6-r2v", "prompt": "x", "reference_urls": ["oss://a/b", "c"]}'
    table = write(line, "t.jsonl")
    (problem,) = problems("jobs_from: t.jsonl")
    assert (problem.file, problem.line) == (str(table), 1)
    assert problem.column == line.index('"c"') + 1
    assert problem.message == "reference_urls[1]: `c`: there is no such file"


def test_a_wrong_item_of_the_defaults_is_told_there_once(problems, write, draw):
    """What every job shares is one mistake, at its own place."""
    write(draw(), "a.png")
    found = problems(
        "defaults:\n  model: wan2.6-r2v\n  reference_urls:\n  - a.png\n  - nowhere.png\n"
        "jobs: [one, two, three]\n"
    )
    assert [(problem.line, problem.column) for problem in found] == [(5, 5)]


def test_a_long_prompt_is_a_mistake_or_a_warning(write, problems):
    """Too long is told with limit and excess; who accepts the cut is told what is cut."""
    text = f"jobs: [{{id: a, model: wan2.6-t2v, prompt: {'x' * 1_600}}}]"
    (problem,) = problems(text)
    assert "1,600 characters, 100 more than its limit of 1,500" in problem.message
    manifest = load(write(text.replace("{id", "{long_prompt: cut, id")))
    (warning,) = manifest.warnings
    assert (warning.line, "the end is cut off" in warning.message) == (1, True)
    (job,) = manifest.jobs
    assert (len(job.request.prompt), len(job.request.cut["prompt"])) == (1_600, 1_500)


def test_a_warning_of_the_defaults_is_told_once(write):
    """What nothing checks is said once, however many jobs share it."""
    head = "defaults: {model: wan2.6-t2v, extra_input: {new: 1}}\njobs:\n"
    manifest = load(write(head + "".join(f"- take {n}\n" for n in range(1_500))))
    (warning,) = manifest.warnings
    assert (warning.line, warning.column) == (1, 31)


def test_many_warnings_are_counted(write):
    """A thousand warnings are listed, the rest is a number."""
    job = "- {{prompt: a{}, model: wan2.6-t2v, extra_input: {{new: {}}}}}\n"
    manifest = load(write("jobs:\n" + "".join(job.format(n, n) for n in range(1_200))))
    assert len(manifest.warnings) == 1_001
    assert manifest.warnings[-1].message == "200 more warnings are not shown"


def test_a_wish_for_another_answer(jobs, problems):
    """A model that can answer at once may be asked to; others say what they take."""
    (job,) = jobs("jobs: [{model: wan2.6-t2i, prompt: x, answer: sync}]")
    assert job.request.answer is Answer.SYNC
    (problem,) = problems("jobs: [{model: wan2.6-t2v, prompt: x, answer: sync}]")
    assert "does not take answer" in problem.message


def test_a_model_without_a_prompt_needs_an_id(problems):
    """What has no words cannot name its file by them."""
    media = "image_url: 'https://e.com/a.png', audio_url: 'https://e.com/a.wav'"
    (problem,) = problems(f"region: beijing\njobs: [{{model: wan2.2-s2v, {media}}}]")
    assert problem.message == "a job needs a prompt or an id"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{id: Fox, n: 2}", "{id: fox-1, n: 1}"),
        ("{id: e\u0301, n: 2}", "{id: \u00c9-2, n: 1}"),
        ("{id: fox, enable_interleave: true, max_images: 5, size: 1280*1280}", "{id: FOX-5, n: 1}"),
    ],
)
def test_names_that_collide_on_some_file_system(problems, write, draw, first, second):
    """Files of several results count as well, in any case and any Unicode form."""
    write(draw(), "a.png")
    head = "defaults: {model: wan2.6-image, prompt: x, images: a.png}\njobs:\n"
    (problem,) = problems(f"{head}- {first}\n- {second}\n")
    assert "on every file system" in problem.message
    assert problem.line == 4


MINE = "models: {mine: {like: wan2.6-t2v, title: Mine}}\n"


def test_a_manifest_may_bring_its_models(write):
    """`catalog:` is relative to the manifest; the manifest keeps what it was checked against."""
    write(MINE, "models/mine.yaml")
    manifest = load(write("catalog: models/mine.yaml\njobs: [{model: mine, prompt: x}]"))
    assert manifest.jobs[0].model.name == "mine"
    assert manifest.catalog.find("mine") is manifest.jobs[0].model
    assert load_catalog().find("mine") is None


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("catalog: nowhere.yaml", (2, 1), "`nowhere.yaml`: there is no such file"),
        ("catalog: [mine.yaml, .]", (2, 22), "this is a folder"),
        ("catalog: {a: b}", (2, 1), "`catalog` must be the path of a catalog file"),
    ],
)
def test_a_catalog_that_cannot_be_read(write, problems, line, place, words):
    """It is told where the manifest names it; jobs are not checked against half of the models."""
    write(MINE, "mine.yaml")
    found = problems(f"jobs: [{{model: wan2.6-t2v, prompt: x}}]\n{line}\n")
    assert [(problem.line, problem.column) for problem in found] == [place]
    assert words in found[0].message


def test_a_wrong_catalog_is_told_at_its_own_place(write, problems):
    """A mistake in a file of models is told there, and the jobs wait until it is right."""
    path = write(MINE.replace("title", "titel"), "mine.yaml")
    found = problems("catalog: mine.yaml\njobs: [{model: mine, prompt: x}]")
    assert {problem.file for problem in found} == {str(path)}


def test_a_file_of_models_alone(write):
    """Without a manifest the error says what it is about."""
    with pytest.raises(ManifestError, match="1 problem in the catalog"):
        load_catalog(write("models: []", "mine.yaml"))


def test_later_files_win(write):
    """Of two files that name a model, the one that comes later counts."""
    first = write(MINE, "first.yaml")
    second = write(MINE.replace("Mine", "Newer"), "second.yaml")
    assert load_catalog(first, second).find("mine").title == "Newer"
    second.write_text(MINE.replace("Mine", "Newest"))
    assert load_catalog(first, second).find("mine").title == "Newest"


CATALOG = load_catalog()
WORDS = st.sampled_from(
    [
        "a.png",
        "voice.wav",
        "https://e.com/a",
        "oss://a/b",
        "data:,",
        "",
        "1K",
        "1280*720",
        "first_frame",
    ]
)
ITEMS = st.dictionaries(
    st.sampled_from(["type", "url", "reference_voice", "hex", "ratio"]),
    st.one_of(
        WORDS, st.sampled_from(["reference_video", "driving_audio", "link", "file"]), st.integers()
    ),
)
VALUES = st.one_of(
    WORDS,
    st.integers(-2, 40),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    ITEMS,
    st.lists(
        st.one_of(WORDS, ITEMS, st.integers(), st.lists(st.integers(), max_size=4)), max_size=6
    ),
)


@given(st.data(), st.sampled_from(sorted(CATALOG.models)))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None
)
def test_any_values_give_jobs_or_mistakes(write, draw, tone, data, model):
    """Whatever stands under the keys of a model, it is a job or a mistake, never a crash."""
    write(draw(), "a.png")
    write(tone(3.0), "voice.wav")
    keys = st.sampled_from(sorted(CATALOG.find(model).keys))
    values = data.draw(st.dictionaries(keys, VALUES, max_size=6))
    line = json.dumps({**CATALOG.find(model).example, **values, "model": model, "id": "any"})
    write(line, "t.jsonl")
    with contextlib.suppress(ManifestError):
        assert load(write("jobs_from: t.jsonl"), check_region=False).jobs
