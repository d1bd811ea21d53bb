"""Byte-pair encoding against the algorithm of Sennrich et al. (2016), written out plainly."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tokenizer.encoding.learned.bpe import Merger, learn_merges, taken_apart
from tokenizer.errors import InputError

pytest.importorskip("tokenizers")

SYMBOLS = 6
texts = st.lists(st.lists(st.integers(0, SYMBOLS - 1), max_size=24), max_size=6)


Word = list[tuple[int, ...]]


def merged(word: Word, left: tuple[int, ...], right: tuple[int, ...]) -> Word:
    """A word in which each such pair, from the left, is one."""
    found, i = [], 0
    while i < len(word):
        if word[i : i + 2] == [left, right]:
            found.append(left + right)
            i += 2
        else:
            found.append(word[i])
            i += 1
    return found


def pairs(words: list[Word]) -> Counter[tuple[tuple[int, ...], tuple[int, ...]]]:
    return Counter(pair for word in words for pair in itertools.pairwise(word))


@settings(max_examples=100, deadline=None)
@given(texts)
def test_every_merge_is_of_a_most_frequent_pair(found: list[list[int]]) -> None:
    """Recounted from scratch after each merge.

    Words have no symbol twice in a row: how often a pair stands in "aaa" is a matter of taste.
    """
    words: list[Word] = [[(x,) for x in text] for text in found]
    assume(all(a != b for text in found for a, b in itertools.pairwise(text)))
    merges = learn_merges([np.array(t, dtype=np.int64) for t in found], 12, SYMBOLS)
    seen: dict[tuple[int, ...], None] = {}
    for left, right in merges:
        counts = pairs(words)
        parts: Word = [(x,) if x < SYMBOLS else list(seen)[x - SYMBOLS] for x in (left, right)]
        assert counts[parts[0], parts[1]] == max(counts.values()) >= 2
        words = [merged(word, parts[0], parts[1]) for word in words]
        seen[parts[0] + parts[1]] = None
    counts = pairs(words)
    assert len(seen) == 12 or max(counts.values(), default=0) < 2
    assert taken_apart(merges, SYMBOLS) == list(seen)


@settings(max_examples=100, deadline=None)
@given(texts, st.lists(st.integers(0, SYMBOLS - 1), max_size=40))
def test_merges_are_applied_in_the_order_in_which_they_were_learned(
    found: list[list[int]], text: list[int]
) -> None:
    merges = learn_merges([np.array(t, dtype=np.int64) for t in found], 12, SYMBOLS)
    parts: Word = [(x,) for x in range(SYMBOLS)]
    parts += taken_apart(merges, SYMBOLS)
    word: Word = [(x,) for x in text]
    for left, right in merges:
        word = merged(word, parts[left], parts[right])
    (ids,) = Merger(merges, SYMBOLS)([np.array(text, dtype=np.int64)])
    assert [parts[i] for i in ids.tolist()] == word
    assert [x for i in ids.tolist() for x in parts[i]] == text


def test_the_same_words_give_the_same_merges() -> None:
    random = np.random.default_rng(5)
    corpus = [random.integers(0, 4, 700) for _ in range(8)]
    first = learn_merges(corpus, 50, 4)
    assert first == learn_merges(iter(corpus), 50, 4)
    few = learn_merges(corpus, 50, 4, most_words=5)
    assert few == learn_merges(corpus, 50, 4, most_words=5) != first


def test_no_merges_of_nothing() -> None:
    assert learn_merges([], 10, 4) == ()
    with pytest.raises(InputError, match="not there yet"):
        taken_apart([(9, 1)], 4)
