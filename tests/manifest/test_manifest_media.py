from __future__ import annotations

import base64
import hashlib
import os
import tracemalloc

import pytest

from batchgen.catalog import Measured, Media, MediaKind
from batchgen.manifest import load
from batchgen.manifest.media import MAX_BYTES, MAX_URI, MediaFolder, Unusable

IMAGE, AUDIO, VIDEO = {MediaKind.IMAGE}, {MediaKind.AUDIO}, {MediaKind.VIDEO}
DOCUMENT, LINK = {MediaKind.DOCUMENT}, {MediaKind.LINK}


@pytest.fixture
def find(tmp_path):
    """What a source stands for, and the words of the refusal where it is refused."""
    folder = tmp_path / "films"
    folder.mkdir()
    media = MediaFolder(folder)

    def find(source, kinds=IMAGE):
        found = media.find(source, kinds)
        return f"{found.message} ({found.hint})" if isinstance(found, Unusable) else found

    return find


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ({"kind": "PNG", "mode": "RGBA"}, "image/png"),
        ({"kind": "JPEG"}, "image/jpeg"),
        ({"kind": "WEBP"}, "image/webp"),
        ({"kind": "BMP"}, "image/bmp"),
    ],
)
def test_pictures_are_known_by_their_content(find, write, draw, form, media_type):
    """Each format that the service takes is hashed and measured, whatever its name."""
    content = draw(300, 200, **form)
    write(content, "films/sub/thing")
    sha256 = hashlib.sha256(content).hexdigest()
    measured = Measured(len(content), 300, 200, None, "mode" in form)
    assert find("./sub/thing") == Media("./sub/thing", sha256, media_type, measured=measured)


def test_sounds_and_videos_are_measured(find, write, tone, film):
    """Sounds have a length, videos have sides as well."""
    write(tone(3.5), "films/a")
    write(film(320, 240, 2), "films/b")
    write(film(320, 240, 2, "mov"), "films/c")
    sound, video, movie = find("a", AUDIO), find("b", VIDEO), find("c", VIDEO)
    assert (sound.media_type, sound.measured.seconds) == ("audio/wav", 3.5)
    assert (video.media_type, movie.media_type) == ("video/mp4", "video/quicktime")
    assert (video.measured.width, video.measured.height, video.measured.seconds) == (320, 240, 2.0)


OFFICE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("script", b"%PDF-1.7 ...", "application/pdf"),
        ("script.DOCX", b"PK\x03\x04", OFFICE),
        ("script.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword"),
        ("script.md", "# Szene 1: Füchse".encode(), "text/markdown"),
        ("script", b"x" * 4_095 + "ü".encode(), "text/plain"),
    ],
)
def test_documents_are_known_by_their_content(find, write, name, content, media_type):
    """A file that a model reads may be a PDF, an office document or a text."""
    write(content, f"films/{name}")
    assert find(name, DOCUMENT).media_type == media_type
    assert find(name, DOCUMENT).measured.size == len(content)
    assert "(it must be a picture such as PNG or JPEG)" in find(name, IMAGE)


@pytest.mark.parametrize("content", [b"", b"a\0b", b"caf\xe9 au lait", b"PK\3\4", b"\x80\0"])
def test_other_bytes_are_no_document(find, write, content):
    """Bytes of no known kind are not sent as a document."""
    write(content, "films/script")
    assert "it must be a document such as a PDF or a text" in find("script", DOCUMENT)


@pytest.mark.parametrize(
    ("content", "kinds", "words"),
    [
        (b"<html>", IMAGE, "`a` is an HTML page (it must be a picture such as PNG or JPEG)"),
        (b"", IMAGE, "`a` is empty"),
        (b"GIF89a", IMAGE, "`a` is a GIF picture"),
        (b"\0\0\0\x1cftypavif", IMAGE, "`a` is an AVIF or HEIC picture"),
        (b"OggS", AUDIO, "`a` is an Ogg file (it must be a sound such as WAV or MP3)"),
        (b"\x1aE\xdf\xa3", VIDEO, "a WebM or Matroska video (it must be a video such as"),
        (b"%PDF-1.7", VIDEO | IMAGE, "PNG or JPEG or a video such as"),
    ],
)
def test_other_content_is_refused(find, write, content, kinds, words):
    """A file of another kind is told by what it is, and what would be right."""
    write(content, "films/a")
    assert words in find("a", kinds)


def test_a_medium_in_the_wrong_place_is_refused(find, write, draw, tone):
    """A sound is no picture, and a picture is no document."""
    write(tone(), "films/a.png")
    write(draw(), "films/b.wav")
    assert "`a.png` is a WAV sound" in find("a.png", IMAGE)
    assert "`b.wav` is a PNG picture" in find("b.wav", AUDIO)
    assert "`b.wav` is a PNG picture" in find("b.wav", DOCUMENT)


def test_a_cut_picture_is_refused(find, write, draw):
    """Half a download is noticed before it is sent, not after the task has failed."""
    write(draw()[:-5], "films/hero.png")
    assert "`hero.png` is cut: " in find("hero.png")


def test_a_huge_file_is_refused_unread(find, tmp_path):
    """What no model takes is not even read."""
    path = tmp_path / "films/over.mp4"
    path.touch()
    os.truncate(path, MAX_BYTES + 1)
    assert "more than 1,000 MB" in find("over.mp4", VIDEO)


