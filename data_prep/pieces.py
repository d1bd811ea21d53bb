"""The pieces of a dataset folder as a loader reads them: tokens, labels, structure."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tokenizer import InputError, Labels, Tokenizer
from tokenizer.errors import unknown
from tokenizer.keys import Key
from tokenizer.structure import Structure, length_of, structure
from tokenizer.vocabulary import Tokens

from .label import SPLITS
from .shards import mapped, read_index

STRUCTURE_BYTES = 1 << 30
"""Structure is kept for pieces used last, up to this many bytes."""

_COLUMNS = (
    "shard",
    "offset",
    "length",
    "notes",
    "split",
    "corpus",
    "source",
    "composer",
    "styles",
    "instruments",
    "tempo",
    "time_signature",
    "key_fifths",
    "key_minor",
)


def splits_of(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Which splits of a dataset folder have pieces.

    Raises:
        InputError: if the folder is no dataset.
    """
    import pyarrow.parquet as parquet

    read_index(Path(folder))
    column = parquet.read_table(Path(folder) / "pieces.parquet", columns=["split"])["split"]
    found = set(column.unique().to_pylist())
    return tuple(split for split in SPLITS if split in found)


class Pieces:
    """The pieces of one split, in the order of the table.

    Attributes:
        folder: the dataset.
        tokenizer: what its tokens mean.
        lengths: rows of each piece, `(N,)`.
        notes: notes of each piece, `(N,)`.
        corpora: the corpus of each piece, by name.
        sources: the file that each piece came from, within its corpus.
    """

    def __init__(self, folder: str | os.PathLike[str], split: str) -> None:
        """Open a split of a dataset folder.

        Raises:
            InputError: if the folder is no dataset, or has no piece in the split.
        """
        import pyarrow.compute
        import pyarrow.parquet as parquet

        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        self.folder = Path(folder)
        index = read_index(self.folder)
        self.tokenizer = Tokenizer.load(self.folder / "tokenizer.json")
        table = parquet.read_table(self.folder / "pieces.parquet", columns=list(_COLUMNS))
        table = table.filter(pyarrow.compute.equal(table["split"], split))
        if table.num_rows == 0:
            raise InputError(f"{folder} has no pieces in its {split} split")
        self.lengths: npt.NDArray[np.int64] = table["length"].to_numpy()
        self.notes: npt.NDArray[np.int64] = table["notes"].to_numpy().astype(np.int64)
        self.corpora: list[str] = table["corpus"].to_pylist()
        self.sources: list[str] = table["source"].to_pylist()
        self._shard = table["shard"].to_numpy()
        self._offset = table["offset"].to_numpy()
        self._table = table
        self._shards = mapped(self.folder, index)
        self._structures: OrderedDict[int, Structure] = OrderedDict()
        self._room = STRUCTURE_BYTES
        self._labels: dict[int, Labels] = {}
        lists = (table[name] for name in ("styles", "instruments"))
        styles, instruments = (pyarrow.compute.list_value_length(x).to_numpy() for x in lists)
        # A start, a composer, a tempo, a time signature and a key.
        self._prefix_rows: npt.NDArray[np.int64] = 5 + styles.astype(np.int64) + instruments

    def __len__(self) -> int:
        return len(self.lengths)

    def tokens(self, piece: int) -> Tokens:
        """The body of a piece with its end row, `(rows, 5)`, read-only."""
        offset = self._offset[piece]
        shard: Tokens = self._shards[self._shard[piece]]
        return shard[offset : offset + self.lengths[piece]]

    def labels(self, piece: int) -> Labels:
        """What the table says of a piece."""
        found = self._labels.get(piece)
        if found is None:
            row = self._table.slice(piece, 1).to_pylist()[0]
            numerator, _, denominator = (row["time_signature"] or "4/4").partition("/")
            fifths = row["key_fifths"]
            found = self._labels[piece] = Labels(
                composer=row["composer"],
                styles=tuple(row["styles"]),
                instruments=tuple(row["instruments"]),
                tempo=row["tempo"],
                time_signature=(int(numerator), int(denominator)),
                key=None if fifths is None else Key(fifths, bool(row["key_minor"])),
            )
        return found

    def most_prefix_rows(self, piece: int) -> int:
        """The most rows that the control prefix of a piece can take."""
        return int(self._prefix_rows[piece])

    def structure(self, piece: int) -> Structure:
        """The structure `(rows, 6)` of a piece's body, its length known."""
        found = self._structures.get(piece)
        if found is not None:
            self._structures.move_to_end(piece)
            return found
        found = structure_of(self.tokens(piece), self.tokenizer, self.labels(piece))
        self._room -= found.nbytes
        while self._room < 0 and self._structures:
            _, old = self._structures.popitem(last=False)
            self._room += old.nbytes
        self._structures[piece] = found
        return found


def structure_of(body: Tokens, tokenizer: Tokenizer, labels: Labels) -> Structure:
    """The structure `(T, 6)` of a piece's body `(T, 5)`, given its first time signature."""
    vocabulary = tokenizer.vocabulary
    opening = tokenizer.prefix(Labels(time_signature=labels.time_signature))
    whole = np.concatenate([opening, body])
    return structure(whole, vocabulary, length_of(body, vocabulary))[len(opening) :]
