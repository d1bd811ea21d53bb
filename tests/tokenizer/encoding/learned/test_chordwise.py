"""The chordwise encoding: exact inverse, and chords against a walk over every step of time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.encoding.learned.bodies import CLOCKS, bodies, of_one_loudness
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.learned.chordwise import ChordCounts, ChordwiseTokenizer
from tokenizer.encoding.learned.slices import HELD, STRUCK, code_of, parts_of
from tokenizer.encoding.learned.symbols import LEARNED
from tokenizer.encoding.load import from_json, load
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError
from tokenizer.labels import Labels
from tokenizer.score.score import NOTES, Score, Track
from tokenizer.typing import Tokens

TOKENIZERS = {
    name: Tokenizer(Vocabulary.create(grid, composers=["bach"]), pedal="events")
    for name, grid in CLOCKS.items()
}


def learned(body: Tokens, compound: Tokenizer, volumes: int = 32) -> ChordwiseTokenizer:
    return ChordwiseTokenizer(compound, volumes).learned([body], 100)


@pytest.mark.parametrize("clock", CLOCKS)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_nothing_is_lost_of_rows_that_the_vocabulary_knows_or_not(
    clock: str, data: st.DataObject
) -> None:
    compound = TOKENIZERS[clock]
    body, other = (data.draw(bodies(compound)) for _ in range(2))
    prefix = compound.prefix(Labels(composer="bach", instruments=(0, 128)))
    whole = np.concatenate([prefix, body, compound.end()])
    for tokenizer in (
        ChordwiseTokenizer(compound),
        learned(body, compound),
        learned(other, compound),
    ):
        tokens = tokenizer.spelled(whole)
        assert np.array_equal(tokenizer.rows_of(tokens), whole)
        assert tokens.min(initial=0) >= 0
        assert tokens.max(initial=0) < tokenizer.sizes[0]
        assert np.array_equal(tokenizer.spelled(tokenizer.rows_of(tokens)), tokens)
        notes = compound.vocabulary.is_note(whole)
        assert tokenizer.notes_begun(tokens).sum() == notes.sum()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), volumes=st.sampled_from([1, 2, 8, 16]))
def test_with_fewer_classes_of_loudness_only_loudness_is_lost(
    data: st.DataObject, volumes: int
) -> None:
    compound = TOKENIZERS["beat"]
    body = np.concatenate([data.draw(bodies(compound)), compound.end()])
    tokenizer = learned(body, compound, volumes)
    again = tokenizer.rows_of(tokenizer.spelled(body))
    wanted = of_one_loudness(body, tokenizer)
    assert np.array_equal(again, wanted)


def sounding(body: Tokens, compound: Tokenizer) -> list[Counter[tuple[int, int, bool]]]:
    """What sounds at each step: (program, pitch, whether it begins), and 0 for nothing."""
    vocabulary = compound.vocabulary
    time, found = 0, []
    for first, program, pitch, duration, _ in body.tolist():
        time += int(vocabulary.steps[first])
        if program:
            found.append(
                (time, int(vocabulary.grid.durations[duration - 1]), program - 1, pitch - 1)
            )
    steps = max((t + d for t, d, _, _ in found), default=0)
    return [Counter((p, q, t == s) for t, d, p, q in found if t <= s < t + d) for s in range(steps)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_chord_tokens_are_what_sounds(data: st.DataObject) -> None:
    """Independent of slices: every step of time is asked what sounds in it."""
    compound = TOKENIZERS["beat"]
    body = data.draw(bodies(compound, short=False, loud=False, controls=False))
    tokenizer = learned(np.concatenate([body, body]), compound)
    tokens = tokenizer.spelled(np.concatenate([body, compound.end()]))[:, 0]
    at = sounding(body, compound)
    times = tokenizer.structure(tokens[:, None])[:, -1]
    for token, time in zip(tokens.tolist(), times.tolist(), strict=True):
        if tokenizer.symbols.kinds[token] == LEARNED:
            chord = map(parts_of, tokenizer.chords[token - tokenizer.symbols.base])
            said = Counter((key // 128, key % 128, kind == STRUCK) for key, _, kind in chord)
            assert said == (at[time] if time < len(at) else Counter())


def test_a_hymn_in_four_parts_takes_a_token_for_each_chord() -> None:
    compound = TOKENIZERS["beat"]
    rows = [
        (beat * 480, 480, pitch + step, 80, program, program)
        for beat, step in enumerate([0, 2, 4, 0, 2, 4])
        for program, pitch in enumerate([72, 67, 64, 48])
    ]
    score = Score(480, tuple(Track("", p) for p in range(4)), np.array(rows, NOTES))
    tokenizer = ChordwiseTokenizer(compound).learned([compound.body(score)], 8)
    tokens = tokenizer.spelled(np.concatenate([compound.body(score), compound.end()]))
    kinds = tokenizer.symbols.kinds[tokens[:, 0]]
    assert len(tokenizer.chords) == 3  # that of silence occurs once
    assert (kinds == LEARNED).sum() == 6
    assert len(tokens) == 6 + 6 + 4 + 1  # chords, waits, four endings, the end
    assert tokenizer.decode(tokens) == compound.decode(compound.body(score))


def test_one_note_inside_another_of_its_key_ends_first() -> None:
    compound = TOKENIZERS["beat"]
    rows = [(0, 960, 60, 80, 0, 0), (240, 240, 60, 80, 0, 0), (240, 240, 64, 80, 0, 0)]
    score = Score(480, (Track("", 0),), np.array(rows, NOTES))
    body = np.concatenate([compound.body(score), compound.end()])
    tokenizer = learned(np.concatenate([body[:-1], body]), compound)
    words = [line.split(maxsplit=1)[1] for line in tokenizer.lines(tokenizer.spelled(body))]
    assert "the one after" in words
    assert np.array_equal(tokenizer.rows_of(tokenizer.spelled(body)), body)


def test_what_is_cut_tells_nothing_later_than_its_last_row() -> None:
    compound = TOKENIZERS["beat"]
    rows = [(0, 960, 60, 80, 0, 0), (480, 960, 64, 80, 0, 0), (960, 960, 67, 80, 0, 0)]
    score = Score(480, (Track("", 0),), np.array(rows, NOTES))
    tokenizer, body = ChordwiseTokenizer(compound), compound.body(score)
    tokens = tokenizer.spelled(body[:2], cut=True)
    assert int(tokenizer.steps_of_id[tokens].sum()) == 24
    whole = tokenizer.spelled(body)
    assert np.array_equal(whole[: len(tokens)], tokens)


def test_labels_that_come_later_get_ids_behind_all_others(tmp_path: Path) -> None:
    compound = TOKENIZERS["beat"]
    rows = [(0, 480, 60, 80, 0, 0), (480, 480, 60, 80, 0, 0)]
    score = Score(480, (Track("", 0),), np.array(rows, NOTES))
    old = ChordwiseTokenizer(compound).learned([compound.body(score)], 8)
    new = old.extended(["composer:satie"])
    assert np.array_equal(new.encode(score, Labels()), old.encode(score, Labels()))
    assert new.encode(score, Labels(composer="satie"))[1, 0] == old.sizes[0] == new.sizes[0] - 1
    assert new.rows_of(new.prefix(Labels(composer="satie")))[1, 0] == compound.vocabulary.sizes[0]
    new.save(tmp_path / "tokenizer.json")
    assert load(tmp_path / "tokenizer.json") == new
    assert from_json(old.to_json(), "here") == old


def test_damaged_files_are_refused_in_a_sentence() -> None:
    compound = TOKENIZERS["beat"]
    plain = ChordwiseTokenizer(compound).to_json()
    for change in ({"chords": ["0:60"]}, {"keys": ["129:0"]}, {"volumes": 3}, {"values": 1}):
        with pytest.raises(InputError):
            from_json(plain | change, "it")
    with pytest.raises(InputError, match="no token of this vocabulary"):
        ChordwiseTokenizer(compound).decode(np.array([[32_000]], dtype=np.int16))


@given(st.lists(st.integers(0, 40), max_size=300), st.integers(4, 30))
def test_few_counters_find_what_is_frequent(found: list[int], most: int) -> None:
    """The bound of lossy counting: no count is too high, none too low by more than was lost."""
    counts = ChordCounts(most)
    chords = [(code_of(x, 0, HELD),) for x in found]
    for chord in chords:
        counts.add([chord])
    exact = Counter(chords)
    kept = counts.most_frequent(len(found))
    assert all(chord in kept for chord, n in exact.items() if n > counts.lost + 1)
    if counts.lost == 0:
        order = sorted((-n, chord) for chord, n in exact.items() if n > 1)
        assert kept == tuple(chord for _, chord in order)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_a_model_writes_can_be_read(data: st.DataObject) -> None:
    compound = TOKENIZERS["beat"]
    tokenizer = learned(data.draw(bodies(compound)), compound)
    ids = data.draw(st.lists(st.integers(0, tokenizer.sizes[0] - 1), max_size=60))
    tokenizer.decode(np.array(ids, dtype=np.int16).reshape(-1, 1))


def test_grid_is_named() -> None:
    assert "24 steps a quarter" in repr(ChordwiseTokenizer(TOKENIZERS["beat"]))
    assert Grid.seconds() == ChordwiseTokenizer(TOKENIZERS["seconds"]).vocabulary.grid
