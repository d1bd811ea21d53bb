"""Held-out pieces: where prompts begin and end, and how continuations are compared."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.generation import held_out as module
from musenet.generation.held_out import HeldOut, held_out, similarity_figures
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from tokenizer.score.score import NOTES, TIME_SIGNATURES, Score, Track

QUARTER, BAR = 24, 72


def song(bars: int, *, silent: int = 0, programs: tuple[int, ...] = (0,)) -> Score:
    """Three quarters in each bar of 3/4, each bar on another pitch, after some bars of rest."""
    rows = [
        (bar * BAR + beat * QUARTER, QUARTER, 48 + bar, 80, program, track)
        for track, program in enumerate(programs)
        for bar in range(silent, silent + bars)
        for beat in range(3)
    ]
    tracks = tuple(Track("", program, program == 128) for program in programs)
    meter = np.array([(0, 3, 4)], TIME_SIGNATURES)
    return Score(QUARTER, tracks, notes=np.array(rows, NOTES), time_signatures=meter)


def test_prompts_begin_with_the_music() -> None:
    songs = [("short", song(4)), ("long", song(9, silent=2)), ("empty", Score(QUARTER))]
    (found,) = held_out(songs, 5, prompt_bars=2, bars=3)
    assert found.name == "long"
    assert found.boundary == 2 * BAR
    pitches = found.score.notes["pitch"].reshape(-1, 3)[:, 0].tolist()
    assert pitches == [50, 51, 52, 53, 54]
    (later,) = held_out(songs, 5, prompt_bars=2, bars=3, skip=4)
    assert later.score.notes["pitch"][0] == 54
    assert held_out(songs, 5, prompt_bars=2, bars=3, skip=5) == []


def test_prompts_can_be_chosen() -> None:
    songs = [(str(i), song(6, programs=(0, 128) if i % 2 else (0,))) for i in range(8)]
    drums = held_out(songs, 3, prompt_bars=2, bars=2, suits=lambda s: 128 in s.notes["program"])
    assert len({piece.name for piece in drums}) == 3
    assert all(int(piece.name) % 2 for piece in drums)
    orders = {
        tuple(piece.name for piece in held_out(songs, 8, prompt_bars=2, bars=2, seed=seed))
        for seed in (0, 0, 1)
    }
    assert len(orders) == 2


def test_a_continuation_keeps_the_prompt_and_its_length(tiny: Checkpoint) -> None:
    (piece,) = held_out([("a", song(6))], 1, prompt_bars=3, bars=2)
    score = piece.continued(tiny, GenerateOptions(seed=3))
    new = score.notes["start"] * QUARTER >= piece.boundary * score.ticks_per_quarter
    old = score.notes[~new]
    assert old["pitch"].tolist() == [pitch for pitch in (48, 49, 50) for _ in range(3)]
    assert new.any()
    last = score.notes["start"].max() * QUARTER / score.ticks_per_quarter
    assert last < piece.boundary + 2 * BAR


def test_only_pairs_with_a_new_bar_count(tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces in which no bar is like another, continued by their first bar again and again."""

    def repeated(self: HeldOut, _: Checkpoint, __: GenerateOptions) -> Score:
        score = self.score.slice(0, self.boundary)
        for bar in range(self.prompt_bars, self.prompt_bars + self.bars):
            score = score.concatenate(self.score.slice(0, BAR), bar * BAR)
        return score

    monkeypatch.setattr(module.HeldOut, "continued", repeated)
    pieces = held_out([("a", song(9)), ("b", song(9))], 2, prompt_bars=2, bars=3)
    done: list[int] = []
    found = similarity_figures(tiny, pieces, 0, done.append)
    # Bars 2, 3 and 4 are bar 0 again, bar 1 is another.
    assert found["similarity"][:5] == [pytest.approx(2 / 3), pytest.approx(2 / 3), 0.5, 1, None]
    assert found["real_similarity"][:5] == [0, 0, 0, 0, None]
    assert found["similarity_error"] == pytest.approx((2 / 3 + 2 / 3 + 0.5 + 1) / 4)
    assert sum(done) == 2
