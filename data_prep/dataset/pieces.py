"""The pieces of a dataset folder, to be read one at a time: tokens and labels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.sources.manifest import SPLITS
from tokenizer import InputError, Labels, Tokenizer
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.load import load
from tokenizer.errors import unknown
from tokenizer.theory import Key
from tokenizer.typing import Ints, Tokens

from .shards import ENCODING, open_shards, piece_table, read_index

_LABELS = (
    "composer",
    "styles",
    "instruments",
    "tempo",
    "time_signature",
    "key_fifths",
    "key_minor",
)
_COLUMNS = ("shard", "offset", "length", "notes", "split", "corpus", "source", *_LABELS)


def splits_of(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Which splits of a dataset folder have pieces.

    Raises:
        InputError: if the folder is no dataset.
    """
    read_index(Path(folder))
    column = piece_table(Path(folder), ["split"])["split"]
    found = set(column.unique().to_pylist())
    return tuple(split for split in SPLITS if split in found)


def dataset_encoding(folder: Path) -> LearnedTokenizer | None:
    """The encoding that was learned for models of a dataset, or None for compound rows.

    Raises:
        InputError: if it is damaged.
    """
    if not (folder / ENCODING).exists():
        return None
    encoding = load(folder / ENCODING)
    if not isinstance(encoding, LearnedTokenizer):
        raise InputError(f"{folder / ENCODING} is of the {encoding.encoding} encoding, not learned")
    return encoding


class Pieces:
    """The pieces of one split, in the order of the table.

    Attributes:
        folder: the dataset.
        tokenizer: what its tokens mean.
        encoding: what models read them in, where that was learned from the training split.
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

        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        self.folder, self._split = Path(folder), split
        index = read_index(self.folder)
        self.tokenizer = Tokenizer.load(self.folder / "tokenizer.json")
        self.encoding = dataset_encoding(self.folder)
        table = piece_table(self.folder, _COLUMNS)
        table = table.filter(pyarrow.compute.equal(table["split"], split))
        if table.num_rows == 0:
            raise InputError(f"{folder} has no pieces in its {split} split")
        self.lengths: Ints = table["length"].to_numpy()
        self.notes: Ints = table["notes"].to_numpy().astype(np.int64)
        self.corpora: list[str] = table["corpus"].to_pylist()
        self.sources: list[str] = table["source"].to_pylist()
        self._shard = table["shard"].to_numpy()
        self._offset = table["offset"].to_numpy()
        self._labels: list[Any] = [_column(table[name].combine_chunks()) for name in _LABELS]
        self._shards = open_shards(self.folder, index)
        lists = (table[name] for name in ("styles", "instruments"))
        styles, instruments = (pyarrow.compute.list_value_length(x).to_numpy() for x in lists)
        # A start, a composer, a tempo, a time signature, a key, density and polyphony.
        self._prefix_rows: Ints = 7 + styles.astype(np.int64) + instruments

    def __reduce__(self) -> tuple[type[Pieces], tuple[Path, str]]:
        """Another process opens the folder anew, instead of copying what is mapped."""
        return Pieces, (self.folder, self._split)

    def __len__(self) -> int:
        return len(self.lengths)

    def tokens(self, piece: int) -> Tokens:
        """The body of a piece with its end row, `(rows, 5)`, read-only."""
        offset = self._offset[piece]
        shard: Tokens = self._shards[self._shard[piece]]
        return shard[offset : offset + self.lengths[piece]]

    def labels(self, piece: int) -> Labels:
        """The labels of a piece, from the table."""
        composer, styles, instruments, tempo, meter, fifths, minor = (
            column[piece] for column in self._labels
        )
        numerator, _, denominator = (meter or "4/4").partition("/")
        return Labels(
            composer=composer,
            styles=styles,
            instruments=instruments,
            tempo=tempo,
            time_signature=(int(numerator), int(denominator)),
            key=None if fifths is None else Key(fifths, bool(minor)),
        )

    def most_prefix_rows(self, piece: int) -> int:
        """The most rows that the control prefix of a piece can take."""
        return int(self._prefix_rows[piece])


def _column(column: Any) -> _Values | _Lists:
    """The elements of an Arrow column, faster to look up one by one."""
    import pyarrow

    return _Lists(column) if pyarrow.types.is_list(column.type) else _Values(column)


class _Values:
    """A column of values: the distinct ones, and a number for each piece."""

    def __init__(self, column: Any) -> None:
        encoded = column.dictionary_encode()
        self._values = [*encoded.dictionary.to_pylist(), None]
        self._index = encoded.indices.fill_null(-1).to_numpy()

    def __getitem__(self, place: int) -> Any:
        return self._values[self._index[place]]


class _Lists:
    """A column of lists, as tuples."""

    def __init__(self, column: Any) -> None:
        self._bounds = column.offsets.to_numpy()
        self._values = _Values(column.values)

    def __getitem__(self, piece: int) -> tuple[Any, ...]:
        begin, end = self._bounds[piece : piece + 2].tolist()
        return tuple([self._values[place] for place in range(begin, end)])
