"""Every style file: it loads, its songs are playable, all of its parts play, and it ends."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from data_prep.bands import song as songs
from data_prep.bands.notation.pattern import TICKS
from data_prep.bands.notation.style import Style, load, names
from data_prep.bands.song import Song, compose

STYLES = names()
SONGS = 3
KEY_CHANGE = 4  # semitones by which a song's last sections may be higher


@cache
def made(style: str) -> tuple[Song, ...]:
    return tuple(compose(load(style), f"test/{number}") for number in range(SONGS))


def bar_ticks(song: Song) -> int:
    above, below = (int(number) for number in song.row["meter"].split("/"))
    return above * 4 * TICKS // below


def written_parts(style: Style) -> set[str]:
    return {part.role for part in style.parts} | ({"drums"} if style.drums else set())


@pytest.mark.parametrize("style", STYLES)
def test_every_role_plays(style: str) -> None:
    missing = written_parts(load(style))
    for number in range(24):
        song = made(style)[number] if number < SONGS else compose(load(style), f"test/{number}")
        missing -= set(song.row["roles"].values())
        if not missing:
            return
    pytest.fail(
        f"never played in 24 songs: {', '.join(sorted(missing))} (chance? sections? meter?)"
    )


@pytest.mark.parametrize("style", STYLES)
def test_notes_are_in_range(style: str) -> None:
    parts = load(style).parts
    for song in made(style):
        for number, track in enumerate(song.score.tracks):
            pitches = song.score.notes["pitch"][song.score.notes["track"] == number]
            assert len(pitches), f"{track.name} has no notes"
            if track.is_drum:
                assert set(pitches.tolist()) <= set(range(35, 88))
                continue
            role = song.row["roles"][track.name]
            ranges = [part.pitches for part in parts if part.role == role]
            low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
            wide = {"chords": 24, "arpeggio": 24, "pad": 24, "lead": KEY_CHANGE}
            below = above = wide.get(role, 0)
            assert pitches.min() >= max(21, low - below), f"{track.name}: {pitches.min()}"
            assert pitches.max() <= min(108, high + above), f"{track.name}: {pitches.max()}"


@pytest.mark.parametrize("style", STYLES)
def test_no_note_hangs_or_is_struck_while_it_sounds(style: str) -> None:
    for song in made(style):
        notes = song.score.notes
        assert notes["duration"].min() > 0
        longest = notes["duration"].max() / bar_ticks(song)
        assert longest <= 4.5, f"a note of {longest:.1f} bars"
        for number, track in enumerate(song.score.tracks):
            for pitch in np.unique(notes["pitch"][notes["track"] == number]):
                same = notes[(notes["track"] == number) & (notes["pitch"] == pitch)]
                ends = same["start"] + same["duration"]
                assert (same["start"][1:] >= ends[:-1]).all(), f"{track.name}, pitch {pitch}"


@pytest.mark.parametrize("style", STYLES)
def test_songs_end_on_the_tonic_in_their_last_bar(style: str) -> None:
    for song in made(style):
        bar = bar_ticks(song)
        bars = len(song.row["chords"])
        notes = song.score.notes
        last = notes[notes["start"] >= (bars - 1) * bar - TICKS // 4]
        assert len(last), "nothing is played in the last bar"
        assert song.score.end <= bars * bar + TICKS, "the song goes on after its last bar"
        pitched = last[(last["program"] < 128) & (last["start"] < (bars - 1) * bar + TICKS)]
        if len(pitched):
            signature = song.score.key_signatures[-1]
            tonic = (7 * int(signature["fifths"]) + (9 if signature["minor"] else 0)) % 12
            assert tonic in set((pitched["pitch"] % 12).tolist())


@pytest.mark.parametrize("style", STYLES)
def test_songs_are_full_and_of_a_songs_length(style: str) -> None:
    for song in made(style):
        bar = bar_ticks(song)
        bars = len(song.row["chords"])
        seconds = float(song.score.seconds([song.score.end])[0])
        assert 45 <= seconds <= 420, f"{seconds:.0f} seconds"
        played = set((song.score.notes["start"] // bar).tolist())
        assert len(played) >= 0.9 * bars, f"{bars - len(played)} of {bars} bars are empty"


@pytest.mark.parametrize("style", STYLES)
def test_songs_of_a_style_differ(style: str) -> None:
    first, *others = (song.score.notes for song in made(style))
    assert all(not np.array_equal(first, other) for other in others)


def test_there_are_styles() -> None:
    assert len(STYLES) >= 12
    assert songs.LICENCE == "CC0-1.0"
