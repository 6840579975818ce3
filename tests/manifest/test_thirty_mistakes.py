"""One manifest, many mistakes: all of them are told, each at its own line and column, no other.

The mistakes are of one kind each: of the manifest's own keys, of a model's values and of how they
go together, of media by what is written and by what is in the files, of ids, names and repetitions.
"""

from __future__ import annotations

import pytest

from batchgen.errors import Problem

MANIFEST = """\
region: singapore
limits: {max_in_flight: 0}
budget: {amount: 25, currency: EUR}
defaults:
  model: wan2.6-t2v
  colour: red
jobs:
  - {id: duration, prompt: a, duration: 16}
  - {id: size, prompt: b, size: 1280x720}
  - {id: seed, prompt: c, seed: 2147483648}
  - {id: typing, prompt: d, watermak: true}
  - {id: switch, prompt: e, watermark: "true"}
  - {id: shots, prompt: f, shot_type: multi, prompt_extend: false}
  - {id: long, prompt: LONG}
  - {id: model, prompt: g, model: wan2.6-t2w}
  - {id: elsewhere, prompt: h, model: wan2.6-t2v-us}
  - {id: foreign, prompt: i, resolution: 720P}
  - {id: empty, prompt: "  "}
  - {id: missing, duration: 5}
  - {id: a/b, prompt: j}
  - {id: NUL, prompt: k}
  - {id: Straße, prompt: l}
  - {id: STRASSE, prompt: m}
  - {id: twice, prompt: n}
  - {id: again, prompt: n}
  - {id: smuggled, prompt: o, extra_parameters: {duration: 15}}
  - {id: cut, prompt: p, long_prompt: yes}
  - {id: cost, prompt: q, model: wan2.6-t2i, n: 5}
  - {id: area, prompt: r, model: wan2.6-t2i, size: 4000*4000}
  - id: small
    model: wan2.6-i2v
    img_url: small.png
  - id: clear
    model: wan2.6-i2v
    img_url: clear.png
  - id: disguised
    model: wan2.6-i2v
    img_url: page.png
  - id: nowhere
    model: wan2.6-i2v
    img_url: hero.jpeg
  - id: outside
    model: wan2.6-i2v
    img_url: ../hero.png
  - id: scheme
    model: wan2.6-i2v
    img_url: file:///etc/passwd
  - id: sound
    model: wan2.6-i2v
    img_url: hero.png
    audio_url: long.wav
  - id: kind
    prompt: s
    audio_url: hero.png
  - id: list
    model: wan2.6-r2v
    prompt: character1 waves
    reference_urls: [oss://a/1, oss://a/2, oss://a/3, oss://a/4, oss://a/5, oss://a/6]
  - id: item
    model: wan2.6-r2v
    prompt: character1 waves
    reference_urls:
      - hero.png
      - long.wav
  - id: combination
    model: wan2.7-i2v
    media:
      - {type: last_frame, url: hero.png}
  - id: role
    model: wan2.7-i2v
    media:
      - {type: first_frame, url: hero.png}
      - {type: last_frames, url: hero.png}
  - id: voice
    model: wan2.7-r2v
    prompt: Image 1 sings
    media:
      - type: reference_image
        url: hero.png
        reference_voice: long.wav
  - id: ratio
    model: wan2.7-r2v
    prompt: Image 1 waves
    ratio: 1:1
    media:
      - {type: first_frame, url: hero.png}
      - {type: reference_image, url: hero.png}
  - {id: link, model: wan3.0-video, media: [{type: link, url: story.html}]}
  - {id: [deep], prompt: t}
  - [a, list]
jobs_from: more.csv
"""

