"""Many files at a time: to the bit what one file at a time gives, whatever stands beside it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import random_score
from tokenizer import (
    Grid,
    InputError,
    Labels,
    MidiError,
    Score,
    Tokenizer,
    Track,
    Vocabulary,
    read,
    read_all,
    to_bytes,
)
from tokenizer.score import batch
from tokenizer.score.score import NOTES, TEMPOS, TIME_SIGNATURES

FIXTURES = Path(__file__).parents[2] / "fixtures"
REAL = sorted((FIXTURES / "midi").glob("*.mid"))
NASTY = sorted((FIXTURES / "nasty").glob("*.mid"))
TOKENIZERS = {
    "beat": Tokenizer.default(composers=["bach"]),
    "seconds": Tokenizer(Vocabulary.create(Grid.seconds())),
    "all": Tokenizer(Vocabulary.create(Grid.beats()), pedal="events", tempo_changes=True),
    "durations": Tokenizer(Vocabulary.create(Grid.seconds()), pedal="durations"),
}
SCORES = [read(path) for path in REAL]
# A busy machine draws slowly, which says nothing of what is drawn.
SETTINGS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def small_scores(draw: st.DrawFn) -> Score:
    """Scores that differ in what a batch could mix up: resolution, tempos, meters, silence."""
    times = st.sampled_from([0, 1, 119, 120, 480, 4800, 200_000])
    notes = draw(
        st.lists(
            st.tuples(times, times, st.sampled_from([60, 61]), st.sampled_from([3, 64])),
            max_size=5,
        )
    )
    programs = draw(st.lists(st.sampled_from([0, 40, 128]), min_size=len(notes), max_size=5))
    tracks = {program: number for number, program in enumerate(dict.fromkeys(programs))}
    rows = [(*n, p, tracks[p]) for n, p in zip(notes, programs, strict=False)]
    meters = draw(st.lists(st.tuples(times, st.sampled_from([3, 4]), st.just(4)), max_size=3))
    tempos = draw(st.lists(st.tuples(times, st.sampled_from([300_000, 500_000])), max_size=3))
    kept = {n[-1] for n in rows}
    known = [(program, number) for program, number in tracks.items() if number in kept]
    return Score(
        draw(st.sampled_from([96, 120, 480, 1000])),
        tuple(Track("", program, program == 128) for program, _ in known),
        notes=np.array(rows, NOTES),
        time_signatures=np.array(meters, TIME_SIGNATURES),
        tempos=np.array(tempos, TEMPOS),
    )


@given(scores=st.lists(small_scores(), min_size=1, max_size=6), later=st.integers(0, 10_000))
@SETTINGS
def test_seconds_are_those_of_each_score_s_own_tempos(scores: list[Score], later: int) -> None:
    several = batch.ScoreBatch.of(scores)
    found = several.seconds(several.notes["start"] + later).tolist()
    expected = []
    for score in scores:
        for tick in score.notes["start"].tolist():
            changes = [(0, 500_000), *score.tempos.tolist(), (tick + later, 1)]
            units = 0
            for (begin, tempo), (end, _) in pairwise(changes):
                units += max(0, min(end, tick + later) - begin) * tempo
            expected.append(units / (1_000_000 * score.ticks_per_quarter))
    assert found == expected


RANDOM_SCORES = [random_score(seed) for seed in range(80)]


def test_joint_times_are_those_of_each_score() -> None:
    joined = batch.ScoreBatch.of(RANDOM_SCORES)
    for number, score in enumerate(RANDOM_SCORES):
        ticks = np.arange(0, 60_000, 997)
        found = joined.tempo_maps.seconds(ticks + (number << batch.TIME_BITS))
        np.testing.assert_array_equal(found, score.seconds(ticks))
        slopes = np.unique(score.tempo_map.slopes)
        assert joined.tempo_maps.fastest[number] == slopes[0]
        assert joined.tempo_maps.slowest[number] == slopes[-1]
    assert batch.ticks_of(joined.end).tolist() == [score.end for score in RANDOM_SCORES]
    assert batch.score_of(joined.end).tolist() == list(range(len(RANDOM_SCORES)))


def test_notes_are_found_again_by_their_score() -> None:
    joined = batch.ScoreBatch.of(RANDOM_SCORES)
    high = joined.pitch > 64
    for number, score in enumerate(RANDOM_SCORES):
        notes = joined.notes_of(number)
        np.testing.assert_array_equal(joined.notes[notes], score.notes)
        assert joined.count(high)[number] == (score.notes["pitch"] > 64).sum()
        assert (joined.number(3) == 3 * number).sum() == len(score.notes)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_encode_all_gives_what_encode_gives(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    found = list(tokenizer.encode_all(SCORES))
    assert len(found) == len(SCORES)
    for score, tokens in zip(SCORES, found, strict=True):
        assert tokens.dtype == np.int16
        np.testing.assert_array_equal(tokens, tokenizer.encode(score))


@pytest.mark.parametrize("name", ["seconds", "all"])
@given(scores=st.lists(small_scores(), max_size=6), rows=st.sampled_from([1, 4, 2**14]))
@SETTINGS
def test_pieces_in_a_batch_do_not_touch(name: str, scores: list[Score], rows: int) -> None:
    tokenizer = TOKENIZERS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "MAX_ROWS", rows)
        found = list(tokenizer.encode_all(scores))
    assert [tokens.tolist() for tokens in found] == [tokenizer.encode(s).tolist() for s in scores]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_decode_all_gives_what_decode_gives(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    pieces_ = [tokenizer.encode(score) for score in SCORES]
    assert list(tokenizer.decode_all(pieces_)) == [tokenizer.decode(piece) for piece in pieces_]


@pytest.mark.parametrize("name", ["seconds", "all"])
@given(scores=st.lists(small_scores(), max_size=6), cut=st.integers(0, 12))
@SETTINGS
def test_pieces_decoded_together_do_not_touch(name: str, scores: list[Score], cut: int) -> None:
    tokenizer = TOKENIZERS[name]
    bodies = [
        tokenizer.body(score)[cut:] for score in scores
    ]  # some begin with a note, or are empty
    assert list(tokenizer.decode_all(bodies)) == [tokenizer.decode(body) for body in bodies]


def test_a_token_that_is_none_is_told_of_its_own_piece() -> None:
    tokenizer = TOKENIZERS["beat"]
    good = tokenizer.encode(SCORES[0])
    bad = good.copy()
    bad[20, 3] = 0
    scores = tokenizer.decode_all([good, bad])
    assert next(scores) == tokenizer.decode(good)
    with pytest.raises(InputError, match="token 20 is no note"):
        next(scores)


def test_labels_are_each_piece_s_own() -> None:
    tokenizer = TOKENIZERS["beat"]
    labels = [Labels(composer="bach"), None, Labels()] * len(SCORES)
    found = list(tokenizer.encode_all(SCORES, labels[: len(SCORES)]))
    for score, said, tokens in zip(SCORES, labels, found, strict=False):
        np.testing.assert_array_equal(tokens, tokenizer.encode(score, said))
    with pytest.raises(ValueError, match="shorter"):
        list(tokenizer.encode_all(SCORES, labels[:1]))


def test_read_all_gives_what_read_gives() -> None:
    found = list(read_all(REAL))
    assert found == SCORES
    assert all(not score.notes.flags.writeable for score in found)


@pytest.mark.parametrize("rows", [1, 1000, 2**14])
@pytest.mark.parametrize("repair", [False, True])
def test_a_bad_file_spoils_nothing_but_itself(
    rows: int, repair: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MAX_ROWS", rows)
    paths = [path for pair in zip(NASTY, REAL * 9, strict=False) for path in pair]
    paths.insert(3, FIXTURES / "there is none.mid")
    found = list(read_all(paths, repair=repair, errors="return"))
    assert len(found) == len(paths)
    for path, result in zip(paths, found, strict=True):
        if isinstance(result, InputError):
            with pytest.raises(type(result), match=re.escape(str(result))):
                read(path, repair=repair)
        else:
            assert result == read(path, repair=repair)
    assert sum(isinstance(result, MidiError) for result in found) >= 15


def test_an_error_is_raised_in_its_turn() -> None:
    scores = read_all([REAL[0], b"<html>", REAL[1]])
    assert next(scores) == SCORES[0]
    with pytest.raises(MidiError, match="HTML"):
        next(scores)


def test_notes_with_one_key_are_sorted_within_their_file() -> None:
    loud = Score(notes=np.array([(0, 99_999, 60, 90, 0, 0), (0, 70_000, 60, 20, 0, 0)], NOTES))
    soft = Score(notes=np.array([(0, 90_000, 60, 10, 0, 0), (0, 90_000, 60, 5, 0, 0)], NOTES))
    for order in ([loud, soft], [soft, loud], [loud, loud, soft]):
        found = list(read_all(to_bytes(score) for score in order))
        assert [score.notes.tolist() for score in found] == [s.notes.tolist() for s in order]


def test_an_unknown_way_is_told_at_once() -> None:
    with pytest.raises(InputError, match="did you mean 'return'"):
        read_all([], errors="retrun")  # type: ignore[call-overload]
    with pytest.raises(InputError, match="way to read programs"):
        read_all([], programs="tracks")  # type: ignore[call-overload]
