"""Facts come back from their columns exactly, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.core.facts import (
    Fact,
    Kinds,
    LanePaused,
    Need,
    RunStarted,
    Saved,
    SubmitStarted,
    Wanted,
)
from batchgen.journal.codec import Unreadable, decode, dump, encode, load

finite = st.floats(allow_nan=False, allow_infinity=False)
json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is UnionType:
        return st.one_of(*map(values_of, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(values_of(get_args(hint)[0]), max_size=3).map(tuple)
    if get_origin(hint) is Mapping:
        return st.dictionaries(st.text(), json_data, max_size=3)
    if is_dataclass(hint):
        return instances_of(hint)
    simple = {float: finite, int: st.integers(), str: st.text(), bool: st.booleans()}
    return st.none() if hint is NoneType else simple[hint]


def instances_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.fixed_dictionaries(
        {field.name: values_of(hints[field.name]) for field in fields(kind)}
    ).map(lambda values: kind(**values))


any_fact = st.sampled_from(list(Kinds.by_name.values())).flatmap(instances_of)
STARTED = SubmitStarted(at=1.5, account="main", job="fox", attempt=1)
SAVED = Saved(at=1.5, account="main", job="fox", attempt=1, index=0, file={"bytes": 7})


@given(any_fact)
def test_every_kind_of_fact_comes_back_as_it_was(fact: Fact):
    """Whatever a fact holds, the journal gives the same fact back."""
    assert decode(encode(fact)) == fact


@given(any_fact)
def test_a_fact_is_written_one_way(fact: Fact):
    """A fact that was read is written as it was, so its checksum holds for ever."""
    assert encode(decode(encode(fact))) == encode(fact)


def test_a_lone_surrogate_survives():
    """A file name that is no Unicode, in an error's words, does not stop the journal."""
    fact = LanePaused(at=1.0, account="main", model=None, until=2.0, reason="no file \udcff")
    columns = encode(fact)
    assert columns.body.encode()
    assert decode(columns) == fact


def test_text_stays_readable_for_people():
    """A Chinese prompt is Chinese in the file, too."""
    assert "狐狸" in encode(replace(SAVED, file={"prompt": "狐狸"})).body


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_refused(number: float):
    """NaN and infinities never enter the journal, in a column or in a body."""
    with pytest.raises(ValueError, match="not finite"):
        encode(replace(STARTED, at=number))
    with pytest.raises(ValueError, match="JSON"):
        encode(replace(SAVED, file={"seconds": number}))


def test_what_json_cannot_say_is_refused():
    """An object in a fact is a mistake of the program, found before it is written."""
    with pytest.raises(TypeError, match="cannot hold a object"):
        encode(replace(SAVED, file={"path": object()}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "Teleported"}, "'Teleported' is unknown"),
        ({"body": "{"}, "no JSON"),
        ({"body": "[]"}, "no JSON object"),
        ({"body": '{"file":{}}'}, "other fields: index"),
        ({"body": '{"file":{},"index":0,"colour":"red"}'}, "other fields: colour"),
        ({"body": '{"file":[],"index":0}'}, "file is a list"),
        ({"body": '{"file":{},"index":true}'}, "index is a bool"),
        ({"body": '{"file":{"x":NaN},"index":0}'}, "NaN is no number"),
        ({"attempt": None}, "other fields: attempt"),
        ({"subject": "job/owl"}, "another subject"),
    ],
)
def test_what_is_no_fact_is_refused(change: dict[str, Any], words: str):
    """Columns of a kind, field or type that this version does not know are never guessed at."""
    with pytest.raises(Unreadable, match=words):
        decode(encode(SAVED)._replace(**change))


def test_a_list_of_the_wrong_things_is_refused():
    """Strictness reaches into lists."""
    vanished = Kinds.by_name["ResultsVanished"](
        at=1.0, account="main", job="fox", attempt=1, indexes=(0, 1)
    )
    with pytest.raises(Unreadable, match="wrong type"):
        decode(encode(vanished)._replace(body='{"indexes":[0,"1"]}'))


def test_what_was_written_before_a_field_existed_can_be_read():
    """A job wanted by an older version needs nothing and is answered by a task."""
    body = '{"request":"r","model":"m","order":0,"price":1,"currency":"USD"}'
    now = Wanted(
        at=1.0, account="main", job="fox", request="r", model="m", order=0, price=1, currency="USD"
    )
    assert decode(encode(now)._replace(body=body)) == now
    need = Need(kind="upload", model="m", content="ab", price=3)
    again = decode(encode(replace(now, needs=(need,))))
    assert (again.needs, again.needs[0].price) == ((need,), 3)


def test_a_fact_without_job_has_no_job_column():
    """Facts of the run and the account leave the job's columns empty."""
    columns = encode(RunStarted(at=-0.0, account="main", version="1"))
    assert (columns.job, columns.attempt, str(columns.at)) == (None, None, "0.0")


@given(st.dictionaries(st.text(), json_data))
def test_requests_come_back_as_they_were(document: dict[str, Any]):
    """The document of a request is exact, as facts are."""
    assert load(dump(document)) == document
