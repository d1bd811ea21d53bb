"""A SoundFont of some hundred bytes, written by hand after the SoundFont 2.04 specification."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

PERIOD = 100


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def listing(name: bytes, *chunks: bytes) -> bytes:
    return chunk(b"LIST", name + b"".join(chunks))


def square_wave() -> bytes:
    """A SoundFont of one preset: a looped square wave of 441 Hz on key 69."""
    half = np.full(PERIOD // 2, 12_000, np.int16)
    samples = np.tile(np.concatenate([half, -half]), 4)
    end = len(samples)
    smpl = samples.tobytes() + bytes(2 * 46)
    header = struct.Struct("<20sHHHIII")
    sample = struct.Struct("<20sIIIIIBbHH")
    generators = [(54, 1), (53, 0)]  # sampleModes: loop; sampleID: 0
    pdta = listing(
        b"pdta",
        chunk(b"phdr", header.pack(b"square", *[0] * 6) + header.pack(b"EOP", 0, 0, 1, 0, 0, 0)),
        chunk(b"pbag", struct.pack("<4H", 0, 0, 1, 0)),
        chunk(b"pmod", bytes(10)),
        chunk(b"pgen", struct.pack("<4H", 41, 0, 0, 0)),
        chunk(b"inst", struct.pack("<20sH20sH", b"square", 0, b"EOI", 1)),
        chunk(b"ibag", struct.pack("<4H", 0, 0, 2, 0)),
        chunk(b"imod", bytes(10)),
        chunk(b"igen", b"".join(struct.pack("<2H", *g) for g in generators) + bytes(4)),
        chunk(
            b"shdr",
            sample.pack(b"square", 0, end, PERIOD, end - PERIOD, 44_100, 69, 0, 0, 1)
            + sample.pack(b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
        ),
    )
    info = listing(
        b"INFO",
        chunk(b"ifil", struct.pack("<2H", 2, 4)),
        chunk(b"isng", b"EMU8000\0"),
        chunk(b"INAM", b"square\0\0"),
    )
    return chunk(b"RIFF", b"sfbk" + info + listing(b"sdta", chunk(b"smpl", smpl)) + pdta)


@pytest.fixture
def soundfont(tmp_path: Path) -> Path:
    pytest.importorskip(
        "fluidsynth", reason="pyfluidsynth or FluidSynth is not installed", exc_type=ImportError
    )
    path = tmp_path / "square.sf2"
    path.write_bytes(square_wave())
    return path
