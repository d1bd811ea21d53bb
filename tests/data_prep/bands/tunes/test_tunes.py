"""Tunes in a style: the melody is the tune's, the chords are the tune's, the meter the song's."""

from __future__ import annotations

import itertools
import json
import tarfile
from pathlib import Path
from random import Random

import pytest

from data_prep.bands.notation.pattern import Meter, Swing
from data_prep.bands.notation.style import load, names
from data_prep.bands.song import Song, compose
from data_prep.bands.tunes.tunes import Tune, arranged, lead_of, read_tunes
from tokenizer.errors import InputError

GRACE = """X:1
T:Amazing Grace
M:3/4
L:1/4
K:G
 D ||"G" G2 (B/G/) | B2"D7" A |"Em" G2"C" E |"G" D2 D |
"G" G2 (B/G/) | B2"D7" A |"G" d3- | d2 B | "G" d2 B | G2 D |
"C" E2 (G/E/) |"G" D2 D | "Em" G2"G/D" (B/G/) |"D7" B2 A |"G" G3- | G2 |]
"""
OTHER = GRACE.replace("Amazing Grace", "Another")


def folder(tmp_path: Path) -> Path:
    tunes = tmp_path / "tunes"
    (tunes / "abc").mkdir(parents=True)
    (tunes / "abc" / "grace.abc").write_text(GRACE)
    (tunes / "abc" / "other.abc").write_text(OTHER)
    rows = [{"file": "grace.mid", "composer": "hymn", "pd": "world"}]
    rows += [{"file": "other.mid", "pd": "US"}]
    (tunes / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tunes


def song_of(style: str, tunes: tuple[Tune, ...]) -> Song:
    """The first song of a style that arranges a tune."""
    songs = (compose(load(style), f"tune/{number}", tunes) for number in range(40))
    return next(song for song in songs if "tune" in song.row)


def test_what_is_free_in_one_country_alone_is_left_out(tmp_path: Path) -> None:
    source = folder(tmp_path)
    assert [tune.file for tune in read_tunes(source)] == ["grace.abc"]
    archive = tmp_path / "tunes.tar.xz"
    with tarfile.open(archive, "w:xz") as file:
        file.add(source, "tunes")
    assert read_tunes(archive) == read_tunes(source)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no lead sheets"):
        read_tunes(tmp_path / "empty")
    with pytest.raises(InputError, match="no folder"):
        read_tunes(tmp_path / "nothing")


@pytest.mark.parametrize("style", ["rock", "swing", "salsa", "metal"])
def test_a_song_sings_the_tune(style: str, tmp_path: Path) -> None:
    (tune,) = read_tunes(folder(tmp_path))
    assert tune.suits(Meter(4, 4))
    song = song_of(style, (tune,))
    assert song.row["tune"] == "Amazing Grace"
    written = [pitch for _, _, pitch in tune.sheet.notes]
    intervals = [b - a for a, b in itertools.pairwise(written)][:10]
    leads = [n for n, t in enumerate(song.score.tracks) if song.row["roles"][t.name] == "lead"]
    notes = song.score.notes
    sung = [int(p) for p in notes["pitch"][notes["track"] == leads[0]]]
    found = [b - a for a, b in itertools.pairwise(sung)]
    assert intervals in [found[n : n + 10] for n in range(len(found))]


def test_the_chords_are_the_tunes(tmp_path: Path) -> None:
    song = song_of("rock", read_tunes(folder(tmp_path)))
    key = song.row["key"].split()[0]
    assert song.row["chords"][-1] == key
    assert sum(symbol.startswith(key) for symbol in song.row["chords"]) > 10


@pytest.mark.parametrize("meter", ["3/4", "6/8", "2/4", "3/8", "4/4", "2/2"])
@pytest.mark.parametrize("bars", [8, 13, 33])
def test_tunes_of_any_length_in_any_meter(meter: str, bars: int, tmp_path: Path) -> None:
    above, below = (int(number) for number in meter.split("/"))
    body = f'"G"{"G" * above}|"D7"{"A" * above}|' * 40
    body = "|".join(body.split("|")[:bars]) + "|]"
    (tmp_path / "a.abc").write_text(f"X:1\nT:A\nM:{meter}\nL:1/{below}\nK:G\n{body}\n")
    (tune,) = read_tunes(tmp_path)
    for style in names():
        for song_meter in load(style).all_meters:
            if tune.suits(song_meter) and lead_of(load(style)):
                swing = Swing(load(style).swing[1])
                found = arranged(tune, load(style), song_meter, 100, swing, Random(1))
                assert len(found.form.bars) == sum(s.bars for s in found.form.sections)
                assert found.form.bars[-1].ending


def test_half_of_the_songs_have_tunes(tmp_path: Path) -> None:
    tunes = read_tunes(folder(tmp_path))
    found = ["tune" in compose(load("country"), f"half/{n}", tunes).row for n in range(60)]
    assert 18 <= sum(found) <= 42


def test_every_style_with_a_lead_can_play_one(tmp_path: Path) -> None:
    tunes = read_tunes(folder(tmp_path))
    for style in names():
        suits = any(tune.suits(meter) for tune in tunes for meter in load(style).all_meters)
        if suits and any(part.role == "lead" for part in load(style).parts):
            assert song_of(style, tunes).row["tune"] == "Amazing Grace"
