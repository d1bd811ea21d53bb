"""Programs: numbers, names, families and ranges agree with General MIDI and with pretty_midi."""

from __future__ import annotations

import numpy as np
import pretty_midi
import pytest

from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS, FAMILIES, PROGRAM_NAMES, family_of, name, program, range_of


def test_names_are_those_of_general_midi() -> None:
    assert len(PROGRAM_NAMES) == 129
    for number in range(128):
        theirs = pretty_midi.program_to_instrument_name(number)
        assert PROGRAM_NAMES[number].replace("(", "").replace(")", "").casefold() == (
            theirs.replace("(", "").replace(")", "").casefold()
        )
        assert program(theirs) == number


def test_every_name_finds_its_own_program() -> None:
    assert [program(text) for text in PROGRAM_NAMES] == list(range(129))
    assert [program(text.upper()) for text in PROGRAM_NAMES] == list(range(129))
    assert [name(number) for number in range(129)] == list(PROGRAM_NAMES)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("piano", 0),
        ("Violin", 40),
        ("strings", 48),
        ("bass", 33),
        ("guitar", 24),
        ("flute", 73),
        ("drums", DRUMS),
        ("double bass", 43),
        ("cor anglais", 69),
        ("French horn", 60),
        ("choir", 52),
        ("41", 41),
        (" 128 ", 128),
    ],
)
def test_short_names(text: str, number: int) -> None:
    assert program(text) == number


def test_numbers_of_any_integer_type() -> None:
    assert program(np.uint8(40)) == 40
    assert isinstance(program(np.uint8(40)), int)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'violin'"):
        program("violyn")
    with pytest.raises(InputError, match="no instrument called 'theremin'; known are"):
        program("theremin")


@pytest.mark.parametrize("bad", [-1, 129, "129", 10**30])
def test_a_number_out_of_range_is_refused(bad: int | str) -> None:
    with pytest.raises(InputError, match="0 to 127"):
        program(bad)


def test_families_cover_every_program_once() -> None:
    covered = sorted(number for family in FAMILIES.values() for number in family)
    assert covered == list(range(129))
    assert family_of(0) == "piano"
    assert family_of(42) == "strings"
    assert family_of(DRUMS) == "drums"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    # Lowest and highest written in any orchestration manual: open strings, a piano's 88 keys.
    [
        ("piano", 21, 108),
        ("violin", 55, 103),
        ("viola", 48, 91),
        ("cello", 36, 84),
        ("tuba", 26, 65),
    ],
)
def test_ranges(text: str, low: int, high: int) -> None:
    assert range_of(program(text)) == (low, high)


def test_every_range_is_inside_midi() -> None:
    for number in range(129):
        low, high = range_of(number)
        assert 0 <= low < high <= 127
