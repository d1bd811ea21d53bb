"""Byte-pair encoding of symbols (Gage 1994; Sennrich et al. 2016), by Hugging Face `tokenizers`.

To that library a symbol is a character. What is learned are merges: pairs of ids, each of which
gives a new id. Applying them needs the library, and taking them apart does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from tokenizer.errors import InputError
from tokenizer.typing import Ints

Merge = tuple[int, int]

WORD = 256
"""Merges are learned from words of so many symbols: the time grows with their length."""

MOST_WORDS = 40_000
"""And from so many words, drawn at random from all that there are: some ten million symbols."""

_FIRST_CHARACTER = 0x10000  # a plane with more characters than there are ids


def learn_merges(
    texts: Iterable[Ints], size: int, symbols: int, most_words: int = MOST_WORDS
) -> tuple[Merge, ...]:
    """Merges, the most frequent pair first, of pairs that occur at least twice.

    Args:
        texts: symbols `(N,)`, gone through once.
        size: how many ids to learn at most.
        symbols: the number of symbols, and so the first new id.
        most_words: from how many words of `WORD` symbols they are learned.

    Raises:
        InputError: if the library is missing.
    """
    if size == 0:
        return ()
    words = _sampled(_words(texts), most_words)
    alphabet = len({*"".join(words)})
    models, trainers = _library(".models"), _library(".trainers")
    bpe = _library().Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=alphabet + size, min_frequency=2, show_progress=False, special_tokens=[]
    )
    bpe.train_from_iterator(words, trainer)
    ids: dict[str, int] = {}
    merges: list[Merge] = []
    for left, right in json.loads(bpe.to_str())["model"]["merges"]:
        pair = [ids.get(part, ord(part[0]) - _FIRST_CHARACTER) for part in (left, right)]
        ids.setdefault(left + right, symbols + len(ids))
        merges.append((pair[0], pair[1]))
    return tuple(merges)


def _words(texts: Iterable[Ints]) -> Iterator[str]:
    for text in texts:
        characters = _text(text)
        yield from (characters[i : i + WORD] for i in range(0, len(characters), WORD))


def _sampled(words: Iterable[str], most: int) -> list[str]:
    """`most` of the words, each with the same chance, in their order (Vitter 1985, algorithm R)."""
    random = np.random.default_rng(0)
    kept: list[tuple[int, str]] = []
    for number, word in enumerate(words):
        if len(kept) < most:
            kept.append((number, word))
        elif (place := int(random.integers(number + 1))) < most:
            kept[place] = (number, word)
    return [word for _, word in sorted(kept)]


def taken_apart(merges: Sequence[Merge], symbols: int) -> list[tuple[int, ...]]:
    """The symbols of every new id. Two merges that give the same symbols are one id.

    Raises:
        InputError: if a merge is of ids that are not there yet.
    """
    parts: dict[tuple[int, ...], None] = {}
    known: list[tuple[int, ...]] = []
    for merge in merges:
        if not all(0 <= part < symbols + len(known) for part in merge):
            raise InputError(f"merge {merge[0]} {merge[1]} is of ids that are not there yet")
        left, right = ((x,) if x < symbols else known[x - symbols] for x in merge)
        if left + right not in parts:
            parts[left + right] = None
            known.append(left + right)
    return known


class Merger:
    """Applies merges.

    Args:
        merges: as `learn_merges` gave them.
        symbols: the number of symbols.

    Raises:
        InputError: if the library is missing, or a merge is of ids that are not there yet.
    """

    def __init__(self, merges: Sequence[Merge], symbols: int) -> None:
        texts = [
            *map(_text, ([x] for x in range(symbols))),
            *map(_text, taken_apart(merges, symbols)),
        ]
        bpe = _library(".models").BPE(
            vocab={text: number for number, text in enumerate(texts)},
            merges=[(texts[left], texts[right]) for left, right in merges],
        )
        self._bpe = _library().Tokenizer(bpe)

    def __call__(self, texts: Sequence[Ints]) -> list[Ints]:
        """The ids of texts of symbols, `(N,)` each."""
        encoded = self._bpe.encode_batch([_text(text) for text in texts])
        return [np.array(one.ids, dtype=np.int64) for one in encoded]


def _text(symbols: Iterable[int]) -> str:
    return "".join(map(chr, (np.asarray(symbols, dtype=np.int64) + _FIRST_CHARACTER).tolist()))


def _library(module: str = "") -> Any:
    """Hugging Face `tokenizers`, or one of its modules.

    Raises:
        InputError: if it is not installed.
    """
    try:
        return import_module(f"tokenizers{module}")
    except ImportError as error:
        raise InputError(
            "byte-pair encoding needs Hugging Face tokenizers: pip install 'musenet[bpe]', or "
            "use no merges"
        ) from error
