"""Files without programs, as audio workstations export them, are heard before they are filled."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import pytest

from musenet.editing.fill import Fill, Take
from musenet.editing.fill_recipe import FillRecipe, read_recipe, unfilled
from musenet.editing.piece import piece_of, read_piece
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS

EXPORT = Path(__file__).parents[3] / "examples" / "user_prompts" / "daw_no_programs.mid"
TRACKS = ["Drum Rack", "Sub Bass", "Keys", "Lead Synth"]
BAR = 4 * 96


def filled(tiny: Checkpoint, options: FillOptions) -> tuple[Fill, Take]:
    fill = Fill(tiny, read_piece(EXPORT), options)
    for _ in fill.steps():
        pass
    return fill, fill.results()[0]


def notes(data: bytes) -> dict[str, list[tuple[int, int]]]:
    """The note-ons of each named track: ticks and pitches."""
    found = {}
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now, own = 0, []
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                own.append((now, message.note))
        if track.name:
            found[track.name] = own
    return found


def test_a_file_states_one_piano_and_four_players_are_heard(tiny: Checkpoint) -> None:
    piece = read_piece(EXPORT)
    assert set(piece.score.notes["program"].tolist()) == {0}
    fill, _ = filled(tiny, FillOptions(bars=((3, 4),), seed=1))
    assert fill.holed.programs == (4, 38, 81, DRUMS)
    assert set(fill.piece.score.notes["program"].tolist()) == {4, 38, 81, DRUMS}
    assert "Keys as Electric Piano 1 (by its name)" in str(fill.piece.hearing)


@pytest.mark.parametrize("name", TRACKS)
def test_one_track_is_written_anew_and_the_others_stay(tiny: Checkpoint, name: str) -> None:
    _, take = filled(tiny, AccompanyOptions(tracks=(name,), seed=1).as_fill())
    before, after = notes(EXPORT.read_bytes()), notes(take.data)
    assert list(after) == TRACKS
    assert all(after[other] == before[other] for other in TRACKS if other != name)
    assert len(after[name]) == take.notes > 0


def test_notes_go_to_the_track_that_is_heard_as_their_instrument(tiny: Checkpoint) -> None:
    hole = (2 * BAR, 4 * BAR)
    _, take = filled(tiny, FillOptions(bars=((3, 4),), instruments=(4, DRUMS), seed=2))
    before, after = notes(EXPORT.read_bytes()), notes(take.data)
    assert list(after) == TRACKS
    for name in ("Sub Bass", "Lead Synth"):
        assert after[name] == before[name]
    for name in ("Drum Rack", "Keys"):
        inside = [note for note in after[name] if hole[0] <= note[0] < hole[1]]
        assert inside
        assert [n for n in after[name] if n not in inside] == [
            n for n in before[name] if not hole[0] <= n[0] < hole[1]
        ]


def test_what_is_given_is_heard(tiny: Checkpoint) -> None:
    fill, _ = filled(tiny, FillOptions(bars=((3, 3),), hear_as={"keys": 11}, seed=1))
    assert 11 in fill.holed.programs
    with pytest.raises(InputError, match="no track called 'Kyes'; did you mean 'Keys'"):
        filled(tiny, FillOptions(bars=((3, 3),), hear_as={"Kyes": 11}))


@pytest.mark.parametrize("hear_as", [None, {"Keys": 16}, {}])
def test_a_fill_of_such_a_file_is_made_again(
    tiny: Checkpoint, tmp_path: Path, hear_as: dict[str, int] | None
) -> None:
    _, take = filled(tiny, FillOptions(bars=((3, 4),), hear_as=hear_as, seed=3))
    path = tmp_path / "made.mid"
    path.write_bytes(take.data)
    recipe, _ = read_recipe(path)
    assert isinstance(recipe, FillRecipe)
    keys = 16 if hear_as else 4
    assert recipe.heard == (() if hear_as == {} else (DRUMS, 38, keys, 81))
    fill = Fill(tiny, unfilled(path, recipe), recipe.options)
    for _ in fill.steps():
        pass
    assert fill.results()[0].data == take.data


def test_siblings_are_meant_by_the_program_that_they_state(tiny: Checkpoint) -> None:
    tracks = []
    for number, name in enumerate(("Guitar 1", "Guitar 2")):
        own = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        own.append(mido.Message("program_change", channel=number, program=27))
        for step in range(32):
            pitch = 52 + 5 * number + step % 4
            own.append(mido.Message("note_on", channel=number, note=pitch, time=60 * (step > 0)))
            own.append(mido.Message("note_off", channel=number, note=pitch, time=60))
        tracks.append(own)
    out = io.BytesIO()
    mido.MidiFile(type=1, tracks=tracks, ticks_per_beat=120).save(file=out)
    piece = piece_of(out.getvalue(), "song", "song.mid")
    fill = Fill(tiny, piece, FillOptions(bars=((2, 2),), instruments=(27,), seed=1))
    assert len(fill.holed.programs) == 2
    assert set(fill.holed.gone["track"].tolist()) == {0, 1}
