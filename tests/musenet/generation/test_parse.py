"""What people write on the command line, and what they are told when it is wrong."""

from __future__ import annotations

import pytest

from musenet.generation import parse
from musenet.generation.options import Options
from musenet.sampling.filters import Sampling
from musenet.sampling.grammar import Limits
from tokenizer.errors import InputError
from tokenizer.theory import Key


def test_names_become_numbers() -> None:
    assert parse.programs(["violin, cello", "drums", "0"]) == (40, 42, 128, 0)
    assert parse.composer("Bach, Johann Sebastian") == "bach"
    assert parse.styles(["Waltzes,baroque"]) == ("waltz", "baroque")
    assert parse.meter(" 6/8 ") == (6, 8)
    assert parse.length("3:30") == 210
    assert parse.numbers(3, None) == (1, 2, 3)
    assert parse.numbers(3, 7) == (7,)


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


def test_seeds_are_given_or_fresh() -> None:
    assert parse.seed(7) == 7
    assert len({parse.seed(None) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"bars": 0}, "0 bars"),
        ({"bars": None}, "bars or in minutes"),
        ({"seconds": 60.0}, "bars or in minutes"),
        ({"bars": None, "seconds": 0.1}, "1 second to 10 hours"),
        ({"tempo": 1000.0}, "10 to 400"),
        ({"overlap": 1.0}, "0.1 to 0.9"),
        ({"seed": -1}, "seed"),
        ({"variations": ()}, "1 to 64"),
        ({"variations": (0,)}, "1 to 64"),
    ],
)
def test_options_that_cannot_be(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Options(**given)  # type: ignore[arg-type]


def test_options_survive_as_text() -> None:
    options = Options(
        bars=None,
        seconds=200.5,
        ending=True,
        composer="bach",
        styles=("baroque",),
        instruments=(0, 128),
        only_instruments=(0,),
        tempo=90.0,
        key=Key(-1, True),
        sampling=(Sampling(0.5, 3),) * 5,
        limits=Limits(programs=(1, 2), polyphony=4),
        seed=9,
        variations=(2, 5),
    )
    assert Options.from_json(options.to_json()) == options
    assert Options.from_json("{}") == Options()


@pytest.mark.parametrize("text", ["", "[]", '{"colour": 1}', '{"bars": "x"}', '{"limits": 3}'])
def test_damaged_recipes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="recipe"):
        Options.from_json(text)
