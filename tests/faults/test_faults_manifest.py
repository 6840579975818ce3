"""Manifests that were edited, broken, or made to break something, as their writer notices it."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from batchgen.cli import main
from batchgen.errors import ExitCode
from batchgen.manifest import load
from tests.promises.oracle import keep_promises
from tests.promises.witnesses import Watch, tasks

HEAD = "defaults: {model: wan2.2-t2i-flash, size: 512*512}\njobs:\n"
TWO = (
    HEAD + "  - {id: owl, prompt: An owl in the rain.}\n  - {id: fox, prompt: Two foxes asleep.}\n"
)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The current folder, in which a test writes its manifest."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- edited ---------------------------------------------------------------------------------------


@pytest.mark.fault(108)
@pytest.mark.looptime
async def test_words_changed_after_they_were_paid_for_are_told_and_not_bought(rehearsal, capsys):
    """The old result stays; plan, status and run say so; exit 3; the new one only when asked."""
    rehearsal.faults = Watch()
    await rehearsal.run(TWO)
    before = (rehearsal.output / "owl.png").read_bytes()
    summary = await rehearsal.run(TWO.replace("An owl in the rain", "A heron in the rain"))
    assert (summary.exit_code, summary.changed) == (ExitCode.NEEDS_A_PERSON, ("owl",))
    assert (rehearsal.output / "owl.png").read_bytes() == before
    assert rehearsal.sidecar("owl")["prompt"] == "An owl in the rain."
    await keep_promises(rehearsal, summary)
    for command in ("plan", "status"):
        assert main([command, "--sandbox", "--json", str(rehearsal.folder / "film.yaml")]) == 0
        told = {job["id"]: job["state"] for job in json.loads(capsys.readouterr().out)["jobs"]}
        assert told == {"owl": "changed", "fox": "done"}
    rehearsal.settings = {"rerun_changed": True}
    summary = await rehearsal.run()
    assert (summary.exit_code, summary.submitted) == (ExitCode.DONE, 1)
    assert rehearsal.sidecar("owl")["prompt"] == "A heron in the rain."
    replaced = rehearsal.output / ".batchgen" / "replaced"
    assert before in [path.read_bytes() for path in replaced.rglob("*.png")]
    await keep_promises(rehearsal, summary, retries=1)


SAME = [
    {"id": "owl", "prompt": "An owl in the rain.", "seed": 7, "size": "512*512"},
    {"prompt": "Two foxes asleep.", "size": "512*512", "n": 2},
    {"id": "tide", "prompt": "The tide at noon.", "size": "1024*1024", "watermark": False},
    {"prompt": "Bread and a knife.", "size": "512*512", "negative_prompt": "a fork"},
]
MODEL = "wan2.2-t2i-flash"


def as_blocks(jobs: list[dict]) -> str:
    """Every key on a line of its own, with comments and empty lines between."""
    text = "# rewritten\n\njobs:\n"
    for job in jobs:
        pairs = [f"{key}: {json.dumps(value)}" for key, value in job.items()]
        text += "  -\n" + "".join(f"      {pair}   # {n}\n\n" for n, pair in enumerate(pairs))
    return text


def as_flow(jobs: list[dict]) -> str:
    return json.dumps({"jobs": jobs}, ensure_ascii=True, indent=1)


def with_defaults(jobs: list[dict]) -> str:
    """What most of them share is moved up; who differs says so, or takes it away."""
    shared = {"model": MODEL, "size": "512*512"}
    rest = [{k: v for k, v in job.items() if shared.get(k) != v} for job in jobs]
    return f"defaults: {json.dumps(shared)}\n" + as_blocks(rest)


@pytest.mark.fault(109)
@pytest.mark.looptime
async def test_what_is_only_written_otherwise_is_the_same_batch(rehearsal):
    """Reordered, reformatted, defaults moved: no run sends anything or changes a byte."""
    rehearsal.faults = Watch()
    jobs = [{"model": MODEL, **job} for job in SAME]
    summary = await rehearsal.run(as_flow(jobs))
    assert summary.exit_code is ExitCode.DONE
    await keep_promises(rehearsal, summary)
    arrived = len(rehearsal.faults.arrived)
    media = {path: path.read_bytes() for path in rehearsal.output.iterdir() if path.is_file()}
    turned = [dict(reversed(job.items())) for job in reversed(jobs)]
    for text in (as_blocks(jobs), as_flow(turned), with_defaults(jobs), with_defaults(turned)):
        summary = await rehearsal.run(text)
        assert (summary.exit_code, summary.submitted) == (ExitCode.DONE, 0)
    assert len(rehearsal.faults.arrived) == arrived
    assert {path: path.read_bytes() for path in media} == media
    assert len(tasks(rehearsal.folder / "service")) == len(SAME)


@pytest.mark.fault(109)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(SAME), st.sampled_from([as_blocks, as_flow, with_defaults]), st.randoms())
def test_ids_and_identities_survive_any_rewriting(tmp_path, jobs, write, random):
    """Whatever the order of jobs and keys, each request is the one that was asked for before."""
    shuffled = []
    for job in jobs:
        pairs = [("model", MODEL), *job.items()]
        random.shuffle(pairs)
        shuffled.append(dict(pairs))
    path = tmp_path / "film.yaml"

    def known(text: str) -> dict[str, str]:
        path.write_text(text, encoding="utf-8")
        return {job.id: job.identity for job in load(path).jobs}

    assert known(write(shuffled)) == known(as_flow([{"model": MODEL, **job} for job in SAME]))


# -- made to break something -----------------------------------------------------------------------

BOMBS = {
    "aliases": "a0: &a0 [xxxxxxxxx]\n"
    + "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)),
    "merges": "a: &a {x: 1}\n" + "\n".join(f"b{n}: {{<<: [{'*a, ' * 99}*a]}}" for n in range(99)),
    "brackets": "[" * 60_000,
    "braces": "{" * 60_000,
    "indents": "".join(f"{' ' * n}a:\n" for n in range(5_000)),
    "itself": "jobs: &a [*a]",
    "anchors": "".join(f"- &a{n} x\n" for n in range(1_000_000)),
    "deep json": "defaults: {model: wan2.2-t2i-flash}\njobs_from: deep.jsonl\n",
}
PEAK = """
import sys
from pathlib import Path
from batchgen.cli import main

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
"""
"""The most MiB that a process had so far: ``ru_maxrss`` counts those of its parent, too."""

MEASURE = f"""{PEAK}
import resource
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
main(["plan", "plain.yaml"])
before = peak()
for path in sorted(Path().glob("bomb *.yaml")):
    print(f"# {{path.stem}}", main(["plan", str(path)]))
