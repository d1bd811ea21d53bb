"""Keys and values of the int8 decoder stay those that were written, while buffers grow."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.decoding import int8, int8_cache
from musenet.decoding.int8_cache import PatternKeys, Slot
from musenet.model.config import ModelConfig

CONFIG = ModelConfig(
    (4, 4), (3,), layers=2, heads=2, width=16, context=64, row_length=8, patterns=("dense",)
)


@pytest.mark.skipif(int8.missing() is not None, reason="onnxruntime is not installed")
def test_what_was_written_stays_while_buffers_grow_and_sequences_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(int8_cache, "_GROWTH", 4)
    written = np.random.default_rng(3).normal(size=(60, 2, 5, 2, 2, 8)).astype(np.float32)
    keys, lanes = PatternKeys(CONFIG, "dense", 5), np.arange(5)
    slots: list[Slot] = []
    capacities = set()
    for position, new_LB2GC in enumerate(written):
        if position == 23:  # the last takes the place of one that ends
            keys.select(np.array([0, 4, 2]))
            lanes = np.array([0, 4, 2])
        slots = keys.read(position) or slots
        keys.put(new_LB2GC[:, lanes], position)
        capacities.add(keys.capacity)
        for layer, slot in enumerate(slots):
            expected = written[: position + 1, layer][:, lanes].transpose(2, 1, 3, 0, 4)
            here = slice(position + 1)
            np.testing.assert_array_equal(slot.keys.numpy()[:, :, here], expected[0])
            np.testing.assert_array_equal(slot.values.numpy()[:, :, here], expected[1])
            assert np.isfinite(slot.values.numpy()).all()
    assert len(capacities) > 5
