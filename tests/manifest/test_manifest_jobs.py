from __future__ import annotations

import json
import re
import time

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.catalog import Money
from batchgen.errors import ManifestError
from batchgen.manifest import jobs as reader
from batchgen.manifest import load

HEAD = "defaults: {model: wan2.6-t2v, size: 1280*720}\njobs:\n"
IMAGE = "model: wan2.2-t2i-flash, size: 512*512"


@pytest.fixture
def jobs(write):
    """The jobs of a manifest of this text."""
    return lambda text, name="batch.yaml": load(write(text, name)).jobs


def test_a_bare_string_is_a_prompt(jobs):
    """A job may be its prompt alone; whatever it looks like, it is text."""
    fox, year = jobs(HEAD + "- A fox runs\n- 1917\n")
    assert (fox.request.prompt, year.request.prompt) == ("A fox runs", "1917")
    assert fox.request.parameters["size"] == "1280*720"


def test_a_default_id_names_the_prompt_and_the_request(jobs):
    """The id is the prompt's slug and 8 digits of the request's identity."""
    (job,) = jobs(HEAD + "- A Fox, running!\n")
    assert job.id == f"a-fox-running-{job.identity[:8]}"
    assert re.fullmatch(r"[0-9a-f]{64}", job.identity)
    assert job.identity == job.request.identity()


def test_default_ids_that_meet_are_told_with_what_helps(jobs, monkeypatch):
    """Eight digits may be the same once in many jobs whose prompts begin alike: a person names one,
    for an id that another job lengthens or not would have its job bought again."""
    monkeypatch.setattr(reader, "_ID_DIGITS", 1)
    prompts = "".join(f"- The very same forty characters of all, take {n}\n" for n in range(17))
    with pytest.raises(ManifestError, match="an `id` of its own") as caught:
        jobs(HEAD + prompts)
    assert "is already that of the job in line" in str(caught.value)


def test_jobs_know_their_model_price_place_and_order(jobs):
    """Everything that a run needs is there: the model, the most it costs, line and order."""
    first, second = jobs(HEAD + "- {id: a, prompt: x, duration: 10}\n- {id: b, prompt: y}\n")
    assert (first.model.name, first.price) == ("wan2.6-t2v", Money(1_000_000, "USD"))
    assert [(job.id, job.line, job.order) for job in (first, second)] == [("a", 3, 0), ("b", 4, 1)]


def test_an_explicit_null_takes_a_default_away(jobs):
    """A job may do without what the others share."""
    text = HEAD.replace("size:", "negative_prompt: rain, size:")
    wet, dry = jobs(text + "- {id: a, prompt: x}\n- {id: b, prompt: x, negative_prompt: ~}\n")
    assert wet.request.inputs["negative_prompt"] == "rain"
    assert "negative_prompt" not in dry.request.inputs


def test_a_default_holds_where_the_model_takes_it(jobs):
    """One manifest may mix models: a size does not hinder a model that takes a resolution."""
    text = HEAD + "- A fox\n- {id: wave, model: wan2.6-i2v, img_url: 'https://e.com/a.png'}\n"
    fox, wave = jobs(text)
    assert fox.request.parameters["size"] == "1280*720"
    assert "size" not in wave.request.parameters


def test_a_default_that_no_model_takes_is_a_mistake(problems):
    """A default without any effect would be a surprise on the bill or on the screen."""
    (problem,) = problems("defaults:\n  model: wan2.6-t2v\n  resolution: 720P\njobs: [A fox]\n")
    assert (problem.line, problem.column) == (3, 3)
    assert "has no effect" in problem.message


def test_a_wrong_default_is_told_once(problems):
    """10,000 jobs that share a mistake have one."""
    prompts = "".join(f"- A fox, take {n}\n" for n in range(10_000))
    (problem,) = problems(HEAD.replace("1280*720", "1280x720") + prompts)
    assert (problem.line, problem.column) == (1, 31)
    assert "1280*720" in str(problem)


