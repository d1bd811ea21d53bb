"""The vocabulary: fields, controls, and one number a token."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.encoding.controls import class_name
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.musenet import MuseNetTokenizer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import METRONOME, Vocabulary
from tokenizer.errors import InputError
from tokenizer.theory import key_name

BEATS = Vocabulary.create(Grid.beats(), composers=["bach", "chopin"], styles=["baroque"])
SECONDS = Vocabulary.create(Grid.seconds())


@given(st.data())
def test_packing_is_mixed_radix_and_inverse(data: st.DataObject) -> None:
    row = [data.draw(st.integers(0, size - 1)) for size in BEATS.sizes]
    expected = 0
    for value, size in zip(row, BEATS.sizes, strict=True):
        expected = expected * size + value
    packed = BEATS.pack(np.array([row], dtype=np.int16))
    assert packed.tolist() == [expected]
    assert BEATS.unpack(packed).tolist() == [row]


@pytest.mark.parametrize("vocabulary", [BEATS, SECONDS])
def test_every_value_of_the_first_field_is_one_thing(vocabulary: Vocabulary) -> None:
    values = np.arange(vocabulary.sizes[0])
    wait = (values >= 1) & (values < vocabulary.first_rest)
    rest = (values >= vocabulary.first_rest) & (values < vocabulary.first_control)
    control = values >= vocabulary.first_control
    np.testing.assert_array_equal(wait.astype(int) + rest + control, values > 0)
    unit = vocabulary.grid.wait_count
    assert vocabulary.steps[wait].tolist() == list(range(unit))
    assert vocabulary.steps[rest].tolist() == [unit * k for k in range(1, 17)]
    assert not vocabulary.steps[control].any()


def test_controls_are_named_once_and_found_by_name() -> None:
    assert len(set(BEATS.controls)) == len(BEATS.controls)
    for name in BEATS.controls:
        value = BEATS.control(name)
        assert value is not None
        assert BEATS.name(value) == name
    assert BEATS.control("composer:nobody") is None
    assert BEATS.names("composer") == ("bach", "chopin")


def test_new_labels_are_appended_and_old_values_stay() -> None:
    more = BEATS.extended(["style:jazz", "composer:bach", "composer:ravel"])
    for name in BEATS.controls:
        assert more.control(name) == BEATS.control(name)
    assert more.controls[len(BEATS.controls) :] == ("style:jazz", "composer:ravel")
    with pytest.raises(InputError, match="only composers and styles"):
        BEATS.extended(["tempo:121"])


def test_tempo_classes_are_marks_of_a_metronome_within_five_percent() -> None:
    assert {40, 60, 66, 72, 80, 92, 108, 120, 126, 144, 168, 208} <= set(METRONOME)
    ratios = [b / a for a, b in itertools.pairwise(METRONOME)]
    assert min(ratios) > 1
    assert max(ratios) <= 1.1


def test_bars_are_as_long_as_their_time_signature_says() -> None:
    for name, steps in (("4/4", 96), ("3/4", 72), ("6/8", 72), ("7/16", 42), ("2/1", 192)):
        value = BEATS.control(f"time_signature:{name}")
        assert value is not None
        assert BEATS.bar_steps[value] == steps


def test_keys_follow_the_circle_of_fifths() -> None:
    majors = [key_name(f, False) for f in range(-5, 7)]
    assert majors == [
        f"{k} major" for k in ["Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#"]
    ]
    assert [key_name(f, True) for f in (-3, 0, 1, 4)] == [
        "C minor",
        "A minor",
        "E minor",
        "C# minor",
    ]
    for fifths, minor in itertools.product(range(-7, 8), (False, True)):
        assert BEATS.control(f"key:{key_name(fifths, minor)}") is not None


def test_a_model_is_asked_for_what_is_not_given() -> None:
    start, bach, meter, end = (
        BEATS.control(n) for n in ("start", "composer:bach", "time_signature:3/4", "end")
    )
    rows = [
        (start, 0, 0, 0, 0),
        (bach, 0, 0, 0, 0),
        (1, 1, 61, 25, 17),  # a note
        (BEATS.first_rest, 0, 0, 0, 0),
        (25, 0, 0, 0, 0),  # time passes
        (meter, 0, 0, 0, 0),
        (1, 1, 61, 25, 17),
        (end, 0, 0, 0, 0),
        (0, 0, 0, 0, 0),  # padding
    ]
    counted = BEATS.counted(np.array(rows, dtype=np.int16))
    assert counted.sum(axis=1).tolist() == [0, 0, 5, 1, 2, 1, 5, 1, 0]


def test_tokenizers_and_vocabularies_print_as_one_line() -> None:
    vocabulary = Vocabulary.create(Grid.beats(), composers=["bach"], styles=["waltz", "rock"])
    line = repr(vocabulary)
    assert line.startswith("<Vocabulary: 24 steps a quarter, ")
    assert line.endswith(" · 130 · 129 · 170 · 33 values, 1 composers, 2 styles>")
    kept = repr(Tokenizer(vocabulary, "durations", True))
    assert kept.startswith("<Tokenizer compound: 24 steps a quarter, ")
    assert kept.endswith("pedal durations, tempo changes>")
    assert repr(MuseNetTokenizer()).startswith("<MuseNetTokenizer musenet: 100 steps a second")


@given(st.sampled_from(["density", "polyphony"]), st.fractions(0, 40, max_denominator=480))
def test_a_class_is_the_nearest_by_ratio(kind: str, value: Fraction) -> None:
    """Of two equally near ones, the lower."""
    classes = Tokenizer.default().vocabulary.names(kind)
    near = max(float(value), 0.01)
    nearest = min(classes, key=lambda name: abs(math.log(float(name) / near)))
    assert class_name(kind, float(value)) == f"{kind}:{nearest}"
