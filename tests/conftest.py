"""What tests of several packages share."""

from __future__ import annotations

import io
from collections.abc import Callable

import mido
import pytest
from hypothesis import settings

# A busy machine draws slowly, which says nothing of what is drawn.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def _messages(data: bytes) -> list[list[tuple[int, bytes]]]:
    found = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now, own = 0, []
        for message in track:
            now += message.time
            if message.type != "end_of_track":
                own.append((now, bytes(message.bytes())))
        found.append(own)
    return found


@pytest.fixture(scope="session")
def messages() -> Callable[[bytes], list[list[tuple[int, bytes]]]]:
    """Absolute times and bytes of a file's messages as mido reads them, ends of tracks left out."""
    return _messages
