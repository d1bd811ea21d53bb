"""Last chords: of hymns as their harmony is known, and of a cadence written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musenet.generation.reranking import rank
from musenet.sampling.ending import CLOSING, Chord, chord_at, evidence, last_chord
from tokenizer.midi.read import read
from tokenizer.score.score import NOTES, Score
from tokenizer.theory import Key

MIDI = Path(__file__).resolve().parents[2] / "fixtures" / "midi"
C_MAJOR, A_MINOR = Key(0, False), Key(0, True)
QUARTER = 480


def chords(*spelled: tuple[int, tuple[int, ...]], program: int = 0) -> np.ndarray:
    """Chords one after another, each (quarters, pitches)."""
    rows, tick = [], 0
    for quarters, pitches in spelled:
        rows += [(tick, quarters * QUARTER, pitch, 80, program, 0) for pitch in pitches]
        tick += quarters * QUARTER
    notes = np.zeros(len(rows), NOTES)
    for name, column in zip(
        ("start", "duration", "pitch", "velocity", "program", "track"),
        zip(*rows, strict=True),
        strict=True,
    ):
        notes[name] = column
    return notes


TONIC, DOMINANT, SUBDOMINANT = (48, 64, 67, 72), (43, 62, 65, 71), (41, 60, 65, 69)
SIX_FOUR = (43, 60, 64, 72)


@pytest.mark.parametrize(
    ("last", "home", "pure"),
    [(TONIC, True, True), (DOMINANT, False, False), (SIX_FOUR, False, True)],
)
def test_a_chord_by_its_degrees(last: tuple[int, ...], home: bool, pure: bool) -> None:
    notes = chords((1, TONIC), (1, SUBDOMINANT), (1, DOMINANT), (4, last))
    assert last_chord(notes, C_MAJOR) == Chord(home, pure, 2.0)


def test_the_key_decides_what_is_home() -> None:
    notes = chords((2, TONIC), (2, (45, 60, 64, 69)))
    assert chord_at(notes, 2 * QUARTER, A_MINOR) == Chord(True, True, 0.0)
    assert chord_at(notes, 2 * QUARTER, C_MAJOR) == Chord(False, False, 0.0)
    assert chord_at(notes, 4 * QUARTER, C_MAJOR) is None
    assert last_chord(chords((1, (36, 42)), program=128), C_MAJOR) is None


def test_a_held_bass_belongs_to_the_chord() -> None:
    notes = np.concatenate([chords((4, (48,))), chords((1, (64,)), (1, (65,)), (1, (67,)))])
    assert chord_at(np.sort(notes, order="start"), 2 * QUARTER, C_MAJOR) == Chord(True, True, 1.0)


@pytest.mark.parametrize(
    "name",
    [
        "bach_mass_in_b_minor_13",
        "bach_mass_in_b_minor_22",
        "bach_warum_betruebst_du_dich",
        "chopin_narzeczony",
        "debussy_la_flute_de_pan",
        "hullah_the_storm",
        "noskowski_jaskolka",
        "reichardt_der_spinnerin_nachtlied",
    ],
)
def test_whole_pieces_end_at_home(name: str) -> None:
    found = last_chord(read(MIDI / f"{name}.mid").notes, None)
    assert found is not None
    assert (found.home, found.pure) == (True, True)
    assert found.held >= 0


def test_evidence_is_the_ratio_of_shares() -> None:
    assert sum(share.last for share in CLOSING.values()) == pytest.approx(1, abs=0.02)
    assert sum(share.any for share in CLOSING.values()) == pytest.approx(1, abs=0.02)
    (closes, _), (held, _) = evidence(Chord(True, True, 2.0))
    assert closes == pytest.approx(np.log(0.70 / 0.13))
    assert held > 0
    assert evidence(Chord(True, True, -5.0))[1][0] == evidence(Chord(True, True, -3.0))[1][0] < 0


def test_the_candidate_that_closes_comes_first() -> None:
    body = [(1, TONIC), (1, SUBDOMINANT), (1, DOMINANT), (1, TONIC)] * 4
    closed, open_ = (
        Score(QUARTER, notes=chords(*body, *end))
        for end in (((2, DOMINANT), (2, TONIC)), ((2, TONIC), (2, DOMINANT)))
    )
    first, second = rank([open_, closed], late=[0.0, 0.0], key=C_MAJOR)
    assert first.number == 2
    assert "its last chord is not the tonic's" in second.reasons
    alike = rank([open_, closed])
    assert "ending" not in alike[0].evidence
