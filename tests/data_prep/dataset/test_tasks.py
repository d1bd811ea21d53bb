"""Tasks: what a passage with holes says is the passage, and only what is written is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.dataset.tasks import Music, Tasks, arranged
from tokenizer import Tokenizer
from tokenizer.chords.chord import Chord
from tokenizer.encoding.compound import Events, encode_events, note_rows, row_times
from tokenizer.encoding.holes import events_of, header_mask, without_headers
from tokenizer.encoding.structure import GIVEN, WRITTEN, structure
from tokenizer.encoding.vocabulary import WAIT
from tokenizer.typing import Tokens

VOCABULARY = Tokenizer.default().vocabulary
BAR = 96


def song(bars: int = 40, seed: int = 0) -> Tokens:
    """Bass, drums and piano in 4/4, with a change of meter, closed by its end."""
    random = np.random.default_rng(seed)
    count = bars * 12
    times, rows = note_rows(
        np.sort(random.integers(0, bars * 16, count)) * 6,
        random.choice([0, 33, 128], count),
        random.integers(30, 90, count),
        random.integers(1, 40, count),
        random.integers(1, 128, count),
    )
    meter = VOCABULARY.control("time_signature:3/4")
    assert meter is not None
    changes = np.array([bars // 2 * BAR])
    body = encode_events(Events(times, rows, changes, np.array([meter])), VOCABULARY)
    end = np.zeros((1, 5), dtype=np.int16)
    end[0, WAIT] = VOCABULARY.end
    return np.concatenate([body, end])


def notes(tokens: Tokens, before: int = 0) -> list[tuple[int, ...]]:
    times = before + row_times(tokens, VOCABULARY)
    found = events_of(tokens, times, VOCABULARY)
    return sorted(map(tuple, np.column_stack([found.times, found.notes[:, 1:]]).tolist()))


@pytest.mark.parametrize("task", ["fill", "accompany", "continue"])
@pytest.mark.parametrize("chords", [False, True])
@pytest.mark.parametrize("start", [0, 150])
def test_a_passage_with_a_task_is_the_same_music(task: str, chords: bool, start: int) -> None:
    body = song()
    before = int(row_times(body, VOCABULARY)[start - 1]) if start else 0
    music = Music(body[start:], body[:start], (4, 4))
    holes = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        rows, roles, in_hole, _ = arranged(music, Tasks(), task, chords, VOCABULARY, random)
        assert len(rows) == len(roles) == len(in_hole)
        assert in_hole.any() == (task != "continue")
        alone = without_headers(rows, VOCABULARY)
        assert notes(alone, before) == notes(body[start:], before)
        assert rows[-1, WAIT] == VOCABULARY.end
        inside = header_mask(rows, VOCABULARY)
        holes += int((rows[:, WAIT] == VOCABULARY.mark).sum())
        # Told rows are the music's own at their true times.
        times = before + row_times(rows, VOCABULARY)
        told = events_of(rows[inside], times[inside], VOCABULARY)
        music_notes = set(notes(body[start:], before))
        assert set(map(tuple, np.column_stack([told.times, told.notes[:, 1:]]).tolist())) <= (
            music_notes
        )
        # Outside of headers time does not run backwards.
        assert (np.diff(times[~inside]) >= 0).all()
        written = (roles == WRITTEN) & VOCABULARY.is_note(rows)
        assert written.any()
        if task == "accompany":
            assert ((roles == GIVEN) & VOCABULARY.is_note(rows) & ~inside).any()
    assert (holes > 0) == (task != "continue")


def test_places_in_the_bar_survive_a_hole_over_a_change_of_meter() -> None:
    body = song()
    plain = structure(body, VOCABULARY)
    at = {}
    times = row_times(body, VOCABULARY)
    for row, time, columns in zip(body.tolist(), times.tolist(), plain.tolist(), strict=True):
        key = (time, *row[1:])
        at[key] = columns[1:3]
    music = Music(body, body[:0], (4, 4))
    checked = 0
    for seed in range(30):
        rows, roles, _, _ = arranged(
            music, Tasks(), "fill", False, VOCABULARY, np.random.default_rng(seed)
        )
        found = structure(rows, VOCABULARY, roles=roles)
        for row, time, columns in zip(
            rows.tolist(), row_times(rows, VOCABULARY).tolist(), found.tolist(), strict=True
        ):
            if row[1]:
                key = (time, *row[1:])
                assert columns[1:3] == at[key]
                checked += 1
    assert checked > 10_000


def test_chords_are_given_where_they_sound() -> None:
    # Two bars each of C major, A minor and G7, in whole notes.
    symbols = [Chord(0, "maj"), Chord(9, "min"), Chord(7, "7")]
    pitches = [[48, 60, 64, 67], [45, 60, 64, 69], [43, 59, 62, 65, 67]]
    start, pitch = [], []
    for number, chord in enumerate(pitches):
        for bar in (0, 1):
            start += [(2 * number + bar) * BAR] * len(chord)
            pitch += chord
    many = len(start)
    times, rows = note_rows(
        np.array(start), np.zeros(many, int), np.array(pitch), np.full(many, 60), np.full(many, 80)
    )
    none = np.empty(0, np.int64)
    body = encode_events(Events(times, rows, none, none), VOCABULARY)
    found, roles, _, words = arranged(
        Music(body, body[:0], (4, 4)),
        Tasks(),
        "continue",
        True,
        VOCABULARY,
        np.random.default_rng(0),
    )
    assert words == "chords given"
    control = VOCABULARY.is_control(found)
    when = row_times(found, VOCABULARY)[control].tolist()
    names = [VOCABULARY.name(value) for value in found[control, WAIT].tolist()]
    assert list(zip(when, names, strict=True)) == [
        (2 * number * BAR, chord.control) for number, chord in enumerate(symbols)
    ]
    assert (roles[control] == GIVEN).all()
    assert (roles[VOCABULARY.is_note(found)] == WRITTEN).all()


def test_tasks_are_drawn_at_their_rates() -> None:
    tasks = Tasks(fill=0.3, accompany=0.2, labels=0.1, chords=0.25)
    random = np.random.default_rng(0)
    drawn = [tasks.draw(random) for _ in range(4000)]
    for name, rate in (("fill", 0.3), ("accompany", 0.2), ("labels", 0.1), ("continue", 0.4)):
        count = sum(kind == name for kind, _ in drawn)
        assert abs(count / 4000 - rate) < 0.04
    assert abs(sum(chords for _, chords in drawn) / 4000 - 0.25) < 0.04
