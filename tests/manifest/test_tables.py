from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.manifest import tables
from batchgen.manifest.files import NotAFile
from batchgen.manifest.problems import Problems

TEXT_KEYS = frozenset({"id", "prompt", "size", "images"})
LIST_KEYS = frozenset({"images", "media"})


@pytest.fixture
def read(write):
    """A table's entries as (line, values), and its problems without the folder."""

    def read(content, name="jobs.jsonl"):
        path = write(content, name)
        problems = Problems()
        entries = tables.entries(path, TEXT_KEYS, problems, list_keys=LIST_KEYS)
        found = [(e.line, dict(e.values)) for e in entries]
        told = problems.error("").problems
        return found, [str(p).removeprefix(f"{path}:") for p in told]

    return read


def test_jsonl_is_an_object_a_line(read):
    """Each object is an entry with its line; empty lines and a mark are skipped."""
    content = '\ufeff{"prompt": "a\\u2028b \\ud83e\\udd8a", "seed": 1}\n\n{"prompt": "c"}'
    found, told = read(content)
    assert found == [(1, {"prompt": "a\u2028b 🦊", "seed": 1}), (3, {"prompt": "c"})]
    assert told == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"a": 1, "a": 2}', "2:1: `a` is given twice"),
        ('{"x": {"a": 1, "a": 2}}', "2:1: `a` is given twice"),
        ('{"a": NaN}', "2:1: NaN is no JSON"),
        ('{"a": -Infinity}', "2:1: -Infinity is no JSON"),
        ('{"a": 1e999}', "2:1: `1e999` is beyond all numbers"),
        ('{"a": 1' + "0" * 5000 + "}", "2:1: a number of too many digits"),
        ('{"a": 1,}', "2:9: this line is not JSON"),
        ("{'a': 1}", "2:2: this line is not JSON"),
        ('{"a": 1} {"b": 2}', "2:10: this line is not JSON"),
        ('["a"]', "2:1: a line must be an object"),
        ('"a"', "2:1: a line must be an object"),
        ('{"a": "\\u0000"}', "2:8: the control character U+0000"),
        ('{"a": "\\ud800"}', "2:8: the control character U+D800"),
        ('{"a": "x\\uZZZZ"}', "2:10: this line is not JSON: Invalid"),
        ('{"a": "x\\b"}', "2:9: the control character U+0008"),
        ('{"a": ' + "[" * 32 + "1" + "]" * 32 + "}", "2:38: nested more than 32 levels"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "2:38: nested more than 32 levels"),
        ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "2:1: nested more than 32 levels"),
    ],
    ids=lambda value: value[:24],
)
def test_a_wrong_json_line_is_told_and_the_next_one_read(read, line, words):
    """Strict JSON: every mistake has its line and column, and costs no other line."""
    found, told = read(f'{{"prompt": "first"}}\n{line}\n{{"prompt": "last"}}\n')
    assert [values["prompt"] for _, values in found] == ["first", "last"]
    assert len(told) == 1
    assert told[0].startswith(words)


def test_an_escaped_backslash_is_no_escape(read):
    """A backslash before the letters of an escape is plain text."""
    assert read('{"prompt": "C:\\\\u0000 \\\\b"}') == ([(1, {"prompt": "C:\\u0000 \\b"})], [])


def test_deep_json_within_the_limit_is_read(read):
    """Many brackets side by side are not depth."""
    deep = json.loads("[" * 31 + "1" + "]" * 31)
    found, told = read(json.dumps({"images": [[1]] * 100, "x": deep}))
    assert (len(found), told) == (1, [])


def test_a_key_is_found_in_its_line(write):
    """The place of a key is its column, not that of the same word in a value or further down."""
    line = '{"prompt": "size", "extra_input": {"size": 1}, "size" : "x"}'
    problems = Problems()
    (entry,) = tables.entries(write(line, "a.jsonl"), TEXT_KEYS, problems)
    assert entry.place_of("size").column == line.rindex('"size"') + 1
    assert entry.place_of("nothing").column == 1


def test_a_place_below_a_key_is_found_in_its_line(write):
    """The place of an item, or of a key in an item, is its own column; else the nearest above."""
    line = ' {"a": [1, ["x"]] , "media": [{"type": "a"}, {"url" : "[,{", "type":"b"}, "c"]}'
    (entry,) = tables.entries(write(line, "a.jsonl"), TEXT_KEYS, Problems())
    for path, written in (
        (("media", 1), '{"url"'),
        (("media", 1, "type"), '"type":"b"'),
        (("media", 1, "voice"), '{"url"'),
        (("media", 1, "url", 3), '"url" :'),
        (("media", 2), '"c"'),
        (("media", 3), '"media"'),
        (("a", 1, 0), '"x"'),
    ):
        assert entry.place_of(*path).column == line.index(written) + 1, path


