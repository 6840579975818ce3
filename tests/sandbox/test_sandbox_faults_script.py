from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from batchgen.sandbox import Faults, FaultScriptError, Point
from batchgen.sandbox.faults import load, script
from batchgen.sandbox.faults.actions import (
    KINDS,
    Answer,
    CutShort,
    Delay,
    Ending,
    Fail,
    Lag,
    Limits,
    Page,
    Partial,
)
from batchgen.sandbox.faults.refusals import SERVICE, STORE
from batchgen.sandbox.faults.rules import POSSIBLE

EXAMPLE = Path(__file__).parents[2] / "jobs" / "faults" / "rough-night.yaml"


@pytest.fixture
def read(tmp_path):
    def read(text: str | bytes) -> Faults:
        path = tmp_path / "night.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path)

    return read


@pytest.fixture
def problems(read, tmp_path):
    """What is wrong with a script, each as `line:column: message`."""

    def problems(text: str | bytes) -> list[str]:
        with pytest.raises(FaultScriptError) as caught:
            read(text)
        assert str(caught.value) == "\n".join(caught.value.problems)
        return [
            problem.removeprefix(f"{tmp_path / 'night.yaml'}:") for problem in caught.value.problems
        ]

    return problems


def one(faults: Faults):
    (rule,) = faults.rules
    return rule


def test_the_example_in_the_documentation_can_be_used(read):
    """What the module shows is what it reads."""
    shown = script.__doc__.split("\n\n")[1]
    busy, tired, storm = read(textwrap.dedent(shown)).rules
    assert busy.action == Answer(429, "Throttling.RateQuota", SERVICE[busy.action.code][1], "3")
    assert [number for number in range(1, 30) if number in busy.calls] == [
        2, *range(5, 9), *range(20, 30),
    ]  # fmt: skip
    assert (tired.name, tired.action.status) == ("the gateway is tired", 502)
    assert (tired.after, tired.during) == (600, 7200)
    assert (storm.point, storm.prompt, storm.action) == (Point.TASK, "storm", Fail())


@pytest.mark.parametrize("code", SERVICE)
def test_a_documented_code_needs_no_more_than_its_name(read, code):
    """Status and message come along, for an answer and for a task that fails."""
    action = one(read(f"faults: [{{at: submit, do: answer, code: {code}}}]")).action
    assert action == Answer(*SERVICE[code][:1], code, SERVICE[code].message)
    assert 400 <= action.status <= 503
    action = one(read(f"faults: [{{at: task, do: fail, code: {code}}}]")).action
    assert action == Fail(code, SERVICE[code].message)


def test_the_object_store_has_words_of_its_own(read):
    """`AccessDenied` on a result is a signature that has expired."""
    action = one(read("faults: [{at: result, do: answer, code: AccessDenied}]")).action
    assert action == Answer(403, "AccessDenied", STORE["AccessDenied"].message)
    assert "expired" in action.message


def test_what_is_given_beats_what_is_documented(read):
    """A known code with another status; an unknown one with its own."""
    text = "faults: [{at: submit, do: answer, code: Throttling, status: 503, message: busy}]"
    assert one(read(text)).action == Answer(503, "Throttling", "busy")
    text = "faults: [{at: submit, do: answer, code: 418, status: 418}]"
    assert one(read(text)).action == Answer(418, "418", "")


