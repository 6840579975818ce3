"""Trouble with a standard stream stays in the stream."""

from __future__ import annotations

import io
import os

import pytest

from batchgen.report.stream import Stream


def test_a_reader_that_has_gone_is_no_error():
    """Writing into a closed pipe goes on without an exception, also at the end of the program."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        stream = Stream(pipe)
        stream.write("x" * 100_000)
        stream.flush()
        assert isinstance(stream.trouble, BrokenPipeError)
        assert stream.write("more") == 4
    assert pipe.closed  # and closing it, which flushes again, raised nothing


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_terminal_cannot_show_is_escaped(encoding):
    """A locale without Chinese is no trouble: a name is escaped, the rest stays."""
    content = io.BytesIO()
    with io.TextIOWrapper(content, encoding, write_through=True) as file:
        stream = Stream(file)
        stream.write("a 狐 \udc80")
        assert stream.trouble is None
        seen = content.getvalue().decode(encoding)
    assert seen == ("a 狐 \\udc80" if encoding == "utf-8" else "a \\u72d0 \\udc80")


def test_a_full_disk_is_kept():
    """What a full disk says is there for whoever wants to tell it."""
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        stream = Stream(full)
        stream.write("result")
        stream.flush()
        assert isinstance(stream.trouble, OSError)
        assert "No space left" in str(stream.trouble)


def test_a_stream_closed_from_the_start_swallows():
    """A command that was started with its output closed runs all the same."""
    stream = Stream(None)
    assert stream.write("lost") == 4
    stream.flush()
    assert not stream.isatty()
    assert stream.trouble is None


def test_a_stream_closed_on_the_way_swallows():
    """Nor does a stream that is closed in the middle of a run end it."""
    file = io.StringIO()
    stream = Stream(file)
    file.close()
    stream.write("lost")
    assert isinstance(stream.trouble, ValueError)
    assert not stream.isatty()
