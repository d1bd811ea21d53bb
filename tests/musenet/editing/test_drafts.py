"""Drafts of a fill: their bits against those of `musenet evaluate`, and the choice among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from musenet.editing.drafts import EDGE_NOTES, Draft, EdgeReader
from musenet.editing.fill import Fill, Take
from musenet.editing.piece import read_piece
from musenet.evaluation.likelihood import Conditions
from musenet.evaluation.note_bits import note_bits
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.holes import between, events_of
from tokenizer.midi.read import read

POP = Path(__file__).parents[3] / "examples" / "prompts" / "pop.mid"


def filled(tiny: Checkpoint, options: FillOptions) -> tuple[Fill, list[Take]]:
    request = Fill(tiny, read_piece(POP), options)
    for _ in request.steps():
        pass
    return request, request.results()


def test_edge_bits_are_those_of_the_first_notes(tiny: Checkpoint) -> None:
    """Against the bits of every note, computed by PyTorch for whole pieces."""
    score, tokenizer = read(POP), tiny.tokenizer
    labels = tokenizer.labels(score)
    bits = note_bits(tiny.model, tokenizer, score, labels, Conditions(labels=True)).table
    ticks, costs = bits["tick"].to_numpy(), bits["bits"].to_numpy()
    body = tokenizer.body(score)
    times = row_times(body, tokenizer.vocabulary)
    clock = GridClock(score, tokenizer.vocabulary.grid)
    quarter = score.ticks_per_quarter
    new = np.arange(len(body)) % 2 == 0
    reader = EdgeReader(tiny.model, "eager", tokenizer.vocabulary, tokenizer.prefix(labels))
    for edge in (0, 4 * quarter, 6 * quarter):
        step = clock.step(edge)
        for only_new in (False, True):
            found = reader.bits([Draft(body, new)] * 2, step, new=only_new)
            note = tokenizer.vocabulary.is_note(body)
            chosen = np.flatnonzero((times >= step)[note] & (new[note] | (not only_new)))
            expected = costs[chosen[:EDGE_NOTES]].mean()
            assert (ticks[chosen[:EDGE_NOTES]] >= edge).all()
            # A change of meter or a rest before a note is counted with the note there, not here.
            assert found == pytest.approx([expected] * 2, abs=0.02)


def test_drafts_join_as_well_as_their_edges_cost_few_bits(tiny: Checkpoint) -> None:
    score, tokenizer = read(POP), tiny.tokenizer
    vocabulary, labels = tokenizer.vocabulary, tokenizer.labels(score)
    body = tokenizer.body(score)
    music = events_of(body, row_times(body, vocabulary), vocabulary)
    clock = GridClock(score, vocabulary.grid)
    bar = clock.step(4 * score.ticks_per_quarter)
    hole = (bar, 2 * bar)
    inside = between(music, *hole)
    keep = (music.times < hole[0]) | (music.times >= hole[1])
    stands = replace(music, times=music.times[keep], notes=music.notes[keep])
    real = Draft.of(stands, inside.notes, inside.times, vocabulary)
    assert np.array_equal(real.rows, body)
    assert real.new.sum() == len(inside.times)
    random = np.random.default_rng(0)
    drafts = [real]
    for _ in range(3):
        notes = inside.notes.copy()
        notes[:, 2] = random.integers(1, 128, len(notes))
        drafts.append(Draft.of(stands, notes, inside.times, vocabulary))
    silent = Draft.of(stands, inside.notes[:0], inside.times[:0], vocabulary)
    reader = EdgeReader(tiny.model, "eager", vocabulary, tokenizer.prefix(labels))

    drafts.append(silent)
    first, after = (
        reader.bits(drafts, edge, new=new) for edge, new in ((hole[0], True), (hole[1], False))
    )
    assert np.isnan(first).tolist() == [False] * 4 + [True]
    first[-1] = first[:-1].max()  # a silent draft begins no better than the worst
    fit = reader.fit(drafts, [hole])
    assert fit == pytest.approx(-np.log(2) * (first + after))


def test_a_variation_is_one_of_its_drafts_and_the_same_again(tiny: Checkpoint) -> None:
    options = FillOptions(bars=((2, 3),), seed=3, variations=(1, 2), engine="eager")
    request, takes = filled(tiny, replace(options, drafts=3))
    firsts = filled(tiny, replace(options, drafts=1))[1]
    others = [
        filled(tiny, replace(options, drafts=1, variations=(v + 64 * d,)))[1]
        for v in (1, 2)
        for d in (1, 2)
    ]
    assert [take.variation for take in takes] == [1, 2]
    for index, take in enumerate(takes):
        drafts = [firsts[index], *(one[0] for one in others[2 * index : 2 * index + 2])]
        assert any(np.array_equal(take.new, one.new) for one in drafts)
        again = filled(tiny, replace(take.recipe.options))[1]
        assert again[0].data == take.data
    assert request.options.drafts == 3


@pytest.mark.parametrize(
    ("variations", "drafts"), [(1, 4), (4, 4), (5, 3), (8, 2), (16, 1), (64, 1)]
)
def test_many_variations_take_fewer_drafts(variations: int, drafts: int) -> None:
    options = FillOptions(bars=((2, 3),), variations=tuple(range(1, variations + 1)))
    assert options.completed("eager").drafts == drafts
    whole = AccompanyOptions(instruments=(33,), variations=options.variations).as_fill()
    assert whole.completed("eager").drafts == drafts


def test_notes_of_the_first_drafts_are_heard_as_they_come(tiny: Checkpoint) -> None:
    options = FillOptions(bars=((2, 2),), seed=1, variations=(1, 2), drafts=4)
    request = Fill(tiny, read_piece(POP), options)
    seen = [note for _ in request.steps() for note in request.latest()["track"].tolist()]
    assert set(seen) == {0, 1}