def test_csv_cells_hold_lists(read):
    """Where a key takes a list, a cell may be one in JSON; other texts keep their brackets."""
    content = """prompt,images,media
[a] fox,"[""a.png"", ""b.png""]","[{""type"": ""first_frame"", ""url"": ""a""}]"
x,a.png,
y,"[a.png]",
"""
    found, told = read(content, "jobs.csv")
    media = [{"type": "first_frame", "url": "a"}]
    assert found == [
        (2, {"prompt": "[a] fox", "images": ["a.png", "b.png"], "media": media}),
        (3, {"prompt": "x", "images": "a.png"}),
    ]
    assert told == ["4: the list in `images` is not JSON: Expecting value"]


def test_csv_cells_mean_what_they_mean_in_yaml(read):
    """Text keys are text, numbers are numbers, an empty cell is not given, lines are real."""
    content = 'id,prompt,seed,audio\r\n007,"a\n""b"", c",5,true\n,NO,,\n\n,,,\nz,12,\n'
    found, told = read(content, "jobs.csv")
    assert found == [
        (2, {"id": "007", "prompt": 'a\n"b", c', "seed": 5, "audio": True}),
        (4, {"prompt": "NO"}),
        (7, {"id": "z", "prompt": "12"}),
    ]
    assert told == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("prompt;seed\nx;1\n", "1:1: the columns must be separated by commas"),
        ("prompt,,seed\nx,y,1\n", "1: column 2 has no key"),
        ("prompt,seed,prompt\nx,1,y\n", "1: `prompt` heads two columns"),
        ("prompt,seed\nx,1,2\n", "2: 3 cells, but the first row names 2 keys"),
        ('prompt\n"x\ny\n', "3: this is not CSV"),
        ('prompt\n"x"y\n', "2: this is not CSV"),
        ("prompt\n\0\n", "2:1: the control character U+0000"),
    ],
)
def test_a_wrong_csv_is_told(read, content, words):
    """A table that would be read otherwise than it was meant is told with its line."""
    found, told = read(content, "jobs.csv")
    assert found == []
    assert told[0].startswith(words), told


def test_an_open_quote_does_not_swallow_a_big_file(read):
    """A quote that is never closed ends in a problem, not in memory."""
    found, told = read('prompt\n"' + "x" * 100 + "\n" + "y\n" * 200_000, "jobs.csv")
    assert found == []
    assert "this is not CSV" in told[0]


def test_text_is_a_prompt_a_line(read):
    """Blank lines and comments are skipped, everything else is a prompt as it stands."""
    found, told = read("# films\n\n A fox: runs \nNO\n", "jobs.txt")
    assert found == [(3, {"prompt": "A fox: runs"}), (4, {"prompt": "NO"})]
    assert told == []


@pytest.mark.parametrize("name", ["jobs.txt", "jobs.csv", "jobs.jsonl"])
def test_bytes_that_are_not_utf8_end_a_table(read, name):
    """Another encoding is told once, with line, column and byte."""
    _, told = read("é\ncaf".encode() + b"\xe9\n\xff\n", name)
    assert told[-1].startswith("2:4: byte 4 of the line (0xE9) is not UTF-8")
    assert sum("UTF-8" in words for words in told) == 1


def test_an_endless_line_is_refused(read):
    """A line of more than a megabyte is no job; it is not read to its end."""
    found, told = read("fox\n" + "x" * 3_000_000, "jobs.txt")
    assert len(found) == 1
    assert told == ["2: a line of more than 1,000,000 bytes"]


@pytest.mark.parametrize("name", ["jobs.yaml", "jobs", "jobs.xlsx"])
def test_another_kind_of_file_is_refused(read, name):
    """The suffix says how a table is read; others are told which there are."""
    with pytest.raises(NotAFile, match=r"\.jsonl, \.csv, \.txt"):
        read("x", name)


def test_a_pipe_is_refused_without_waiting(tmp_path):
    """A pipe that nobody writes to does not hang the command."""
    os.mkfifo(tmp_path / "jobs.txt")
    with pytest.raises(NotAFile, match="no regular file"):
        list(tables.entries(tmp_path / "jobs.txt", TEXT_KEYS, Problems()))


@given(st.binary(max_size=200), st.sampled_from([".jsonl", ".csv", ".txt"]))
def test_any_bytes_give_entries_or_problems(tmp_path_factory, content, suffix):
    """Nothing else comes out of a table, whatever is in it; what comes out can be sent."""
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    for entry in tables.entries(path, TEXT_KEYS, Problems()):
        json.dumps(dict(entry.values), allow_nan=False).encode()
