"""Requests of the script in words, and answers that say what is new."""

from __future__ import annotations

from dataclasses import replace

import pytest

from musenet.bridges.reaper.request import FIRST_LINE, answer, parse
from musenet.bridges.song import ClipNote, ClipTrack, Song
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from musenet.tree.tree import Growth, Node
from tokenizer.errors import InputError

LINES = """end\t16.0
bar\t0.0\t4\t4\t120,0
bar\t4.0\t4\t4\t120.0
bar\t8.0\t3\t4\t120.0
bar\t11.0\t4\t4\t120.0
bar\t15.0\t1\t4\t120.0
track\t0\tselected\tBass
track\t1\theard\tKeys
track\t2\tselected\tempty
program\t0\t33
note\t0\t0.0\t1,5\t0\t36\t100
note\t1\t8.0\t9.0\t1\t60\t80
"""


def text(action: str, *more: str, lines: str = LINES) -> str:
    options = "".join(f"{line}\n" for line in more)
    return f"{FIRST_LINE}\naction\t{action}\n{options}{lines}"


def test_the_music_of_a_request() -> None:
    song = parse(text("continue")).song
    assert song.tracks == (ClipTrack("Bass", 33), ClipTrack("Keys"), ClipTrack("empty"))
    assert song.notes == (ClipNote(0, 0.0, 1.5, 0, 36, 100), ClipNote(1, 8.0, 9.0, 1, 60, 80))
    assert song.meters == ((0.0, 4, 4), (8.0, 3, 4), (11.0, 4, 4), (15.0, 1, 4))
    assert song.end == 16.0


def test_what_follows_from_the_selection() -> None:
    going_on = parse(text("continue", "option\tbars\t4", "option\ttemperature\t0.9")).options
    assert isinstance(going_on, GenerateOptions)
    assert (going_on.bars, going_on.stop) == (4, Place(bar=5))
    hole = parse(text("fill", "range\t4.0\t9.5")).options
    assert isinstance(hole, FillOptions)
    assert (hole.begin, hole.stop) == (Place(bar=2), Place(seconds=4.75))
    assert hole.tracks == ("2",)  # the selected ones with notes, behind the conductor's
    named = parse(text("fill", "range\t4.0\t8.0", "option\tinstruments\tbass, piano")).options
    assert isinstance(named, FillOptions)
    assert (named.tracks, named.instruments) == ((), (33, 0))
    under = parse(text("accompany", "option\tinstruments\tdrums")).options
    assert isinstance(under, AccompanyOptions)
    some = parse(text("accompany", "option\tinstruments\tdrums", "range\t4.0\t8.0")).options
    assert isinstance(some, FillOptions)
    assert some.added == (128,)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("", "different versions"),
        ("musenet reaper 9\n", "different versions"),
        (text("dance"), "is no action"),
        (text("continue", "option\tbars"), "damaged at 'option"),
        (text("continue", "what\t1"), "damaged at 'what"),
        (text("continue", "note\t0\tx\t1\t0\t60\t90"), "damaged"),
        (text("continue", "note\t0\t0\t1\t0\t200\t90"), "MIDI cannot hold it"),
        (text("continue", lines=LINES.replace("end\t16.0\n", "")), "damaged"),
        (text("continue", lines=LINES.replace("end\t16.0", "end\tinf")), "ends at quarter note"),
        (text("continue", "option\tbars\tmany"), "bars"),
        (text("continue", "option\tchords\t/etc/passwd"), "chord"),
        (text("fill"), "no hole is given"),
        (text("accompany"), "no part is named"),
        (
            text("fill", "range\t0\t4", lines=LINES.replace("selected", "heard")),
            "the selected items have no notes",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(wrong: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(wrong)


def made(song: Song, notes: tuple[ClipNote, ...], tracks: tuple[ClipTrack, ...]) -> Node:
    """A take: the song with other notes, and tracks behind its own."""
    data = Song(song.tracks + tracks, notes, song.end).to_midi()
    growth = Growth(
        "1", "x", "mini", FillOptions(bars=((2, 2),)), 3840, (2, 2), 1, "fill", ((3840, 7680),)
    )
    return Node(0, 0, "", data, growth)


def test_an_answer_says_what_is_new_in_each_take() -> None:
    request = parse(text("fill", "range\t4.0\t8.0"))
    old = request.song.notes
    strings, drums = ClipTrack("Strings", 48), ClipTrack("Drums", 128)
    own, other = ClipNote(0, 4.0, 5.0, 0, 40, 90), ClipNote(3, 4.5, 6.0, 2, 70, 50)
    on_drums = ClipNote(4, 5.0, 5.5, 9, 36, 99)
    takes = [
        made(request.song, (*old[1:], own, other), (strings,)),
        made(request.song, (*old, replace_track(on_drums, 3)), (drums,)),
    ]
    assert answer(request, takes) == (
        "ok\nspan\t4.000000\t8.000000\ntrack\t3\tStrings\ntrack\t4\tDrums\n"
        "take\tMuseNet fill 1\nremove\t0\nadd\t0\t4.000000\t5.000000\t0\t40\t90\n"
        "add\t3\t4.500000\t6.000000\t2\t70\t50\n"
        "take\tMuseNet fill 2\nadd\t4\t5.000000\t5.500000\t9\t36\t99\n"
    )


def replace_track(note: ClipNote, track: int) -> ClipNote:
    return note._replace(track=track)


def test_a_continuation_lasts_to_its_last_bar_line() -> None:
    request = parse(text("continue"))
    growth = Growth("1", "x", "mini", GenerateOptions(bars=2), 7680, (3, 4), 0)
    node = replace(made(request.song, request.song.notes, ()), growth=growth)
    assert answer(request, [node]).splitlines()[1] == "span\t8.000000\t16.000000"
