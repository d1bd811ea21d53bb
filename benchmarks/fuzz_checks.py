"""What `fuzz_midi.py` asks of the reading of one file: one verdict, sound values, mido's events.

Every check takes the readers as an argument, so that the checks themselves can be tested with
readers that do wrong.
"""

from __future__ import annotations

import io
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tokenizer import MidiError, Score, read, read_all, read_reporting, to_bytes

Events = dict[str, Any]

# What mido reads otherwise, or not at all; a file with one of these is not compared with it.
NOT_COMPARED = (
    "after the end of the track",  # mido reads on
    "type 2",
    "SMPTE",
    "RIFF",
    "coarser",
    "drum part",
    "tracks, there are",  # mido reads the announced ones
    "a chunk",
    "bytes follow the last track",
    "header has",
    "a tempo that is none",  # mido takes the first three bytes of a longer one
)


@dataclass(frozen=True)
class Readers:
    """The ways to read a file."""

    read: Callable[..., Score] = read
    read_all: Callable[..., Any] = read_all
    read_reporting: Callable[..., Any] = read_reporting


def failures(data: bytes, readers: Readers) -> tuple[list[str], Score | None]:
    """What is wrong with reading a file strictly, in words, and its score if it is accepted."""
    ways: dict[str, Callable[[], Score]] = {
        "read_reporting": lambda: readers.read_reporting(data)[0],
        "read": lambda: readers.read(data),
        "read_all": lambda: next(iter(readers.read_all([data]))),
        "by channel": lambda: readers.read(data, programs="channel"),
    }
    results = {name: verdict(way) for name, way in ways.items()}
    wrong = [f"{name}: {words}" for name, (_, words) in results.items() if words.startswith("late")]
    refused = {name: words for name, (score, words) in results.items() if score is None}
    if len(set(refused.values())) > 1 or 0 < len(refused) < len(ways):
        wrong.append(f"the ways to read disagree: {refused}")
    scores = {
        name: score for name, (score, words) in results.items() if score is not None and not words
    }
    first = scores.get("read_reporting")
    for name, score in scores.items():
        if first is not None and name != "by channel":
            wrong += differences(name, first, score)
    if len({len(score.notes) for score in scores.values()}) > 1:
        wrong.append("reading by channel gives another number of notes")
    for score in scores.values():
        wrong += out_of_range(score)
    return wrong, first


def verdict(way: Callable[[], Score]) -> tuple[Score | None, str]:
    """A score and words on an error that came late, or None and the reason of the refusal."""
    try:
        score = way()
    except MidiError as error:
        return None, f"{error.reason} at {error.offset}"
    except Exception as error:
        return None, f"late or foreign error {type(error).__name__}: {error}"
    try:
        score.columns()
        to_bytes(score)
    except Exception as error:
        return score, f"late or foreign error {type(error).__name__}: {error}"
    return score, ""


def differences(name: str, first: Score, second: Score) -> list[str]:
    """Which columns two readings of one file differ in."""
    wrong = [] if first.tracks == second.tracks else [f"{name}: other tracks"]
    for kind, column in first.columns().items():
        if not np.array_equal(column, getattr(second, kind)):
            wrong.append(f"{name}: other {kind}")
    return wrong


def unlike_mido(data: bytes, score: Score, oddities: tuple[str, ...]) -> list[str] | None:
    """In what a score differs from mido's reading; None where mido cannot say."""
    if any(odd in words for words in oddities for odd in NOT_COMPARED):
        return None
    try:
        theirs = mido_events(data)
    except Exception:  # mido raises what it likes for odd values
        return None
    if theirs.pop("ticks_per_quarter") != score.ticks_per_quarter:
        return None  # more ticks than fit
    mine = score_events(score)
    return [f"{kind} unlike mido's" for kind in theirs if theirs[kind] != mine[kind]]


