"""What a drummer changes from bar to bar, and what never changes."""

from __future__ import annotations

from random import Random

import pytest

from data_prep.bands.notation.pattern import STRAIGHT, Meter, drum_bars
from data_prep.bands.parts.embellishment import Embellisher, Hits

FOUR = Meter(4, 4)
ROCK = {"kick": "x.....x.x..x....", "snare": "....X..g....X...", "hat": "x.x.x.x.x.x.x.x."}
HOUSE = {"kick": "x...x...x...x...", "clap": "....X.......X...", "hat": "..x...x...x...x."}
SALSA = {"clave": "x..x..x...x.x...", "conga": "....x.x.......xx", "bell": "x.xx.x.x"}


def bar(lines: dict[str, str]) -> Hits:
    return {name: list(drum_bars(text, FOUR)[0].steps) for name, text in lines.items()}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("lines", [ROCK, HOUSE, SALSA])
def test_what_makes_the_groove_stays(seed: int, lines: dict[str, str]) -> None:
    drummer = Embellisher(FOUR, STRAIGHT, 100, Random(seed))
    for _ in range(16):
        hits, written = bar(lines), bar(lines)
        drummer.change(hits)
        assert all(step.start < FOUR.bar for steps in hits.values() for step in steps)
        for name, steps in written.items():
            kept = {(step.start, step.symbol) for step in hits[name]}
            accents = {(step.start, step.symbol) for step in steps if step.symbol == "X"}
            first = {(step.start, step.symbol) for step in steps if step.start == 0}
            assert kept >= accents | first
        if lines is HOUSE:
            assert {step.start for step in hits["kick"]} >= {0, 480, 960, 1440}
        if lines is SALSA:
            assert (hits["clave"], hits["bell"]) == (written["clave"], written["bell"])


def changed(human: int) -> float:
    bars = 0
    for seed in range(40):
        drummer = Embellisher(FOUR, STRAIGHT, human, Random(seed))
        for _ in range(10):
            hits = bar(ROCK)
            drummer.change(hits)
            bars += hits != bar(ROCK)
    return bars / 400


def test_people_change_most_bars_and_machines_few() -> None:
    assert changed(100) > 0.6
    assert changed(0) < 0.4