def test_a_large_file_is_read_piece_by_piece(find, tmp_path, film):
    """Hashing and measuring 60 MB of video takes no 60 MB of memory."""
    path = tmp_path / "films/long.mp4"
    path.write_bytes(film())
    with path.open("ab") as file:
        file.write((60_000_000).to_bytes(4) + b"free")
        file.truncate(path.stat().st_size + 60_000_000)
    tracemalloc.start()
    try:
        assert find("long.mp4", VIDEO).measured.size > 60_000_000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("https://example.com/a.png?sig=1", IMAGE),
        ("HTTP://example.com/a", VIDEO),
        ("oss://dashscope/a.png", IMAGE),
        ("https://example.com/story", LINK),
    ],
)
def test_remote_sources_pass_as_they_are(find, source, kinds):
    """A URL is its own content; nothing is fetched."""
    assert find(source, kinds) == Media(source)


def uri(content, media_type="image/png"):
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def test_a_data_uri_is_measured_like_a_file(find, draw, tone):
    """By its content; on the wire it stays as it is, so it has no hash of its own."""
    content = draw(300, 200, mode="RGBA")
    measured = Measured(len(content), 300, 200, None, alpha=True)
    assert find(uri(content)) == Media(uri(content), None, "image/png", measured=measured)
    sound = find(uri(tone(3.5), "AUDIO/WAV"), AUDIO)
    assert (sound.media_type, sound.measured.seconds) == ("audio/wav", 3.5)


def test_what_a_data_uri_holds_is_held_against_the_model(problems, draw):
    """Format, sides and transparency, as for a file; the complaint stands at its key."""
    text = "jobs: [{{id: a, model: wan2.6-i2v, img_url: '{}'}}]".format
    assert problems(text(uri(draw(640, 480)))) == []
    for content, words in [
        (draw(640, 480, mode="RGBA"), "must not have an alpha channel"),
        (draw(100, 480), "must have sides from 240 to 8000 pixels, not 100*480"),
        (draw(300, 300, kind="TIFF"), "must be JPEG, PNG, BMP or WEBP, not image/tiff"),
        (draw(640, 480)[:-9], "is cut"),
        (b"GIF89a", "is a GIF picture"),
    ]:
        [problem] = problems(text(uri(content)))
        assert words in problem.message
        assert (problem.line, problem.column) == (1, 35)


def test_a_data_uri_is_bounded(find):
    """What no model takes is not even decoded."""
    assert "more than 40,000,000 characters" in find(f"data:image/png;base64,{'A' * MAX_URI}")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("file:///etc/passwd", "`file:` cannot be used here"),
        ("ftp://example.com/a.png", "`ftp:` cannot be used here"),
        ("https:///a.png", "names no host"),
        ("oss:///a.png", "names no host"),
        ("https://exam ple.com/a.png", "names no host"),
        ("https://[::1/a.png", "names no host"),
        ("data:image/png,abc", "not a media type and base64"),
        ("data:image/png;base64,", "not a media type and base64"),
        ("data:image/png;base64,a", "not a media type and base64"),
        ("data:image/png;base64,iVBO Rw0KGgo=", "not a media type and base64"),
        ("data:audio/wav;base64,iVBORw0KGgo=", "this data URI says `audio/wav`"),
        ("data:model/gltf;base64,iVBORw0KGgo=", "this data URI says `model/gltf`"),
        ("../secret.png", "outside the manifest's folder"),
        ("/etc/passwd", "outside the manifest's folder"),
        ("sub/../../secret.png", "outside the manifest's folder"),
        ("out.png", "outside the manifest's folder"),
        ("away/secret.png", "outside the manifest's folder"),
        ("loop.png", "outside the manifest's folder"),
        ("a\0b", "outside the manifest's folder"),
        (".", "this is a folder"),
        ("pipe.png", "no regular file"),
        ("x" * 300, "it cannot be opened: File name too long"),
        ("hero.pgn", "there is no such file (did you mean `hero.png`?)"),
        ("pics/hero.png", "there is no such file (there is no folder"),
    ],
)
def test_what_may_not_be_sent_is_refused(find, tmp_path, draw, source, words):
    """Nothing outside the manifest's folder is ever read, and a misspelt name is guessed."""
    (tmp_path / "secret.png").write_bytes(draw())
    (tmp_path / "films/hero.png").write_bytes(draw())
    (tmp_path / "films/out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "films/away").symlink_to(tmp_path)
    (tmp_path / "films/loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "films/pipe.png")
    assert words in find(source)


def test_a_link_within_the_folder_is_followed(find, write, tmp_path, draw):
    """A link that stays inside is as good as the file."""
    write(draw(), "films/hero.png")
    (tmp_path / "films/link.png").symlink_to("hero.png")
    assert find("link.png").sha256 == find("hero.png").sha256


def test_a_file_is_read_once_for_all_jobs(find, write, draw):
    """However many jobs name a picture, it is looked into once."""
    path = write(draw(), "films/hero.png")
    first = find("hero.png")
    path.unlink()
    assert find("hero.png", IMAGE | VIDEO) is first


def test_a_jobs_picture_is_part_of_its_request(write, draw):
    """Renaming a picture changes nothing, changing a pixel does."""
    text = "defaults: {model: wan2.6-i2v}\njobs: [{id: wave, img_url: hero.png}]\n"
    write(draw(640, 480), "hero.png")
    before = load(write(text)).jobs[0]
    assert before.request.media["img_url"][0].source == "hero.png"
    write(draw(640, 480), "villain.png")
    assert load(write(text.replace("hero", "villain"))).jobs[0].identity == before.identity
    write(draw(640, 479), "hero.png")
    assert load(write(text)).jobs[0].identity != before.identity


def test_a_wrong_picture_is_told_at_its_key(problems):
    """The place of a media problem is the key that names the file."""
    (problem,) = problems("jobs:\n- id: a\n  model: wan2.6-i2v\n  img_url: hero.png\n")
    assert (problem.line, problem.column) == (4, 3)
    assert problem.message == "img_url: `hero.png`: there is no such file"
