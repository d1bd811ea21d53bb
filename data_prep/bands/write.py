"""A folder of songs with its manifest: the same bytes from the same seed on any number of workers.

Song n is made of the seed and n alone. Files are written as they are finished, the manifest last
and whole, so that a folder without one is known to be unfinished.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from data_prep.bands.notation.style import load
from data_prep.bands.parts.feel import Feel, read_feels
from data_prep.bands.tunes.tunes import Tune
from tokenizer.errors import InputError
from tokenizer.files import write_bytes, write_text
from tokenizer.midi.write import score_to_bytes

from .song import compose

MANIFEST = "manifest.jsonl"
_FILES_A_FOLDER = 1000
_CHUNK = 8


class Order(NamedTuple):
    """What a worker is told.

    Attributes:
        styles: names, or paths of TOML files, of the styles to choose from.
        seed: of the whole folder.
        out: the folder.
        tunes: lead sheets for half of the songs.
        groove: a folder of drum performances whose feel the drummers have, if any.
    """

    styles: tuple[str, ...]
    seed: int
    out: Path
    tunes: tuple[Tune, ...] = ()
    groove: Path | None = None


def write(
    order: Order,
    pieces: int,
    *,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write `pieces` songs and their manifest; returns the manifest's path.

    Raises:
        InputError: if there are no pieces or styles, or the folder has a manifest already.
    """
    if pieces < 1:
        raise InputError(f"--pieces is {pieces}; give at least 1")
    if not order.styles:
        raise InputError("no style is given; leave --style out for all of them")
    for style in order.styles:
        load(style)
    if order.groove is not None:
        _feels(order.groove)
    manifest = order.out / MANIFEST
    if manifest.exists() and not overwrite:
        raise InputError(f"{manifest} exists; give --overwrite to write the folder again")
    manifest.unlink(missing_ok=True)
    rows = []
    for row in _rows(order, pieces, workers):
        rows.append(json.dumps(row, ensure_ascii=False))
        if progress is not None:
            progress(len(rows))
    write_text(manifest, "\n".join(rows) + "\n")
    return manifest


def _rows(order: Order, pieces: int, workers: int) -> Iterator[dict[str, Any]]:
    """The rows of the manifest in order, each song written when its row comes."""
    chunks = [
        (order, range(first, min(first + _CHUNK, pieces))) for first in range(0, pieces, _CHUNK)
    ]
    if workers == 1:
        for chunk in chunks:
            yield from _chunk(*chunk)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for rows in pool.map(_chunk, *zip(*chunks, strict=True)):
            yield from rows


def _chunk(order: Order, numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [_song(order, number) for number in numbers]


@cache
def _feels(folder: Path) -> tuple[Feel, ...]:
    """A folder's feels, read once a worker."""
    return read_feels(folder)


def _song(order: Order, number: int) -> dict[str, Any]:
    """Make and write song `number`; its row."""
    seed = f"{order.seed}/{number}"
    style = load(Random(seed).choice(order.styles))
    feels = _feels(order.groove) if order.groove else ()
    song = compose(style, seed, order.tunes, feels)
    folder = f"{number // _FILES_A_FOLDER:03d}"
    file = f"{folder}/{number:06d}-{style.name}.mid"
    write_bytes(order.out / file, score_to_bytes(song.score))
    title = song.row.get("tune") or f"{style.title} no. {number + 1}"
    return {"file": file, "title": title, **song.row}
