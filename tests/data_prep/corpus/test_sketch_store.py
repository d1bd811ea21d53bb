from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep.corpus.sketch_store import SketchStore

RANDOM = np.random.default_rng(0)
SKETCHES = [
    np.unique(RANDOM.integers(0, 1 << 32, size, dtype=np.uint32)) for size in (5, 0, 300, 1, 0, 40)
]


def test_sketches_come_back_as_they_were(tmp_path: Path) -> None:
    with SketchStore.of(tmp_path / "sketches", SKETCHES) as store:
        assert len(store) == len(SKETCHES)
        assert store.lengths.tolist() == list(map(len, SKETCHES))
        for piece, sketch in enumerate(SKETCHES):
            np.testing.assert_array_equal(store[piece], sketch)


@pytest.mark.parametrize("block", [7, 1 << 20])
def test_the_parts_hold_every_hash_once_with_its_piece(tmp_path: Path, block: int) -> None:
    expected = {(int(h), piece) for piece, sketch in enumerate(SKETCHES) for h in sketch}
    with SketchStore.of(tmp_path / "sketches", SKETCHES) as store:
        found = []
        for number in range(3):
            hashes, pieces = store.part(number, 3, block)
            assert (hashes % 3 == number).all()
            found += list(zip(hashes.tolist(), pieces.tolist(), strict=True))
    assert len(found) == len(expected)
    assert set(found) == expected


def test_an_empty_store_has_nothing(tmp_path: Path) -> None:
    with SketchStore(tmp_path / "sketches") as store:
        assert (len(store), store.total) == (0, 0)
        assert len(store.part(0, 1)[0]) == 0
