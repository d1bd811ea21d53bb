"""What is kept of a hole: its rhythm, its pitches, or a share of its notes, as mido reads files."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import mido
import pytest

from musenet.editing.fill import Fill
from musenet.editing.fill_recipe import FillRecipe, read_recipe, unfilled
from musenet.editing.piece import read_piece
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import FillOptions
from tokenizer.errors import InputError

from .conftest import (
    BAR,
    FIXTURES,
    PROMPTS,
    Played,
    check_outside,
    filled,
    notes_and_rest,
    song,
    tracks_of,
)


def starts(data: bytes) -> list[list[tuple[int, int]]]:
    """Start and pitch of the notes of each track, by start and pitch."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now, own = 0, []
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                own.append((now, message.note))
        found.append(sorted(own))
    return found


def sounding(data: bytes) -> int:
    """How many note-ons have no note-off."""
    count = 0
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        for message in track:
            if message.type in ("note_on", "note_off"):
                count += 1 if message.type == "note_on" and message.velocity else -1
    return count


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("heat", [0.5, 5.0])
def test_each_part_keeps_its_pitches(tiny: Checkpoint, path: Path, heat: float) -> None:
    """Their order is the old one, in a new rhythm; outside of the holes nothing moves."""
    piece = read_piece(path)
    options = FillOptions(
        bars=((2, 2), (4, 5)), keep_pitches=True, seed=7, variations=(1, 2), temperature=heat
    )
    holes = [(piece.bars.tick(first - 1), piece.bars.tick(last)) for first, last in options.bars]
    for take in filled(tiny, piece, options):
        assert sounding(take.data) == 0
        moved = 0
        for old, new in zip(starts(path.read_bytes()), starts(take.data), strict=True):
            for begin, end in holes:
                before = [note for note in old if begin <= note[0] < end]
                after = [note for note in new if begin <= note[0] < end]
                assert [pitch for _, pitch in after] == [pitch for _, pitch in before]
                moved += sum(a != b for a, b in zip(before, after, strict=True))
            rest = [
                [n for n in notes if not any(b <= n[0] < e for b, e in holes)]
                for notes in (old, new)
            ]
            assert rest[0] == rest[1]
        assert moved


def test_kept_pitches_are_made_again(tiny: Checkpoint, tmp_path: Path) -> None:
    options: dict[str, Any] = {"bars": ((1, 3),), "keep_pitches": True, "seed": 3}
    take = filled(tiny, read_piece(PROMPTS[0]), FillOptions(**options))[0]
    out = tmp_path / "song.mid"
    out.write_bytes(take.data)
    recipe, _ = read_recipe(out)
    assert isinstance(recipe, FillRecipe)
    assert starts(unfilled(out, recipe).data) == starts(PROMPTS[0].read_bytes())
    assert filled(tiny, unfilled(out, recipe), recipe.options)[0].data == take.data


def test_what_cannot_be_kept_is_refused() -> None:
    for more in ({"keep_rhythm": True}, {"added": (33,)}, {"distance": 0.5}):
        with pytest.raises(InputError, match="--keep-pitches writes all rhythms"):
            FillOptions(bars=((1, 2),), keep_pitches=True, **more)
    with pytest.raises(InputError, match="--distance varies notes"):
        FillOptions(bars=((1, 2),), distance=0.5, added=(33,))


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