REQUIRED = {
    "answer": "code: InternalError",
    "page": "content: nan",
    "delay": "seconds: 3",
    "drip": "rate: 10",
    "lag": "seconds: 5",
    "slow": "factor: 2",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_written_wherever_it_can_happen(read, kind):
    """With what it needs and no more."""
    points = [point for point in Point if KINDS[kind] in POSSIBLE[point]]
    assert points
    for point in points:
        rule = one(read(f"faults: [{{at: {point}, do: {kind}, {REQUIRED.get(kind, '')}}}]"))
        assert type(rule.action) is KINDS[kind]
        assert rule.point is point


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("at: result, do: cut, size: 10, ending: close", CutShort(10, Ending.CLOSE)),
        ("at: submit, do: limits, running: 1, queue: 0", Limits(running=1, queue=0)),
        ("at: task, do: fail, code: Mine, rendering: 20", Fail("Mine", "", 20)),
        ("at: task, do: partial, places: [1, 3]", Partial((1, 3))),
        ("at: list, do: page, content: empty, status: 502", Page("empty", 502)),
        ("at: query, do: delay, seconds: 1m", Delay(60)),
        ("at: list, do: lag, seconds: 1.5h", Lag(5400)),
        ("at: task, do: fail, rendering: 90s", Fail(rendering=90)),
    ],
)
def test_a_kind_takes_its_settings(read, text, action):
    """As they are written."""
    assert one(read(f"faults: [{{{text}}}]")).action == action


def test_which_calls(read):
    """Numbers, steps and chance, all of which must agree; and the narrowing."""
    rule = one(
        read("""
        seed: 5
        faults:
          - {at: query, do: reset, calls: 4-, every: 2, chance: 0.5, model: wan*, account: a,
             task_status: RUNNING, after: 90s, for: 1.5h}
        """)
    )
    hit = [number for number in range(1, 100) if number in rule.calls]
    assert 10 < len(hit) < 40
    assert hit[0] >= 4
    assert not [number for number in hit if number % 2]
    assert (rule.model, rule.account, rule.status) == ("wan*", "a", "RUNNING")
    assert (rule.after, rule.during) == (90, 5400)


def test_another_seed_is_another_night(read):
    """And two rules with one chance do not go wrong together."""
    text = "seed: {}\nfaults:\n- &r {{at: list, do: reset, chance: 50%}}\n- *r"
    nights = [
        tuple(tuple(number in rule.calls for number in range(40)) for rule in rules)
        for rules in (read(text.format(seed)).rules for seed in (1, 1, 2))
    ]
    assert nights[0] == nights[1] != nights[2]
    assert nights[0][0] != nights[0][1]


