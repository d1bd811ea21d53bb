"""Every backend against attention written as a loop, forward and backward, in fp64."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from musenet.attention import xformers
from musenet.attention.attend import attend, resolve
from musenet.attention.decompose import parts
from musenet.attention.lse_merge import merged_attention
from musenet.attention.patterns import PATTERNS, mask, summary_length
from tokenizer.errors import InputError

LENGTHS = [(1, 4), (3, 4), (4, 4), (5, 4), (16, 4), (19, 4), (24, 8), (7, 1), (20, 16)]
EXACT = 1e-11


def loop(q: Tensor, k: Tensor, v: Tensor, seen: np.ndarray[Any, Any]) -> Tensor:
    """Attention one query, head and sequence at a time; zeros where nothing is seen."""
    heads, groups = q.shape[2], k.shape[2]
    out = []
    for b, i, h in itertools.product(*map(range, q.shape[:3])):
        keys = np.flatnonzero(seen[i]).tolist()
        g = h * groups // heads
        scores = (k[b, keys, g] @ q[b, i, h]) / q.shape[-1] ** 0.5
        weights = torch.exp(scores - scores.max()) if keys else scores
        out.append(
            (weights / weights.sum()) @ v[b, keys, g] if keys else torch.zeros_like(q[0, 0, 0])
        )
    return torch.stack(out).view(q.shape)


def tensors(length: int, groups: int = 2, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def new(heads: int) -> Tensor:
        shape = (2, length, heads, 6)
        return torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)

    return new(4), new(groups), new(groups)


def gradients(out: Tensor, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    g = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=out.dtype)
    if not out.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    found = torch.autograd.grad(out, inputs, g, allow_unused=True)
    return [torch.zeros_like(x) if y is None else y for x, y in zip(inputs, found, strict=True)]


def same(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() < EXACT)


@pytest.mark.parametrize("backend", ["sdpa", "reference"])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("length", "row"), LENGTHS)
def test_backends_equal_the_loop(pattern: str, length: int, row: int, backend: str) -> None:
    inputs = tensors(length)
    out = attend(*inputs, pattern, row, backend)
    expected = loop(*inputs, mask(pattern, length, row))
    assert same(out, expected)
    for found, true in zip(gradients(out, inputs), gradients(expected, inputs), strict=True):
        assert same(found, true)


@pytest.mark.parametrize("pattern", ["dense", "row", "column"])
def test_long_blocks_take_another_kernel_with_the_same_result(pattern: str) -> None:
    length, row = (600, 300) if pattern == "row" else (300, 1)
    inputs = tensors(length)
    out, expected = (attend(*inputs, pattern, row, b) for b in ("sdpa", "reference"))
    assert same(out, expected)
    for found, true in zip(gradients(out, inputs), gradients(expected, inputs), strict=True):
        assert same(found, true)


def footprint(attention: Callable[..., Tensor], length: int) -> np.ndarray[Any, Any]:
    """Which keys and values change which results, [2, T, 2, T], from gradients."""
    q, k, v = tensors(length, groups=4)
    out = attention(q, k, v)
    touched = np.zeros((2, length, 2, length), dtype=bool)
    for b, i in itertools.product(range(2), range(length)):
        if out.requires_grad:
            g = torch.autograd.grad(out[b, i].sum(), (k, v), retain_graph=True, allow_unused=True)
            touched[b, i] = sum((x != 0).any(-1).any(-1).numpy() for x in g if x is not None) > 0
    return touched


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("length", "row"), [(11, 4), (20, 8), (16, 4)])
def test_gradients_reach_what_is_allowed_and_never_another_sequence(
    pattern: str, length: int, row: int
) -> None:
    found = footprint(lambda q, k, v: attend(q, k, v, pattern, row, "sdpa"), length)
    for a, b in itertools.product(range(2), range(2)):
        assert np.array_equal(found[a, :, b], mask(pattern, length, row) & (a == b))


def mutants(pattern: str, i: Any, j: Any, row: int) -> dict[str, Any]:
    """The patterns again, each wrong by one somewhere."""
    past, back = j <= i, i // row - j // row
    own_row, column, local = past & (back == 0), past & ((i - j) % row == 0), past & (i - j < row)
    summary = past & (j % row >= row - summary_length(row))
    return {
        "dense": {"not itself": j < i, "one ahead": j <= i + 1},
        "row": {
            "not itself": own_row & (j < i),
            "row + 1": past & (i // (row + 1) == j // (row + 1)),
            "one ahead": (back == 0) & (j <= i + 1),
        },
        "column": {
            "next column": past & ((i - j) % row == 1),
            "not itself": column & (j < i),
            "row + 1": past & ((i - j) % (row + 1) == 0),
        },
        "previous_row": {
            "two back": past & (back == 2),
            "and its own": past & (back <= 1),
            "but its first": past & (back == 1) & (j % row > 0),
            "but its last": past & (back == 1) & (j % row < row - 1),
        },
        "local": {
            "one more": past & (i - j <= row),
            "one less": past & (i - j < row - 1),
            "not itself": local & (j < i),
        },
        "strided": {
            "one less": (past & (i - j < row - 1)) | column,
            "one more": (past & (i - j <= row + 1)) | column,
            "only local": local,
        },
        "fixed": {
            "one more": own_row | (past & (j % row >= row - summary_length(row) - 1)),
            "one place earlier": own_row | (past & (j % row == row - summary_length(row) - 1)),
            "only summaries": summary,
        },
    }[pattern]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_that_are_off_by_one_are_found_out(pattern: str) -> None:
    length, row = 20, 4
    right = footprint(lambda q, k, v: attend(q, k, v, pattern, row, "sdpa"), length)[0, :, 0]
    i, j = np.arange(length)[:, None], np.arange(length)[None, :]
    for name, wrong in mutants(pattern, i, j, row).items():
        assert not np.array_equal(right, wrong), name


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("length", "row"), [(24, 4), (16, 16), (12, 1), (48, 16)])
def test_parts_cover_each_allowed_pair_once(pattern: str, length: int, row: int) -> None:
    place = torch.arange(length).view(1, length, 1, 1)
    count = np.zeros((length, length), dtype=int)
    for part in parts(pattern, length, row):
        queries, keys = part.queries(place, row)[..., 0], part.keys(place, row)[..., 0]
        keys = keys.repeat_interleave(queries.shape[2] // keys.shape[2], 2)
        n, s, h = queries.shape
        every = torch.ones(s, keys.shape[1], dtype=torch.bool)
        shape = {"full": every, "causal": every.tril(), "after": every.triu()}[part.sees]
        for a, b in itertools.product(range(n), range(h)):
            pairs = shape.nonzero()
            np.add.at(count, (queries[a, pairs[:, 0], b], keys[a, pairs[:, 1], b]), 1)
    assert np.array_equal(count, mask(pattern, length, row).astype(int))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_queries_without_keys_give_zero_even_for_large_numbers(pattern: str) -> None:
    q, k, v = (x.detach() * 1e4 for x in tensors(10))
    for backend in ("sdpa", "reference"):
        out = attend(q, k, v, pattern, 4, backend)
        assert torch.isfinite(out).all()
        blind = torch.from_numpy(~mask(pattern, 10, 4).any(1))
        assert (out[:, blind] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_lower_precisions_stay_near(pattern: str, dtype: torch.dtype) -> None:
    exact = tensors(40)
    expected = attend(*exact, pattern, 8, "reference")
    q, k, v = (x.to(dtype) for x in exact)
    out = attend(q, k, v, pattern, 8, "sdpa")
    assert out.dtype == dtype
    near = 1e-5 if dtype == torch.float32 else 5e-2
    assert (out.double() - expected).abs().max() < near


def test_an_unknown_backend_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'sdpa'"):
        resolve("sdp", torch.device("cpu"))


def test_xformers_is_refused_and_not_imported_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AssertionError("xformers was imported")

    monkeypatch.setattr(xformers, "operators", fail)
    assert resolve("auto", torch.device("cpu")) == "sdpa"
    with pytest.raises(InputError, match="sdpa or auto"):
        resolve("xformers", torch.device("cpu"))


def test_a_probe_that_fails_is_logged_and_falls_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ImportError("its library does not load\nmore lines")

    monkeypatch.setattr(xformers, "operators", fail)
    xformers.available.cache_clear()
    assert not xformers.available(torch.device("cuda"))
    xformers.available.cache_clear()
    lines = [record.message for record in caplog.records]
    assert lines == [
        "attention uses PyTorch on cuda: xformers cannot run (its library does not load)"
    ]


def test_auto_says_once_what_it_takes_on_a_cpu_and_why(caplog: pytest.LogCaptureFixture) -> None:
    xformers.available.cache_clear()
    with caplog.at_level("INFO", logger="musenet"):
        for _ in range(2):
            attend(*tensors(8), "dense", 4, "auto")
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert record.message == "attention uses PyTorch on cpu: xformers needs a CUDA device"


@pytest.fixture(scope="module")
def emulated() -> SimpleNamespace:
    """xformers' interface on CPU, with its own biases and plain arithmetic in place of kernels."""
    pytest.importorskip("xformers", reason="xformers has no wheel for this machine")
    from xformers.ops.fmha.attn_bias import LowerTriangularMask

    def scores(q: Tensor, k: Tensor, bias: Any) -> Tensor:
        s = torch.einsum("nshd,nkhd->nhsk", q, k) * q.shape[-1] ** -0.5
        if bias is None:
            return s
        if not isinstance(bias, Tensor):
            bias = bias.materialize(tuple(s.shape), dtype=s.dtype)
        assert bias.shape == s.shape
        return s + bias

    def forward(q: Tensor, k: Tensor, v: Tensor, attn_bias: Any) -> tuple[Tensor, Tensor]:
        s = scores(q, k, attn_bias)
        return torch.einsum("nhsk,nkhd->nshd", s.softmax(-1), v), s.logsumexp(-1)

    def backward(
        g: Tensor, out: Tensor, lse: Tensor, q: Tensor, k: Tensor, v: Tensor, attn_bias: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        p = torch.exp(scores(q, k, attn_bias) - lse[..., None])
        share = torch.einsum("nshd,nshd->nhs", g, out)[..., None]
        ds = p * (torch.einsum("nshd,nkhd->nhsk", g, v) - share) * q.shape[-1] ** -0.5
        dq, dk = torch.einsum("nhsk,nkhd->nshd", ds, k), torch.einsum("nhsk,nshd->nkhd", ds, q)
        return dq, dk, torch.einsum("nhsk,nshd->nkhd", p, g)

    return SimpleNamespace(
        LowerTriangularMask=LowerTriangularMask,
        memory_efficient_attention=lambda q, k, v, attn_bias: forward(q, k, v, attn_bias)[0],
        fmha=SimpleNamespace(
            memory_efficient_attention_forward_requires_grad=forward,
            memory_efficient_attention_backward=backward,
        ),
    )


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("length", "row"), [(3, 4), (16, 4), (19, 4), (24, 8)])
def test_what_xformers_is_asked_equals_the_loop(
    pattern: str, length: int, row: int, emulated: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xformers, "operators", lambda: emulated)
    monkeypatch.setattr(xformers, "available", lambda device: True)
    inputs = tensors(length)
    out = attend(*inputs, pattern, row, "xformers")
    expected = loop(*inputs, mask(pattern, length, row))
    assert same(out, expected)
    for found, true in zip(gradients(out, inputs), gradients(expected, inputs), strict=True):
        assert same(found, true)


def test_unequal_lengths_never_reach_xformers() -> None:
    q, k, v = tensors(8, groups=4)
    with pytest.raises(ValueError, match="unequal"):
        xformers.plain(q, k[:, :7], v, parts("dense", 8, 4)[0])


def test_merging_uses_the_kernel_that_it_is_given() -> None:
    class Broken:
        def forward(self, q: Tensor, k: Tensor, v: Tensor, sees: str) -> tuple[Tensor, Tensor]:
            raise RuntimeError(sees)

        backward = forward

    q, k, v = tensors(8)
    with pytest.raises(RuntimeError, match="causal"):
        merged_attention(q, k, v, parts("strided", 8, 4), 4, Broken())  # type: ignore[arg-type]
