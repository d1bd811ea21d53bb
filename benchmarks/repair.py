"""What repair reads on after a data byte above 127, and how much of it is wrong.

    python benchmarks/repair.py FOLDER… [--files 400] [--seed 0]

In each file bit 7 of one data byte behind a random note-on is set. Those that strict reading then
refuses are read with repair, once as it is and once so that every track stops at its damage; the
notes are compared with those of the sound file, by start, duration, pitch, velocity and program.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
from collections import Counter
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/tokenizer.py would be found as the package

from tokenizer import InputError, read  # noqa: E402
from tokenizer.midi import repair  # noqa: E402
from tokenizer.midi.smf import NOTE_ON  # noqa: E402

Notes = Counter[tuple[int, ...]]
NOTE = ["start", "duration", "pitch", "velocity", "program"]


def notes_of(data: bytes, *, salvage: bool = False) -> Notes:
    """Every note of a file, whatever its track; none of a file that cannot be read."""
    with contextlib.suppress(InputError):
        return Counter(read(data, repair=salvage).notes[NOTE].tolist())
    return Notes()


def broken(data: bytes, generator: random.Random) -> bytes:
    """The file with one data byte of a note above 127."""
    starts = [at for at in range(22, len(data) - 3) if data[at] & 0xF0 == NOTE_ON]
    place = generator.choice(starts) + generator.choice((1, 2))
    return data[:place] + bytes([data[place] | 0x80]) + data[place + 1 :]


def refused(data: bytes) -> bool:
    """Whether strict reading refuses a file."""
    with contextlib.suppress(InputError):
        read(data)
        return False
    return True


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    generator = random.Random(asked.seed)
    paths = sorted(p for folder in asked.folders for p in folder.rglob("*.mid"))
    generator.shuffle(paths)
    files = 0
    whole, stopped, kept, wrong = Notes(), Notes(), Notes(), Notes()
    for path in paths:
        data = path.read_bytes()
        if refused(data) or not refused(changed := broken(data, generator)):
            continue
        files += 1
        real, saved = notes_of(data), notes_of(changed, salvage=True)
        with mock.patch.object(repair, "_is_certain", return_value=False):
            stopped += notes_of(changed, salvage=True)
        whole, kept, wrong = whole + real, kept + saved, wrong + (saved - real)
        if files == asked.files:
            break
    if not files:
        sys.exit("no file could be broken in this way; name folders with MIDI files")
    more = kept.total() - stopped.total()
    print(f"{files} files of {whole.total():,} notes")
    print(f"kept where every track stops at its damage: {stopped.total():,}")
    print(f"kept with repair: {kept.total():,}, {more:,} more ({more / stopped.total():.1%})")
    print(f"wrong: {wrong.total():,} ({wrong.total() / max(more, 1):.2%} of the notes read on)")


if __name__ == "__main__":
    main()
