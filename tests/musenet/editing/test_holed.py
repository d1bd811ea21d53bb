"""Chords in songs with holes: what a network reads, row by row, told by bar lines counted here."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from musenet.decoding.eager import EagerDecoder
from musenet.editing.fill import Fill
from musenet.editing.fill_recipe import FillRecipe, read_recipe, unfilled
from musenet.editing.piece import Piece
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.parse import Place
from tokenizer.chords.symbols import parse_chord
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.holes import header_mask
from tokenizer.encoding.structure import GIVEN, ROLE, WRITTEN
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import WAIT, Vocabulary
from tokenizer.errors import InputError
from tokenizer.typing import Integers

BAR = 1920
STEPS = 96  # of a bar
TRIADS = {"C": (48, 64, 67, 72), "Am": (45, 60, 64, 69), "F": (41, 60, 65, 69), "G": (43, 59, 62)}
LOOP = ["C", "Am", "F", "G"]


def song(chords: Sequence[str] = LOOP * 2, *, markers: str = "", rest: int = 0) -> Piece:
    """A piano with a chord a bar in quarters, after a rest, and a flute; markers for each bar."""
    midi = mido.MidiFile(ticks_per_beat=480)
    texts = midi.add_track("Texts")
    for number, text in enumerate(markers.split()):
        texts.append(mido.MetaMessage("marker", text=text, time=BAR if number else 0))
    piano, flute = midi.add_track("Piano"), midi.add_track("Flute")
    flute.append(mido.Message("program_change", channel=1, program=73))
    wait = rest
    for chord in chords:
        for _ in range(4):
            for pitch in TRIADS[chord]:
                piano.append(mido.Message("note_on", note=pitch, velocity=80, time=wait))
                wait = 0
            for number, pitch in enumerate(TRIADS[chord]):
                piano.append(mido.Message("note_off", note=pitch, time=0 if number else 480))
        pitch = TRIADS[chord][-1] + 12
        flute.append(mido.Message("note_on", channel=1, note=pitch, velocity=70, time=rest))
        flute.append(mido.Message("note_off", channel=1, note=pitch, time=BAR - rest))
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return Piece("song", "song.mid", buffer.getvalue(), "0" * 12)


def run(tiny: Checkpoint, piece: Piece, options: FillOptions) -> Fill:
    request = Fill(tiny, piece, options)
    for _ in request.steps():
        pass
    return request


@pytest.fixture
def read_by_net(tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Time, name of a chord or pitch, and role of the rows that a network reads; no headers."""
    seen: list[tuple[Integers, int]] = []
    start, advance = EagerDecoder.start, EagerDecoder.advance

    def started(decoder: EagerDecoder, rows: Integers, columns: Integers) -> None:
        seen.extend(zip(rows[0], columns[0][:, ROLE].tolist(), strict=True))
        start(decoder, rows, columns)

    def advanced(decoder: EagerDecoder, rows: Integers, columns: Integers) -> None:
        seen.append((rows[0], int(columns[0][ROLE])))
        advance(decoder, rows, columns)

    monkeypatch.setattr(EagerDecoder, "start", started)
    monkeypatch.setattr(EagerDecoder, "advance", advanced)

    def read(piece: Piece, options: FillOptions) -> list[tuple[int, str | int, int]]:
        seen.clear()
        run(tiny, piece, replace(options, engine="eager"))
        vocabulary = tiny.tokenizer.vocabulary
        rows = np.array([row for row, _ in seen], np.int16)
        music = ~header_mask(rows, vocabulary)
        return [
            (time, vocabulary.name(int(row[WAIT])) if chord else int(row[2]) - 1, role)
            for time, row, role, kept, chord in zip(
                row_times(rows, vocabulary).tolist(),
                rows,
                [role for _, role in seen],
                music.tolist(),
                vocabulary.chords[rows[:, WAIT]].tolist(),
                strict=True,
            )
            if kept and (chord or row[1])
        ]

    return read


def check(found: list[tuple[int, str | int, int]], chords: list[tuple[float, str]]) -> None:
    """Chords are given, at these bars, and before all notes of their time."""
    said = [(time, name) for time, name, _ in found if isinstance(name, str)]
    assert said == [(int(bar * STEPS), parse_chord(name).control) for bar, name in chords]
    for number, (time, name, role) in enumerate(found):
        if isinstance(name, str):
            assert role == GIVEN
            assert not any(earlier >= time for earlier, *_ in found[:number])


HOLES: dict[str, Any] = {
    "bars": ((3, 4), (6, 6)),
    "seed": 1,
    "seed_alone": True,
    "temperature": 3.0,
    "top_p": 1.0,
}


