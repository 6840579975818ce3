from __future__ import annotations

import pytest

from batchgen.api.settings import Settings, policy_of
from batchgen.catalog import Money
from batchgen.core.policy import RetryPolicy
from batchgen.manifest import load, outline

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
        ("limits: {stop_after_failures: 0}", (3, 10), "failed jobs in a row, at least 1"),
        ("limits: {stop_after_failures: 2.5}", (3, 10), "failed jobs in a row, at least 1"),
        ("limits: {stop_after: 2}", (3, 10), "unknown key `stop_after`"),
        ("retry: 3", (3, 1), "`retry` must be a mapping with `attempts` or `codes`"),
        ("retry: {attempts: 0}", (3, 9), "the first included, from 1 to 10; 2 unless given"),
        ("retry: {attempts: 11}", (3, 9), "from 1 to 10"),
        ("retry: {attempts: two}", (3, 9), "a whole number of attempts"),
        ("retry: {tries: 3}", (3, 9), "unknown key `tries`"),
        ("retry: {code: InternalError}", (3, 9), "did you mean `codes`?"),
        ("retry: {codes: [InternalError, a b]}", (3, 32), "a list of codes of failed tasks"),
        ("retry: {codes: {InternalError: 1}}", (3, 9), "a list of codes of failed tasks"),
        ("retry: {codes: [500]}", (3, 17), "a list of codes of failed tasks"),
        ("exclusive_account: maybe", (3, 1), "`exclusive_account` must be true or false"),
        ("exclusive_account: 1", (3, 1), "`exclusive_account` must be true or false"),
        ('exclusive_account: "true"', (3, 1), "`exclusive_account` must be true or false"),
        ("exclusive: true", (3, 1), "did you mean `exclusive_account`?"),
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


def test_what_is_worth_another_attempt(write):
    """Attempts and codes as written; what is left out is what the policy says by itself."""
    text = "retry: {attempts: 3, codes: [InternalError, Throttling.RateQuota]}\n"
    retry = load(write(text + JOBS)).retry
    assert (retry.attempts, retry.codes) == (3, ("InternalError", "Throttling.RateQuota"))
    assert load(write("retry: {attempts: 1}\n" + JOBS)).retry == RetryPolicy(attempts=1)
    assert load(write("retry: {codes: DataInspectionFailed}\n" + JOBS)).retry == RetryPolicy(
        codes=("DataInspectionFailed",)
    )
    assert load(write("retry: {codes: []}\n" + JOBS)).retry.codes == ()
    assert load(write("retry: {attempts: , codes: }\n" + JOBS)).retry == RetryPolicy()
    assert load(write(JOBS)).retry is None


def test_an_account_is_shared_unless_the_manifest_says_otherwise(write):
    """Only a plain `true` says that nobody else makes tasks there."""
    assert load(write("exclusive_account: true\n" + JOBS)).exclusive_account
    assert not load(write("exclusive_account: false\n" + JOBS)).exclusive_account
    assert not load(write("exclusive_account:\n" + JOBS)).exclusive_account
    assert not load(write(JOBS)).exclusive_account


def test_a_run_of_failures_can_be_bounded(write):
    """`stop_after_failures` is off unless it is given."""
    text = "limits: {stop_after_failures: 5}\n"
    assert load(write(text + JOBS)).stop_after_failures == 5
    assert load(write(JOBS)).stop_after_failures is None


def test_the_policy_is_what_the_manifest_says(write):
    """What a manifest says of attempts, doubts and failures is what a run decides by."""
    keys = "exclusive_account: true\nretry: {attempts: 4}\n"
    manifest = load(write(f"{keys}limits: {{settle: 5, stop_after_failures: 7}}\n{JOBS}"))
    policy = policy_of(manifest, Settings(), manifest.catalog)
    assert (policy.retry.attempts, policy.settle) == (4, 5.0)
    assert (policy.exclusive_account, policy.stop_after_failures) == (True, 7)


OUTLINE = "name: night\nregion: beijing\noutput: ../films\n"


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        (OUTLINE + JOBS, "night", []),
        (OUTLINE + "jobs: [{promt: x}]", "night", []),
        (OUTLINE.replace("beijing", "atlantis") + JOBS, "night", []),
        (OUTLINE + "jobs: [", "batch", ["batch.yaml:"]),
        ("nmae: night\n" + JOBS, "batch", ["did you mean `name`"]),
        ("name: ../../etc\n" + JOBS, "batch", ["cannot name the output folder"]),
        ("name: [a]\n" + JOBS, "batch", ["`name` must be"]),
        ("- a list", "batch", ["a manifest is a mapping"]),
        ("catalog: gone.yaml\nname: night\n" + JOBS, "night", ["`gone.yaml`"]),
    ],
)
def test_an_outline_is_what_can_be_read(write, text, name, told):
    """All but the jobs: a mistake is told, counts as not given, and never leads elsewhere."""
    found = outline(write(text))
    assert (found.name, found.jobs) == (name, ())
    assert len(found.warnings) == len(told)
    assert all(words in str(one) for words, one in zip(told, found.warnings, strict=True))


def test_the_outline_of_a_file_that_has_gone(tmp_path):
    """Nothing but its path is known."""
    found = outline(tmp_path / "night.yaml")
    assert (found.name, found.folder) == ("night", tmp_path)
    assert "no such file" in str(found.warnings[0])
