"""What the players of exported files are heard as, against what their authors meant."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from tokenizer.instruments import DRUMS, family_of
from tokenizer.players import SIBLINGS, PlayerTrack, heard_as, is_kit
from tokenizer.score.score import NOTES
from tokenizer.typing import Notes

QUARTER = 96
BAR = 4 * QUARTER
Row = tuple[float, float, int]  # start and duration in quarters, pitch


def notes(rows: list[Row]) -> Notes:
    array = np.zeros(len(rows), NOTES)
    for index, (start, length, pitch) in enumerate(sorted(rows)):
        array[index] = (round(start * QUARTER), round(length * QUARTER), pitch, 90, 0, 0)
    return array


def kit(hat: int = 42, kick: int = 36, snare: int = 38) -> Notes:
    rows: list[Row] = [(i / 2, 0.25, hat) for i in range(32)]
    rows += [(i * 2.0, 0.25, kick) for i in range(8)] + [
        (i * 2 + 1.0, 0.25, snare) for i in range(8)
    ]
    return notes(rows)


def bass(root: int = 36) -> Notes:
    roots = (root, root - 3, root + 5, root + 7 - 12)
    return notes([(bar * 4 + i / 2, 0.5, roots[bar]) for bar in range(4) for i in range(8)])


def chords(length: float = 0.5, low: int = 57) -> Notes:
    shapes = ((3, 7, 10), (0, 3, 7), (3, 8, 12), (2, 5, 10))
    step = max(1.0, length)
    return notes(
        [
            (bar * 4 + beat * step, length, low + pitch)
            for bar in range(4)
            for beat in range(int(4 / step))
            for pitch in shapes[bar]
        ]
    )


def tune(low: int = 69) -> Notes:
    line = (0, 2, 3, 7, 5, 3, 2, 0, 3, 5, 7, 10, 8, 7, 5, 3)
    return notes([(float(i), 1.0, low + pitch) for i, pitch in enumerate(line)])


PARTS: dict[str, Callable[[], Notes]] = {
    "drums": kit,
    "bass": bass,
    "chords": chords,
    "pad": lambda: chords(4.0),
    "lead": tune,
}
FAMILY = {
    "drums": {"drums"},
    "bass": {"bass"},
    "chords": {"piano", "guitar", "organ"},
    "pad": {"ensemble", "synth pad"},
    "lead": {"synth lead", "ensemble", "reed", "pipe", "strings", "guitar"},
}
Export = list[tuple[str, str]]  # the name of each track, and what it plays
EXPORTS: dict[str, Export] = {
    "ableton": [("Drum Rack", "drums"), ("Sub Bass", "bass"), ("Keys", "chords"), ("Lead", "lead")],
    "numbered": [
        ("1-Drums", "drums"),
        ("2-Bass", "bass"),
        ("3-Guitar", "chords"),
        ("4-Sax", "lead"),
    ],
    "german": [
        ("Schlagzeug", "drums"),
        ("E-Bass", "bass"),
        ("Klavier", "chords"),
        ("Flöte", "lead"),
    ],
    "german strings": [("Streicher", "pad"), ("Kontrabass", "bass"), ("Geige", "lead")],
    "spanish": [("Batería", "drums"), ("Bajo", "bass"), ("Guitarra", "chords"), ("Voz", "lead")],
    "french": [("Batterie", "drums"), ("Basse", "bass"), ("Clavier", "chords"), ("Nappe", "pad")],
    "italian": [("Batteria", "drums"), ("Basso", "bass"), ("Tastiera", "chords"), ("Archi", "pad")],
    "portuguese": [("Bateria", "drums"), ("Baixo", "bass"), ("Violão", "chords"), ("Voz", "lead")],
    "japanese": [("ドラム", "drums"), ("ベース", "bass"), ("ピアノ", "chords"), ("リード", "lead")],
    "shift-jis": [
        (name.encode("cp932").decode("latin-1"), part)
        for name, part in (("ドラム", "drums"), ("ベース", "bass"), ("エレピ", "chords"))
    ],
    "russian": [("Ударные", "drums"), ("Бас", "bass"), ("Гитара", "chords"), ("Скрипка", "lead")],
    "chinese": [("架子鼓", "drums"), ("贝斯", "bass"), ("钢琴", "chords"), ("弦乐", "pad")],
    "no names": [("", "drums"), ("", "bass"), ("", "chords"), ("", "lead")],
    "no names, reversed": [("", "lead"), ("", "pad"), ("", "bass"), ("", "drums")],
    "default names": [("Track 1", "bass"), ("Track 2", "drums"), ("Track 3", "chords")],
    "names of plug-ins": [
        ("Serum", "bass"),
        ("Kontakt 7", "pad"),
        ("Vital 2", "lead"),
        ("X", "drums"),
    ],
    "names of the song": [("My Song", "drums"), ("My Song", "bass"), ("My Song", "lead")],
    "drums named, the rest not": [("Beat", "drums"), ("", "bass"), ("", "pad"), ("", "lead")],
    "an 808 that is a kit": [("808", "drums"), ("Reese", "bass"), ("Stab", "chords")],
    "an 808 that is a bass": [("Kit", "drums"), ("808", "bass"), ("Pluck", "lead")],
}


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_exports_without_programs(export: Export) -> None:
    players = [PlayerTrack(name, None, PARTS[part]()) for name, part in export]
    for (name, part), heard in zip(export, heard_as(players, QUARTER), strict=True):
        expected = FAMILY[part] | ({"synth pad"} if name == "Stab" else set())
        assert family_of(heard.program) in expected, (name, part, heard)
        assert heard.guessed


def test_programs_are_believed_and_names_only_without_them() -> None:
    players = [
        PlayerTrack("Sub Bass", 0, bass()),
        PlayerTrack("Lead Ω", 80, tune()),
        PlayerTrack("anything", DRUMS, kit()),
        PlayerTrack("Keys", None, chords()),
    ]
    found = heard_as(players, QUARTER)
    assert [each.program for each in found] == [0, 80, DRUMS, 4]
    assert [each.source for each in found] == ["program", "program", "program", "name"]


def test_program_0_everywhere_says_nothing_where_a_name_says_something() -> None:
    players = [PlayerTrack("Drums", 0, kit()), PlayerTrack("Bass", 0, bass())]
    assert [each.program for each in heard_as(players, QUARTER)] == [DRUMS, 33]
    hands = [PlayerTrack("Allegro", 0, tune()), PlayerTrack("", 0, bass(48))]
    assert [each.source for each in heard_as(hands, QUARTER)] == ["program", "program"]


def test_a_tenth_track_of_strings_on_the_drum_channel() -> None:
    players = [PlayerTrack("Beat", None, kit()), PlayerTrack("Strings", DRUMS, chords(4.0))]
    assert [each.program for each in heard_as(players, QUARTER)] == [DRUMS, 48]


def test_two_players_of_an_instrument_are_siblings_and_a_third_shares() -> None:
    players = [PlayerTrack(name, 27, chords()) for name in ("Gtr L", "Gtr R", "Gtr Solo", "Gtr 4")]
    found = [
        each.program for each in heard_as([*players, PlayerTrack("Dr", DRUMS, kit())], QUARTER)
    ]
    assert found == [27, 28, 26, 27, DRUMS]
    for program, others in SIBLINGS.items():
        assert program not in others


def test_what_is_played_elsewhere_is_no_sibling() -> None:
    quartet = [(40, "Violin I"), (40, "Violin II"), (41, "Viola"), (42, "Cello")]
    players = [PlayerTrack(name, program, tune()) for program, name in quartet]
    assert [each.program for each in heard_as(players, QUARTER)] == [40, 40, 41, 42]


@pytest.mark.parametrize(
    "names", [("RH", "LH"), ("Piano", "Piano"), ("", ""), ("Klavier rechts", "Klavier links")]
)
def test_the_hands_of_a_pianist_are_one_player(names: tuple[str, str]) -> None:
    for program in (0, None):
        players = [PlayerTrack(names[0], program, tune()), PlayerTrack(names[1], program, bass(48))]
        assert [each.program for each in heard_as(players, QUARTER)] == [0, 0]


def test_two_pianos_are_two_players() -> None:
    players = [PlayerTrack(f"Piano {number}", 0, chords()) for number in (1, 2)]
    assert len({each.program for each in heard_as(players, QUARTER)}) == 2


def test_names_in_company() -> None:
    choir = [PlayerTrack(name, None, tune()) for name in ("Soprano", "Alto", "Tenor", "Bass")]
    assert {each.program for each in heard_as(choir, QUARTER)} == {52}
    strings = [PlayerTrack(name, None, tune()) for name in ("Violin", "Viola", "Cello", "Bass")]
    assert heard_as(strings, QUARTER)[-1].program == 43
    assert heard_as([PlayerTrack("Keys", None, chords())], QUARTER)[0].program == 0
    band = [PlayerTrack("Organ", None, chords()), PlayerTrack("Drums", None, kit())]
    assert heard_as(band, QUARTER)[0].program == 16


def test_what_is_given_stands() -> None:
    players = [PlayerTrack("Keys", None, chords()), PlayerTrack("Keys 2", 0, chords())]
    found = heard_as(players, QUARTER, [11, 11])
    assert [(each.program, each.source) for each in found] == [(11, "given")] * 2


def test_kits_and_what_is_none() -> None:
    assert is_kit(kit(), QUARTER)
    assert is_kit(kit(51, 35, 40), QUARTER)
    for other in (bass(), bass(42), chords(), chords(4.0, 36), tune(), tune(36)):
        assert not is_kit(other, QUARTER)
    assert not is_kit(kit()[:3], QUARTER)


def test_notes_at_random_are_no_kit() -> None:
    draw = random.Random(1)
    for _ in range(50):
        rows = [(i / 2, draw.choice((0.5, 1, 2)), draw.randrange(30, 90)) for i in range(40)]
        assert not is_kit(notes(rows), QUARTER)


def test_no_players() -> None:
    assert heard_as([], QUARTER) == []
