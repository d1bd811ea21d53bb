"""Sections and changes of labels as they are typed."""

from __future__ import annotations

import pytest

from musenet.options.generate_options import GenerateOptions
from musenet.options.timeline import Change, ends_anew, parse_changes, parse_form
from tokenizer.errors import InputError
from tokenizer.theory import Key


def test_forms() -> None:
    assert parse_form(" A A  B A ") == "A A B A"
    assert parse_form("intro:4, verse:8, verse") == "intro:4 verse:8 verse"
    assert ends_anew("A B:8")
    assert not ends_anew("A:8 B A")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("A:x B", "not 'A:x'"),
        ("A:0", "not 'A:0'"),
        (":4", "not ':4'"),
        ("A:8 B A:4", "gives section A 8 and 4 bars"),
    ],
)
def test_no_forms(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_form(text)


def test_changes_come_in_the_order_of_their_bars() -> None:
    given = (
        "bar 17: style jazz, baroque, instruments piano, bass, tempo 80",
        "9: composer J. S. Bach, key A minor",
    )
    found = parse_changes(given)
    assert found == (
        Change(9, composer="bach", key=Key(0, True)),
        Change(17, styles=("jazz", "baroque"), instruments=(0, 33), tempo=80.0),
    )
    assert parse_changes(found) == found
    assert [str(one) for one in found] == [
        "bar 9: composer bach, key A minor",
        "bar 17: style jazz and baroque, instruments Acoustic Grand Piano, "
        "Electric Bass (finger), tempo 80",
    ]
    assert parse_changes("bar 2: tempo 60") == (Change(2, tempo=60.0),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("composer chopin", "takes a bar and what changes there"),
        ("bar 0: tempo 80", "takes a bar and what changes there"),
        ("bar 4:", "takes a bar and what changes there"),
        ("bar 4: compsoer chopin", "did you mean 'composer'"),
        ("bar 4: tempo fast", "10 to 400"),
        ("bar 4: instruments pianoo", "did you mean"),
        ("bar 4: tempo 80, tempo 90", "tempo twice"),
    ],
)
def test_no_changes(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_changes(text)


def test_a_bar_changes_once() -> None:
    with pytest.raises(InputError, match="names bar 4 twice"):
        parse_changes(["bar 4: tempo 80", "bar 4: key C"])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"form": "A A", "bars": 8}, "excludes --bars and --length"),
        ({"form": "A A", "length": 60.0}, "excludes --bars and --length"),
        ({"form": "A B A", "ending": True}, "needs a last section that is new"),
        ({"distance": 0.5}, "give a --form"),
        ({"form": "A A", "distance": 1.5}, "distance 1.5 is outside"),
    ],
)
def test_what_excludes_a_form(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        GenerateOptions(**given)  # type: ignore[arg-type]
