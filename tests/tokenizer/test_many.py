"""Many files at a time: to the bit what one file at a time gives, whatever stands beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer import Grid, Labels, Score, Tokenizer, Vocabulary, pieces, read

FIXTURES = Path(__file__).parent.parent / "fixtures"
REAL = sorted((FIXTURES / "midi").glob("*.mid"))
TOKENIZERS = {
    "beat": Tokenizer.default(composers=["bach"]),
    "seconds": Tokenizer(Vocabulary.create(Grid.seconds())),
    "all": Tokenizer(Vocabulary.create(Grid.beats()), pedal="events", tempo_changes=True),
    "durations": Tokenizer(Vocabulary.create(Grid.seconds()), pedal="durations"),
}
SCORES = [read(path) for path in REAL]


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
        tuple(("", program, program == 128) for program, _ in known),
        notes=np.array(rows, pieces.NOTES),
        time_signatures=meters,
        tempos=tempos,
    )


@pytest.mark.parametrize("name", TOKENIZERS)
def test_encode_all_gives_what_encode_gives(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    found = list(tokenizer.encode_all(SCORES))
    assert len(found) == len(SCORES)
    for score, tokens in zip(SCORES, found, strict=True):
        assert tokens.dtype == np.int16
        np.testing.assert_array_equal(tokens, tokenizer.encode(score))


@pytest.mark.parametrize("name", ["beat", "seconds", "all"])
@given(scores=st.lists(small_scores(), max_size=6), rows=st.sampled_from([1, 4, 2**14]))
@settings(max_examples=100, deadline=None)
def test_pieces_in_a_batch_do_not_touch(name: str, scores: list[Score], rows: int) -> None:
    tokenizer = TOKENIZERS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "MOST_ROWS", rows)
        found = list(tokenizer.encode_all(scores))
    assert [tokens.tolist() for tokens in found] == [tokenizer.encode(s).tolist() for s in scores]


def test_labels_are_each_piece_s_own() -> None:
    tokenizer = TOKENIZERS["beat"]
    labels = [Labels(composer="bach"), None, Labels()] * len(SCORES)
    found = list(tokenizer.encode_all(SCORES, labels[: len(SCORES)]))
    for score, said, tokens in zip(SCORES, labels, found, strict=False):
        np.testing.assert_array_equal(tokens, tokenizer.encode(score, said))
    with pytest.raises(ValueError, match="shorter"):
        list(tokenizer.encode_all(SCORES, labels[:1]))
