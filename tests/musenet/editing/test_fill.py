"""Filling holes, the whole way: mido judges what is in the files before and after.

Outside of the holes nothing may change: every event of every track, as mido reads them, and the
bytes of the tracks that are not written.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from musenet.editing.fill import Fill, Take
from musenet.editing.fill_recipe import FillRecipe, read_recipe, unfilled
from musenet.editing.piece import Piece, read_piece
from musenet.export.recipe_event import RECIPE, drop_last_recipe, same_music
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.parse import Place
from musenet.options.shared_options import NATURAL
from tokenizer import records
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError
from tokenizer.midi import events
from tokenizer.midi.read import read

ROOT = Path(__file__).parents[3]
PROMPTS = sorted((ROOT / "examples" / "prompts").glob("*.mid"))
FIXTURES = sorted((ROOT / "tests" / "fixtures" / "midi").glob("*.mid"))
Message = tuple[int, bytes]


def filled(tiny: Checkpoint, piece: Piece, options: FillOptions) -> list[Take]:
    request = Fill(tiny, piece, options)
    for _ in request.steps():
        pass
    return request.results()


def tracks_of(data: bytes) -> list[list[Message]]:
    """Absolute time and bytes of each track's messages, as mido reads them."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(data), clip=True).tracks:
        now, own = 0, []
        for message in track:
            now += message.time
            own.append((now, bytes(message.bytes())))
        found.append(own)
    return found


Played = tuple[int, int, int, int, int]
"""Start, end, channel, pitch, velocity."""


def notes_and_rest(messages: list[Message]) -> tuple[list[Played], list[Message]]:
    """The notes of a track, first in first out, and its other messages in order."""
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}
    notes, rest = [], []
    for time, data in messages:
        kind, key = data[0] & 0xF0, (data[0] & 0x0F, data[1] if len(data) > 1 else 0)
        if kind == 0x90 and data[2]:
            sounding.setdefault(key, []).append((time, data[2]))
        elif kind in (0x80, 0x90) and sounding.get(key):
            start, velocity = sounding[key].pop(0)
            notes.append((start, time, *key, velocity))
        elif b"\x7dMuseNet" not in data and data[:2] != b"\xff\x2f":
            rest.append((time, data))
    return sorted(notes), rest


def check_outside(
    before: bytes, after: bytes, holes: list[tuple[int, int]], written: set[int] | None = None
) -> int:
    """Nothing has changed but notes in the holes; the number of notes there now.

    Args:
        before: the user's file.
        after: the filled one.
        holes: in ticks.
        written: the tracks that may have changed, or None for all.
    """
    old, new = tracks_of(before), tracks_of(after)
    count = 0
    for number, own in enumerate(old):
        notes, rest = notes_and_rest(own)
        now, rest_now = notes_and_rest(new[number])
        assert rest_now == rest
        # A track ends where it did, unless a new note lasts longer.
        assert new[number][-1][0] == max(own[-1][0], *(end for _, end, *_ in now), 0)

        def outside(played: list[Played]) -> list[Played]:
            return [n for n in played if not any(b <= n[0] < e for b, e in holes)]

        assert outside(now) == outside(notes)
        inside = [n for n in now if n not in outside(now)]
        for start, end, *_ in inside if written is None or number in written else ():
            assert start < end
        if written is not None and number not in written:
            assert now == notes
            if number:  # the first track has the recipe
                assert chunks(after)[number] == chunks(before)[number]
        count += len(inside)
    for extra in new[len(old) :]:
        notes, _ = notes_and_rest(extra)
        assert all(any(b <= n[0] < n[1] <= e for b, e in holes) for n in notes)
        count += len(notes)
    return count


def chunks(data: bytes) -> list[bytes]:
    """The bytes of each track chunk."""
    found, at = [], 14
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] == b"MTrk":
            found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return found


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


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_a_fill_is_made_again_from_its_recipe(tiny: Checkpoint, path: Path, tmp_path: Path) -> None:
    options = FillOptions(bars=((2, 3),), seed=5, variations=(2,))
    take = filled(tiny, read_piece(path), options)[0]
    out = tmp_path / "filled.mid"
    out.write_bytes(take.data)
    recipe, _ = read_recipe(out)
    assert isinstance(recipe, FillRecipe)
    old = unfilled(out, recipe)
    assert tracks_of(old.data) == tracks_of(path.read_bytes())
    assert filled(tiny, old, recipe.options)[0].data == take.data


