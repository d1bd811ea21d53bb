"""Replacements: whatever is drawn, each place is used once at most, and the end is reached."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.sampling.replacements import Replaced, Replacements
from tokenizer.encoding.tokenizer import Tokenizer

VOCABULARY = Tokenizer.default().vocabulary
NEAR = 24


def mask() -> np.ndarray:
    """All waits and rests."""
    allowed = np.ones(VOCABULARY.sizes[0], dtype=bool)
    allowed[0] = allowed[VOCABULARY.first_control :] = False
    return allowed


@pytest.mark.parametrize("seed", range(100))
def test_places_are_used_once_and_in_reach(seed: int) -> None:
    random = np.random.default_rng(seed)
    begin, end = 480, 480 + int(random.integers(50, 1500))
    places = {
        instrument: np.sort(random.integers(begin, end, int(random.integers(1, 20))))
        for instrument in range(1, int(random.integers(2, 4)))
    }
    given = np.sort(random.integers(begin, end, int(random.integers(0, 9)))).tolist()
    wanted, replaced = Replacements(places, NEAR, end), Replaced()
    written: dict[int, list[int]] = {instrument: [] for instrument in places}
    time, short_rest = begin - int(random.integers(0, 200)), False
    while time < end:
        allowed = mask()
        if short_rest:
            allowed[VOCABULARY.first_rest :] = False
        following = given[0] if given else 1 << 40
        replaced.narrow(wanted, time, following, allowed, VOCABULARY)
        value = int(random.choice(np.flatnonzero(allowed)))
        reached = time + int(VOCABULARY.steps[value])
        if following <= reached:
            time, short_rest = given.pop(0), False
            continue
        time, short_rest = reached, VOCABULARY.first_rest <= value < VOCABULARY.first_control - 1
        if value < VOCABULARY.first_rest and time < end:
            players = replaced.open_at(wanted, time)
            assert players
            chosen = int(random.choice(players))
            replaced.push(wanted, chosen, time)
            written[chosen].append(time)
    for instrument, times in written.items():
        left = places[instrument].tolist()
        for step in times:  # each has a place of its own
            near = [place for place in left if abs(place - step) <= NEAR]
            assert near
            left.remove(min(near))


def test_without_places_only_what_is_given_is_reached() -> None:
    allowed = mask()
    Replaced().narrow(Replacements({}, NEAR, 700), 500, 610, allowed, VOCABULARY)
    waits = np.flatnonzero(allowed[: VOCABULARY.first_rest])
    reached = 500 + VOCABULARY.steps[waits]
    assert reached.min() == 610 if len(reached) else True
    rests = np.flatnonzero(allowed[: VOCABULARY.first_control])
    assert len(rests) > 0
