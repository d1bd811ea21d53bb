"""Estimated chords against progressions that are known, and the steps against brute force."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.chords.beats import Beats, Meter, beats_of
from tokenizer.chords.chart import chart, charted, parse_chart
from tokenizer.chords.chord import CHORDS, NO_CHORD, QUALITIES
from tokenizer.chords.estimate import FEATURES, estimate_chords, features, viterbi
from tokenizer.typing import Ints

BAR, QUARTER = 96, 24
Note = tuple[int, int, int]

PROGRESSIONS = [
    "C | Am | F | G7\nC | Am | F | G",
    "Dm7 | G7 | Cmaj7 | Cmaj7",
    "Em | C | G | D\nEm | C | G | D",
    "Am Em | F C | Dm Am | E7",
    "Bm7b5 | E7 | Am | Am",
    "Eb | Cm | Fm7 Bb7 | Eb",
    "G | Gaug | C | D7",
    "F | F#dim7 | C | C",
    "Dsus4 | D | A | D",
    "C | N.C. | N.C. | N.C.\nC | N.C. | N.C. | F",
]


def block_chords(text: str) -> list[Note]:
    """Each chord of a chart in 4/4 in close position over its root, struck again on each beat."""
    rows = parse_chart(text)
    begins = [int(BAR * (row.bar + row.place)) for row in rows]
    notes = []
    for (begin, end), row in zip(pairwise([*begins, BAR * (rows[-1].bar + 1)]), rows, strict=True):
        intervals = QUALITIES[row.chord.quality]
        for beat in range(begin, end, QUARTER):
            if row.chord.root is not None:
                notes.append((beat, beat + QUARTER, 36 + row.chord.root))
                notes += [(beat, beat + QUARTER, 60 + row.chord.root + n) for n in intervals]
    return notes


def estimated(notes: list[Note], beats: Beats) -> tuple[Ints, Ints]:
    starts, ends, pitches = np.array(notes, dtype=np.int64).reshape(-1, 3).T
    return estimate_chords(starts, ends, pitches, beats)


@pytest.mark.parametrize("text", PROGRESSIONS)
@pytest.mark.parametrize("semitones", range(-5, 7))
def test_block_chords_are_found_in_every_key(text: str, semitones: int) -> None:
    bars = parse_chart(text)[-1].bar + 1
    beats = beats_of([Meter(0, 4, 4)], bars * BAR, BAR)
    notes = [(start, end, pitch + semitones) for start, end, pitch in block_chords(text)]
    found = charted(*estimated(notes, beats), beats)
    written = [row._replace(chord=row.chord.transposed(semitones)) for row in parse_chart(text)]
    assert chart(found) == chart(written)


def test_arpeggios_and_bass_lines_are_found() -> None:
    notes = []
    for bar, (root, tones) in enumerate(
        [(0, (0, 4, 7)), (9, (0, 3, 7)), (5, (0, 4, 7)), (7, (0, 4, 7))]
    ):
        for eighth, tone in enumerate([0, 1, 2, 1, 0, 1, 2, 1]):
            begin = bar * BAR + eighth * 12
            notes.append((begin, begin + 12, 60 + root + tones[tone]))
        notes.append((bar * BAR, bar * BAR + 48, 36 + root))
    beats = beats_of([Meter(0, 4, 4)], 4 * BAR, BAR)
    assert chart(charted(*estimated(notes, beats), beats)) == "C | Am | F | G"


NOTES = st.lists(
    st.tuples(st.integers(-30, 400), st.integers(1, 150), st.integers(20, 100)).map(
        lambda row: (row[0], row[0] + row[1], row[2])
    ),
    max_size=25,
)


@settings(deadline=None)
@given(notes=NOTES, semitones=st.integers(-12, 12))
def test_features_move_with_the_notes(notes: list[Note], semitones: int) -> None:
    beats = beats_of([Meter(0, 3, 4)], 300, BAR)
    starts, ends, pitches = np.array(notes, dtype=np.int64).reshape(-1, 3).T
    moved = features(starts, ends, pitches + semitones, beats)
    expected = np.roll(features(starts, ends, pitches, beats), semitones, axis=2)
    np.testing.assert_allclose(moved, expected, atol=1e-12)


@pytest.mark.parametrize("semitones", range(-12, 13))
def test_chords_move_with_the_notes(semitones: int) -> None:
    generator = np.random.default_rng(1)
    starts = np.sort(generator.integers(0, 20 * BAR, 400))
    ends = starts + generator.integers(6, 60, 400)
    pitches = generator.choice([36, 40, 43, 45, 48, 50, 52, 53, 55, 57, 59, 60, 64, 66, 67], 400)
    beats = beats_of([Meter(0, 4, 4)], 20 * BAR, BAR)
    changes, chords = estimate_chords(starts, ends, pitches, beats)
    moved_changes, moved_chords = estimate_chords(starts, ends, pitches + semitones, beats)
    assert len(changes) > 10
    assert moved_changes.tolist() == changes.tolist()
    assert [CHORDS[n] for n in moved_chords] == [CHORDS[n].transposed(semitones) for n in chords]


@settings(deadline=None)
@given(notes=NOTES)
def test_features_against_loops(notes: list[Note]) -> None:
    beats = beats_of([Meter(0, 3, 4)], 200, BAR)
    lines = beats.lines.tolist()
    starts, ends, pitches = np.array(notes, dtype=np.int64).reshape(-1, 3).T
    found = features(starts, ends, pitches, beats)
    assert found.shape == (len(lines) - 1, len(FEATURES), 12)
    tones = np.zeros((len(lines) - 1, 12))
    bass = np.zeros((len(lines) - 1, 12))
    for beat, (begin, end) in enumerate(pairwise(lines)):
        held = [(min(e, end) - max(s, begin), p) for s, e, p in notes if s < end and e > begin]
        lowest = min((p for _, p in held), default=0)
        for time, pitch in held:
            tones[beat, pitch % 12] += time / (end - begin)
            bass[beat, pitch % 12] += (pitch == lowest) * time / (end - begin)
    block = dict(zip(FEATURES, np.moveaxis(found, 1, 0), strict=True))
    tones, present, bass = np.minimum(tones, 1.5), np.minimum(4 * tones, 1), np.minimum(bass, 1)
    np.testing.assert_allclose(block["beat"], tones)
    np.testing.assert_allclose(block["present"], present)
    np.testing.assert_allclose(block["bass"], bass)
    for beat in range(len(tones)):
        around = slice(max(0, beat - 3), beat + 4)
        bar = slice(beat // 3 * 3, beat // 3 * 3 + 3)
        np.testing.assert_allclose(
            block["three beats around"][beat], tones[around].mean(axis=0), atol=1e-12
        )
        np.testing.assert_allclose(block["bar"][beat], tones[bar].mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(
            block["bass of the bar"][beat], bass[bar].mean(axis=0), atol=1e-12
        )
    assert block["passage"][0].sum() == pytest.approx(3 if notes and tones.any() else 0)


def test_a_note_counts_by_its_weight() -> None:
    beats = beats_of([Meter(0, 4, 4)], BAR, BAR)
    notes = [(0, BAR, pitch) for pitch in (48, 52, 55, 57, 60, 64)]
    starts, ends, pitches = np.array(notes).T
    weights = np.array([0, 1, 0, 1, 1, 1.0])
    some = weights > 0
    assert [array.tolist() for array in estimate_chords(starts, ends, pitches, beats, weights)] == [
        array.tolist() for array in estimate_chords(starts[some], ends[some], pitches[some], beats)
    ]


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_viterbi_against_every_path(count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores, costs = generator.normal(size=(count, 3)), generator.random(count)

    def value(path: tuple[int, ...]) -> float:
        changes = [cost for cost, (a, b) in zip(costs[1:], pairwise(path), strict=True) if a != b]
        return float(scores[np.arange(count), path].sum() - sum(changes))

    best = max(product(range(3), repeat=count), key=value)
    assert tuple(viterbi(scores, costs).tolist()) == best


def test_silence_has_no_chord() -> None:
    beats = beats_of([Meter(0, 4, 4)], BAR, BAR)
    changes, chords = estimated([], beats)
    assert (changes.tolist(), chords.tolist()) == ([0], [NO_CHORD.number])