print("# memory", peak() - before)
"""
"""All of them may have half a minute of the processor: who needs more is ended."""


@pytest.mark.fault(112)
def test_bombs_cost_little_time_and_memory(home):
    """Each is refused with its place, exit 2, all in half a minute, and in less than 100 MB."""
    (home / "plain.yaml").write_text(TWO)
    (home / "deep.jsonl").write_text('{"prompt":' + "[" * 100_000)
    for name, text in BOMBS.items():
        (home / f"bomb {name}.yaml").write_text(text)
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    )
    lines = [line[2:].rsplit(" ", 1) for line in ran.stdout.splitlines() if line.startswith("# ")]
    bombs = {name: int(number) for name, number in lines}
    megabytes = bombs.pop("memory")
    assert bombs.keys() == {f"bomb {name}" for name in BOMBS}
    assert set(bombs.values()) == {2}
    assert megabytes < 100
    for name in BOMBS:
        file = "deep.jsonl" if name == "deep json" else f"bomb {name}.yaml"
        assert f"{file}:" in ran.stderr, f"{name} is told at its place"
    assert "Traceback" not in ran.stderr


GUESSES = """
defaults: {model: wan2.2-t2i-flash, size: 512*512}
jobs:
  - {id: NO, prompt: NO}
  - {id: 12:30, prompt: 12:30}
  - {id: 2026-11-22, prompt: 2026-11-22}
  - {id: 1e3, prompt: 1e3}
  - {id: 0x1F, prompt: 0123456789012345678901234567890123456789}
