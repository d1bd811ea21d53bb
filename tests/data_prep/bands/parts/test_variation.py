"""What a song varies of its style: never the first step, the clave or a kick on every beat."""

from __future__ import annotations

from random import Random

import pytest

from data_prep.bands.notation.pattern import Meter, PatternBar, drum_bars, line_bars
from data_prep.bands.parts.variation import crossed, groove, line

FOUR = Meter(4, 4)
HOUSE = {"kick": "x...x...x...x...", "clap": "....X.......X...", "hat": "..x...x...x...x."}
ROCK = {"kick": "x.....x.x..x....", "snare": "....X..g....X...", "hat": "x.x.x.x.x.x.x.x."}
SALSA = {"clave": "x..x..x.........|....x...x.......", "conga": "....x.x.......xx", "bell": "x.xx"}


def bars(lines: dict[str, str]) -> dict[str, tuple[PatternBar, ...]]:
    return {name: drum_bars(text, FOUR) for name, text in lines.items()}


@pytest.mark.parametrize("seed", range(40))
def test_what_makes_a_groove_stays(seed: int) -> None:
    house = groove(bars(HOUSE), bars(HOUSE), FOUR, Random(seed))
    for bar in house["kick"]:
        assert {step.start for step in bar.steps} >= {0, 480, 960, 1440}
    rock = groove(bars(ROCK), bars(ROCK), FOUR, Random(seed))
    for bar in rock["kick"]:
        assert bar.steps[0].start == 0
    for bar in rock["snare"]:
        assert {(s.start, s.symbol) for s in bar.steps} >= {(480, "X"), (1440, "X")}
    salsa = groove(bars(SALSA), bars(SALSA), FOUR, Random(seed))
    assert salsa["clave"] == bars(SALSA)["clave"]


@pytest.mark.parametrize("seed", range(40))
def test_varied_bars_are_in_order_and_inside(seed: int) -> None:
    random = Random(seed)
    own, other = (
        line_bars("1 - 5 . 8 5 3 a", FOUR),
        line_bars("1 . 1 5 - b7 8 - | 1 - - - 5 - - n", FOUR),
    )
    for role in ("bass", "riff", "chords", "arpeggio"):
        for bar in line(own, other, role, random):
            assert bar.steps[0].start == 0
            ends = [step.start + step.length for step in bar.steps]
            starts = [step.start for step in bar.steps]
            assert starts == sorted(set(starts))
            assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
            assert ends[-1] <= FOUR.bar
    for lines in (ROCK, SALSA, HOUSE):
        for name, varied in groove(bars(lines), bars(lines), FOUR, random).items():
            for bar in varied:
                assert all(0 <= step.start < FOUR.bar for step in bar.steps), name


def test_songs_do_differ() -> None:
    found = {str(groove(bars(ROCK), bars(ROCK), FOUR, Random(seed))) for seed in range(40)}
    assert len(found) > 30


def test_halves_are_joined_where_nothing_is_cut() -> None:
    (first,), (second,) = drum_bars("x.x.x.x.", FOUR), drum_bars("xx..xx.x", FOUR)
    assert [step.start for step in crossed(first, second).steps] == [0, 480, 960, 1200, 1680]
    (held,) = line_bars("1 - - 5 - - 8 -", FOUR)
    assert crossed(held, line_bars("1 1 1 1 1 1 1 1", FOUR)[0]) == held
