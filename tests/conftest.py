"""What tests of several packages share."""

from __future__ import annotations

import io
from collections.abc import Callable

import mido
import numpy as np
import pytest
from hypothesis import settings

from tokenizer.score.score import NOTES, TEMPOS, Score

# A busy machine draws slowly, which says nothing of what is drawn.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def random_score(seed: int) -> Score:
    """Random notes, some of it drums or far out of range, at changing tempos."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 200))
    notes = np.zeros(count, dtype=NOTES)
    steps = random.choice([0, 3, 240, 480, 3000], count, p=[0.3, 0.1, 0.4, 0.19, 0.01])
    notes["start"] = np.cumsum(steps)
    notes["duration"] = random.choice([0, 1, 200, 240, 960, 20_000], count)
    notes["pitch"] = random.integers(*((20, 110) if seed % 5 else (60, 66)), count)
    notes["velocity"] = 64
    notes["program"] = random.choice([0, 40, 128], count) if seed % 4 else 128
    notes["track"] = np.unique(notes["program"], return_inverse=True)[1]
    changes = random.integers(0, 5) if seed % 3 else 0
    tempos = np.zeros(changes, dtype=TEMPOS)
    tempos["time"] = np.sort(random.choice(30_000, changes, replace=False)) * (seed % 2)
    tempos["time"] += np.arange(changes)
    tempos["microseconds"] = random.integers(100_000, 2_000_000, changes)
    return Score(int(random.choice([96, 480, 1000])), notes=notes, tempos=tempos)


def _messages(data: bytes) -> list[list[tuple[int, bytes]]]:
    found = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now, own = 0, []
        for message in track:
            now += message.time
            if message.type != "end_of_track":
                own.append((now, bytes(message.bytes())))
        found.append(own)
    return found


@pytest.fixture(scope="session")
def messages() -> Callable[[bytes], list[list[tuple[int, bytes]]]]:
    """Absolute times and bytes of a file's messages as mido reads them, ends of tracks left out."""
    return _messages