"""


@pytest.mark.fault(113)
def test_words_that_yaml_would_guess_at_stay_words(home):
    """Norway, a time, a day and numbers are prompts as somebody wrote them."""
    (home / "film.yaml").write_text(GUESSES.replace("id: 12:30", "id: half past"))
    prompts = [job.request.prompt for job in load(home / "film.yaml").jobs]
    assert prompts == ["NO", "12:30", "2026-11-22", "1e3", "0123456789" * 4]


@pytest.mark.fault(113)
@pytest.mark.parametrize(
    ("job", "place", "words"),
    [
        ("{id: a, prompt: x, prompt: y}", ":3:24:", "`prompt` is here again"),
        ("{id: a, promt: x}", ":3:", "unknown key `promt` (did you mean `prompt`?)"),
        ("{id: a, prompt: x, n: many}", ":3:24:", "n"),
        ("{id: a, prompt: x, n: 1e3}", ":3:24:", "n"),
        ("{id: a, prompt: x, seed: 99999999999999999999}", ":3:24:", "seed"),
        ("{id: a, prompt: x, watermark: NO}", ":3:24:", "watermark"),
        ("{id: a, prompt: [x]}", ":3:", "prompt"),
    ],
)
def test_a_wrong_key_or_value_is_told_where_it_stands(home, capsys, job, place, words):
    """File, line and column, what is wrong, exit 2, and not even a folder is made."""
    (home / "film.yaml").write_text(f"{HEAD}  - {job}\n")
    assert main(["run", "--sandbox", "film.yaml"]) == 2
    err = capsys.readouterr().err
    assert f"film.yaml{place}" in err
    assert words in err
    assert not (home / "output").exists()


@pytest.mark.fault(114)
@pytest.mark.parametrize(
    "encode",
    [
        str.encode,
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    ],
    ids=["plain", "marked", "little", "big"],
)
@pytest.mark.looptime
async def test_marked_encodings_become_the_same_sidecar(rehearsal, encode):
    """UTF-8 with or without a mark and UTF-16 are read; words arrive as they were written."""
    text = TWO.replace("An owl", "Eine Eule — 猫头鹰 🦉").replace("id: owl", "id: 猫头鹰")
    rehearsal.manifest("")
    (rehearsal.folder / "film.yaml").write_bytes(encode(text))
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.sidecar("猫头鹰")["prompt"] == "Eine Eule — 猫头鹰 🦉 in the rain."
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(114)
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("film.yaml", HEAD.encode() + b"  - caf\xe9\n", ":3:8: byte 64 of the file (0xE9)"),
        ("film.yaml", HEAD.encode() + b"  - a\0b\n", ":3:6: the control character U+0000"),
        ("film.yaml", HEAD.encode() + b"  - a\x1b[31m\n", ":3:6: the control character U+001B"),
        ("film.yaml", HEAD.encode() + b'  - "\\ud800"\n', "an escape that is no character"),
        ("film.yaml", HEAD.encode() + b'  - "a\\0"\n', "the control character U+0000"),
        ("jobs.jsonl", b'{"prompt": "\\ud800"}', "jobs.jsonl:1:13: the control character U+D800"),
        ("jobs.jsonl", b'{"prompt": "\\u0000"}', "jobs.jsonl:1:13: the control character U+0000"),
        ("jobs.txt", b"caf\xe9\n", "jobs.txt:1:4: byte 4 of the line (0xE9) is not UTF-8"),
        ("jobs.csv", b"prompt\ncaf\xe9\n", "jobs.csv:2:4: byte 4 of the line (0xE9) is not"),
    ],
)
def test_what_is_no_text_is_told_with_its_place(home, capsys, name, content, words):
    """Another encoding, a control, half a character: exit 2, and nothing of it goes further."""
    head = HEAD.replace("jobs:\n", f"jobs_from: {name}\n")
    (home / "film.yaml").write_text(head)
    (home / name).write_bytes(content)
    assert main(["run", "--sandbox", "film.yaml"]) == 2
    assert words in capsys.readouterr().err
    assert not (home / "output").exists()


@pytest.mark.fault(115)
@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("月" * 501, "has 501 characters, 1 more than its limit of 500"),
        ("🦊" * 501, "has 501 characters, 1 more than its limit of 500"),
        ("", "prompt of wan2.2-t2i-flash is empty"),
        (" \t ", "prompt of wan2.2-t2i-flash is empty"),
    ],
    ids=["long", "emoji", "empty", "blank"],
)
def test_a_prompt_that_would_be_swallowed_is_refused(home, capsys, prompt, words):
    """The service cuts without a word and bills it: here it is exit 2, before anything is sent."""
    (home / "film.yaml").write_text(
        f"{HEAD}  - {{id: a, prompt: {json.dumps(prompt, ensure_ascii=False)}}}\n"
    )
    assert main(["run", "--sandbox", "film.yaml"]) == 2
    assert words in capsys.readouterr().err
    assert not (home / "output").exists()


@pytest.mark.fault(115)
@pytest.mark.looptime
async def test_a_prompt_at_its_limit_and_one_of_emoji_arrive_whole(rehearsal):
    """Counted in characters as the service counts them: nothing is lost of either."""
    rehearsal.faults = Watch()
    jobs = f"  - {{id: long, prompt: {'月' * 500}}}\n  - {{id: fox, prompt: 🦊🌙}}\n"
    summary = await rehearsal.run(HEAD + jobs)
    assert summary.exit_code is ExitCode.DONE
    posted = [prompt for _, _, prompt in rehearsal.faults.posted]
    assert posted == ["月" * 500, "🦊🌙"]
    await keep_promises(rehearsal, summary)


# -- huge, or no file at all ----------------------------------------------------------------------


@pytest.mark.fault(22, 116)
def test_a_very_long_list_of_jobs_fits_into_memory(home):
    """Of 30,000 one is chosen and done; 100,000 would take three times that memory at most."""
    with (home / "many.jsonl").open("w", encoding="utf-8") as file:
        for n in range(30_000):
            words = f"A fox number {n} crosses a frozen river while the moon is looking on."
            file.write(json.dumps({"id": f"clip-{n}", "prompt": words}) + "\n")
    (home / "film.yaml").write_text(HEAD.replace("jobs:\n", "jobs_from: many.jsonl\n"))
    script = f"{PEAK}\nprint(main(sys.argv[1:]), peak())"
    command = "run film.yaml --sandbox --speed 3000 --only clip-7 --quiet"
    ran = subprocess.run(
        [sys.executable, "-c", script, *command.split()], capture_output=True, text=True, check=True
    )
    code, megabytes = map(int, ran.stdout.splitlines()[-1].split())
    assert code == 0
    assert (home / "output" / "sandbox" / "film" / "clip-7.png").exists()
    assert megabytes < 240


@pytest.mark.fault(116)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "this is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "this is no regular file"),
        (lambda path: path.symlink_to("/dev/stdin"), "this is no regular file"),
        (lambda path: path.mkdir(), "this is a folder"),
        (lambda path: (path.touch(), os.truncate(path, 500_000_000)), "more than 100 MB"),
    ],
    ids=["pipe", "device", "stdin", "folder", "500 MB"],
)
def test_what_is_no_manifest_is_refused_unread(home, capfd, make, words):
    """Exit 2 at once: no pipe is waited for, no device read for ever."""
    make(home / "film.yaml")
    read, write = os.pipe()
    command = [sys.executable, "-m", "batchgen", "plan", "film.yaml"]
    ran = subprocess.run(command, stdin=read, capture_output=True, text=True, check=False)
    os.close(read)
    os.close(write)
    assert ran.returncode == 2
    assert words in ran.stderr


@pytest.mark.fault(116)
def test_a_line_of_a_hundred_megabytes_is_refused(home, capsys):
    """A table is read line by line, and no line beyond a megabyte is a job."""
    (home / "film.yaml").write_text(HEAD.replace("jobs:\n", "jobs_from: jobs.txt\n"))
    (home / "jobs.txt").touch()
    os.truncate(home / "jobs.txt", 100_000_000)
    assert main(["plan", "film.yaml"]) == 2
    assert "jobs.txt:1: a line of more than 1,000,000 bytes" in capsys.readouterr().err


# -- files that nobody should send ---------------------------------------------------------------


@pytest.mark.fault(121)
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("file:///etc/passwd", "`file:` cannot be used here"),
        ("/etc/passwd", "lies outside the manifest's folder"),
        ("../secret.png", "lies outside the manifest's folder"),
        ("link.png", "lies outside the manifest's folder"),
        ("below/secret.png", "lies outside the manifest's folder"),
        ("notes.txt", "it must be a picture"),
        ("page.png", "it must be a picture"),
        ("huge.png", "has more than 1,000 MB"),
        ("pipe.png", "no regular file"),
    ],
)
def test_nothing_but_a_picture_beside_the_manifest_is_sent(home, capsys, source, words):
    """Whatever a stranger's manifest names: exit 2, nothing is sent, no folder is made."""
    films = home / "films"
    films.mkdir()
    Image.new("RGB", (640, 640), "navy").save(home / "secret.png")
    (films / "link.png").symlink_to(home / "secret.png")
    (films / "below").symlink_to(home)
    (films / "notes.txt").write_text("the password is swordfish")
    (films / "page.png").write_text("<html>")
    (films / "huge.png").touch()
    os.truncate(films / "huge.png", 2 << 30)
    os.mkfifo(films / "pipe.png")
    (films / "film.yaml").write_text(
        textwrap.dedent(f"""\
            jobs:
              - {{id: a, model: wan2.6-i2v, img_url: "{source}", resolution: 720P, prompt: x}}
            """)
    )
    assert main(["run", "--sandbox", "films/film.yaml"]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "films/film.yaml:2:" in err
    assert "swordfish" not in err
    assert not (films / "output").exists()