def test_a_chart_stands_in_each_hole_and_the_songs_chords_around(read_by_net: Any) -> None:
    options = FillOptions(chords="G | Am F | C", instruments=(73,), **HOLES)
    found = read_by_net(song(), options)
    around = [(0, "C"), (1, "Am")]
    check(found, [*around, (2, "G"), (3, "Am"), (3.5, "F"), (4, "C"), (5, "G")])
    notes = [row for row in found if isinstance(row[1], int)]
    holes = [(2 * STEPS, 4 * STEPS), (5 * STEPS, 6 * STEPS)]
    given = [time for time, _, role in notes if role == GIVEN]
    piano = [
        beat * 24
        for begin, end in holes
        for beat in range(begin // 24, end // 24)
        for _ in range(4 if (beat // 4) % 4 < 3 else 3)
    ]
    assert given == piano
    written = [time for time, _, role in notes if role == WRITTEN]
    outside = [time for time in written if not any(b <= time < e for b, e in holes)]
    assert len(outside) == sum(5 if bar != 3 else 4 for bar in (0, 1, 4)) + 12 * 3
    assert all(any(begin <= time < end for time in written) for begin, end in holes)


def test_a_chart_repeats_over_a_hole(read_by_net: Any) -> None:
    found = read_by_net(song(), FillOptions(bars=((2, 8),), chords="F | G", seed=1))
    check(found, [(0, "C"), *((bar, "FG"[(bar - 1) % 2]) for bar in range(1, 8))])


def test_a_hole_inside_of_bars_takes_the_chord_of_its_place(read_by_net: Any) -> None:
    """A bar lasts two seconds: from the third quarter of the second bar to that of the third."""
    options = FillOptions(
        begin=Place(seconds=3.0), stop=Place(seconds=5.0), chords="F G | Am", seed=1
    )
    check(read_by_net(song(), options), [(0, "C"), (1, "Am"), (1.5, "G"), (2, "Am")])


def test_the_songs_own_chords_are_kept(read_by_net: Any) -> None:
    """As its notes have them, or as markers name them; also where all parts are written anew."""
    found = read_by_net(song(), FillOptions(keep_chords=True, **HOLES))
    check(found, [(bar, LOOP[bar % 4]) for bar in range(6)])
    named = song(markers="Em D Em D Em D Em D")
    found = read_by_net(named, FillOptions(keep_chords=True, **HOLES))
    check(found, [(bar, ("Em", "D")[bar % 2]) for bar in range(6)])


def test_chords_run_over_all_of_an_accompaniment(read_by_net: Any) -> None:
    """From the first bar line on, also where the tune comes in a beat later; here nine bars."""
    chart = AccompanyOptions(instruments=(33,), chords="Dm | C G", seed=2)
    found = read_by_net(song(rest=480), chart.as_fill())
    rounds = [[(bar, "Dm"), (bar + 1, "C"), (bar + 1.5, "G")] for bar in range(0, 8, 2)]
    check(found, [*(row for one in rounds for row in one), (8, "Dm")])
    own = AccompanyOptions(tracks=("Flute",), keep_chords=True, seed=2)
    check(read_by_net(song(), own.as_fill()), [(bar, LOOP[bar % 4]) for bar in range(8)])


def test_chords_are_given_beside_a_rhythm(read_by_net: Any) -> None:
    options = FillOptions(bars=((3, 4),), chords="G | C", keep_rhythm=True, seed=1)
    found = read_by_net(song(), options)
    check(found, [(0, "C"), (1, "Am"), (2, "G"), (3, "C")])


@pytest.mark.parametrize("more", [{"chords": "C6 | F"}, {"keep_chords": True}])
def test_a_fill_with_chords_is_made_again(
    tiny: Checkpoint, tmp_path: Path, more: dict[str, Any]
) -> None:
    request = run(tiny, song(), FillOptions(bars=((2, 3), (5, 5)), seed=3, **more))
    out = tmp_path / "song.mid"
    (take,) = request.results()
    out.write_bytes(take.data)
    recipe, _ = read_recipe(out)
    assert isinstance(recipe, FillRecipe)
    again = run(tiny, unfilled(out, recipe), recipe.options)
    assert again.results()[0].data == take.data
    words = ("Chords are taken for the nearest that the model knows: C6 as C.",)
    assert again.words == request.words == (words if "chords" in more else ())


def test_what_cannot_be_given_is_refused(tiny: Checkpoint) -> None:
    with pytest.raises(InputError, match="--chords and --keep-chords exclude each other"):
        FillOptions(bars=((1, 2),), chords="C", keep_chords=True)
    with pytest.raises(InputError, match="'Hm' is no chord symbol"):
        AccompanyOptions.from_keywords(instruments="bass", chords="C | Hm")
    known = tiny.tokenizer.vocabulary
    names = tuple(name for name in known.controls if not name.startswith("chord:"))
    older = replace(tiny, tokenizer=Tokenizer(Vocabulary(known.grid, names)))
    with pytest.raises(InputError, match="these weights know no chords"):
        Fill(older, song(), FillOptions(bars=((1, 2),), chords="C"))
    drums = mido.MidiFile(ticks_per_beat=480)
    track = drums.add_track("Kit")
    for _ in range(32):
        track.append(mido.Message("note_on", channel=9, note=38, velocity=80))
        track.append(mido.Message("note_off", channel=9, note=38, time=480))
    buffer = io.BytesIO()
    drums.save(file=buffer)
    kit = Piece("kit", "kit.mid", buffer.getvalue(), "")
    with pytest.raises(InputError, match=r"no chord sounds in kit\.mid"):
        Fill(tiny, kit, FillOptions(bars=((1, 2),), keep_chords=True))