def test_a_fill_of_a_fill_is_undone_alone(tiny: Checkpoint, tmp_path: Path) -> None:
    data = PROMPTS[0].read_bytes()
    made = []
    for bars in ((1, 1), (2, 2), (1, 1)):
        path = tmp_path / "song.mid"
        path.write_bytes(data)
        data = filled(tiny, read_piece(path), FillOptions(bars=(bars,), seed=1))[0].data
        made.append(data)
    path.write_bytes(data)
    recipe, _ = read_recipe(path)
    assert isinstance(recipe, FillRecipe)
    assert tracks_of(unfilled(path, recipe).data) == tracks_of(made[1])


def song() -> Piece:
    """Eight bars: piano, two violins in two registers, drums; pedals and bends in between."""
    file = mido.MidiFile(ticks_per_beat=480)
    meta = file.add_track("Conductor")
    meta.append(mido.MetaMessage("set_tempo", tempo=600_000))
    parts = [("Keys", 0, 0, 60), ("Violin I", 1, 40, 88), ("Violin II", 2, 40, 62)]
    for name, channel, program, pitch in [*parts, ("Kit", 9, 0, 38)]:
        track = file.add_track(name)
        track.append(mido.Message("program_change", channel=channel, program=program))
        for beat in range(32):
            track.append(
                mido.Message("control_change", channel=channel, control=64, value=127 * (beat % 2))
            )
            on = mido.Message("note_on", channel=channel, note=pitch + beat % 5, velocity=70)
            track.extend([on, on.copy(velocity=0, time=400)])
            track.append(mido.Message("pitchwheel", channel=channel, pitch=beat, time=80))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return Piece("song", "song.mid", buffer.getvalue(), "0" * 12)


BAR = 4 * 480


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


def rhythm(notes: list[Played]) -> Counter[tuple[int, int, int, int]]:
    """Start, end, channel and velocity of notes, as often as they occur."""
    return Counter((start, end, channel, velocity) for start, end, channel, _, velocity in notes)


