from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from batchgen.dashscope.pages import page_words

ASKED = URL("https://h/a.mp4?Expires=1769497758&Signature=ca%2Bnary%3D", encoded=True)

EXPIRED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>AccessDenied</Code>
  <Message>Request has expired.</Message>
  <RequestId>65B1</RequestId><HostId>h</HostId>
  <Expires>2026-01-27T07:09:18.000Z</Expires><ServerTime>2026-01-27T08:00:00.000Z</ServerTime>
</Error>"""


def test_an_expired_signature_reads_as_a_sentence():
    """Object storage's XML is shown as its code and message."""
    assert page_words(EXPIRED, ASKED) == "AccessDenied: Request has expired."


def test_a_signature_that_xml_repeats_is_left_out():
    """The parts of an XML error that hold the signature are not quoted."""
    page = b"<Error><Code>X</Code><StringToSign>GET ca+nary=</StringToSign></Error>"

    assert page_words(page, ASKED) == "X"


def test_html_is_reduced_to_its_words():
    """Markup, scripts, entities and controls do not reach the reason."""
    page = b"<html><script>alert(1)</script><h1>502&nbsp;Bad\x1b[2J\nGateway</h1><p"

    assert page_words(page, ASKED) == "502 Bad [2J Gateway"


def test_a_page_that_echoes_the_signature_loses_it():
    """Neither spelling of a signature survives."""
    page = b"not found: /a.mp4?Expires=1769497758&Signature=ca%2Bnary%3D or ca+nary="

    assert page_words(page, ASKED) == "not found: /a.mp4?Expires=***&Signature=*** or ***"


def test_a_long_page_is_cut():
    """A reason stays a line."""
    assert len(page_words(b"word " * 500, ASKED)) == 200


@given(page=st.binary(max_size=200))
def test_any_page_gives_printable_words(page):
    """Whatever a page holds, its words have no control characters."""
    assert all(character >= " " for character in page_words(page, ASKED))