def score_events(score: Score) -> Events:
    """A score's columns in the form of `mido_events`."""
    return {
        "notes": Counter((s, d, p, v, g) for s, d, p, v, g, _ in score.notes.tolist()),
        "controls": Counter((t, n, v) for t, n, v, _ in score.controls.tolist()),
        "pitch_bends": Counter((t, v) for t, v, _ in score.pitch_bends.tolist()),
        "tempos": dict(score.tempos.tolist()),
    }


def mido_events(data: bytes) -> Events:
    """What mido finds in a file; notes paired first in, first out, as every library does."""
    file = mido.MidiFile(file=io.BytesIO(data), charset="latin-1")
    notes: Counter[tuple[int, ...]] = Counter()
    kept: dict[str, list[tuple[tuple[int, int], tuple[int, ...]]]] = defaultdict(list)
    tempos: dict[int, int] = {}
    sounding: set[tuple[int, int]] = set()
    for track in file.tracks:
        if any(message.type == "unknown_meta" for message in track):
            raise ValueError("mido forgets the delta of a meta event that it does not know")
        time = 0
        programs = [0] * 16
        waiting: dict[Any, deque[Any]] = defaultdict(deque)
        ports = [message.port for message in track if message.type == "midi_port"]
        port = ports[-1] if ports else 0
        for message in track:
            time += message.time
            for kind, event in of_message(message, time, programs, waiting):
                if kind == "notes":
                    notes[event] += 1
                    sounding.add((port, message.channel))
                else:
                    kept[kind].append(((port, message.channel), event))
            if message.type == "set_tempo" and message.tempo:
                tempos[time] = message.tempo
    heard = {
        kind: Counter(event for place, event in kept[kind] if place in sounding)
        for kind in ("controls", "pitch_bends")
    }
    found = {"ticks_per_quarter": file.ticks_per_beat, "notes": notes, **heard}
    return {**found, "tempos": dict(sorted(tempos.items()))}


def of_message(
    message: Any, time: int, programs: list[int], waiting: dict[Any, deque[Any]]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The event of a score that one message completes, if it does."""
    kind = message.type
    if kind == "program_change":
        programs[message.channel] = message.program
    elif kind == "note_on" and message.velocity:
        program = 128 if message.channel == 9 else programs[message.channel]
        waiting[message.channel, message.note].append((time, message.velocity, program))
    elif kind in ("note_on", "note_off"):
        if waiting[message.channel, message.note]:
            start, velocity, program = waiting[message.channel, message.note].popleft()
            yield "notes", (start, time - start, message.note, velocity, program)
    elif kind == "control_change":
        yield "controls", (time, message.control, message.value)
    elif kind == "pitchwheel":
        yield "pitch_bends", (time, message.pitch)


def out_of_range(score: Score) -> list[str]:
    """Values that MIDI does not allow, in words; written apart from the checks of the score."""
    limits = {
        "notes": {"pitch": 127, "velocity": 127, "program": 128, "track": len(score.tracks) - 1},
        "tempos": {"microseconds": 2**24 - 1},
        "time_signatures": {"numerator": 255, "denominator": 2**15},
        "controls": {"number": 127, "value": 127, "track": len(score.tracks) - 1},
        "pitch_bends": {"value": 8191, "track": len(score.tracks) - 1},
    }
    least = {"velocity": 1, "microseconds": 1, "numerator": 1, "denominator": 1}
    found = [] if 1 <= score.ticks_per_quarter <= 32767 else ["ticks_per_quarter"]
    for kind, column in score.columns().items():
        if not len(column):
            continue
        fields = {"start" if kind == "notes" else "time": 2**31 - 1} | limits.get(kind, {})
        for name, most in fields.items():
            low = -8192 if kind == "pitch_bends" and name == "value" else least.get(name, 0)
            if column[name].min() < low or column[name].max() > most:
                found.append(f"{kind}.{name} from {column[name].min()} to {column[name].max()}")
        if "duration" in (column.dtype.names or ()) and column["duration"].min() < 0:
            found.append(f"{kind}.duration of {column['duration'].min()}")
    if len(score.key_signatures) and np.abs(score.key_signatures["fifths"]).max() > 7:
        found.append("key_signatures.fifths")
    return found
