"""Names of notes and keys, scales, and key estimation.

Estimates are held against published examples, transposition and the form without vectors.
"""

from __future__ import annotations

import numpy as np
import pretty_midi
import pytest

from tokenizer.errors import InputError
from tokenizer.theory import (
    MAJOR_TONICS,
    MINOR_TONICS,
    PITCH_CLASSES,
    PROFILES,
    SCALES,
    Key,
    estimate_key,
    fewest_accidentals,
    key_correlations,
    key_name,
    key_of_signature,
    key_on,
    pitch_class,
    pitch_class_weights,
    pitch_name,
    typeset,
)

# Subject of the C minor fugue, Well-Tempered Clavier I (BWV 847), in sixteenths.
_FUGUE = [(0, 1), (11, 1), (0, 2), (7, 2), (8, 2), (0, 1), (11, 1), (0, 2), (2, 2), (7, 2)]
_FUGUE += [(0, 1), (11, 1), (0, 2), (2, 2), (5, 1), (7, 1), (8, 4), (7, 1), (5, 1), (3, 4)]


def _weights(line: list[tuple[int, int]]) -> np.ndarray:
    weights = np.zeros(12)
    for pitch, duration in line:
        weights[pitch] += duration
    return weights


@pytest.mark.parametrize("profile", PROFILES)
def test_the_fugue_in_c_minor(profile: str) -> None:
    assert estimate_key(_weights(_FUGUE), profile) == Key(-3, True)


@pytest.mark.parametrize("profile", PROFILES)
def test_correlations_are_pearsons(profile: str) -> None:
    weights = _weights(_FUGUE)
    expected = [
        np.corrcoef(weights, np.roll(row, tonic))[0, 1]
        for row in PROFILES[profile]
        for tonic in range(12)
    ]
    np.testing.assert_allclose(key_correlations(weights, profile), expected)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_its_own_key(profile: str) -> None:
    signatures = {0: 0, 7: 1, 2: 2, 9: 3, 4: 4, 11: 5, 6: 6, 1: -5, 8: -4, 3: -3, 10: -2, 5: -1}
    for tonic, fifths in signatures.items():
        major, minor = (np.roll(row, tonic) for row in PROFILES[profile])
        assert estimate_key(major, profile) == Key(fifths, False)
        found = estimate_key(minor, profile)
        assert found is not None
        assert found.minor
        assert (found.fifths - (fifths - 3)) % 12 == 0


def test_silence_and_noise_have_no_key() -> None:
    assert estimate_key(np.zeros(12)) is None
    assert estimate_key(np.ones(12)) is None


def test_the_mode_of_a_signature() -> None:
    correlations = key_correlations(_weights(_FUGUE)).tolist()
    assert key_of_signature(correlations, -3)[0] == Key(-3, True)
    key, doubt = key_of_signature(correlations, 4)  # no signature of this music
    assert key.fifths == 4
    assert doubt > 0.3
    correlations = key_correlations(PROFILES["krumhansl"][0]).tolist()
    assert key_of_signature(correlations, 0) == (Key(0, False), 0.0)


def test_drums_have_no_pitch() -> None:
    notes = np.array(
        [(60, 10, 0), (36, 99, 128), (72, 5, 40)],
        dtype=[("pitch", "u1"), ("duration", "<i4"), ("program", "u1")],
    )
    np.testing.assert_array_equal(pitch_class_weights(notes), [15] + [0] * 11)


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'krumhansl'"):
        key_correlations(np.ones(12), "krumhansel")


def test_names_of_notes_are_those_of_another_library() -> None:
    assert [pretty_midi.note_name_to_number(pitch_name(p)) for p in range(128)] == [*range(128)]
    assert [pitch_class(name) for name in PITCH_CLASSES] == list(range(12))
    assert typeset("Bb minor") == "B♭ minor"
    assert typeset(pitch_name(61)) == "C♯4"


@pytest.mark.parametrize("minor", [False, True])
def test_keys_have_the_tonics_that_another_library_gives_their_names(minor: bool) -> None:
    for fifths in range(-7, 8):
        key = Key(fifths, minor)
        assert pitch_class((MINOR_TONICS if minor else MAJOR_TONICS)[fifths + 7]) == key.tonic
        again = key_on(key.tonic, minor)
        assert again.tonic == key.tonic
        assert abs(again.fifths) <= abs(fifths)
        tonic, mode = key_name(fifths, minor).split()
        assert pitch_class(tonic) == key.tonic
        number = pretty_midi.key_name_to_key_number(f"{tonic} {mode}")
        assert number == key.tonic + 12 * minor
    near = [fewest_accidentals(fifths) for fifths in range(-14, 15)]
    assert max(map(abs, near)) == 6
    assert [(near_ - fifths) % 12 for fifths, near_ in enumerate(near, -14)] == [0] * 29


def test_modes_are_the_major_scale_from_another_note() -> None:
    modes = ("major", "dorian", "phrygian", "lydian", "mixolydian", "natural minor", "locrian")
    for tonic, mode in zip(SCALES["major"], modes, strict=True):
        assert {(tonic + step) % 12 for step in SCALES[mode]} == set(SCALES["major"])