def test_the_regions_models_and_prices_count(write, problems):
    """A region decides which models there are and what they cost; the flag beats the manifest."""
    text = "region: beijing\n" + HEAD + "- A fox\n"
    assert load(write(text)).jobs[0].price.currency == "CNY"
    assert load(write(text), region="singapore").jobs[0].price.currency == "USD"
    assert load(write(HEAD + "- A fox\n"), default_region="cn-beijing").jobs[0].price == Money(
        3_000_000, "CNY"
    )
    us = HEAD.replace("wan2.6-t2v", "wan2.6-t2v-us") + "- A fox\n"
    (problem,) = problems(us)
    assert (problem.line, problem.column) == (1, 12)
    assert "wan2.6-t2v-us is not served in Singapore" in str(problem)
    assert problems(us, check_region=False) == []
    assert problems(us, region="us-east-1") == []


@pytest.mark.parametrize(
    ("entry", "place", "words"),
    [
        ("- {id: a}", (3, 3), "prompt is missing: wan2.6-t2v needs it"),
        ("- {seed: 1, prompt: }", (3, 3), "prompt is missing: wan2.6-t2v needs it"),
        ("- {model: wan2.6-i2v, img_url: 'https://e.com/a'}", (3, 3), "needs a prompt or an id"),
        ("- {prompt: x, model: }", (3, 3), "a job needs a `model` (name it in the job or"),
        ("- {prompt: x, model: wan2.6-t2w}", (3, 15), "did you mean `wan2.6-t2v`?"),
        ("- {prompt: x, model: [a]}", (3, 15), "unknown model"),
        ("- {prompt: x, idd: y}", (3, 15), "unknown key `idd` (did you mean `id`?)"),
        ("- {prompt: x, sed: }", (3, 15), "unknown key `sed` (did you mean `seed`?)"),
        ("- {prompt: x, resolution: 720P}", (3, 15), "does not take resolution"),
        ("- {prompt: x, seed: yes}", (3, 15), "must be a whole number"),
        ("- {prompt: x, seed: 9999999999999999999999}", (3, 15), "must be from 0 to"),
        ("- {prompt: x, extra_input: [a]}", (3, 15), "extra_input must be a mapping"),
        ("- {prompt: x, extra_parameters: 1}", (3, 15), "extra_parameters must be a mapping"),
        ("- {prompt: x, id: a/b}", (3, 15), "an id must not hold '/'"),
        ("- {prompt: x, id: CON}", (3, 15), "device"),
        ("- {prompt: x, id: [a]}", (3, 15), "an id must be a text"),
        ("- []", (3, 3), "a job is a prompt, or a mapping of keys"),
        ("- ~", (3, 3), "a job is a prompt, or a mapping of keys"),
        ("- '  '", (3, 3), "is empty"),
        ("- {prompt: [a]}", (3, 4), "must be text"),
    ],
)
def test_a_wrong_job_is_told_at_its_place(problems, entry, place, words):
    """Each mistake in a job stands at its key, once, with what would be right."""
    found = problems(HEAD + entry)
    assert len(found) == 1, found
    assert (found[0].line, found[0].column) == place
    assert words in str(found[0])


def test_a_prompt_with_a_colon_is_explained(problems):
    """`- A fox: a film` is a mapping to YAML; the person is told to use quotes."""
    found = problems(HEAD + "- A fox: a film\n")
    assert "must be put in quotes" in "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("entries", "place", "words"),
    [
        ("- A fox\n- A cat\n- A fox", (5, 3), "the same as the job in line 3"),
        ("- A fox\n- {id: b, prompt: A fox}", (4, 3), "give it another `seed` or prompt"),
        ("- A fox\n- {prompt: A fox, duration: 5}", (4, 3), "the same as the job in line 3"),
        ("- {id: a, prompt: x}\n- {prompt: y, id: a}", (4, 15), "the id `a` is already that"),
        ("- {id: Fox, prompt: x}\n- {id: fox, prompt: y}", (4, 4), "cannot be told from Fox.mp4"),
        ("- {id: \u00e9, prompt: x}\n- {id: e\u0301, prompt: y}", (4, 4), "cannot be told from"),
        (
            f"- {{id: fox, prompt: x, n: 2, {IMAGE}}}\n- {{id: fox-1, prompt: y, {IMAGE}}}",
            (4, 4),
            "its file fox-1.png would be a file of the job `fox` in line 3 as well",
        ),
    ],
)
def test_what_is_there_twice_names_both_places(problems, entries, place, words):
    """Two equal requests, ids or file names: the later one is told and names the earlier one."""
    (problem,) = problems(HEAD + entries)
    assert (problem.line, problem.column) == place
    assert words in str(problem)


