"""Onsets with merges: exact inverse, and what is told without durations and loudness."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.encoding.learned.bodies import CLOCKS, bodies, of_one_loudness
from tokenizer.encoding.learned.onsets import OnsetTokenizer
from tokenizer.encoding.load import from_json, load
from tokenizer.encoding.structure import StructureState, structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import VELOCITY, Vocabulary
from tokenizer.errors import InputError
from tokenizer.labels import Labels
from tokenizer.score.score import NOTES, Score, Track
from tokenizer.typing import Tokens

COMPOUND = {
    name: Tokenizer(Vocabulary.create(grid, composers=["bach"]), pedal="events")
    for name, grid in CLOCKS.items()
}


def with_merges(tokenizer: OnsetTokenizer, body: Tokens) -> OnsetTokenizer:
    pytest.importorskip("tokenizers")
    return tokenizer.learned([body, body], 60)


@pytest.mark.parametrize("clock", CLOCKS)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_nothing_is_lost_with_durations_and_loudness(clock: str, data: st.DataObject) -> None:
    compound = COMPOUND[clock]
    body, other = (data.draw(bodies(compound)) for _ in range(2))
    whole = np.concatenate([compound.prefix(Labels(composer="bach")), body, compound.end()])
    plain = OnsetTokenizer(compound)
    for tokenizer in (plain, with_merges(plain, body), with_merges(plain, other)):
        tokens = tokenizer.spelled(whole)
        assert np.array_equal(tokenizer.rows_of(tokens), whole)
        assert tokenizer.notes_begun(tokens).sum() == compound.vocabulary.is_note(whole).sum()
        assert len(tokens) <= len(plain.spelled(whole))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), volumes=st.sampled_from([1, 4]), durations=st.booleans())
def test_what_is_not_told_is_the_usual(data: st.DataObject, volumes: int, durations: bool) -> None:
    compound = COMPOUND["beat"]
    body = np.concatenate([data.draw(bodies(compound)), compound.end()])
    tokenizer = with_merges(OnsetTokenizer(compound, volumes, durations=durations), body)
    again = tokenizer.rows_of(tokenizer.spelled(body))
    note = compound.vocabulary.is_note(body)
    assert np.array_equal(compound.vocabulary.is_note(again), note)
    if durations:
        assert np.array_equal(again, of_one_loudness(body, tokenizer))
        return
    assert np.array_equal(again[:, :3], body[:, :3])
    steps = np.cumsum(compound.vocabulary.steps[body[:, 0]])
    for row in np.flatnonzero(note):
        own = note & (body[:, 1] == body[row, 1]) & (steps > steps[row])
        room = min(24, int((steps[own] - steps[row]).min(initial=24)))
        assert compound.vocabulary.grid.durations[again[row, 3] - 1] == room
    if volumes == 1:
        assert set(again[note, VELOCITY]) <= {21}


def test_tokens_by_hand() -> None:
    rows = [(0, 480, 60, 80, 0, 0), (480, 240, 64, 80, 0, 0), (480, 240, 67, 80, 0, 0)]
    score = Score(480, (Track("", 0),), np.array(rows, NOTES))
    compound = COMPOUND["beat"]
    tokenizer = OnsetTokenizer(compound, volumes=1).learned([compound.body(score)], 0)
    words = [line.split(maxsplit=1) for line in tokenizer.lines(tokenizer.encode(score, Labels()))]
    piano = "Acoustic Grand Piano "
    assert words == [
        ["0", "start"],
        ["0", f"{piano}C4 on"], ["0", "for 24"],
        ["24", "wait 24"], ["24", f"{piano}E4 on"], ["24", "for 12"],
        ["24", f"{piano}G4 on"], ["24", "for 12"],
        ["24", "end"],
    ]  # fmt: skip
    unknown = OnsetTokenizer(compound, volumes=1, durations=False).encode(score, Labels())
    said = [line.split(maxsplit=1)[1] for line in OnsetTokenizer(compound, 1).lines(unknown)]
    assert said[1:3] == [piano.strip(), "C4"]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_structure_is_that_of_the_rows_where_each_token_leaves_off(data: st.DataObject) -> None:
    """Without merges, tokens that end a note's telling stand where the note's own row stands."""
    compound = COMPOUND["beat"]
    body = np.concatenate([data.draw(bodies(compound)), compound.end()])
    tokenizer = OnsetTokenizer(compound, 1, durations=False).learned([body], 0)
    tokens = tokenizer.spelled(body)
    of_rows = structure(body, compound.vocabulary, 5000)
    of_tokens = tokenizer.structure(tokens, 5000)
    note = tokenizer.notes_begun(tokens[:, 0]) > 0
    assert np.array_equal(of_tokens[note], of_rows[compound.vocabulary.is_note(body)])
    merged = with_merges(tokenizer, body)
    state = StructureState(compound.vocabulary, 1, 5000)
    ids = merged.spelled(body)
    pushed = [merged.push(state, token)[0] for token in ids[:, 0].tolist()]
    assert np.array_equal(np.array(pushed).reshape(-1, 8), merged.structure(ids, 5000))


def test_more_merges_give_fewer_tokens() -> None:
    compound = COMPOUND["beat"]
    rows = [(240 * i, 240, 60 + i % 4, 80, 0, 0) for i in range(64)]
    score = Score(480, (Track("", 0),), np.array(rows, NOTES))
    body = compound.body(score)
    pytest.importorskip("tokenizers")
    lengths = [
        len(OnsetTokenizer(compound).learned([body], merges).spelled(body))
        for merges in (0, 4, 16, 64)
    ]
    assert lengths[0] == 64 * 4 - 1
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 64 / 8


def test_merges_are_saved_with_the_tokenizer(tmp_path: Path) -> None:
    compound = COMPOUND["beat"]
    rows = [(240 * i, 240, 60 + i % 4, 80, 0, 0) for i in range(64)]
    body = compound.body(Score(480, (Track("", 0),), np.array(rows, NOTES)))
    tokenizer = with_merges(OnsetTokenizer(compound), body).extended(["composer:satie"])
    tokenizer.save(tmp_path / "tokenizer.json")
    again = load(tmp_path / "tokenizer.json")
    assert again == tokenizer
    assert np.array_equal(again.spelled(body), tokenizer.spelled(body))
    with pytest.raises(InputError, match="not there yet"):
        from_json(tokenizer.to_json() | {"merges": ["30000 1"]}, "it")
    with pytest.raises(InputError, match="damaged"):
        from_json(tokenizer.to_json() | {"merges": ["1"]}, "it")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_a_model_writes_can_be_read(data: st.DataObject) -> None:
    compound = COMPOUND["beat"]
    tokenizer = with_merges(OnsetTokenizer(compound), data.draw(bodies(compound)))
    ids = data.draw(st.lists(st.integers(0, tokenizer.sizes[0] - 1), max_size=60))
    tokenizer.decode(np.array(ids, dtype=np.int16).reshape(-1, 1))


def test_without_the_library_only_merges_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    compound = COMPOUND["beat"]
    for module in ("tokenizers", "tokenizers.models", "tokenizers.trainers"):
        monkeypatch.setitem(sys.modules, module, None)
    rows = [(0, 480, 60, 80, 0, 0)]
    body = compound.body(Score(480, (Track("", 0),), np.array(rows, NOTES)))
    plain = OnsetTokenizer(compound).learned([body], 0)
    assert np.array_equal(plain.rows_of(plain.spelled(body)), body)
    with pytest.raises(InputError, match="bpe"):
        plain.learned([body], 10)
    merged = replace(plain, merges=((plain.symbols.begin, plain.symbols.duration),))
    assert len(merged.rows_of(np.array([[merged.symbols.base]], np.int16))) == 1
