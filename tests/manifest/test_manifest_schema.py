from __future__ import annotations

import pytest

from batchgen.catalog import Money
from batchgen.manifest import load

JOBS = "defaults: {model: wan2.6-t2v}\njobs: [A fox]\n"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("nmae: x", (3, 1), "unknown key `nmae` (did you mean `name`?)"),
        ("name: [a]", (3, 1), "`name` must be a text that can name a folder"),
        ("name: a/b", (3, 1), "`a/b` cannot name the output folder: it must not"),
        ("name: Sandbox", (3, 1), "`Sandbox` is the folder of rehearsals"),
        ('output: ""', (3, 1), "`output` must be the path of a folder"),
        ("region: berlin", (3, 1), "there is no region `berlin` (the regions are singapore"),
        ("limits: 5", (3, 1), "`limits` must be a mapping"),
        ("limits: {max_in_flight: 0}", (3, 10), "a whole number of tasks, at least 1"),
        ("limits: {max_in_flight: true}", (3, 10), "a whole number of tasks, at least 1"),
        ("limits: {max_in_flight: 2.5}", (3, 10), "a whole number of tasks, at least 1"),
        ("limits:\n  settle: -1", (4, 3), "a number of seconds, at least 0"),
        ("limits:\n  settle: yes", (4, 3), "a number of seconds, at least 0"),
        ("limits:\n  setle: 1", (4, 3), "unknown key `setle` (did you mean `settle`?)"),
        ("budget: 25", (3, 1), "`budget` must be a mapping with `amount` and `currency`"),
        ("budget: {amount: 25}", (3, 1), "`currency` is missing"),
        ("budget: {currency: USD}", (3, 1), "`amount` is missing"),
        ("budget: {amount: 1e3, currency: USD}", (3, 10), "an amount of money such as"),
        ("budget: {amount: -1, currency: USD}", (3, 10), "an amount of money such as"),
        ("budget: {amount: 0.1234567, currency: USD}", (3, 10), "at most 6 decimals"),
        ("budget: {amount: 25, currency: dollars}", (3, 22), "three letters such as USD"),
        ("budget: {amount: 25, currency: CNY}", (3, 1), "give the amount in USD"),
        ("jobs_from: {a: b}", (3, 1), "the path of a .jsonl, .csv or .txt file"),
        ("jobs_from: [a.txt, [b]]", (3, 20), "or a list of such paths"),
        ("jobs_from: nowhere.txt", (3, 1), "`nowhere.txt`: there is no such file"),
        ("jobs_from: [batch.yaml]", (3, 13), "jobs are read from .jsonl, .csv, .txt files"),
    ],
)
def test_a_wrong_key_is_told_at_its_place(problems, text, place, words):
    """What is wrong and what would be right, once, where it stands."""
    (problem,) = problems(f"{JOBS}{text}\n")
    assert (problem.line, problem.column) == place
    assert words in str(problem)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("- A fox", (1, 1), "a manifest is a mapping with keys such as `jobs:`"),
        ("jobs: fox", (1, 1), "`jobs` must be a list of jobs"),
        ("jobs: {fox: 1}", (1, 1), "`jobs` must be a list of jobs"),
        ("jobs: []", (1, 1), "there are no jobs"),
        ("jobs: ~", (1, 1), "there are no jobs"),
        ("defaults: [a]\njobs: []", (1, 1), "`defaults` must be a mapping of keys"),
        ("", (1, 1), "the manifest is empty"),
        ("# nothing\n", (1, 1), "the manifest is empty"),
    ],
)
def test_a_manifest_without_jobs_is_told(problems, text, place, words):
    """A file that is no manifest, or has nothing to do, says so."""
    (problem,) = problems(text)
    assert (problem.line, problem.column) == place
    assert words in str(problem)


def test_a_sound_header_is_read_as_written(write):
    """Names that look like something else stay text, money is exact, numbers are numbers."""
    text = (
        "name: 2024\noutput: ../films\nregion: ap-southeast-1\n"
        "limits: {max_in_flight: 20, settle: 30}\nbudget: {amount: 25.10, currency: USD}\n"
    )
    manifest = load(write(text + JOBS))
    assert (manifest.name, manifest.output) == ("2024", "../films")
    assert manifest.region == "ap-southeast-1"
    assert (manifest.max_in_flight, manifest.settle) == (20, 30.0)
    assert manifest.budget == Money(25_100_000, "USD")


def test_keys_that_are_null_are_not_given(write):
    """A key without a value is the same as no key."""
    keys = "name:\noutput:\nregion:\nlimits:\nbudget:\njobs_from:\n"
    manifest = load(write(keys + JOBS))
    assert (manifest.name, manifest.region, manifest.budget) == ("batch", None, None)
    assert manifest.max_in_flight is None