def test_all_mistakes_are_told_at_once_with_their_places(problems):
    """And what was probably meant."""
    points = ", ".join(f"`{point}`" for point in Point)
    after = ", ".join(f"`{point}`" for point in Point if CutShort in POSSIBLE[point])
    statuses = "'', 'PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED' or 'CANCELED'"
    nearest = "did you mean `Throttling.RateQuota`?"
    assert problems("""
fautls: 1
faults:
  - {at: submit, do: anwser}
  - {at: sumbit, do: reset}
  - {at: submit, do: cut}
  - {at: submit, do: answer, code: Throttling.RateQota}
  - {at: submit, do: reset, cals: 3}
  - {at: list, do: reset, calls: [1, 5-2]}
  - {at: list, do: reset, chance: 150%}
  - {at: list, do: reset, chance: often}
  - {at: list, do: reset, for: 3 days}
  - {at: list, do: drip}
  - {at: list, do: drip, rate: 0}
  - {at: list, do: cut, size: -1}
  - {at: list, do: cut, ending: soft}
  - {at: query, do: reset, task_status: DONE}
  - {at: submit, do: limits, account: a}
  - {at: list, at: query, do: reset}
  - {at: list, do: answer, status: !!int x, code: y}
  - nonsense
  - {do: reset}
  - {at: [list], do: {a: b}}
""") == [
        "2:1: there is no key `fautls` here; did you mean `faults`?",
        "4:22: there is no kind `anwser`; did you mean `answer`?",
        "5:10: there is no point `sumbit`; did you mean `submit`?",
        f"6:22: `cut` cannot happen at `submit`, but at {after}",
        f"7:5: no documented code is `Throttling.RateQota`: give its `status` too; {nearest}",
        "8:29: there is no key `cals` here; did you mean `calls`?",
        "9:34: `calls`: '5-2' ends before it begins",
        "10:35: `chance`: should be less than or equal to 1",
        "11:35: `chance`: write 0.05, or 5%",
        "12:32: `for`: write seconds, or 90s, 10m, 2h",
        "13:5: `rate` is needed",
        "14:20: `do`: a rate must be above zero; a body that never comes is a stall",
        "15:31: `size`: should be greater than or equal to 0",
        "16:33: `ending`: should be 'reset', 'close', 'chunk' or 'whole'",
        f"17:41: `task_status`: should be {statuses}",
        "18:22: limits and a list's lag are the same for every account and prompt",
        "19:16: `at` is here twice",
        "20:36: this cannot be read: invalid literal for int() with base 10: 'x'",
        "21:5: a rule is a mapping of keys",
        f"22:5: `at` is needed: {points}",
        "23:10: there is no point `['list']`; did you mean `list`?",
        f"23:22: there is no kind `{{'a': 'b'}}`: {', '.join(f'`{kind}`' for kind in KINDS)}",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('at: query, do: redirect, to: "/a\\r\\nSet-Cookie: b"', "`to`: it must be a line"),
        ('at: task, do: fail, message: "a\\x00b"', "`message`: it must be a line"),
        ('at: task, do: partial, message: "a\\eb"', "`message`: it must be a line"),
        ('at: submit, do: answer, code: Arrearage, message: "a\\n"', "`message`: it must be a"),
        ('at: submit, do: answer, code: Arrearage, retry_after: "1\\r"', "`retry_after`: it must"),
        ('at: query, do: flap, status: "\\ud800"', "`status`: it must be a line"),
        ("at: task, do: partial, places: 3", "`places`: it must be a list, such as [1, 3]"),
        ("at: task, do: fail, prompt: 5", "`prompt`: it must be text: put it in quotes"),
        ("at: query, do: delay, seconds: 1 week", "`seconds`: write seconds, or 90s, 10m, 2h"),
        ("at: query, do: delay, seconds: -1", "`seconds`: should be greater than or equal to 0"),
    ],
)
def test_a_setting_that_cannot_be_is_told_in_plain_words(problems, text, problem):
    """No setting ends the header that it stands in, and none is told in a parser's words."""
    (found,) = problems(f"faults: [{{{text}}}]")
    assert problem in found


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "1:1: the file must be a mapping with the key `faults`"),
        (b"- 1", "1:1: the file must be a mapping with the key `faults`"),
        (b"seed: 1", "1:1: `faults` must be a list of rules"),
        (b"faults: []", "1:9: `faults` must be a list of rules"),
        (b"faults: [", "1:10: expected the node content, but found '<stream end>'"),
        (b"a: \x01", "1:1: unacceptable character #x0001: special characters are not allowed"),
        (b"\xff", "1:1: byte 0 of the file is not UTF-8"),
        (b"[" * 100_000, "1:1: the file is nested too deeply"),
        (b"#" * 1_100_000, "1:1: the file is larger than a megabyte"),
        (b"faults: *a", "1:9: found undefined alias 'a'"),
    ],
)
def test_a_file_that_is_no_script(problems, content, problem):
    """One sentence with its place, whatever the file is."""
    assert problems(content) == [problem]


def test_keys_are_words_and_tags_are_none(problems):
    """Nothing in a file makes an object."""
    found = problems("? [a]\n: 1\nfaults: [{at: list, do: !!python/object:os.system reset}]")
    assert found[0] == "1:3: a key must be a word"
    assert "could not determine a constructor" in found[1]


def test_a_file_that_is_not_there(tmp_path):
    """It is named, with the system's reason."""
    with pytest.raises(FaultScriptError, match=r"none\.yaml:1:1: .* No such file"):
        load(tmp_path / "none.yaml")


def test_the_example_night_is_rough_everywhere(read):
    """Submits, queries, downloads, a quota and one task: each has its trouble."""
    rules = load(EXAMPLE).rules
    assert {rule.point for rule in rules} == {
        Point.SUBMIT,
        Point.QUERY,
        Point.RESULT,
        Point.TASK,
    }
    assert all(rule.name for rule in rules)