@pytest.mark.parametrize(
    ("path", "more"),
    [
        *((path, {}) for path in PROMPTS),
        (FIXTURES[0], {"distance": 0.5}),
        (FIXTURES[-1], {"instruments": (0,)}),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_a_rhythm_is_kept_exactly(tiny: Checkpoint, path: Path, more: dict[str, Any]) -> None:
    """Starts, lengths and loudness of each track are the old ones; pitches are not."""
    options = FillOptions(
        bars=((2, 2), (4, 5)), keep_rhythm=True, seed=7, variations=(1, 2), **more
    )
    piece = read_piece(path)
    ticks = [(piece.bars.tick(first - 1), piece.bars.tick(last)) for first, last in options.bars]
    old = tracks_of(path.read_bytes())
    for take in filled(tiny, piece, options):
        check_outside(path.read_bytes(), take.data, ticks)
        changed = 0
        for before, after in zip(old, tracks_of(take.data), strict=True):
            notes, now = notes_and_rest(before)[0], notes_and_rest(after)[0]
            assert rhythm(now) == rhythm(notes)
            changed += sum((Counter(now) - Counter(notes)).values())
        assert 0 < changed <= take.notes


@pytest.mark.parametrize("distance", [0.0, 0.3, 1.0])
def test_a_variation_keeps_its_share_of_the_notes(tiny: Checkpoint, distance: float) -> None:
    piece, hole = song(), (2 * BAR, 6 * BAR)
    take = filled(tiny, piece, FillOptions(bars=((3, 6),), distance=distance, seed=4))[0]
    check_outside(piece.data, take.data, [hole])

    def inside(data: bytes) -> Counter[tuple[int, Played]]:
        return Counter(
            (number, note)
            for number, track in enumerate(tracks_of(data))
            for note in notes_and_rest(track)[0]
            if hole[0] <= note[0] < hole[1]
        )

    old, new = inside(piece.data), inside(take.data)
    gone = sum((old - new).values())
    assert sum(old.values()) == 64
    # A note that was taken out may be written again.
    assert gone <= round(64 * distance)
    assert sum((old & new).values()) >= 64 - round(64 * distance)
    assert sum(new.values()) <= 64


@pytest.mark.parametrize("distance", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_each_note_that_is_taken_out_is_replaced_by_one_at_most_near_its_place(
    tiny: Checkpoint, path: Path, distance: float
) -> None:
    piece = read_piece(path)
    options = FillOptions(bars=((2, 5),), distance=distance, seed=1, variations=(1, 2, 3))
    quarter = piece.score.ticks_per_quarter
    request = Fill(tiny, piece, options)
    for _ in request.steps():
        pass
    for take in request.results():
        for program in {*take.new["program"].tolist()}:
            gone = request.holed.gone
            places = sorted(gone["start"][gone["program"] == program].tolist())
            for start in sorted(take.new["start"][take.new["program"] == program].tolist()):
                while places and places[0] < start - quarter - quarter / 24:
                    places.pop(0)
                assert places
                assert places.pop(0) <= start + quarter + quarter / 24


def test_rhythms_and_shares_are_made_again(tiny: Checkpoint, tmp_path: Path) -> None:
    out = tmp_path / "song.mid"
    options = FillOptions(bars=((2, 4),), keep_rhythm=True, distance=0.5, seed=3)
    take = filled(tiny, song(), options)[0]
    out.write_bytes(take.data)
    recipe, _ = read_recipe(out)
    assert isinstance(recipe, FillRecipe)
    assert tracks_of(unfilled(out, recipe).data) == tracks_of(song().data)
    assert filled(tiny, unfilled(out, recipe), recipe.options)[0].data == take.data


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


def test_the_recipe_is_no_text(tiny: Checkpoint) -> None:
    take = filled(tiny, song(), FillOptions(bars=((3, 3),), seed=1))[0]
    added = [event for track in events.parse(take.data).tracks for event in track]
    assert not [event for event in added if event.meta == 1]
    (recipe,) = [event for event in added if event.meta == 0x7F]
    assert events.body(recipe).startswith(b"\x7dMuseNet")


def test_files_of_versions_that_drew_by_the_seed_alone_are_made_again_by_it(
    tiny: Checkpoint, tmp_path: Path
) -> None:
    take = filled(tiny, song(), FillOptions(bars=((3, 3),), seed=1, seed_alone=True))[0]
    now = filled(tiny, song(), FillOptions(bars=((3, 3),), seed=1))[0]
    assert now.new.tobytes() != take.new.tobytes()
    data = json.loads(records.to_json(take.recipe))
    del data["options"]["seed_alone"]
    file = events.parse(take.data)
    drop_last_recipe(file.tracks)
    text = events.Event(0, events.text(1, RECIPE + json.dumps(data)))
    file.tracks[0].insert(0, text)
    path = tmp_path / "old.mid"
    path.write_bytes(events.dump_over(take.data, file))
    recipe, _ = read_recipe(path)
    assert isinstance(recipe, FillRecipe)
    again = filled(tiny, unfilled(path, recipe), recipe.options)[0]
    assert same_music(again.data, path.read_bytes())


def test_defaults_of_sampling_follow_the_song_and_the_parts() -> None:
    options = FillOptions(bars=((1, 2),))

    def temperatures(**said: bool) -> list[float]:
        return [how.temperature for how in options.completed("int8", **said).filters(NATURAL)]

    assert temperatures() == [0.85, 0.85, 0.85, 0.85, 0.6]
    assert temperatures(drums=True) == [0.85] * 5
    assert temperatures(drums=True, new=True) == temperatures(new=True) == [0.85] * 5
    warm = FillOptions(bars=((1, 2),), temperature=1.1).completed("int8", new=True)
    assert [how.temperature for how in warm.filters(NATURAL)] == [1.1] * 5
