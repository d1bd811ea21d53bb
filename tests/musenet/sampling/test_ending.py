"""Last chords of hymns as their harmony is known, and endings of which the best is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from musenet.decoding.int8 import missing
from musenet.generation.reranking import rank
from musenet.model.checkpoint import Checkpoint
from musenet.sampling import ending
from musenet.sampling.constraints import Constraints
from musenet.sampling.ending import (
    CANDIDATES,
    LAST_CHORDS,
    QUARTERS,
    Chord,
    EndingSampler,
    EndingScore,
    chord_at,
    chord_evidence,
    last_chord,
)
from musenet.sampling.filters import FieldFilter
from musenet.sampling.sampler import Sampler, SamplerConfig, rows_of
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, Vocabulary
from tokenizer.labels import Labels
from tokenizer.midi.read import read
from tokenizer.score.score import NOTES, Score
from tokenizer.theory import Key
from tokenizer.typing import Tokens

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
    ("last", "tonic_in_bass", "tonic_triad"),
    [(TONIC, True, True), (DOMINANT, False, False), (SIX_FOUR, False, True)],
)
def test_a_chord_by_its_degrees(
    last: tuple[int, ...], tonic_in_bass: bool, tonic_triad: bool
) -> None:
    notes = chords((1, TONIC), (1, SUBDOMINANT), (1, DOMINANT), (4, last))
    assert last_chord(notes, C_MAJOR) == Chord(tonic_in_bass, tonic_triad, 2.0)


def test_the_key_decides_what_the_tonic_is() -> None:
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
def test_whole_pieces_end_with_the_tonic(name: str) -> None:
    found = last_chord(read(MIDI / f"{name}.mid").notes, None)
    assert found is not None
    assert (found.tonic_in_bass, found.tonic_triad) == (True, True)
    assert found.held >= 0


def test_evidence_is_the_ratio_of_shares() -> None:
    assert sum(share.last for share in LAST_CHORDS.values()) == pytest.approx(1, abs=0.02)
    assert sum(share.any for share in LAST_CHORDS.values()) == pytest.approx(1, abs=0.02)
    (closes, _), (held, _) = chord_evidence(Chord(True, True, 2.0))
    assert closes == pytest.approx(np.log(0.70 / 0.13))
    assert held > 0
    assert (
        chord_evidence(Chord(True, True, -5.0))[1][0]
        == chord_evidence(Chord(True, True, -3.0))[1][0]
        < 0
    )


def test_the_candidate_that_closes_comes_first() -> None:
    body = [(1, TONIC), (1, SUBDOMINANT), (1, DOMINANT), (1, TONIC)] * 4
    closed, open_ = (
        Score(QUARTER, notes=chords(*body, *end))
        for end in (((2, DOMINANT), (2, TONIC)), ((2, TONIC), (2, DOMINANT)))
    )
    first, second = rank([open_, closed], bars_late=[0.0, 0.0], key=C_MAJOR)
    assert first.number == 2
    assert "its last chord is not the tonic chord" in second.reasons
    alike = rank([open_, closed])
    assert "ending" not in alike[0].evidence


BEAT = 24
LENGTH = 20 * BEAT
CLOSE = LENGTH - QUARTERS * BEAT


@pytest.fixture
def vocabulary(tiny: Checkpoint) -> Vocabulary:
    return tiny.tokenizer.vocabulary


@pytest.fixture
def config(tiny: Checkpoint) -> SamplerConfig:
    return SamplerConfig(
        prefix=tiny.tokenizer.prefix(Labels(instruments=(0,), time_signature=(4, 4), tempo=90)),
        prompt=np.array([[1, 1, 61, 13, 20], [13, 1, 63, 13, 18]], dtype=np.int16),
        not_before=24,
        until=LENGTH + 4 * BEAT,
        filters=(FieldFilter(top_p=0.95),) * 5,
        constraints=Constraints(),
        seed=5,
        variations=(1, 2, 3),
        length=LENGTH,
        may_end_at=LENGTH - 8 * BEAT,
    )


def pitches(rows: Tokens) -> float:
    """A score of which the best is plain to see: the sum of the pitches."""
    return float(rows[:, PITCH].sum())


def made(
    checkpoint: Checkpoint, config: SamplerConfig, score: EndingScore = pitches
) -> list[Tokens]:
    sampler = EndingSampler(checkpoint.model, checkpoint.tokenizer.vocabulary, config, score)
    sampled = list(sampler.sample())
    return [rows_of(sampled, index) for index in range(len(config.variations))]


def times(config: SamplerConfig, rows: Tokens, vocabulary: Vocabulary) -> np.ndarray:
    whole = np.concatenate([config.prompt, rows])
    return np.cumsum(vocabulary.steps[whole[:, 0]])[len(config.prompt) :]


def test_before_the_ending_it_is_the_sampler(
    tiny: Checkpoint, config: SamplerConfig, vocabulary: Vocabulary
) -> None:
    plain = list(
        Sampler(tiny.model, vocabulary, replace(config, until=CLOSE, may_end_at=None)).sample()
    )
    for index, rows in enumerate(made(tiny, config)):
        before = rows_of(plain, index)
        assert len(before) > 3
        assert np.array_equal(rows[: len(before)], before)
        assert times(config, rows, vocabulary)[len(before) :].min() >= CLOSE


def test_the_ending_with_the_highest_score_is_kept(
    tiny: Checkpoint, config: SamplerConfig, vocabulary: Vocabulary
) -> None:
    seen: list[tuple[float, Tokens]] = []

    def score(rows: Tokens) -> float:
        seen.append((pitches(rows), rows))
        return pitches(rows)

    found = made(tiny, config, score)
    assert len(seen) == CANDIDATES * len(found)
    for index, rows in enumerate(found):
        tries = seen[CANDIDATES * index : CANDIDATES * (index + 1)]
        assert len({other.tobytes() for _, other in tries}) > CANDIDATES // 2
        assert pitches(rows) == max(value for value, _ in tries)
    worst = made(tiny, config, lambda rows: -pitches(rows))
    assert all(pitches(a) > pitches(b) for a, b in zip(found, worst, strict=True))


@pytest.mark.skipif(missing() is not None, reason="onnx and onnxruntime are not installed")
def test_a_variation_is_the_same_alone_and_among_others(
    tiny: Checkpoint, config: SamplerConfig
) -> None:
    config = replace(config, engine="int8")  # eager may round otherwise with other sequences beside
    together = made(tiny, config)
    for index, number in enumerate(config.variations):
        (alone,) = made(tiny, replace(config, variations=(number,)))
        assert np.array_equal(alone, together[index])
    assert len({rows.tobytes() for rows in together}) == 3


def test_no_new_instrument_plays_in_an_ending(
    tiny: Checkpoint, config: SamplerConfig, vocabulary: Vocabulary
) -> None:
    for rows in made(tiny, replace(config, prefix=config.prefix[:1])):
        late = times(config, rows, vocabulary) >= CLOSE
        before = np.concatenate([config.prompt, rows[~late]])
        assert len(np.unique(before[:, INSTRUMENT])) > 2
        assert set(rows[late, INSTRUMENT].tolist()) <= {0, *before[:, INSTRUMENT].tolist()}


def test_times_are_those_of_the_rows(
    tiny: Checkpoint, config: SamplerConfig, vocabulary: Vocabulary
) -> None:
    sampled = list(EndingSampler(tiny.model, vocabulary, config, pitches).sample())
    for index in range(len(config.variations)):
        told = [int(new.times[index]) for new in sampled if new.live[index]]
        assert told == times(config, rows_of(sampled, index), vocabulary).tolist()
    assert all(new.live.any() for new in sampled)


def test_a_piece_shorter_than_an_end_is_all_end(
    tiny: Checkpoint, config: SamplerConfig, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "CANDIDATES", 3)
    short = replace(config, length=4 * BEAT, until=5 * BEAT, may_end_at=2 * BEAT)
    for rows in made(tiny, short):
        assert times(short, rows, vocabulary).min() >= short.not_before
        assert times(short, rows, vocabulary).max() < short.until
