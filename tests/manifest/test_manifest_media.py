from __future__ import annotations

import hashlib
import os

import pytest

from batchgen.catalog import Media
from batchgen.manifest import load
from batchgen.manifest.media import MAX_BYTES, MediaFolder, Unusable

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
PICTURES = {
    "a.png": PNG,
    "a.jpg": b"\xff\xd8\xff\xe0" + b"\0" * 20,
    "a.webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "a.bmp": b"BM" + b"\0" * 20,
}
SOUNDS = {
    "a.wav": b"RIFF\x10\0\0\0WAVEfmt ",
    "tagged.mp3": b"ID3\x04" + b"\0" * 20,
    "bare.mp3": b"\xff\xfb\x90\x00" + b"\0" * 20,
}


@pytest.fixture
def find(tmp_path):
    """What a source stands for, and the words of the refusal where it is refused."""
    folder = tmp_path / "films"
    folder.mkdir()
    media = MediaFolder(folder)

    def find(source, key="img_url"):
        found = media.find(key, source)
        return f"{found.message} ({found.hint})" if isinstance(found, Unusable) else found

    return find


@pytest.mark.parametrize(
    ("key", "name", "content"),
    [("img_url", *item) for item in PICTURES.items()]
    + [("audio_url", *item) for item in SOUNDS.items()],
)
def test_local_files_are_known_by_their_content(find, write, key, name, content):
    """Each format that the service takes is taken, whatever its name, and hashed."""
    write(content, "films/sub/thing")
    sha256 = hashlib.sha256(content).hexdigest()
    kinds = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "bmp": "image/bmp"}
    kinds |= {"wav": "audio/wav", "mp3": "audio/mpeg"}
    kind = kinds[name.rpartition(".")[2]]
    assert find("./sub/thing", key) == Media("./sub/thing", sha256, kind)


@pytest.mark.parametrize(
    ("key", "content"),
    [("img_url", b"<html>"), ("img_url", b""), ("img_url", SOUNDS["a.wav"]), ("audio_url", PNG)],
)
def test_other_content_is_refused(find, write, key, content):
    """A file that is no picture, or no sound, is told before anything is sent."""
    write(content, "films/a.png")
    assert "file by its content" in find("a.png", key)


def test_a_big_file_is_refused_with_the_reason(find, write):
    """What is sent inside the request must be small; the error says so and what to do."""
    write(PNG + b"\0" * (MAX_BYTES - len(PNG)), "films/full.png")
    write(PNG + b"\0" * (MAX_BYTES - len(PNG) + 1), "films/over.png")
    assert isinstance(find("full.png"), Media)
    assert "more than 10 MB" in find("over.png")
    assert "sent inside the request" in find("over.png")


@pytest.mark.parametrize(
    "source",
    [
        "https://example.com/a.png?sig=1",
        "HTTP://example.com/a",
        "oss://dashscope/a.png",
        "data:image/png;base64,iVBORw0KGgo=",
    ],
)
def test_remote_sources_pass_as_they_are(find, source):
    """A URL or a data URI is its own content; nothing is fetched."""
    assert find(source) == Media(source)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("file:///etc/passwd", "`file:` cannot be used here"),
        ("ftp://example.com/a.png", "`ftp:` cannot be used here"),
        ("https:///a.png", "names no host"),
        ("https://exam ple.com/a.png", "names no host"),
        ("https://[::1/a.png", "names no host"),
        ("data:image/png,abc", "not a media type and base64"),
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
def test_what_may_not_be_sent_is_refused(find, write, tmp_path, source, words):
    """Nothing outside the manifest's folder is ever read, and a misspelt name is guessed."""
    write(PNG, "secret.png")
    write(PNG, "films/hero.png")
    (tmp_path / "films/out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "films/away").symlink_to(tmp_path)
    (tmp_path / "films/loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "films/pipe.png")
    assert words in find(source)


def test_a_link_within_the_folder_is_followed(find, write, tmp_path):
    """A link that stays inside is as good as the file."""
    write(PNG, "films/hero.png")
    (tmp_path / "films/link.png").symlink_to("hero.png")
    assert find("link.png").sha256 == find("hero.png").sha256


def test_a_file_is_read_once_for_all_jobs(find, write, tmp_path):
    """However many jobs name a picture, it is looked into once."""
    path = write(PNG, "films/hero.png")
    first = find("hero.png")
    path.unlink()
    assert find("hero.png") is first


def test_a_jobs_picture_is_part_of_its_request(write):
    """Renaming a picture changes nothing, changing a pixel does."""
    text = "defaults: {model: wan2.6-i2v}\njobs: [{id: wave, img_url: hero.png}]\n"
    write(PNG, "hero.png")
    before = load(write(text)).jobs[0]
    assert before.request.media["img_url"][0].source == "hero.png"
    write(PNG, "villain.png")
    assert load(write(text.replace("hero", "villain"))).jobs[0].identity == before.identity
    write(PNG + b"!", "hero.png")
    assert load(write(text)).jobs[0].identity != before.identity


def test_a_wrong_picture_is_told_at_its_key(problems):
    """The place of a media problem is the key that names the file."""
    (problem,) = problems("jobs:\n- id: a\n  model: wan2.6-i2v\n  img_url: hero.png\n")
    assert (problem.line, problem.column) == (4, 3)
    assert problem.message == "img_url: `hero.png`: there is no such file"
