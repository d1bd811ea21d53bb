"""MIDI ports without devices, for every test here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import mido
import pytest

from benchmarks import loopback
from musenet.live import performer

WAIT = 20.0  # seconds, on a busy machine


@pytest.fixture(autouse=True)
def cables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The backend of ports that are connected by their names."""
    before = mido.backend
    mido.set_backend("benchmarks.loopback")
    monkeypatch.setattr(loopback, "CABLES", ("keys", "synth"))
    yield
    mido.set_backend(before)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes are played however late: where tests share a machine, some are."""
    monkeypatch.setattr(performer, "_LATE", WAIT)


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """A function that waits until something is true, and gives it."""

    def wait(holds: Callable[[], Any]) -> Any:
        end = time.monotonic() + WAIT
        while not (found := holds()):
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.005)
        return found

    return wait
