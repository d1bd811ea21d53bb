"""Forms: where the chords of a section come from."""

from __future__ import annotations

from random import Random

import msgspec

from data_prep.bands.form.form import planned
from data_prep.bands.harmony import library
from data_prep.bands.harmony.chords import Key
from data_prep.bands.notation.pattern import Meter
from data_prep.bands.notation.style import Style, load


def chords_of(style: Style, seed: int) -> list[str]:
    form = planned(style, Meter(4, 4), Key(0), 120, Random(seed))
    return [bar.chords[0][1].symbol(Key(0)) for bar in form.bars[:-1]]


def test_moods_bring_progressions_of_the_list() -> None:
    plain = msgspec.structs.replace(
        load("rock"),
        forms=("verse8 chorus8",),
        chords={"major": {"verse": ("I",)}},
        reharmonise=(),
        turnarounds=(),
        endings=("stop",),
        moods=(),
    )
    assert all(set(chords_of(plain, seed)) == {"C"} for seed in range(20))
    moody = msgspec.structs.replace(plain, moods=("Joyful",))
    changed = sum(set(chords_of(moody, seed)) != {"C"} for seed in range(100))
    assert 25 <= changed <= 65  # two sections, each in a quarter of songs
    assert library.suited("major", ("Joyful",))
