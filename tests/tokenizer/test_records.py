"""Records: what is written is read again, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.errors import InputError
from tokenizer.records import from_data, from_json, to_json


@dataclass(frozen=True)
class Inner:
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.share > 1:
            raise InputError("a share is at most 1")


@dataclass(frozen=True)
class Outer:
    name: str
    counts: tuple[int, ...] = ()
    pair: tuple[int, bool] | None = None
    inner: Inner = field(default_factory=Inner)


texts = st.text(st.characters(exclude_categories=["Cs"]))
outers = st.builds(
    Outer,
    texts,
    st.lists(st.integers(-(1 << 62), 1 << 62)).map(tuple),
    st.none() | st.tuples(st.integers(-7, 7), st.booleans()),
    st.builds(Inner, st.floats(0, 1)),
)


def test_a_record_that_was_read_is_written_with_its_defaults() -> None:
    record = from_data(Outer, {"name": "a", "inner": {}}, "the record")
    assert json.loads(to_json(record)) == {
        "name": "a",
        "counts": [],
        "pair": None,
        "inner": {"share": 0.5},
    }


@given(outers, st.sampled_from([0, 2]))
def test_what_is_written_is_read_again(record: Outer, indent: int) -> None:
    text = to_json(record, indent=indent)
    assert from_json(Outer, text, "it") == record
    assert json.loads(text) == json.loads(json.dumps(asdict(record)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is damaged"),
        ("[]", "object"),
        ("{}", "name"),
        ('{"name": 3}', r"\$.name"),
        ('{"name": "a", "counts": [1.5]}', r"\$.counts"),
        ('{"name": "a", "inner": {"share": "x"}}', r"\$.inner.share"),
        ('{"name": "a", "inner": {"share": 2}}', "^a share is at most 1$"),
        ('{"nane": "a"}', "did you mean 'name'"),
        ("[" * 100_000, "it is damaged"),
    ],
)
def test_what_is_no_record_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_json(Outer, text, "it")


def test_decoded_json_is_checked_alike() -> None:
    assert from_data(Outer, {"name": "a", "counts": [1]}, "it") == Outer("a", (1,))
    with pytest.raises(InputError, match="there is no entry in it called 'names'"):
        from_data(Outer, {"names": "a"}, "it")
