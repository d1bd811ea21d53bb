"""Songs: what the manifest says is what sounds, measured from the notes alone."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from data_prep.bands.notation.pattern import TICKS
from data_prep.bands.notation.style import load
from data_prep.bands.song import Song, compose

STYLES = ("rock", "swing", "bossa_nova", "country", "house", "pop_ballad")
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@cache
def songs(style: str) -> tuple[Song, ...]:
    return tuple(compose(load(style), f"agree/{number}") for number in range(4))


def tones(symbol: str) -> set[int]:
    """The pitch classes of a chord symbol, by the conventions of lead sheets."""
    match = re.fullmatch(r"([A-G])([b#]?)([^/]*)(?:/([A-G])([b#]?))?", symbol)
    assert match is not None, symbol
    root = LETTERS[match[1]] + {"": 0, "b": -1, "#": 1}[match[2]]
    quality = match[3]
    third = 3 if re.match(r"m(?!aj)|dim", quality) else 4
    fifth = (
        6
        if "b5" in quality or "dim" in quality
        else 8
        if "#5" in quality or "aug" in quality
        else 7
    )
    found = {0, third, fifth}
    if "sus" in quality:
        found = {0, 5 if "4" in quality else 2, 7}
    if re.search(r"maj|Maj", quality):
        found.add(11)
    elif "dim7" in quality or re.search(r"6", quality):
        found.add(9)
    elif re.search(r"7|9|11|13", quality) and "add" not in quality:
        found.add(10)
    if re.search(r"b9", quality):
        found.add(1)
    elif re.search(r"#9", quality):
        found.add(3)
    elif "9" in quality or "13" in quality or "11" in quality:
        found |= {2, 5} if "11" in quality and "#11" not in quality else {2}
    if "13" in quality:
        found.add(9)
    if match[4]:
        found.add(LETTERS[match[4]] - root + {"": 0, "b": -1, "#": 1}[match[5]])
    return {(root + interval) % 12 for interval in found}


def _root(symbol: str) -> int:
    accidental = {"b": -1, "#": 1}.get(symbol[1:2], 0)
    return (LETTERS[symbol[0]] + accidental) % 12


def bar_ticks(song: Song) -> int:
    above, below = (int(number) for number in song.row["meter"].split("/"))
    return above * 4 * TICKS // below


def notes_of(song: Song, roles: tuple[str, ...]) -> np.ndarray:
    named = [n for n, t in enumerate(song.score.tracks) if song.row["roles"][t.name] in roles]
    return np.asarray(song.score.notes[np.isin(song.score.notes["track"], named)])


@pytest.mark.parametrize("style", STYLES)
def test_the_chords_of_the_manifest_sound(style: str) -> None:
    inside = total = 0
    for song in songs(style):
        notes = notes_of(song, ("chords", "pad", "arpeggio"))
        bar = bar_ticks(song)
        for number, written in enumerate(song.row["chords"]):
            if " " in written:
                continue
            # what begins in the last eighth may belong to the chord that comes
            first, last = number * bar - 40, (number + 1) * bar - TICKS // 2 - 40
            here = notes[(notes["start"] >= first) & (notes["start"] < last)]
            # lead sheets leave the ninth of a seventh chord to the player
            stated = tones(written)
            allowed = stated | ({(_root(written) + 2) % 12} if "7" in written else set())
            inside += sum(int(p) % 12 in allowed for p in here["pitch"])
            total += len(here)
    assert total > 200
    assert inside / total > 0.9


@pytest.mark.parametrize("style", ["rock", "country", "pop_ballad"])
def test_the_bass_plays_the_lowest_note_of_the_chord(style: str) -> None:
    right = total = 0
    for song in songs(style):
        notes = notes_of(song, ("bass",))
        bar = bar_ticks(song)
        for number, written in enumerate(song.row["chords"]):
            begin = notes[np.abs(notes["start"].astype(int) - number * bar) < 60]
            if not len(begin):
                continue
            lowest = re.split(r"[ ]", written)[0].rpartition("/")[2]
            match = re.match(r"([A-G])([b#]?)", lowest)
            assert match is not None
            root = (LETTERS[match[1]] + {"": 0, "b": -1, "#": 1}[match[2]]) % 12
            right += int(begin["pitch"].min()) % 12 == root
            total += 1
    assert total > 100
    assert right / total > 0.9


@pytest.mark.parametrize("style", STYLES)
def test_sections_return_with_small_changes(style: str) -> None:
    """A chorus that returns shares most of its notes with the first, and not all of them."""
    shares = []
    for song in songs(style):
        bar = bar_ticks(song)
        first = 0
        seen: dict[tuple[str, int], set[tuple[int, int]]] = {}
        for word in song.row["form"].split():
            kind, bars = word.rstrip("0123456789"), int(re.sub(r"\D", "", word))
            notes = song.score.notes
            here = notes[(notes["start"] >= first * bar) & (notes["start"] < (first + bars) * bar)]
            steps = (here["start"].astype(int) - first * bar + 60) // 120
            played = set(zip(steps.tolist(), (here["pitch"] % 12).tolist(), strict=True))
            if (kind, bars) in seen:
                before = seen[kind, bars]
                shares.append(len(played & before) / max(1, len(played | before)))
            seen.setdefault((kind, bars), played)
            first += bars
    assert shares
    assert 0.3 < np.mean(shares) < 0.95


def test_the_same_seed_gives_the_same_song() -> None:
    again = compose(load("rock"), "agree/0")
    assert again.score == songs("rock")[0].score
    assert again.row == songs("rock")[0].row


def test_bands_vary() -> None:
    sizes = set()
    drums = 0
    for number in range(60):
        row = compose(load("rock"), f"vary/{number}").row
        sizes.add(len(row["roles"]))
        drums += "drums" in row["roles"].values()
    assert min(sizes) <= 3
    assert max(sizes) >= 8
    assert 45 <= drums < 60
