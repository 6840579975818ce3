"""Models of a user's own: added or overridden by a file, without code."""

from __future__ import annotations

import textwrap
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.catalog import CatalogError, Severity, load
from batchgen.catalog.documents import parse


@pytest.fixture
def written(tmp_path):
    """A file of this text, as its path."""

    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


def problems(path):
    with pytest.raises(CatalogError) as caught:
        load(path)
    return [str(problem).removeprefix(str(path)) for problem in caught.value.problems]


def test_a_model_like_one_of_the_package(written):
    """It differs in what the file says, and only in that."""
    path = written("""
        models:
          wan2.8-t2v:
            like: wan2.7-t2v
            title: Wan 2.8 text to video
            keys:
              duration: {type: integer, minimum: 2, maximum: 60, default: 5}
        """)
    model = load(path).find("wan2.8-t2v")
    assert model.check({"prompt": "x", "duration": 60}, region="singapore") == []
    assert model.check({"prompt": "x", "duration": 61}, region="singapore")
    request = model.request({"prompt": "x"}, {})
    assert str(model.price(request, "singapore")) == "USD 0.75"
    assert model.body(request, str)["model"] == "wan2.8-t2v"
    assert load().find("wan2.8-t2v") is None


def test_a_model_of_the_package_is_overridden(written):
    """A price or a limit that has changed is corrected in a few lines; later files win."""
    dearer = written("""
        models:
          wan2.6-t2v:
            like: wan2.6-t2v
            prices:
              source: my contract, 2026-12
              unit: second
              rates:
                - amounts: {USD: {720P: 0.2, 1080P: 0.3}}
        """)
    dearest = written(
        """
        models:
          wan2.6-t2v:
            like: wan2.6-t2v
            prices: null
        """,
        "later.yaml",
    )
    request = load().models["wan2.6-t2v"].request({"prompt": "x"}, {})
    assert str(load().models["wan2.6-t2v"].price(request, None)) == "USD 0.75"
    assert str(load(dearer).models["wan2.6-t2v"].price(request, None)) == "USD 1.50"
    assert list(load(dearer).models) == list(load().models)
    unpriced = load(dearer, dearest).models["wan2.6-t2v"]
    assert unpriced.price(request, None) is None
    assert unpriced.cost(request, {"duration": 5}, None) is None


def test_a_family_of_ones_own(written):
    """What the models of a file share stands under `every`, as in the package's files."""
    path = written("""
        every:
          family: text-to-video
          kind: video
          source: my notes, 2026-12
          routes: {task: {path: services/aigc/new/synthesis, headers: {X-DashScope-Async: enable}}}
          regions: [beijing]
          suffix: .mp4
          result_shape: video_url
          limits: {source: "my notes, 2026-12", submits_per_second: 1, running: 1, poll_seconds: 15}
          keys:
            prompt: {type: text, required: true}
            brightness: {type: number, minimum: 0, maximum: 1}
        models:
          new-t2v: {title: A new model, prices: null}
        """)
    catalog = load(path)
    model = catalog.models["new-t2v"]
    assert model.check({"prompt": "x", "brightness": 0.5}, region="beijing") == []
    assert "brightness" in catalog.keys
    [complaint] = catalog.models["wan2.6-t2v"].check(
        {"prompt": "x", "brightness": 1}, region=None, known=catalog.keys
    )
    assert complaint.message == "wan2.6-t2v does not take brightness"
    assert model.route("task").path == "services/aigc/new/synthesis"


def test_a_model_that_ends_is_warned_of(written):
    """The date and the source stand in the warning, which stops nothing."""
    path = written("""
        models:
          wan2.6-t2v:
            like: wan2.6-t2v
            retiring: {source: "Model retirement, 2026-12", date: 2027-03-01}
        """)
    [warning] = load(path).models["wan2.6-t2v"].check({"prompt": "x"}, region=None)
    assert warning.severity is Severity.WARNING
    assert warning.message == (
        "wan2.6-t2v is announced to end on 2027-03-01 (Model retirement, 2026-12)"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "models: {x: {like: wan2.6-t2w}}",
            [":1:14: there is no model wan2.6-t2w before it; did you"],
        ),
        ("", [":1:1: the file is empty"]),
        ("- a\n", [":1:1: it must be a mapping that holds `models`"]),
        ("models: 7\n", [":1:1: it must be a mapping that holds `models`"]),
        ("model: {}\nmodels: {}\n", [":1:1: model is neither `every` nor `models`"]),
        ("models:\n  x: 7\n", [":2:3: a model must be a mapping of facts under its name"]),
        ("models:\n  x: {a: 1, a: 2}\n", [":2:13: a is said twice"]),
        ("models: &a\n  x: {<<: *a}\n", [":2:7: merge keys cannot be used: `like:` names a model"]),
        (
            "models: {x: !!python/name:os.system ''}\n",
            [":1:13: the tag tag:yaml.org,2002:python/name"],
        ),
        ("a: [\n", [":2:1: did not find expected node content"]),
        ("a: 1\n--- b\n", [":2:1: there is a second document"]),
        ("? [a]\n: 1\n", [":1:3: a key must be plain text"]),
        ("a: *b\n", [":1:4: *b stands for nothing above"]),
        ("a: &x [*x]\n", [":1:8: *x stands for nothing above"]),
        ("a: 2026-13-45\n", [":1:4: 2026-13-45 cannot be read"]),
    ],
)
def test_a_mistake_is_told_with_its_place(written, text, expected):
    """File, line and column stand before each problem."""
    found = problems(written(text))
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start)


