"""Kept pitches: however waits and instruments are drawn, all notes find their place."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from musenet.sampling.kept_pitches import PitchOrder, Progress
from tokenizer.encoding.tokenizer import Tokenizer

VOCABULARY = Tokenizer.default().vocabulary


def played(order: PitchOrder, start: int, random: np.random.Generator) -> list[tuple[int, ...]]:
    """Step, instrument and pitch of notes whose waits and instruments are drawn at random.

    Now and then a given row stands at the step that a wait leads to, or before it.
    """
    found: list[tuple[int, ...]] = []
    progress, time = Progress(), start
    while len(found) < sum(map(len, order.pitches.values())):
        allowed = np.ones(VOCABULARY.sizes[0], dtype=bool)
        allowed[0] = allowed[VOCABULARY.first_control :] = False
        progress.narrow(order, time, allowed, VOCABULARY)
        values = np.flatnonzero(allowed)
        # Long waits often: room gets short.
        value = int(values[-1] if random.random() < 0.3 else random.choice(values))
        wait = int(VOCABULARY.steps[value])
        row = np.zeros(5, np.int16)
        row[0] = value
        if value >= VOCABULARY.first_rest or random.random() < 0.2:
            part = wait if value >= VOCABULARY.first_rest else int(random.integers(wait + 1))
            row[1:3] = (1, 1) if value < VOCABULARY.first_rest else 0
            time += part
            progress.push(row, part > 0, written=False)
            continue
        time += wait
        choices = progress.next(order, time, wait > 0)
        row[1] = random.choice([*choices])
        row[2] = choices[int(row[1])]
        progress.push(row, wait > 0, written=True)
        found.append((time, int(row[1]), int(row[2])))
    rest = np.ones(VOCABULARY.sizes[0], dtype=bool)
    progress.narrow(order, time, rest, VOCABULARY)
    assert np.flatnonzero(rest).tolist() == [VOCABULARY.first_control - 1]
    return found


@pytest.mark.parametrize("seed", range(150))
def test_every_pitch_is_played_in_order_and_in_time(seed: int) -> None:
    random = np.random.default_rng(seed)
    pitches = {
        instrument: tuple(random.integers(50, 70, int(random.integers(1, 30))).tolist())
        for instrument in range(1, int(random.integers(2, 6)))
    }
    # An onset for each note that does not lie above the one before, counted here.
    most = max(1 + sum(b <= a for a, b in pairwise(p)) for p in pitches.values())
    begin, room = int(random.integers(50, 400)), int(random.integers(1, 7))
    end = begin + most + int(random.integers(4) * random.integers(100))
    order = PitchOrder(pitches, begin, end, room)
    assert order.most == most
    found = played(order, int(random.integers(begin)), random)
    assert found == sorted(set(found)), "rows rise at equal times"
    assert all(begin <= time < end for time, _, _ in found)
    for instrument, own in pitches.items():
        assert [pitch for _, who, pitch in found if who == instrument] == list(own)
