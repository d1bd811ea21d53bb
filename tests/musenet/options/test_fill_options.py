"""Options of a fill: the defaults that follow the song and its parts."""

from __future__ import annotations

from musenet.options.fill_options import FillOptions
from musenet.options.shared_options import NATURAL


def test_defaults_of_sampling_follow_the_song_and_the_parts() -> None:
    options = FillOptions(bars=((1, 2),))

    def temperatures(**said: bool) -> list[float]:
        return [how.temperature for how in options.completed("int8", **said).filters(NATURAL)]

    assert temperatures() == [0.85, 0.85, 0.85, 0.85, 0.6]
    assert temperatures(drums=True) == [0.85] * 5
    assert temperatures(drums=True, new=True) == temperatures(new=True) == [0.85] * 5
    warm = FillOptions(bars=((1, 2),), temperature=1.1).completed("int8", new=True)
    assert [how.temperature for how in warm.filters(NATURAL)] == [1.1] * 5