def test_all_mistakes_are_told_at_once_each_in_its_place(written):
    """Wrong types, unknown words, defaults out of bounds and bad paths, in one go."""
    path = written("""\
        models:
          one:
            like: wan2.6-t2v
            keys:
              duration: {type: integer, minimum: 2, maximum: many, default: 5}
              seed:
                type: integer
                minimum: 0
                maximun: 5
            limits: {source: "", submits_per_second: 1, running: 1, poll_seconds: soon}
          two:
            like: wan2.6-t2v
            keys:
              duration: {type: integer, minimum: 2, maximum: 15, default: 99}
        """)
    found = problems(path)
    for problem, start in zip(
        found,
        [
            ":5:45: one: keys.duration.integer.maximum: Input should be a valid integer",
            ":6:7: one: keys.seed.integer.maximum: Field required",
            ":9:9: one: keys.seed.integer.maximun: Extra inputs are not permitted",
            ":10:61: one: limits.poll_seconds: Input should be a valid number",
            ":11:3: two: the default of duration must be from 2 to 15, not 99",
        ],
        strict=True,
    ):
        assert problem.startswith(start)


PRICES = "prices: {{source: x, unit: second, rates: [{{amounts: {}}}]{}}}".format
LIMITS = "limits: {{source: x, submits_per_second: {}, running: {}, poll_seconds: {}{}}}".format


@pytest.mark.parametrize(
    ("facts", "place", "words"),
    [
        (
            PRICES("{USD: -1}", ""),
            "4:58",
            "prices.rates.0.amounts.USD.all: Input",
        ),
        (
            PRICES("{USD: {720P: -1}}", ""),
            "4:64",
            "amounts.USD.tiers.720P: Input",
        ),
        (PRICES("{USD: .nan}", ""), "4:58", "Input should be a finite number"),
        (PRICES("{USD: .inf}", ""), "4:58", "Input should be a finite number"),
        (PRICES("{USD: 1.0e-7}", ""), "4:58", "no more than 6 decimal places"),
        (PRICES("{USD: 1.0e+300}", ""), "4:58", "less than or equal to 1000000"),
        (PRICES("{USD: 1}", ", slack: -1"), "4:69", "prices.slack: Input"),
        (PRICES("{USD: 1}", ", at_most: -1"), "4:69", "prices.at_most: Input"),
        (
            PRICES("{USD: 1}", ", result: [{fixed: -5}]"),
            "4:79",
            "prices.result.0.fixed: Input should",
        ),
        (PRICES("{USD: 1}", ", result: [{}]"), "4:78", "one of fixed, parameter and media"),
        (PRICES("{USD: 1}", ", result: [{media: [audio_url]}]"), "4:78", "must have an at_most"),
        (
            PRICES("{USD: 1}", ", result: [{parameter: duration, stands_for: {5: -5}}]"),
            "4:113",
            "stands_for.5: Input",
        ),
        (
            PRICES("{USD: 1}", ", result: [{parameter: size}]"),
            "4:79",
            "prices.result.0.parameter: no key that takes whole numbers: size",
        ),
        (
            PRICES("{USD: 1}", ", result: [{when: {colour: 1}, fixed: 1}, {fixed: 2}]"),
            "4:79",
            "prices.result.0.when: the model has no such key: colour",
        ),
        (
            PRICES("{USD: 1}", ", sources: {media: [hero], at_most: 5}"),
            "4:79",
            "prices.sources.media: the model takes no such media: hero",
        ),
        (
            PRICES("{USD: 1}", ", sources: {media: [audio_url], at_most: 5, cut_to: size}"),
            "4:111",
            "prices.sources.cut_to: no key that takes whole numbers: size",
        ),
        (LIMITS(0, 1, 15, ""), "4:25", "limits.submits_per_second: Input"),
        (LIMITS(".nan", 1, 15, ""), "4:25", "limits.submits_per_second: Input should be a finite"),
        (LIMITS(1, 0, 15, ""), "4:48", "limits.running: Input"),
        (LIMITS(1, -3, 15, ""), "4:48", "limits.running: Input"),
        (LIMITS(1, 1, 0, ""), "4:60", "limits.poll_seconds: Input"),
        (
            LIMITS(1, 1, 15, ", typical_seconds: 0"),
            "4:78",
            "typical_seconds: Input",
        ),
        ("regions: []", "4:5", "regions: no region serves it"),
        ("regions: [atlantis]", "4:5", "regions: there is no region atlantis"),
        ("elsewhere: {atlantis: x}", "4:5", "elsewhere: there is no region atlantis"),
        ("suffix: /../../x", "4:5", "suffix: String should match pattern"),
        ("suffix: ''", "4:5", "suffix: String should match pattern"),
        (
            "keys: {b: {type: boxes, along: size, max_each: 2}}",
            "4:29",
            "b goes along with size",
        ),
        (
            "keys: {duration: {type: number, minimum: 1, maximum: 9, default: 5}}",
            "2:3",
            "whole number",
        ),
        (
            "check_model: {model: x, source: x, route: {path: a}, key: hero, amounts: {}}",
            "4:58",
            "check_model.key: hero is no key that names a medium",
        ),
        (
            "check_model: {model: x, source: x, route: {path: a}, key: size, amounts: {CNY: -1}}",
            "4:79",
            "check_model.amounts.CNY: Input should be greater",
        ),
    ],
)
def test_a_fact_beyond_its_bounds_is_told_with_its_place(written, facts, place, words):
    """A file may come from a stranger: what would break a plan or a run is refused, once."""
    [problem] = problems(written(f"models:\n  mine:\n    {{like: wan2.6-t2v,\n    {facts}}}\n"))
    assert problem.startswith(f":{place}: mine: ")
    assert words in problem


