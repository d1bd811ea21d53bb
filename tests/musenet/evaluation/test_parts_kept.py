"""Parts kept: cases that can be counted by hand, and a reference in mido and NumPy."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musenet.evaluation.parts_kept import PartsKept, chord_loop, mean_figures, parts_kept
from tokenizer import InputError, read, write
from tokenizer.score.bars import Bars
from tokenizer.score.score import NOTES, Score, Track

PROMPTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "prompts"
if not PROMPTS.is_dir():  # a worktree beside the checkout
    PROMPTS = Path(__file__).resolve().parents[5] / "shared" / "data" / "prompts"
FILES = sorted(path for kind in ("*.mid", "*.kar") for path in PROMPTS.glob(kind))

QUARTER, BAR = 12, 48
CHORDS = ((60, 64, 67), (57, 60, 64), (53, 57, 60), (55, 59, 62))
TRACKS = (Track("Keys", 4, False), Track("Bass", 33, False), Track("Kit", 128, True))


def band(chords: tuple[tuple[int, ...], ...] = CHORDS * 2) -> Score:
    """Held chords, a bass on one and three, kick and snare in quarters."""
    rows = []
    for bar, chord in enumerate(chords):
        at = bar * BAR
        rows += [(at, BAR, pitch, 80, 4, 0) for pitch in chord]
        rows += [(at + beat * QUARTER, 12, chord[0] - 24, 90, 33, 1) for beat in (0, 2)]
        rows += [(at + beat * QUARTER, 3, (36, 38)[beat % 2], 100, 128, 2) for beat in range(4)]
    return Score(QUARTER, TRACKS, notes=np.array(rows, NOTES))


def kept(
    new: Score, prompt: Score | None = None, bars: int = 8, loop: int | None = None
) -> PartsKept:
    prompt = band() if prompt is None else prompt
    return parts_kept(prompt.concatenate(new, 8 * BAR), 8 * BAR, bars, loop)


def changed(score: Score, track: int, **columns: int) -> Score:
    """The score with something added to columns of one track's notes."""
    notes = score.notes.copy()
    for name, value in columns.items():
        notes[name][notes["track"] == track] += value
    return replace(score, notes=notes)


def without(score: Score, track: int) -> Score:
    return replace(score, notes=score.notes[score.notes["track"] != track])


def test_the_prompt_again_keeps_everything() -> None:
    found = kept(band())
    assert found.loop == 4
    figures = found.figures()
    whole = ("score", "parts", "presence", "onsets", "register", "on_kit", "harmony", "in_place")
    assert {name: figures[name] for name in whole} == pytest.approx(dict.fromkeys(whole, 1.0))
    assert figures["copies"] == 1
    assert figures["silent_parts"] == figures["silence"] == 0


def test_a_silent_part_keeps_nothing() -> None:
    found = kept(without(band(), 1))
    assert [part.kept for part in found.scored] == pytest.approx([1, 0, 1])
    assert found.figures()["silent_parts"] == 1
    assert found.figures()["copies"] == 0


def test_another_register() -> None:
    bass = kept(changed(band(), 1, pitch=24)).scored[1]
    assert (bass.presence, bass.onsets, bass.register) == (1, 1, 0)


