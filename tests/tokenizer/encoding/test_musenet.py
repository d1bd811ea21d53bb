"""MuseNet's encoding against its published vocabulary and against an event-by-event encoder."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer import MuseNetTokenizer
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.musenet_vocabulary import (
    GROUPS,
    INSTRUMENT_OF_PROGRAM,
    INSTRUMENTS,
    MOST_STYLES,
    SIZE,
    describe,
    instrument_set,
    programs_of_set,
)
from tokenizer.encoding.roundtrip import musenet_round_trip
from tokenizer.errors import InputError
from tokenizer.labels import Labels
from tokenizer.score.score import NOTES, PEDALS, Score, Track

NAMES = ["piano", "violin", "cello", "bass", "guitar", "flute", "clarinet", "trumpet", "harp"]
NAMES.append("drums")
PROGRAM_OF = dict(zip(NAMES, (0, 40, 42, 32, 24, 73, 71, 56, 46, 128), strict=True))
FAMILIES = [("piano", velocity) for velocity in (0, *range(24, 121, 8))]
for _name in NAMES[1:9]:
    FAMILIES += [(_name, 80), (_name, 0)]
FAMILIES.append(("drums", 80))


class Note(NamedTuple):
    """A note in steps, with MuseNet's name of its instrument."""

    start: int
    stop: int
    instrument: str
    pitch: int
    velocity: int


def brute_cleaned(notes: list[Note], grid: Grid) -> list[Note]:
    """The rules of the module's docstring, note by note, in the units of the grid."""
    beat = grid.resolution if grid.clock == "beat" else grid.resolution // 2
    shortest, gap = (1, 0) if grid.clock == "beat" else (2, 1)
    strokes: dict[tuple[str, int], dict[int, Note]] = defaultdict(dict)
    for note in notes:
        longest = 10 * beat if note.instrument in ("bass", "guitar", "harp") else 20 * beat
        length = min(max(note.stop - note.start, shortest), longest)
        velocity = 80
        if note.instrument == "drums":
            length = beat // 4
        elif note.instrument == "piano":
            velocity = min(range(120, 23, -8), key=lambda v: abs(v - note.velocity))
        new = note._replace(stop=note.start + length, velocity=velocity)
        same = strokes[note.instrument, note.pitch].get(note.start)
        if same is None or (same.stop, same.velocity) < (new.stop, new.velocity):
            strokes[note.instrument, note.pitch][note.start] = new
    kept = []
    for (instrument, _), by_start in strokes.items():
        starts = sorted(by_start)
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            note = by_start[start]
            if following is not None and instrument != "drums":
                note = note._replace(stop=min(note.stop, max(following - gap, start + 1)))
            kept.append(note)
    return sorted(kept)


def brute_encoded(notes: list[Note]) -> list[int]:
    """Tokens of clean notes, one event after the other."""
    events = []
    for note in notes:
        place = (NAMES.index(note.instrument), note.pitch)
        on = FAMILIES.index((note.instrument, note.velocity)) * 128 + note.pitch
        events.append((note.start, 1, place, on))
        if note.instrument != "drums":
            off = FAMILIES.index((note.instrument, 0)) * 128 + note.pitch
            events.append((note.stop, 0, place, off))
    tokens, now = [], 0
    for time, _, _, token in sorted(events):
        while now < time:
            wait = min(time - now, 128)
            tokens.append(3967 + wait)
            now += wait
        tokens.append(token)
    return tokens