def test_a_file_is_read_anew_each_time(written):
    """A file that somebody mends is mended for the next reading."""
    assert problems(written("models: {x: {like: y}}"))
    path = written("models: {x: {like: wan2.6-t2v}}")
    assert load(path).find("x")


@pytest.mark.parametrize(
    "path",
    [
        "https://elsewhere.example/api",
        "//elsewhere.example/api",
        "/api",
        "services/../../admin",
        "services/%2e%2e/admin",
        "services?key=1",
        "services#x",
        "a b",
        "",
        "services/",
        "a\\b",
        "user@host",
    ],
)
def test_a_path_cannot_lead_elsewhere(written, path):
    """A file from a stranger must not send the key to another host or call."""
    text = f"models: {{x: {{like: wan2.6-t2v, routes: {{task: {{path: {path!r}}}}}}}}}"
    [problem] = problems(written(text))
    assert "must be plain names joined by `/`, relative to the base URL" in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "x"),
        ("Host", "x"),
        ("X-DashScope-A b", "x"),
        ("X-DashScope-Async", "a\\r\\nb"),
    ],
)
def test_only_headers_of_the_service_can_be_set(written, name, value):
    """No file changes the key, the host or the framing of a request."""
    headers = f'{{"{name}": "{value}"}}'
    text = (
        f"models: {{x: {{like: wan2.6-t2v, routes: {{task: {{path: a/b, headers: {headers}}}}}}}}}"
    )
    [problem] = problems(written(text))
    assert "only plain X-DashScope-* headers can be set" in problem


def test_a_file_that_is_not_there(tmp_path):
    """The reason is told without a traceback."""
    assert problems(tmp_path / "none.yaml") == [
        ":1:1: it cannot be read: No such file or directory"
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"a: \x00",
        b"x" * 1_000_001,
        b"[" * 100,
        b"[" * 100_000,
        b"a: [" + b"1," * 60_000 + b"]",
        b"a: &a [1,1,1,1,1,1,1,1,1]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9))
            for name in range(ord("b"), ord("k"))
        ),
    ],
    ids=["encoding", "control", "bytes", "deep", "deeper", "values", "aliases"],
)
def test_a_hostile_file_is_refused_at_once(content):
    """Too long, too deep, too many, or too much behind a few aliases: one problem, no harm."""
    with pytest.raises(CatalogError) as caught:
        parse(content, "x.yaml")
    assert len(caught.value.problems) == 1


@given(st.text(alphabet="ab:*&!{}[]<>|-? \n\t\"'#,1.~\x00é", max_size=60))
def test_no_text_whatever_breaks_the_reading(text):
    """It is a document or a problem with a place, never a traceback."""
    try:
        parse(text.encode(), "x.yaml")
    except CatalogError as error:
        [problem] = error.problems
        assert problem.line >= 1
        assert problem.column >= 1


def test_places_and_plain_values():
    """What is read is plain Python, and knows where it was written."""
    document = parse(b"a: &x {b: [1, 2.5, yes, 2027-03-01, '16:9', ~]}\nc: *x\n", "x.yaml")
    one, more, yes, day, ratio, nothing = document.value["a"]["b"]
    assert (one, more, yes, str(day), ratio, nothing) == (1, 2.5, True, "2027-03-01", "16:9", None)
    assert document.value["c"] == document.value["a"]
    assert document.places["a", "b", 1] == (1, 15)
    assert document.nearest(("a", "union", "b", 9)) == ("a", "b")
    assert Decimal(str(more)) == Decimal("2.5")