def test_other_positions_in_the_bar() -> None:
    bass = kept(changed(band(), 1, start=QUARTER // 2)).scored[1]
    assert (bass.presence, bass.onsets, bass.register) == (1, 0, 1)


def test_a_note_just_before_a_bar_line_is_on_it() -> None:
    early = changed(band().shift(BAR), 1, start=-1)
    found = parts_kept(band().concatenate(early, 8 * BAR), 9 * BAR, 7)
    # The bass of each bar line comes a tick early, the first one before the new bars.
    assert found.scored[1].notes == (17, 14)
    assert found.scored[1].presence == 1
    assert found.scored[1].onsets == pytest.approx(1 / 2 + 8 / 17)


def test_hits_on_other_keys() -> None:
    found = kept(changed(band(), 2, pitch=4))
    assert found.figures()["on_kit"] == 0
    assert found.scored[2].register == 0
    assert found.harmony == pytest.approx(1)  # drums have no harmony


def test_presence_is_a_share_of_bars() -> None:
    score = band()
    half = score.notes[(score.notes["track"] != 1) | (score.notes["start"] < 4 * BAR)]
    assert kept(replace(score, notes=half)).scored[1].presence == 0.5


def test_a_loop_that_slipped_by_a_bar_is_not_in_place() -> None:
    found = kept(band((CHORDS[1:] + CHORDS[:1]) * 2))
    assert found.in_place == 0
    assert found.harmony is not None
    # Each chord shares some pitch classes with the one before: C and E of three in Am, and so on.
    assert 0 < found.harmony < 0.7
    assert kept(band((CHORDS[1:] + CHORDS[:1]) * 2), loop=0).harmony == pytest.approx(1)


def test_bars_without_a_pitch_are_alike() -> None:
    score = band()
    notes = score.notes
    third = notes["start"] // BAR % 4 == 2
    rests = replace(score, notes=notes[~third | (notes["program"] == 128)])
    again = kept(rests, rests)
    assert again.harmony == again.in_place == pytest.approx(1)
    played = kept(score, rests)
    assert played.harmony == played.in_place == pytest.approx(0.75)
    assert kept(rests).in_place == 0.75


def test_silence_in_quarters() -> None:
    score = band()
    notes = score.notes
    gap = notes[(notes["start"] < 2 * BAR) | (notes["start"] >= 3 * BAR + QUARTER)]
    assert kept(replace(score, notes=gap)).silence == 5
    first = band().select(tracks=[0])
    assert kept(replace(first, notes=first.notes[:3])).silence == 28


def test_texture_counts_onsets_and_the_notes_of_each() -> None:
    assert kept(band()).texture == 1
    keys = band().select(tracks=[0])
    double = replace(keys, notes=np.concatenate([keys.notes, changed(keys, 0, pitch=12).notes]))
    assert kept(double, keys).texture == pytest.approx((3 / 6 + 1) / 2)
    late = changed(keys, 0, start=QUARTER)
    twice = replace(keys, notes=np.concatenate([keys.notes, late.notes]))
    assert kept(twice, keys).texture == pytest.approx((1 + 1 / 2) / 2)


def test_copies_of_some_bars() -> None:
    new = band(CHORDS[:2] + ((48, 52, 55),) * 2)
    assert kept(new, bars=4).copies == 0.5


def test_parts_of_few_notes_do_not_count() -> None:
    prompt = band()
    extra = np.array([(0, 12, 72, 80, 80, 3)], NOTES)
    tracks = (*TRACKS, Track("Lead", 80, False))
    prompt = Score(QUARTER, tracks, notes=np.concatenate([prompt.notes, extra]))
    assert [part.name for part in kept(band(), prompt).scored] == ["Keys", "Bass", "Kit"]


def test_a_boundary_inside_a_bar_leaves_that_bar_out() -> None:
    score = band(CHORDS * 3)
    found = parts_kept(score, 7 * BAR + 5, 4)
    assert found.harmony == pytest.approx(1)
    assert found.in_place == 1  # the first new bar is the ninth


def test_a_prompt_without_whole_bars_is_refused() -> None:
    with pytest.raises(InputError, match="longer prompt"):
        parts_kept(band(), BAR // 2, 4)


def test_drums_alone_have_no_harmony() -> None:
    drums = band().select(tracks=[2])
    found = parts_kept(drums.concatenate(drums, 8 * BAR), 8 * BAR, 8)
    assert found.harmony is None
    assert found.score == found.parts == pytest.approx(1)


def test_the_shortest_loop_that_does_is_found() -> None:
    rows = np.eye(12)
    assert chord_loop(rows[[0] * 8]) == 1
    assert chord_loop(rows[[0, 5] * 4]) == 2
    assert chord_loop(rows[[0, 5, 7, 9] * 2]) == 4
    assert chord_loop(rows[:8]) is None


def test_means_leave_out_what_is_not_defined() -> None:
    drums = band().select(tracks=[2])
    alone = parts_kept(drums.concatenate(drums, 8 * BAR), 8 * BAR, 8)
    found = mean_figures([alone, kept(without(band(), 2))])
    assert found["harmony"] == pytest.approx(1)
    assert found["silent_parts"] == 0.5
    assert found["on_kit"] == 1


@pytest.fixture(scope="module")
def reference() -> Any:
    spec = importlib.util.spec_from_file_location("reference", PROMPTS / "parts_kept_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def damaged(loop: Score, seed: int, end: int) -> Score:
    """A third of the notes are gone, others moved, and a part of the time is silent."""
    random = np.random.default_rng(seed)
    notes = loop.notes[random.random(len(loop.notes)) > 0.3]
    moved, late = (random.random(len(notes)) < 0.3 for _ in range(2))
    notes["pitch"][moved] = (notes["pitch"][moved] + random.integers(-9, 9, moved.sum())).clip(
        0, 127
    )
    step = loop.ticks_per_quarter // 4
    shifts = random.integers(-1, 2, late.sum()) * step
    notes["start"][late] = (notes["start"][late] + shifts).clip(0, end - step)
    notes = notes[(notes["start"] < end // 3) | (notes["start"] > end // 2)]
    last = loop.notes["start"].max()
    notes = np.concatenate([notes, loop.notes[loop.notes["start"] == last]])
    if seed % 2 and len(np.unique(notes["track"])) > 1:
        notes = notes[(notes["track"] != notes["track"][0]) | (notes["start"] == last)]
    return replace(loop, notes=np.sort(notes, order="start"))


@pytest.mark.skipif(not FILES, reason="there are no prompts in ../shared/data/prompts")
@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_reference_agrees(path: Path, seed: int | None, reference: Any, tmp_path: Path) -> None:
    score = read(path)
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    count = bars.number(int(score.notes["start"].max())) + 1
    end = bars.tick(count)
    loop = score.slice(0, end)
    new = loop if seed is None else damaged(loop, seed, end)
    write(loop.concatenate(new, end), tmp_path / "new.mid")
    found = parts_kept(read(tmp_path / "new.mid"), end, count)
    theirs = reference.measure(str(path), str(tmp_path / "new.mid"), max_bars=count)
    names = {
        "score": "score",
        "parts": "parts_kept",
        "presence": "presence",
        "onsets": "onset",
        "register": "register",
        "on_kit": "on_kit",
        "harmony": "harmony_kept",
        "in_place": "chord_on_time",
        "silence": "hole_beats",
        "copies": "repeats_prompt",
    }
    figures = found.figures()
    assert theirs["new_bars"] == count
    assert found.loop == theirs["loop_bars"]
    for name, other in names.items():
        assert figures[name] == pytest.approx(theirs[other], abs=2e-3), name
    assert (found.score == pytest.approx(1)) == (seed is None)