PLACES = [
    (2, 10, "`max_in_flight` must be a whole number of tasks"),
    (3, 1, "the budget is in EUR, but the price list is in USD"),
    (6, 3, "unknown key `colour`"),
    (8, 31, "must be from 2 to 15, not 16"),
    (9, 27, "must be 1280*720, not '1280x720'"),
    (10, 27, "must be from 0 to 2147483647"),
    (11, 29, "unknown key `watermak` (did you mean `watermark`?)"),
    (12, 29, "must be true or false"),
    (13, 28, "does not take shot_type when prompt_extend is false"),
    (14, 16, "2,000 characters, 500 more than its limit of 1,500"),
    (15, 28, "unknown model `wan2.6-t2w` (did you mean `wan2.6-t2v`?)"),
    (16, 32, "wan2.6-t2v-us is not served in Singapore"),
    (17, 30, "wan2.6-t2v does not take resolution"),
    (18, 17, "prompt of wan2.6-t2v is empty"),
    (19, 5, "prompt is missing"),
    (20, 6, "an id must not hold '/'"),
    (21, 6, "Windows keeps the name 'NUL' for a device"),
    (23, 6, "cannot be told from Straße"),
    (25, 5, "the same as the job in line 24"),
    (26, 50, "extra_parameters may not set duration"),
    (27, 26, "long_prompt must be cut"),
    (28, 46, "must be from 1 to 4, not 5"),
    (29, 46, "pixels in all"),
    (32, 5, "img_url of wan2.6-i2v must have sides from 240 to 8000 pixels, not 100*100"),
    (35, 5, "must not have an alpha channel"),
    (38, 5, "`page.png` is an HTML page"),
    (41, 5, "there is no such file (did you mean `hero.png`?)"),
    (44, 5, "lies outside the manifest's folder"),
    (47, 5, "`file:` cannot be used here"),
    (51, 5, "must last 3 to 30 seconds, not 31.00"),
    (54, 5, "`hero.png` is a PNG picture (it must be a sound such as WAV or MP3)"),
    (58, 5, "must hold 1 to 5, not 6"),
    (64, 9, "reference_urls[1]: `long.wav` is a WAV sound"),
    (67, 5, "last_frame, which is not taken"),
    (73, 10, "did you mean last_frame?"),
    (80, 9, "reference_voice of wan2.7-r2v must last 1 to 10 seconds, not 31.00"),
    (84, 5, "does not take ratio with first_frame in media"),
    (88, 58, "must be the address of a public page"),
    (89, 6, "an id must be a text"),
    (90, 5, "a job is a prompt, or a mapping of keys"),
]


@pytest.fixture
def found(write, problems, draw, tone) -> list[Problem]:
    """The problems of the manifest, with the files that it names beside it."""
    write(draw(100, 100), "small.png")
    write(draw(mode="RGBA"), "clear.png")
    write(draw(), "hero.png")
    write(b"<!DOCTYPE html>", "page.png")
    write(tone(31.0), "long.wav")
    write('prompt,reference_urls,seed\nu,"[""hero.png""",\nv,,-1\n', "more.csv")
    return problems(MANIFEST.replace("LONG", "x" * 2_000))


@pytest.mark.fault(113)
def test_a_manifest_with_many_different_mistakes_reports_each(found):
    """Forty kinds of mistakes, forty problems: each at its line and column, in their order."""
    own = [problem for problem in found if problem.file.endswith("batch.yaml")]
    told = {(problem.line, problem.column): str(problem) for problem in own}
    assert list(told) == [place[:2] for place in PLACES]
    for line, column, words in PLACES:
        assert words in told[line, column]
    assert len(own) == len(PLACES) >= 30


def test_mistakes_in_a_table_are_told_with_them(found):
    """What a table says wrong is in the same list, at the table's own lines."""
    tables = [problem for problem in found if problem.file.endswith("more.csv")]
    assert [(problem.line, problem.message) for problem in tables] == [
        (2, "the list in `reference_urls` is not JSON: Expecting ',' delimiter"),
        (3, "seed of wan2.6-t2v must be from 0 to 2147483647, not -1"),
    ]
