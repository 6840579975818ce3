"""A person's own file of models: each mistake is one clear problem with its place."""

from __future__ import annotations

import pytest

from batchgen.sandbox import read_models


@pytest.fixture
def problems(tmp_path):
    """What is wrong with a file, line by line."""

    def problems(content: bytes) -> list[str]:
        path = tmp_path / "own.yaml"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"own\.yaml") as caught:
            read_models(path)
        return str(caught.value).splitlines()

    return problems


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("functions: 3", "functions: it must be a mapping, not 3"),
        ("functions: {a: 3}", "functions.a: it must be a mapping, not 3"),
        ("modes: [text]", "modes: it must be a mapping, not ['text']"),
        ("media: 3", "media: Input should be a dictionary or an instance of Media"),
        ("per_second: -1", "per_second: Input should be greater than 0"),
        ("per_second: 0", "per_second: Input should be greater than 0"),
        ("running: -1", "running: Input should be greater than 0"),
        ("queue_length: -1", "queue_length: Input should be greater than or equal to 0"),
        ("queue: [-1, 2]", "queue.0: Input should be greater than or equal to 0"),
        ("run: [1, 2, .inf]", "run.2: Input should be a finite number"),
    ],
)
def test_a_mistake_in_a_row(problems, row, problem):
    """The file, the model and the key; a variant that takes it over does not repeat it."""
    content = f"models: {{mine: {{like: wan2.1-vace-plus, {row}}}}}".encode()
    assert problems(content) == [f"own.yaml: models.mine.{problem}"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"models: {}\nmedia: 3", "media: it must be a mapping, not 3"),
        (b"models: {\n  a: [", "while parsing a flow node: expected the node content, but found"),
        (b"models: {a: 1}\nmedia: *b", "found undefined alias 'b', line 2, column 8"),
        (b"models: {a: \x01}", "unacceptable character #x0001: special characters are not"),
        (b"models: {a: \xff}", "byte 12 of the file is not UTF-8"),
        (b"models: {a: 2026-99-99}", "month must be in 1..12"),
        (b"models: " + b"[" * 100_000, "it is nested too deeply"),
        (
            b"models: {a: {like: b}, b: {like: c}, c: {like: b}}",
            "models.a.like: `b` is like itself, and there is no such model: b",
        ),
        (b"models: {a: {like: a}}", "models.a.like: `a` is like itself, and there is no such"),
    ],
)
def test_a_mistake_in_a_file(problems, content, problem):
    """One line with the file's name, whatever is wrong."""
    (found,) = problems(content)
    assert found.startswith(f"own.yaml: {problem}")
