from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.manifest import yaml_tree
from batchgen.manifest.nodes import MappingNode, value_of
from batchgen.manifest.problems import Problems
from batchgen.manifest.yaml_tree import parse


def read(data):
    """The document as plain data, and its problems as `line:column: message`."""
    problems = Problems()
    node = parse(data if isinstance(data, bytes) else data.encode(), "f", problems)
    told = [str(problem).removeprefix("f:") for problem in problems.error("f").problems]
    return (None if node is None else value_of(node)), told


def bomb(levels):
    """Ten aliases a level: ten to the power of the levels, written out."""
    lines = ["a0: &a0 [xxxxxxxxx]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_plain_data_comes_with_its_places():
    """Every key and every value knows its line and column."""
    problems = Problems()
    root = parse(b"a: 1\nb:\n  - x\n  -  'y'\n", "f", problems)
    assert isinstance(root, MappingNode)
    assert root.place_of("b") == (2, 1)
    items = root.pairs["b"].value.items
    assert [(item.text, item.line, item.column) for item in items] == [("x", 3, 5), ("y", 4, 6)]
    assert not problems


def test_columns_count_characters_not_bytes():
    """A place behind Chinese text is where an editor shows it."""
    _, told = read('{"中文": 1, 5: x}')
    assert told[0].startswith("1:11: ")


def test_norway_is_text_and_quotes_keep_text():
    """NO stays NO, a time stays a time, and what is quoted is text whatever it looks like."""
    data, told = read('a: NO\nb: 12:30\nc: "5"\nd: 5\ne: 1e3\nf: |\n  5\n')
    expected = {"a": "NO", "b": "12:30", "c": "5", "d": 5, "e": 1000.0, "f": "5\n"}
    assert (data, told) == (expected, [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marked_encodings_are_read(encoding):
    """UTF-8 with and without a mark, and UTF-16 with its mark, give the same text."""
    assert read("a: café 中文 🦊".encode(encoding)) == ({"a": "café 中文 🦊"}, [])


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        ("a: 1\nb: caf\xe9".encode("latin-1"), "2:7", "byte 11 of the file (0xE9) is not UTF-8"),
        (b"\xef\xbb\xbfa: \xff", "1:4", "byte 6 of the file (0xFF) is not UTF-8"),
        ("a: b".encode("utf-16") + b"x", "1:5", "byte 10 of the file (0x78) is not UTF-16"),
        ("a: b".encode("utf-32"), "1:1", "U+0000"),
        (b"a: b\nc: d\0", "2:5", "U+0000"),
        (b"a: \x1b[31m", "1:4", "U+001B"),
        (b'a: "\\e[31m"', "1:4", "U+001B"),
        (b'a: "\\0"', "1:4", "U+0000"),
        (b'a: "\\ud800"', "1:7", "an escape that is no character"),
    ],
)
def test_wrong_bytes_are_told_with_their_place(data, place, words):
    """Another encoding or a control character is named, with the byte or the code point."""
    _, told = read(data)
    assert len(told) == 1
    assert told[0].startswith(f"{place}: ")
    assert words in told[0]


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        ("a:\n\tb: 1", "2:1", "a tab cannot stand here (use spaces)"),
        ("a: |\n  x\n\ty", "3:1", "a tab"),
        ("a: b: c", "1:5", "put a text that holds `: ` in quotes"),
        ("a: @x", "1:4", "a value cannot begin with '@' (put the value in quotes)"),
        ("a: [1, 2\nb: 3", "1:4", "the list opened here is not closed"),
        ("a: {b: 1", "1:4", "the mapping opened here is not closed"),
        ('x: 1\na: "b', "2:4", "the quote opened here is not closed"),
        ("a: 1\n b: 2", "2:3", "indent"),
        ("- a\nb: c", "2:1", "no item of the list"),
        ('a: "\\q"', "1:5", "escape"),
        ("a: *", "1:5", "put the value in quotes"),
        ("%YAML 9.1\n---\na", "1:1", "version"),
        ("a:\n  b: 1\n c: 2", "3:2", "not indented like its neighbours"),
        ("a: 1\nb\nc: 2", "3:1", "without `:`"),
    ],
)
def test_syntax_errors_say_what_would_be_right(data, place, words):
    """libyaml's complaint arrives in plain words, at the place a person must look at."""
    _, told = read(data)
    assert len(told) == 1
    assert told[0].startswith(f"{place}: "), told
    assert words in told[0]


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3", "3:1", "already in line 1"),
        ('a: 1\n"a": 3', "2:1", "already in line 1"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "3:3", "`defaults:`"),
        ("a: !!python/object/apply:os.system [ls]", "1:4", "tags"),
        ("a: !x b", "1:4", "tags"),
        ("1: a", "1:1", "put the key in quotes"),
        ("a: {true: b}", "1:5", "put the key in quotes"),
        ("? [a]\n: b", "1:3", "not a list or a mapping"),
        ("? \n: b", "1:2", "not nothing"),
        ("a: 1\n---\nb: 2", "2:1", "one document"),
    ],
)
def test_what_is_refused_by_name_does_not_end_the_reading(data, place, words):
    """These mistakes are told, and the rest of the file is still looked at."""
    document, told = read(data)
    assert document is not None
    assert len(told) == 1
    assert told[0].startswith(f"{place}: ")
    assert words in told[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("[" * 60_000, "levels deep"),
        ("{" * 60_000, "levels deep"),
        ("- " * 60_000, "levels deep"),
        ("? " * 60_000, "levels deep"),
        ("[" * 1_000_000, "levels deep"),
        ("".join(f"{' ' * n}a:\n" for n in range(200)), "levels deep"),
        (bomb(20), "aliases add more than"),
        ("a: &a [b, *a]", "stands inside"),
        ("a: &a {b: {c: *a}}", "stands inside"),
        ("a: *b", "has no `&b` before it"),
        ("".join(f"- &a{n} x\n" for n in range(1_000_000)), "anchors"),
        ("a: &a " + "x" * 900_000 + "\nb: [" + "*a, " * 12 + "]", "aliases add more than"),
        ("a: " + "x" * 1_000_001, "more than 1,000,000 characters"),
        ("&a " * 50_000, "<document start>"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_bombs_are_refused_at_once(data, words):
    """A file built to exhaust the machine costs a second at most, and gets one clear problem."""
    started = time.process_time()
    document, told = read(data)
    assert time.process_time() - started < 2
    assert document is None
    assert len(told) == 1
    assert words in told[0]


def test_too_many_values_are_sent_to_a_table(monkeypatch):
    """A file of more values than memory allows is told where its jobs should go."""
    monkeypatch.setattr(yaml_tree, "MAX_NODES", 100)
    _, told = read("[" + "a," * 101 + "]")
    assert "jobs_from" in told[0]


def test_honest_aliases_are_what_they_stand_for():
    """An alias gives the anchored value, also under a redefined name, also as a key."""
    data, told = read("a: &x [1, {b: 2}]\nc: *x\nd: &x 3\ne: *x\nf: &k key\n*k : 4")
    assert told == []
    assert data["c"] == [1, {"b": 2}]
    assert data["e"] == 3
    assert data["key"] == 4


def test_an_anchor_on_a_key_met_before_holds():
    """A key that is already known may still be given an anchor, or a tag that is refused."""
    assert read("- key: 1\n- &k key: 2\n- *k") == ([{"key": 1}, {"key": 2}, "key"], [])
    assert read("- key: 1\n- !x key: 2")[1][0].startswith("2:3: tags")


@pytest.mark.parametrize(("links", "refused"), [(30, False), (31, True), (200, True)])
def test_depth_counts_through_aliases(links, refused):
    """A chain of aliases nests as deep as if it were written out, and no deeper is allowed."""
    chain = [f"- &a{n} [*a{n - 1}]" for n in range(1, links + 1)]
    document, told = read("\n".join(["- &a0 x", *chain]))
    assert (document is None, len(told)) == (refused, int(refused))


def test_an_empty_document_is_nothing():
    """A file without a document is told apart from one that cannot be read."""
    assert read("") == (None, [])
    assert read("# only a comment\n") == (None, [])


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_a_problem(data):
    """Nothing but a document or problems comes out, whatever goes in."""
    document, told = read(data)
    assert document is None or isinstance(document, dict | list | str | int | float | bool)
    assert all(told)


@given(st.text(alphabet="ab01:-?[]{}&*!|>'\"%@`,#<~\n\t ", max_size=80))
def test_any_yaml_like_text_gives_a_document_or_a_problem(text):
    """The same for texts made of YAML's own signs, which get further than chance bytes."""
    read(text)
