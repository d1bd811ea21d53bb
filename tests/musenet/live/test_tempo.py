"""The tempo of phrases against the one that they were played in."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.live.listener import Key
from musenet.live.tempo import USUAL, phrase_tempo

RHYTHMS = {
    "quarters and eighths": [0, 1, 1.5, 2, 3, 4, 4.5, 5, 6, 7, 7.5, 8],
    "a march": [0, 0.75, 1, 2, 3, 4, 4.75, 5, 6, 7, 8],
    "eighths": [n / 2 for n in range(17)],
}


@pytest.mark.parametrize("rhythm", RHYTHMS)
@pytest.mark.parametrize("tempo", [76, 100, 124, 140])
def test_a_phrase_has_the_tempo_in_which_it_was_played(rhythm: str, tempo: float) -> None:
    random = np.random.default_rng(0)
    times = (
        3 + np.array(RHYTHMS[rhythm]) * 60 / tempo + random.normal(0, 0.006, len(RHYTHMS[rhythm]))
    )
    keys = [Key(t, t + 0.2, 60 + n % 5, 80, 0) for n, t in enumerate(np.sort(times).tolist())]
    found = phrase_tempo(keys)
    nearest = min((found * factor for factor in (0.5, 1, 2)), key=lambda f: abs(f - tempo))
    assert nearest == pytest.approx(tempo, rel=0.02)


def test_few_notes_say_nothing() -> None:
    assert phrase_tempo([Key(1.0, 1.5, 60, 80, 0)]) == USUAL
    chord = [Key(1.0 + n / 100, 1.5, 60 + n, 80, 0) for n in range(6)]
    assert phrase_tempo(chord) == USUAL