def test_repetitions_are_found_among_wrong_jobs(problems):
    """A job with another mistake still takes part in the search for repetitions."""
    found = problems(HEAD + "- {id: a, prompt: x, seed: n}\n- {id: a, prompt: y, seed: m}\n")
    assert [problem.line for problem in found] == [3, 4, 4]
    found = problems(HEAD.replace("1280*720", "big") + "- A fox\n- A fox\n")
    assert [(problem.line, problem.column) for problem in found] == [(1, 31), (4, 3)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("more.jsonl", '{"id": "b", "prompt": "NO", "duration": 10}\n'),
        ("more.csv", "id,prompt,duration,seed\nb,NO,10,\n"),
    ],
)
def test_tables_give_the_same_jobs_as_yaml(write, jobs, name, content):
    """Where a job is written makes no difference to what is asked for."""
    (in_yaml,) = jobs(HEAD + "- {id: b, prompt: NO, duration: 10}\n")
    write(content, f"lists/{name}")
    first, second = jobs(f"jobs_from: lists/{name}\n{HEAD}- A fox\n")
    assert first.request.prompt == "A fox"
    assert (second.identity, second.id, second.order) == (in_yaml.identity, "b", 1)
    assert second.file.endswith(f"lists/{name}")


def test_problems_in_tables_carry_the_tables_name(write, problems):
    """A mistake in a table is found where it is, also one against a job of another file."""
    table = write('{"prompt": "A cat", "sed": 1}\n{"prompt": "A fox"}\n', "more.jsonl")
    unknown, repeated = problems("jobs_from: [more.jsonl]\n" + HEAD + "- A fox\n")
    assert str(unknown).startswith(f"{table}:1:21: unknown key `sed`")
    assert str(repeated).startswith(f"{table}:2:1: this asks for the same as the job in ")
    assert "batch.yaml:4" in repeated.message


VALUES = st.fixed_dictionaries(
    {"prompt": st.text(alphabet="ab中é :#'-", min_size=1).filter(str.strip)},
    optional={
        "duration": st.integers(2, 15),
        "seed": st.integers(0, 5),
        "negative_prompt": st.sampled_from(["rain", "NO", "5"]),
        "prompt_extend": st.booleans(),
    },
)


@given(
    st.lists(VALUES, min_size=1, max_size=5, unique_by=lambda values: values["prompt"]),
    st.randoms(use_true_random=False),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_ids_do_not_depend_on_how_a_manifest_is_written(write, entries, random):
    """Reordering, comments, key order and moving keys to the defaults change no id."""
    shared = {"model": "wan2.6-t2v", "size": "832*480", "watermark": False}
    shared |= {"size": "1280*720"}
    plain = {"jobs": [{**entry, **shared} for entry in entries]}
    moved = random.sample(sorted(shared), random.randint(0, len(shared)))
    defaults = {key: shared[key] for key in moved}
    rewritten = []
    for values in random.sample(plain["jobs"], len(entries)):
        keys = [key for key in values if key not in defaults]
        rewritten.append({key: values[key] for key in random.sample(keys, len(keys))})
    before = load(write(json.dumps(plain))).jobs
    text = yaml.safe_dump({"jobs": rewritten, "defaults": defaults}, allow_unicode=True)
    after = load(write("# a comment\n\n" + text)).jobs
    assert {job.id for job in after} == {job.id for job in before}
    assert {job.identity for job in after} == {job.identity for job in before}


def test_ten_thousand_jobs_take_a_second(jobs):
    """Reading is linear and quick: a tenth of the largest usual manifest within seconds."""
    entries = "".join(
        f"- id: job-{n}\n  prompt: A fox in a trench coat reads case file {n}\n  seed: {n}\n"
        for n in range(10_000)
    )
    started = time.process_time()
    assert len(jobs(HEAD + entries)) == 10_000
    assert time.process_time() - started < 5