def brute_decoded(tokens: list[int], grid: Grid) -> list[Note]:
    """Notes of any tokens, one token after the other, then cleaned."""
    now = 0
    sounding: dict[tuple[str, int], Note] = {}
    notes = []

    def stop(key: tuple[str, int]) -> None:
        note = sounding.pop(key, None)
        if note is not None:
            notes.append(note._replace(stop=now))

    for token in tokens:
        if token < 3968:
            (instrument, velocity), pitch = FAMILIES[token // 128], token % 128
            stop((instrument, pitch))
            if velocity:
                sounding[instrument, pitch] = Note(now, now, instrument, pitch, velocity)
        elif token < 4096:
            now += token - 3967
    for key in list(sounding):
        stop(key)
    return brute_cleaned(notes, grid)


def score_of(notes: list[Note], grid: Grid) -> Score:
    """A score whose ticks are steps."""
    used = sorted({note.instrument for note in notes})
    rows = [
        (n.start, n.stop - n.start, n.pitch, n.velocity, PROGRAM_OF[n.instrument],
         used.index(n.instrument))
        for n in notes
    ]  # fmt: skip
    tracks = tuple(Track(name, PROGRAM_OF[name], name == "drums") for name in used)
    # At 120 quarter notes per minute 50 ticks per quarter note are 10 ms each.
    per_quarter = grid.resolution if grid.is_beat else 50
    return Score(per_quarter, tracks, np.array(rows, dtype=NOTES))


def notes_of(score: Score, grid: Grid) -> list[Note]:
    names = {program: name for name, program in PROGRAM_OF.items()}
    step = grid.ticks_per_step
    found = []
    for start, duration, pitch, velocity, program, _ in score.notes.tolist():
        assert start % step == duration % step == 0
        stop = (start + duration) // step
        found.append(Note(start // step, stop, names[program], pitch, velocity))
    return sorted(found)


GRIDS = {"seconds": Grid.seconds(), "beat": Grid.beats()}
notes_strategy = st.lists(
    st.builds(
        lambda start, length, name, pitch, velocity: Note(
            start, start + length, name, pitch, velocity
        ),
        st.integers(0, 400) | st.integers(0, 20),
        st.integers(0, 40) | st.sampled_from([128, 129, 500, 501, 1000, 1001, 2000]),
        st.sampled_from(NAMES),
        st.sampled_from([0, 60, 61, 127]),
        st.integers(1, 127),
    ),
    max_size=30,
)


@pytest.mark.parametrize("clock", GRIDS)
@settings(max_examples=300, deadline=None)
@given(notes=notes_strategy)
def test_encoding_is_the_brute_force_one(clock: str, notes: list[Note]) -> None:
    grid = GRIDS[clock]
    tokenizer = MuseNetTokenizer(grid)
    body = tokenizer.body(score_of(notes, grid))
    clean = brute_cleaned(notes, grid)
    assert body.dtype == np.int16
    assert body.shape == (len(body), 1)
    assert body[:, 0].tolist() == brute_encoded(clean)
    assert notes_of(tokenizer.decode(body), grid) == clean


@pytest.mark.parametrize("clock", GRIDS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_tokens_decode_as_brute_force_does(clock: str, data: st.DataObject) -> None:
    pitches = st.sampled_from([0, 60, 127])
    sound = st.builds(lambda f, p: f * 128 + p, st.integers(0, 30), pitches)
    wait = st.integers(3968, 4095) | st.integers(3968, 3972)
    other = st.integers(4096, SIZE - 1)
    tokens = data.draw(st.lists(sound | sound | wait | other, max_size=60))
    grid = GRIDS[clock]
    tokenizer = MuseNetTokenizer(grid)
    score = tokenizer.decode(np.array(tokens, dtype=np.int16)[:, None])
    expected = brute_decoded(tokens, grid)
    assert notes_of(score, grid) == expected
    again = tokenizer.body(score)  # the canonical tokens of the same music
    assert again[:, 0].tolist() == brute_encoded(expected)
    np.testing.assert_array_equal(tokenizer.body(tokenizer.decode(again)), again)


def test_the_vocabulary_is_the_served_one() -> None:
    assert SIZE == 4836
    assert MOST_STYLES == 610
    said = [describe(token) for token in range(SIZE)]
    assert len(set(said)) == SIZE
    assert said[60] == "piano 60 off"
    assert said[1 * 128 + 60] == "piano 60 on, velocity 24"
    assert said[13 * 128] == "piano 0 on, velocity 120"
    assert said[14 * 128 + 55] == "violin 55 on, velocity 80"
    assert said[29 * 128 + 127] == "harp 127 off"
    assert said[30 * 128 + 36] == "drums 36 on, velocity 80"
    assert said[3968] == "wait 1"
    assert said[4095] == "wait 128"
    assert said[4096:4099] == ["start", "end", "end of sample"]
    assert said[4098 + 65] == "instruments drums, piano"
    assert said[4098 + 127] == "instruments drums, winds, harp, guitar, bass, strings, piano"
    assert describe(4226, ("bach",)) == "style bach"
    assert describe(4836) == "no token of this vocabulary (4836)"


def test_every_instrument_set_and_back() -> None:
    for mask in range(1, 128):
        programs = programs_of_set(4098 + mask)
        assert instrument_set(programs) == 4098 + mask
        one_of_each = {"winds": 73, "strings": 40, "piano": 0, "drums": 128} | {
            name: PROGRAM_OF[name] for name in ("harp", "guitar", "bass")
        }
        assert instrument_set(one_of_each[g] for i, g in enumerate(GROUPS) if mask >> i & 1) == (
            4098 + mask
        )
    assert instrument_set(()) is None


def test_every_program_has_its_instrument() -> None:
    expected = {**dict.fromkeys(range(128), "piano"), 128: "drums"}
    ranges = {"bass": (32, 39), "guitar": (24, 31), "flute": (72, 79), "clarinet": (64, 71),
              "trumpet": (56, 63), "harp": (46, 46)}  # fmt: skip
    for name, (first, last) in ranges.items():
        expected |= dict.fromkeys(range(first, last + 1), name)
    expected |= dict.fromkeys((40, 41, 44, 45, 48, 49, 50, 51), "violin")
    expected |= dict.fromkeys((42, 43), "cello")
    assert {p: INSTRUMENTS[i] for p, i in enumerate(INSTRUMENT_OF_PROGRAM)} == expected


def test_a_c_major_chord_by_hand() -> None:
    notes = [Note(0, 50, "piano", pitch, 80) for pitch in (60, 64, 67)]
    tokenizer = MuseNetTokenizer(styles=("mozart", "classical"))
    tokens = tokenizer.encode(
        score_of(notes, tokenizer.grid), Labels(composer="mozart", instruments=(0,))
    )
    assert tokens[:, 0].tolist() == [
        4096, 4226, 4162,
        8 * 128 + 60, 8 * 128 + 64, 8 * 128 + 67, 3967 + 50, 60, 64, 67,
        4097,
    ]  # fmt: skip


def test_the_prefix_leaves_out_what_has_no_token() -> None:
    tokenizer = MuseNetTokenizer(styles=("bach", "jazz"))
    labels = Labels(composer="chopin", styles=("jazz", "funk"), tempo=90, key=(0, False))
    assert tokenizer.prefix(labels)[:, 0].tolist() == [4096, 4227]
    assert tokenizer.prefix(Labels(), start=False).shape == (0, 1)
    assert tokenizer.end_of_sample().tolist() == [[4098]]


def test_new_styles_keep_old_ids() -> None:
    tokenizer = MuseNetTokenizer(styles=("bach",))
    more = tokenizer.extended(["composer:chopin", "style:jazz", "bach"])
    assert more.styles == ("bach", "chopin", "jazz")
    assert (more.style("bach"), more.style("jazz"), more.style("funk")) == (4226, 4228, None)
    with pytest.raises(InputError, match="room for 610 styles"):
        tokenizer.extended(str(number) for number in range(610))


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_save_and_load(grid: Grid, tmp_path: Path) -> None:
    tokenizer = MuseNetTokenizer(grid, ("bach", "frédéric"), "durations")
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    assert MuseNetTokenizer.load(path) == tokenizer


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"version": 1', '"version": 7', "version 7"),
        ('"encoding": "musenet"', '"encoding": "compound"', "compound encoding"),
        ('"styles"', '"stiles"', "has no 'styles'"),
        ("{", "", "not valid JSON"),
        ("musenet-tokenizer", "something", "'format'"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    MuseNetTokenizer().save(path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=said):
        MuseNetTokenizer.load(path)


def test_a_token_outside_the_vocabulary_is_refused() -> None:
    for bad in (-1, 4836):
        with pytest.raises(InputError, match=f"{bad} is no token"):
            MuseNetTokenizer().decode(np.array([[60], [bad]], dtype=np.int16))


def test_the_seconds_clock_goes_through_the_tempo_map() -> None:
    notes = np.array([(0, 480, 60, 80, 0, 0), (960, 480, 62, 80, 0, 0)], dtype=NOTES)
    tempos = [(0, 1_000_000), (480, 250_000)]
    tokens = MuseNetTokenizer().body(Score(480, (Track("", 0),), notes, np.array(tempos, "i4,i4")))
    # The first quarter lasts 1 s, then come two of 0.25 s.
    waits = [3967 + 100, 3967 + 25, 3967 + 25]
    assert [t for t in tokens[:, 0].tolist() if t >= 3968] == waits


def test_a_round_trip_says_what_is_lost() -> None:
    notes = [
        Note(0, 50, "piano", 60, 83),
        Note(0, 30, "piano", 60, 83),  # the same key at once
        Note(100, 300, "piano", 62, 80),
        Note(200, 250, "piano", 62, 80),  # struck again while it sounds: 99 of 200 are left
        Note(0, 700, "harp", 70, 80),  # longer than 5 s
        Note(0, 9, "drums", 36, 100),
    ]
    tokenizer = MuseNetTokenizer()
    score = score_of(notes, tokenizer.grid)
    trip = musenet_round_trip(tokenizer, score)
    assert trip.onset_error == 0
    assert trip.velocity_error == 20
    assert trip.clipped == 1
    assert trip.duration_error == pytest.approx(max(101 / 200, 20 / 30))
    fates = {fate.kind: (fate.found, fate.kept) for fate in trip.fates}
    assert fates == {"notes": (6, 5), "overlaps": (1, 0), "tracks": (3, 3)}


@pytest.mark.parametrize("clock", GRIDS)
@settings(max_examples=100, deadline=None)
@given(notes=notes_strategy)
def test_a_round_trip_finds_every_note_where_it_was(clock: str, notes: list[Note]) -> None:
    tokenizer = MuseNetTokenizer(GRIDS[clock])
    trip = musenet_round_trip(tokenizer, score_of(notes, tokenizer.grid))
    assert trip.onset_error == pytest.approx(0, abs=1e-9)
    louder = [abs(note.velocity - 80) for note in notes if note.instrument != "piano"]
    piano = [min(abs(note.velocity - v) for v in range(24, 121, 8)) for note in notes
             if note.instrument == "piano"]  # fmt: skip
    twice = len({(n.start, n.instrument, n.pitch) for n in notes}) < len(notes)
    if not twice:
        assert trip.velocity_error == max([0, *louder, *piano])


def test_the_pedal_can_become_durations() -> None:
    notes = np.array([(0, 240, 60, 80, 0, 0)], dtype=NOTES)
    pedals = np.array([(0, 960, 0)], dtype=PEDALS)
    score = Score(480, (Track("", 0),), notes, pedals=pedals)
    assert MuseNetTokenizer().body(score)[:, 0].tolist() == [8 * 128 + 60, 3967 + 25, 60]
    held = MuseNetTokenizer(pedal="durations")
    assert held.body(score)[:, 0].tolist() == [8 * 128 + 60, 3967 + 100, 60]
    assert "turned into durations" in [f.fate for f in musenet_round_trip(held, score).fates]
    with pytest.raises(InputError, match="cannot keep the pedal as 'events'"):
        MuseNetTokenizer(pedal="events")  # type: ignore[arg-type]


@pytest.mark.parametrize("grid", [Grid.beats(), Grid.seconds()], ids=["beat", "seconds"])
def test_music_near_the_last_tick_is_kept_or_refused_with_a_reason(grid: Grid) -> None:
    tokenizer = MuseNetTokenizer(grid)
    for last in (2**31 - 10, 2**31 - 500, 2**30):
        notes = np.array([(0, 480, 60, 64, 0, 0), (last, 5, 60, 64, 0, 0)], NOTES)
        tokens = tokenizer.encode(Score(480, notes=notes))
        try:
            again = tokenizer.decode(tokens)
        except InputError as error:
            assert "longer than a score can" in str(error)  # noqa: PT017 (either is right)
        else:
            exact = last / 480 * (again.ticks_per_quarter if grid.is_beat else 500)
            assert abs(int(again.notes["start"][-1]) - exact) <= grid.ticks_per_step
