"""Filling holes, the whole way: what is written, where, and what stays."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from musenet.editing.fill import Fill
from musenet.editing.piece import Piece, read_piece
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.parse import Place
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError
from tokenizer.midi.read import read

from .conftest import (
    BAR,
    FIXTURES,
    PROMPTS,
    ROOT,
    check_outside,
    filled,
    notes_and_rest,
    song,
    tracks_of,
)


@pytest.mark.parametrize("path", [*PROMPTS, *FIXTURES], ids=lambda path: path.stem)
def test_nothing_changes_outside_of_a_hole(tiny: Checkpoint, path: Path) -> None:
    piece = read_piece(path)
    last = piece.bars.number(piece.end - 1) + 1
    first = max(1, last // 2)
    options = FillOptions(bars=((first, min(first + 1, last)),), seed=3, variations=(1, 2))
    hole = (piece.bars.tick(first - 1), piece.bars.tick(min(first + 1, last)))
    takes = filled(tiny, piece, options)
    for take in takes:
        assert check_outside(path.read_bytes(), take.data, [hole]) == take.notes
        assert ((take.new["start"] >= hole[0]) & (take.new["start"] < hole[1])).all()
        assert (take.new["start"] + take.new["duration"] <= hole[1]).all()
    assert takes[0].data != takes[1].data


def test_only_the_parts_that_were_named_are_written(tiny: Checkpoint) -> None:
    piece = song()
    hole = (2 * BAR, 4 * BAR)
    for options, written in (
        (FillOptions(bars=((3, 4),), instruments=(40,), seed=1), {2, 3}),
        (FillOptions(bars=((3, 4),), tracks=("violin ii",), seed=1), {3}),
        (FillOptions(bars=((3, 4),), tracks=("4",), seed=1), {3}),
        (FillOptions(begin=Place(seconds=4.8), stop=Place(seconds=9.6), tracks=("Kit",)), {4}),
    ):
        take = filled(tiny, piece, options)[0]
        check_outside(piece.data, take.data, [hole], written)
        assert take.notes
        assert set(take.new["track"].tolist()) <= written


def test_notes_go_to_the_part_in_whose_register_they_lie(tiny: Checkpoint) -> None:
    take = filled(tiny, song(), FillOptions(bars=((2, 7),), instruments=(40,), seed=2))[0]
    high = take.new["pitch"][take.new["track"] == 2].mean()
    low = take.new["pitch"][take.new["track"] == 3].mean()
    assert high > low


def test_an_instrument_that_is_not_there_gets_a_track(tiny: Checkpoint) -> None:
    piece = song()
    take = filled(tiny, piece, FillOptions(bars=((3, 4),), instruments=(33,), seed=4))[0]
    check_outside(piece.data, take.data, [(2 * BAR, 4 * BAR)], set())
    track = mido.MidiFile(file=io.BytesIO(take.data)).tracks[-1]
    assert track.name == "Electric Bass (finger)"
    assert {m.channel for m in track if m.type == "note_on"} == {3}
    assert [m.program for m in track if m.type == "program_change"] == [33]
    assert Counter(take.new["program"].tolist()).keys() == {33}


@pytest.mark.parametrize("program", [33, 40, 128])
def test_parts_are_added_on_new_tracks(tiny: Checkpoint, program: int) -> None:
    """Also where the song has the instrument already; from the first bar to the last."""
    piece = song()
    options = AccompanyOptions(instruments=(program,), seed=1, temperature=5.0, top_p=1.0)
    take = filled(tiny, piece, options.as_fill())[0]
    check_outside(piece.data, take.data, [(0, 8 * BAR)], set())
    tracks = mido.MidiFile(file=io.BytesIO(take.data)).tracks
    assert len(tracks) == 6
    channels = {m.channel for m in tracks[5] if m.type == "note_on"}
    assert channels == ({9} if program == 128 else {3})
    assert take.notes > 0
    assert set(take.new["track"].tolist()) == {5}
    assert set(take.new["program"].tolist()) == {program}


def test_a_track_is_written_anew(tiny: Checkpoint) -> None:
    piece = song()
    options = AccompanyOptions(tracks=("Violin II",), seed=1, temperature=5.0, top_p=1.0)
    take = filled(tiny, piece, options.as_fill())[0]
    check_outside(piece.data, take.data, [(0, 8 * BAR)], {3})
    notes, _ = notes_and_rest(tracks_of(take.data)[3])
    assert len(notes) == take.notes > 0


def test_several_holes_one_after_another(tiny: Checkpoint) -> None:
    piece = song()
    options = FillOptions(bars=((2, 2), (5, 6)), seed=1, temperature=5.0, top_p=1.0)
    holes = [(BAR, 2 * BAR), (4 * BAR, 6 * BAR)]
    take = filled(tiny, piece, options)[0]
    assert check_outside(piece.data, take.data, holes) == take.notes
    starts = take.new["start"]
    assert all(((starts >= begin) & (starts < end)).any() for begin, end in holes)


def test_holes_are_named_in_words(tiny: Checkpoint) -> None:
    piece = read_piece(ROOT / "examples" / "prompts" / "pop.mid")
    for bars, words in (
        (((3, 3),), "bar 3"),
        (((3, 4),), "bars 3–4"),
        (((1, 2), (5, 5)), "bars 1–2 and 5"),
        (((1, 2), (5, 5), (7, 8)), "bars 1–2, 5 and 7–8"),
    ):
        assert Fill(tiny, piece, FillOptions(bars=bars)).where == words


def test_a_note_that_begins_before_a_hole_sounds_on(tiny: Checkpoint) -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    track = file.add_track("Organ")
    track.append(mido.Message("note_on", note=60, velocity=80))
    for _ in range(16):
        track.append(mido.Message("note_on", note=64, velocity=80))
        track.append(mido.Message("note_off", note=64, velocity=0, time=480))
    track.append(mido.Message("note_off", note=60))
    buffer = io.BytesIO()
    file.save(file=buffer)
    piece = Piece("organ", "organ.mid", buffer.getvalue(), "")
    take = filled(tiny, piece, FillOptions(bars=((2, 3),), seed=1))[0]
    check_outside(piece.data, take.data, [(BAR, 3 * BAR)])
    notes, _ = notes_and_rest(tracks_of(take.data)[0])
    assert (0, 4 * BAR, 0, 60, 80) in notes
    assert not any(n[3] == 60 for n in notes if BAR <= n[0] < 3 * BAR)


def test_variations_are_what_they_are_alone(tiny: Checkpoint) -> None:
    options = FillOptions(bars=((3, 4),), seed=9, variations=(1, 2, 3))
    together = filled(tiny, song(), options)
    alone = filled(tiny, song(), replace(options, variations=(2,)))
    assert alone[0].data == together[1].data


def test_what_cannot_be_filled_is_refused(tiny: Checkpoint) -> None:
    piece = song()
    for options, words in (
        (FillOptions(bars=((7, 9),)), "has 8 bars"),
        (FillOptions(begin=Place(bar=9)), "has 8 bars"),
        (FillOptions(begin=Place(bar=5), stop=Place(bar=4)), "no time between"),
        (FillOptions(bars=((1, 2),), tracks=("Violin III",)), "did you mean"),
        (FillOptions(bars=((1, 2),), tracks=("Conductor",)), "no notes and no program"),
        (FillOptions(bars=((1, 2),), composer="nobody"), "composer"),
    ):
        with pytest.raises(InputError, match=words):
            Fill(tiny, piece, options)
    for bad in ({}, {"bars": "5-"}, {"bars": "4-3"}, {"bars": "1-4,4-5"}, {"bars": "0-1"}):
        with pytest.raises(InputError, match="bars"):
            FillOptions.from_keywords(**bad)  # type: ignore[arg-type]


def test_weights_that_know_no_holes_are_refused(tiny: Checkpoint) -> None:
    vocabulary = tiny.tokenizer.vocabulary
    older = tuple(name for name in vocabulary.controls if name not in ("mark", "return"))
    tokenizer = Tokenizer(Vocabulary(vocabulary.grid, older))
    with pytest.raises(InputError, match="trained before there were holes"):
        Fill(replace(tiny, tokenizer=tokenizer), song(), FillOptions(bars=((1, 2),)))


def test_a_file_that_had_to_be_interpreted_is_filled(tiny: Checkpoint, tmp_path: Path) -> None:
    """SMPTE time: the file is written anew, with the same music."""
    data = song().data
    path = tmp_path / "smpte.mid"
    path.write_bytes(data[:12] + bytes((0xE7, 40)) + data[14:])
    piece = read_piece(path)
    take = filled(tiny, piece, FillOptions(begin=Place(seconds=3.0), stop=Place(seconds=5.0)))[0]
    old, new = read(path).notes, take.score.notes
    assert len(new) > 0
    early = old["start"] < piece.score.ticks(3.0)
    assert np.array_equal(new[: early.sum()][["start", "pitch"]], old[early][["start", "pitch"]])
