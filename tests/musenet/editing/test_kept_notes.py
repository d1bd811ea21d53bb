"""Kept pitches: the notes of each track before and after, as mido reads them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import mido
import pytest

from musenet.editing.fill import Fill, Take
from musenet.editing.fill_recipe import FillRecipe, read_recipe, unfilled
from musenet.editing.piece import Piece, read_piece
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import FillOptions
from tokenizer.errors import InputError

PROMPTS = sorted((Path(__file__).parents[3] / "examples" / "prompts").glob("*.mid"))


def filled(tiny: Checkpoint, piece: Piece, options: FillOptions) -> list[Take]:
    request = Fill(tiny, piece, options)
    for _ in request.steps():
        pass
    return request.results()


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
