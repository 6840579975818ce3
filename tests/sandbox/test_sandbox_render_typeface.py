from __future__ import annotations

from batchgen.sandbox.render.typeface import Typeface, described


def test_chinese_has_glyphs_and_fits_the_frame():
    """No box is drawn for it, and lines break without spaces, but not before a comma."""
    face = Typeface()
    text, lacking = face.readable("一只狐狸侦探、在雨夜翻阅案卷。")
    assert face.name.startswith("Noto Sans CJK SC")
    assert (text, lacking) == ("一只狐狸侦探、在雨夜翻阅案卷。", [])
    lines = face.wrap(text, 40, 240)
    assert lines == ["一只狐狸侦探、", "在雨夜翻阅案", "卷。"]


def test_what_the_font_lacks_is_said():
    """An emoji becomes a square, and is named; joiners and controls vanish."""
    face = Typeface()
    text, lacking = face.readable("a\x1b fox \U0001f98a\ufe0f\u200d!")
    assert (text, lacking) == ("a fox □!", ["\U0001f98a"])
    assert described(lacking) == "font lacks: U+1F98A FOX FACE"
    assert described(list("\U0001f98a\U0001f98b\U0001f98c\U0001f98d")).endswith("and 1 more")


def test_a_mark_that_the_font_lacks_is_said():
    """Shaping would draw a crossed box on a circle for the signs of Hindi."""
    text, lacking = Typeface().readable("ल\u094d\u093f é e\u0301")
    assert text == "□□□ é e\u0301"
    assert lacking == ["ल", "\u094d", "\u093f"]


def test_no_line_begins_with_a_space():
    """A break between words swallows their space, wherever it falls."""
    face = Typeface()
    text = "the quick brown fox jumps over the lazy dog " * 3
    for width in range(40, 300, 7):
        lines = face.wrap(text, 20, width)
        assert [line for line in lines if line != line.strip()] == []
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_without_the_font_package_pillows_own_says_what_it_lacks():
    """Chinese is then missing, and nothing draws silent boxes."""
    face = Typeface("no_such_font_package")
    text, lacking = face.readable("fox 狐狸")
    assert text == "fox ??"
    assert lacking == ["狐", "狸"]
    assert "Noto" not in face.name


def test_a_long_word_is_broken():
    """Nothing runs out of the frame, whatever the prompt."""
    face = Typeface()
    assert all(face.at(40).getlength(line) <= 200 for line in face.wrap("x" * 50, 40, 200))


def test_what_is_too_long_for_a_tile_is_cut():
    """A long file name ends in an ellipsis, within the width; a short one is whole."""
    face = Typeface()
    assert face.cut("fox.png", 20, 200) == "fox.png"
    cut = face.cut("a very long name of a file indeed.png", 20, 200)
    assert cut.startswith("a very")
    assert cut.endswith("…")
    assert face.at(20).getlength(cut) <= 200
