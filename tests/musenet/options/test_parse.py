"""What people write on the command line, and what they are told when it is wrong."""

from __future__ import annotations

import pytest

from musenet.options import parse
from musenet.options.parse import Place
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.theory import Key


def test_names_become_numbers() -> None:
    assert parse.programs(["violin, cello", "drums", "0"]) == (40, 42, 128, 0)
    assert parse.only_programs([]) is None
    assert parse.composer("Bach, Johann Sebastian") == "bach"
    assert parse.styles(["Waltzes,baroque"]) == ("waltz", "baroque")
    assert parse.meter(" 6/8 ") == (6, 8)
    assert parse.length("3:30") == 210
    assert parse.variations(3) == (1, 2, 3)
    assert parse.variations([7]) == (7,)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("C", (0, False)),
        ("D major", (2, False)),
        ("f# minor", (3, True)),
        ("Am", (0, True)),
        ("Bb", (-2, False)),
        ("E♭ maj", (-3, False)),
        ("C#", (7, False)),
        ("g#min", (5, True)),
    ],
)
def test_keys(text: str, key: tuple[int, bool]) -> None:
    assert parse.key(text) == Key(*key)


@pytest.mark.parametrize("text", ["H major", "G# major", "C dorian", "", "Fb minor"])
def test_keys_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="--key takes a key"):
        parse.key(text)


@pytest.mark.parametrize("text", ["4", "0/4", "3/5", "33/4", "4/64", "-3/4", "3/4x"])
def test_meters_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="--meter takes"):
        parse.meter(text)


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("C", (0, 2, 4, 5, 7, 9, 11)),
        ("D dorian", (0, 2, 4, 5, 7, 9, 11)),
        ("Eb  Major", (0, 2, 3, 5, 7, 8, 10)),
        ("a minor pentatonic", (0, 2, 4, 7, 9)),
        ("F# blues", (0, 1, 4, 6, 9, 11)),
    ],
)
def test_scales(text: str, classes: tuple[int, ...]) -> None:
    assert parse.scale(text) == classes


@pytest.mark.parametrize("text", ["", "7", "C doriann"])
def test_scales_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match=r"--scale takes|did you mean 'dorian'"):
        parse.scale(text)


def test_an_unknown_instrument_names_the_nearest() -> None:
    with pytest.raises(InputError, match="'violin'"):
        parse.programs(["vioiln"])


@pytest.mark.parametrize("text", ["x", "1:xx", "-3", "nan"])
def test_lengths_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="--length takes"):
        parse.length(text)


def test_seeds_that_nobody_chose_differ() -> None:
    assert len({parse.new_seed() for _ in range(20)}) > 1


def test_numbers_for_single_fields() -> None:
    nine = dict.fromkeys(FIELDS, 0.9)
    assert parse.temperature("0.9,pitch=0.8") == {**nine, "pitch": 0.8}
    assert parse.top_k("duration=12") == {"duration": 12}
    assert parse.top_p(0.5) == 0.5
    assert parse.min_p({"wait": 0.1}) == {"wait": 0.1}


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("temperature", "warm", "--temperature takes a number"),
        ("top_k", "2.5", "--top-k takes a whole number"),
        ("temperature", "pich=0.8", "did you mean 'pitch'"),
        ("top_p", {"pich": 0.8}, "did you mean 'pitch'"),
        ("min_p", "", "--min-p takes a number"),
    ],
)
def test_numbers_that_are_none(option: str, text: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        getattr(parse, option)(text)


def test_places() -> None:
    assert parse.begin(8) == parse.begin("8") == Place(bar=8)
    assert parse.stop("12.5s") == Place(seconds=12.5)
    assert parse.stop("1:05") == Place(seconds=65)
    assert parse.clock_time("1:02:03") == 3723
    assert parse.stop(Place(bar=3)) == Place(bar=3)


@pytest.mark.parametrize("text", ["", "0", "-3", "x", "1:x", "nan", "infs", "2.5"])
def test_places_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="--to takes a bar"):
        parse.stop(text)


def test_blends_are_ids_with_shares() -> None:
    assert parse.composer("J. S. Bach:0.6, Frédéric Chopin:.40") == "bach:0.6,chopin:0.4"
    assert parse.composer("Bach, Johann Sebastian") == "bach"
    assert parse.styles("baroque:3,jazz:1,dance") == ("baroque:3", "jazz:1", "dance")
    assert parse.blends(("baroque:3", "jazz:1", "dance")) == [
        {"dance": 1.0},
        {"baroque": 0.75, "jazz": 0.25},
    ]
    assert parse.composers(None) == []
    assert parse.composers("bach") == [{"bach": 1.0}]


@pytest.mark.parametrize(
    "given", ["bach:0,chopin:1", "bach:x", ":1", "bach:0.5,chopin", "bach:inf"]
)
def test_shares_that_cannot_be(given: str) -> None:
    with pytest.raises(InputError, match="takes names with shares"):
        parse.composer(given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("0-1", "--bars 0-1 is no range of bars, which count from 1"),
        ("3-2", "--bars 3-2 ends before it begins; write 2-3"),
        ("1-3,2-4", "--bars 1-3 and 2-4 overlap; name each bar once"),
        ("5-6,5", "--bars 5-6 and 5-5 overlap; name each bar once"),
        ("5,2-3", "--bars: bar 2 comes after bar 5; give holes in order"),
    ],
)
def test_bars_that_are_none(given: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        parse.bar_ranges(given)
    assert str(refused.value) == sentence
