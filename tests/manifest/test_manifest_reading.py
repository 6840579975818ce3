from __future__ import annotations

import contextlib
import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.errors import ManifestError, Mistake
from batchgen.manifest import Manifest, load
from batchgen.manifest.reading import MAX_BYTES

HEAD = "defaults: {model: wan2.6-t2v}\njobs:\n"

MISTAKES = """\
nmae: night
region: singapur
output: [a, b]
limits:
  max_in_flight: none
  settle: -3
  speed: 9
budget:
  amount: 1,000
  currency: euros
defaults:
  model: wan2.6-t2v
  id: all
  shot_tpe: multi
  resolution: !!str 720P
jobs:
  - id: a
    prompt: one
    seed: -1
  - id: A
    prompt: two
    size: 1280x720
  - id: b/c
    prompt: three
    duration: 99
  - prompt: four
    prompt: five
  - model: wan2.6-t3v
    prompt: six
  - model: wan2.6-i2v
    img_url: ../cat.png
  - id: cat
    model: wan2.6-i2v
    img_url: cat.png
  - A dog: sleeping
  - []
  - id: dog
  - prompt: "a\\ab"
  - prompt: ok
    extra_input: text
  - prompt: seven
    <<: eight
  - prompt: same
  - same
  - prompt: ok
    5: nine
jobs_from:
  - nowhere.txt
  - jobs.pdf
"""

PLACES = [
    (1, 1, "unknown key `nmae`"),
    (2, 1, "there is no region `singapur`"),
    (3, 1, "`output` must be"),
    (5, 3, "`max_in_flight` must be"),
    (6, 3, "`settle` must be"),
    (7, 3, "unknown key `speed`"),
    (9, 3, "`amount` must be"),
    (10, 3, "`currency` must be"),
    (13, 3, "an id belongs to one job alone"),
    (14, 3, "unknown key `shot_tpe`"),
    (15, 15, "tags"),
    (19, 5, "seed of wan2.6-t2v"),
    (20, 5, "cannot be told from a.json"),
    (22, 5, "size of wan2.6-t2v"),
    (23, 5, "an id must not hold '/'"),
    (25, 5, "duration of wan2.6-t2v"),
    (27, 5, "`prompt` is here again"),
    (28, 5, "unknown model `wan2.6-t3v`"),
    (30, 5, "a job needs a prompt or an id"),
    (31, 5, "lies outside the manifest's folder"),
    (34, 5, "there is no such file"),
    (35, 5, "prompt is missing"),
    (35, 5, "unknown key `A dog`"),
    (36, 5, "a job is a prompt"),
    (37, 5, "prompt is missing"),
    (38, 13, "the control character U+0007"),
    (40, 5, "extra_input must be a mapping"),
    (42, 5, "the merge key `<<`"),
    (44, 5, "the same as the job in line 43"),
    (46, 5, "a key must be a text, not `5`"),
    (48, 5, "there is no such file"),
    (49, 5, "jobs are read from"),
]


def test_all_mistakes_show_at_once(problems):
    """A manifest with more than thirty different mistakes gets them all, in order, no other."""
    found = problems(MISTAKES)
    assert [(problem.line, problem.column) for problem in found] == [p[:2] for p in PLACES]
    for problem, (_, _, words) in zip(found, PLACES, strict=True):
        assert words in problem.message


def test_the_error_reads_like_a_compilers(write):
    """Every line of the error is file:line:column, what is wrong, and what would be right."""
    path = write(HEAD + "- {prompt: x, sed: 1}\n")
    with pytest.raises(ManifestError) as caught:
        load(path)
    told = f"{path}:3:15: unknown key `sed` (did you mean `seed`?)\n1 problem in the manifest"
    assert str(caught.value) == told


def test_a_thousand_problems_are_enough(problems):
    """A file that is wrong in every line does not fill the screen for ever."""
    found = problems(HEAD + "".join(f"- {{prompt: {n}, sed: 1}}\n" for n in range(1_500)))
    assert len(found) == 1_001
    assert [problem.line for problem in found[:-1]] == list(range(3, 1_003))
    assert found[-1].message == "500 more problems are not shown"


def test_a_shared_mistake_is_counted_once_in_a_very_wrong_file(problems):
    """What is told at the defaults is not counted again for every job beyond the limit."""
    wrong = "defaults: {model: wan2.6-t2v, size: big}\njobs:\n"
    found = problems(wrong + "".join(f"- {{prompt: {n}, sed: 1}}\n" for n in range(1_500)))
    assert (found[0].line, found[-1].message) == (1, "501 more problems are not shown")


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("bach.yaml", "there is no such file", "did you mean `batch.yaml`?"),
        ("nowhere/batch.yaml", "there is no such file", "there is no folder"),
        ("batch.yaml/batch.yaml", "there is no such file", None),
        ("", "this is a folder", None),
        ("pipe", "this is no regular file", None),
        ("loop", "it cannot be opened", None),
        ("a\0b", "this cannot be a path", None),
        ("huge.yaml", "a manifest of more than 100 MB", "name it with `jobs_from:`"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_mistake(write, tmp_path, name, words, hint):
    """A missing, special or oversized file is told in words, at once, without a traceback."""
    write(HEAD + "- A fox\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    os.truncate(write("", "huge.yaml"), MAX_BYTES + 1)
    with pytest.raises(Mistake, match=words) as caught:
        load(tmp_path / name)
    assert str(tmp_path) in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize("option", ["region", "default_region"])
def test_a_wrong_region_on_the_command_line_is_a_mistake(write, option):
    """A region that does not exist is told with those that do."""
    with pytest.raises(Mistake, match="there is no region atlantis") as caught:
        load(write(HEAD + "- A fox\n"), **{option: "atlantis"})
    assert "singapore (ap-southeast-1)" in (caught.value.hint or "")


def test_budgets_are_in_the_price_lists_currency(problems):
    """A budget in dollars does not hold against a price list in yuan."""
    text = "budget: {amount: 5, currency: USD}\n" + HEAD + "- A fox\n"
    assert problems(text) == []
    (problem,) = problems(text, region="beijing")
    assert "give the amount in CNY" in str(problem)


def test_a_name_without_a_safe_stem_asks_for_one(write):
    """A file name that cannot name a folder needs `name:` in the file."""
    path = write(HEAD + "- A fox\n", "-x.yaml")
    with pytest.raises(ManifestError, match="`-x` cannot name the output folder"):
        load(path)
    assert load(write("name: x\n" + HEAD + "- A fox\n", "-x.yaml")).name == "x"


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_left_as_it_was(write, enabled):
    """Reading holds the collector only while it reads, whatever comes of it."""
    was_enabled = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(ManifestError):
            load(write("jobs: []"))
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("jobs/*.yaml")), ids=str)
def test_the_manifests_of_the_project_are_sound(path):
    """Every manifest that people are shown loads without a problem."""
    assert load(path).jobs


ANY_FILE = st.one_of(
    st.binary(max_size=300),
    st.text(alphabet="jobsdefault: -[]{}&*\n\t'\"#1~", max_size=120).map(str.encode),
    st.lists(st.sampled_from(MISTAKES.splitlines()), max_size=30).map(
        lambda lines: "\n".join(lines).encode()
    ),
)


@given(ANY_FILE)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_file_gives_a_manifest_or_a_mistake(write, content):
    """Whatever is in the file, nothing but a manifest or a mistake comes out."""
    path = write(content)
    with contextlib.suppress(Mistake):
        manifest = load(path)
        assert isinstance(manifest, Manifest)
        assert manifest.jobs
