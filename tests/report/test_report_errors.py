"""Mistakes are told to people, bugs to those who mend them, secrets to nobody."""

from __future__ import annotations

import pytest

from batchgen.errors import BatchHeld, ManifestError, Mistake, Problem
from batchgen.report.errors import bug_report, error_lines, refusal_data, warning_lines


def test_every_problem_has_a_line():
    """All the problems of a manifest, each at its place, then how many."""
    problems = [
        Problem("a.yaml", 3, 5, "unknown key", "did you mean `n`?"),
        Problem("a", 0, 0, "x"),
    ]
    assert error_lines(ManifestError(problems)) == [
        "a.yaml:3:5: unknown key (did you mean `n`?)",
        "a: x",
        "2 problems in the manifest; nothing was sent.",
    ]


def test_a_mistake_has_its_hint():
    """What is wrong, then what to do, without controls."""
    lines = error_lines(Mistake("no \x1bkey", hint="set one"))
    assert lines == [r"batchgen: no \x1bkey", "  set one"]


def test_warnings_are_lines_and_not_too_many():
    """Each warning at its place, without controls; beyond a screenful they are counted."""
    assert warning_lines([Problem("a.yaml", 3, 5, "a \x1btail", "cut it")]) == [
        r"warning: a.yaml:3:5: a \x1btail (cut it)"
    ]
    lines = warning_lines([Problem("a.yaml", n, 1, "x") for n in range(1, 1_101)])
    assert len(lines) == 21
    assert lines[-1] == "warning: and 1,080 more; batchgen plan --json lists them"


def test_warnings_stand_behind_the_mistakes():
    """What was wrong and what would have been lost are told in one go, to people and programs."""
    wrong, lost = Problem("a.yaml", 9, 1, "wrong"), Problem("a.yaml", 3, 5, "lost")
    error = ManifestError([wrong], warnings=[lost])
    assert error_lines(error) == [
        "a.yaml:9:1: wrong",
        "warning: a.yaml:3:5: lost",
        "1 problem in the manifest; nothing was sent.",
    ]
    [told] = refusal_data(error)["warnings"]
    assert (told["line"], told["message"]) == (3, "lost")


def test_a_refusal_is_json_too():
    """A program learns why nothing was done, all keys always there, each problem at its place."""
    assert refusal_data(BatchHeld("process 7 is at it"), "night") == {
        "name": "night",
        "exit_code": 4,
        "error": {"exit_code": 4, "message": "process 7 is at it", "hint": None},
        "problems": [],
        "warnings": [],
    }
    told = refusal_data(ManifestError([Problem("a.yaml", 3, 5, "unknown key", "did you mean?")]))
    assert told["name"] is None
    assert told["problems"] == [
        {
            "file": "a.yaml",
            "line": 3,
            "column": 5,
            "message": "unknown key",
            "hint": "did you mean?",
        }
    ]


def explode(message):
    raise RuntimeError(message)


@pytest.mark.fault(122)
def test_a_bug_report_can_be_pasted():
    """Where it happened and in which versions, without a key, a signature or a local value."""
    url = "https://results.example/a.mp4?Signature=topsecret&Expires=1"
    message = f"at {url} with Bearer abcdef and sk-0123456789abcdef"
    with pytest.raises(RuntimeError) as caught:
        explode(message)
    report = "\n".join(bug_report(caught.value))
    assert "Please report it" in report
    assert "test_report_errors.py" in report
    assert "at https://results.example/a.mp4?... with Bearer ... and sk-..." in report
    assert "batchgen " in report
    assert "Python 3" in report
    assert "aiohttp 3" in report
    assert "topsecret" not in report
