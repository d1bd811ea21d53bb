"""The whole network: causal, the same in any chunks, the same with and without recompute."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from musenet.attention.patterns import mask
from musenet.model import blocks
from musenet.model.config import ModelConfig, faithful
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError

FIELDS, STRUCTURE = (20, 9, 8, 7, 5), (6, 5, 7, 5, 9, 9)
ROW = 8
STACKS = [
    ("dense",),
    ("row", "column", "previous_row"),
    ("strided", "strided"),
    ("fixed", "fixed"),
    ("local", "dense"),
]


def config_of(patterns: tuple[str, ...], layers: int | None = None) -> ModelConfig:
    return ModelConfig(
        FIELDS,
        STRUCTURE,
        layers=layers or len(patterns),
        heads=4,
        width=32,
        context=48,
        patterns=patterns,
        row_length=ROW,
    )


def build(config: ModelConfig, compute: torch.dtype | None = None) -> Transformer:
    """A model whose zero-initialised ways out are open, so that everything matters."""
    torch.manual_seed(0)
    model = Transformer(config, compute)
    for name, parameter in model.named_parameters():
        if name.endswith((".gain", "layer.weight")):
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
        elif not parameter.any():
            torch.nn.init.normal_(parameter, std=0.15)
    return model.double() if compute is None else model


def rows(length: int, batch: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    tokens = [torch.randint(0, size, (batch, length), generator=g) for size in FIELDS]
    structure = [torch.randint(0, size, (batch, length), generator=g) for size in STRUCTURE]
    time = torch.randint(0, 60, (batch, length), generator=g).cumsum(1)
    return torch.stack(tokens, -1), torch.stack([*structure, time], -1)


VARIANTS = [
    *(config_of(patterns) for patterns in STACKS),
    replace(config_of(("row", "column", "previous_row")), kv_heads=2),
    replace(config_of(("dense",)), kv_heads=1, activation="gelu"),
    replace(config_of(("local", "dense")), kv_heads=1),
    *(
        replace(config_of(patterns), kv_heads=groups, positions="rotary_time", steps_per_quarter=24)
        for patterns in (("local", "local", "dense"), ("row", "column", "previous_row"))
        for groups in (2, 4)
    ),
    replace(config_of(("dense", "row")), positions="learned", norm="layer", qk_norm=True),
    faithful(config_of(("dense",), layers=2)),
]


def variant(config: ModelConfig) -> str:
    return f"{'-'.join(config.patterns)}-{config.norm}-{config.positions}-{config.groups}"


@pytest.mark.parametrize("chunk", [1, 7, ROW - 1, ROW, ROW + 1, 43])
@pytest.mark.parametrize("config", VARIANTS, ids=variant)
def test_any_chunks_equal_the_full_pass(config: ModelConfig, chunk: int) -> None:
    model = build(config)
    tokens, structure = rows(43)
    with torch.no_grad():
        full = model.trunk(tokens, structure)
        cache = model.new_cache(2)
        pieces = [
            model.trunk(tokens[:, i : i + chunk], structure[:, i : i + chunk], cache)
            for i in range(0, 43, chunk)
        ]
    assert (torch.cat(pieces, 1) - full).abs().max() < 1e-11
    assert cache.position == 43


@pytest.mark.parametrize("config", VARIANTS, ids=variant)
def test_the_future_changes_nothing(config: ModelConfig) -> None:
    model = build(config)
    tokens, structure = rows(30)
    before = model.trunk(tokens, structure)
    for changed_at in (1, ROW - 1, ROW, 17, 29):
        other, other_structure = rows(30, seed=5)
        tokens_after = torch.cat([tokens[:, :changed_at], other[:, changed_at:]], 1)
        structure_after = torch.cat([structure[:, :changed_at], other_structure[:, changed_at:]], 1)
        after = model.trunk(tokens_after, structure_after)
        assert torch.equal(before[:, :changed_at], after[:, :changed_at])
        assert not torch.equal(before[:, changed_at], after[:, changed_at])


@pytest.mark.parametrize("patterns", STACKS, ids="-".join)
def test_every_earlier_position_is_reached_and_no_other_sequence(
    patterns: tuple[str, ...],
) -> None:
    model = build(config_of(patterns))
    tokens, structure = rows(33)
    seen: list[Tensor] = []

    def keep(_: object, __: object, output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[-1]

    model.embedding.register_forward_hook(keep)
    state = model.trunk(tokens, structure)
    for position in (0, 8, 20, 32):
        (g,) = torch.autograd.grad(state[0, position].sum() * 1e6, seen[0], retain_graph=True)
        touched = (g != 0).any(-1)
        assert torch.equal(touched[0], torch.arange(33) <= position)
        assert not touched[1].any()


@pytest.mark.parametrize("mode", ["selective", "full"])
@pytest.mark.parametrize("compute", [None, torch.bfloat16])
@pytest.mark.parametrize("patterns", STACKS, ids="-".join)
def test_recompute_gives_the_same_gradients_to_the_bit(
    patterns: tuple[str, ...], mode: str, compute: torch.dtype | None
) -> None:
    found = []
    for recompute in ("none", mode):
        model = build(config_of(patterns), compute)
        model.recompute = recompute
        loss = model.nll(*rows(29)).sum()
        found.append(torch.autograd.grad(loss, list(model.parameters())))
    for plain, again in zip(*found, strict=True):
        assert torch.equal(plain, again)


@pytest.mark.parametrize("mode", ["selective", "full"])
def test_recompute_keeps_less(mode: str) -> None:
    from torch.autograd.graph import saved_tensors_hooks

    def kept(recompute: str) -> int:
        model = build(config_of(("row", "column", "previous_row"), layers=6), torch.bfloat16)
        model.recompute = recompute
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            sizes[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
            return tensor

        with saved_tensors_hooks(pack, lambda t: t):
            model.nll(*rows(45))
        return sum(sizes.values())

    assert kept(mode) < 0.6 * kept("none")


def test_an_unknown_recompute_mode_is_refused() -> None:
    model = build(VARIANTS[0])
    model.recompute = "ful"
    with pytest.raises(InputError, match="did you mean 'full'"):
        model.trunk(*rows(4))


def test_mixup_mixes_the_summed_embeddings() -> None:
    model = build(VARIANTS[1])
    tokens, structure = rows(20, batch=3)
    structure = structure[..., : len(STRUCTURE)]
    plain = model.trunk(tokens, structure)
    order = torch.tensor([1, 2, 0])
    one, zero = torch.ones(3), torch.zeros(3)
    assert torch.equal(model.trunk(tokens, structure, mix=(one, order)), plain)
    swapped = model.trunk(tokens, structure, mix=(zero, order))
    assert torch.allclose(swapped, plain[order], atol=1e-12)
    share = torch.tensor([0.3, 0.5, 0.9], dtype=torch.float64)
    mixed = model.trunk(tokens, structure, mix=(share, order))
    embed = model.embedding
    by_hand = share[:, None, None] * embed(tokens, structure) + (1 - share[:, None, None]) * embed(
        tokens[order], structure[order]
    )
    embed.register_forward_hook(lambda *_: by_hand)
    assert torch.allclose(mixed, model.trunk(tokens, structure), atol=1e-12)


def test_sequences_of_a_batch_do_not_touch_each_other() -> None:
    model = build(VARIANTS[1])
    tokens, structure = rows(40)
    together = model.nll(tokens, structure)
    for i in range(2):
        alone = model.nll(tokens[i : i + 1], structure[i : i + 1])
        assert torch.allclose(together[i : i + 1], alone, atol=1e-12)


def test_bf16_stays_near_fp64() -> None:
    config = config_of(("row", "column", "previous_row"))
    exact, rough = build(config), build(config, torch.bfloat16)
    a, b = exact.nll(*rows(45)), rough.nll(*rows(45))
    assert b.dtype == torch.float32
    assert abs(a.mean() - b.mean()) < 2e-2 * a.mean()


def test_a_new_model_knows_nothing_and_says_so() -> None:
    """Zero-initialised outputs: every value of a field is equally likely."""
    torch.manual_seed(0)
    nll = Transformer(config_of(("dense",))).nll(*rows(20)).mean((0, 1))
    assert torch.allclose(nll, torch.tensor(FIELDS).float().log(), atol=1e-5)


def test_gpt2_initialisation() -> None:
    torch.manual_seed(0)
    config = replace(faithful(config_of(("dense",), layers=8)), width=256)
    model = Transformer(config)
    spread = {name: float(p.detach().std()) for name, p in model.named_parameters() if p.ndim == 2}
    for name, std in spread.items():
        residual = name.startswith("blocks.") and name.endswith((".out", ".down"))
        assert std == pytest.approx(0.02 / 4 if residual else 0.02, rel=0.1), name


def test_too_long_sequences_are_refused() -> None:
    with pytest.raises(InputError, match="49 positions do not fit"):
        build(VARIANTS[0]).trunk(*rows(49))


def test_learned_positions_end_with_the_context() -> None:
    model = build(faithful(config_of(("dense",))))
    cache = model.new_cache(2)
    tokens, structure = rows(48)
    model.trunk(tokens, structure, cache)
    with pytest.raises(InputError, match="ends at 48"):
        model.trunk(tokens[:, :1], structure[:, :1], cache)


def test_stacks_that_cannot_reach_everything_are_refused_when_built() -> None:
    with pytest.raises(InputError, match="out of reach"):
        config_of(("row", "column"))


@pytest.mark.parametrize("patterns", STACKS, ids="-".join)
@pytest.mark.parametrize("chunk", [1, 5, ROW])
def test_past_the_caches_length_the_latest_rows_are_seen(
    patterns: tuple[str, ...], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windowed continuation equals full attention under a mask that forgets row by row."""
    length, rows_kept = 45, 3
    model = build(config_of(patterns))
    tokens, structure = rows(length)
    with torch.no_grad():
        cache = model.new_cache(2, rows_kept * ROW)
        pieces = [
            model.trunk(tokens[:, i : i + chunk], structure[:, i : i + chunk], cache)
            for i in range(0, length, chunk)
        ]
    row = np.arange(length) // ROW
    recent = row[:, None] - row[None, :] < rows_kept

    def windowed(q: Tensor, k: Tensor, v: Tensor, pattern: str, row_length: int, _: str) -> Tensor:
        seen = torch.from_numpy(mask(pattern, length, row_length) & recent)
        scores = torch.einsum("bihd,bjhd->bhij", q, k) * q.shape[-1] ** -0.5
        weights = scores.masked_fill(~seen, float("-inf")).softmax(-1).nan_to_num(0)
        return torch.einsum("bhij,bjhd->bihd", weights, v)

    monkeypatch.setattr(blocks, "attend", windowed)
    assert (torch.cat(pieces, 1) - model.trunk(tokens, structure)).abs().max() < 1e-11


def test_the_reference_backend_can_run_the_whole_model() -> None:
    model = build(VARIANTS[1])
    fast = model.nll(*rows(40))
    model.backend = "reference"
    assert torch.allclose(fast, model.nll(*rows(40)), atol=1e-11)


_DEEP = """
import dataclasses, resource, torch
from musenet.model.config import preset
from musenet.model.precision import matmul_dtype
from musenet.model.transformer import Transformer
config = preset("musenet-sparse", (600, 130, 129, 169, 33), (65, 17, 385, 17, 129, 129))
assert (config.layers, config.heads, config.context) == (72, 24, 4096)
config = dataclasses.replace(config, width=96)
model = Transformer(config, matmul_dtype("auto", torch.device("cpu")))
model.recompute = "full"
tokens = torch.randint(1, 30, (1, 4096, 5))
structure = torch.randint(1, 16, (1, 4096, 7))
structure[..., 6] = structure[..., 6].cumsum(1)  # time
first = model.nll(tokens, structure).sum(-1).mean()
first.backward()
with torch.no_grad():
    for p in model.parameters():
        p -= 0.05 * p.grad
second = model.nll(tokens, structure).sum(-1).mean()
assert second < first, (first, second)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.slow
def test_a_step_of_72_layers_and_24_heads_fits_in_6_gib() -> None:
    done = subprocess.run([sys.executable, "-c", _DEEP], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 6


def test_a_blended_row_is_a_mixture_of_two_sequences(
    opened: Callable[[ModelConfig], Transformer],
) -> None:
    """As mixup makes it of two sequences that differ in this row alone."""
    config = ModelConfig((9, 4), (3,), layers=2, heads=2, width=16, context=16, patterns=("dense",))
    model = opened(config)
    tokens = torch.randint(1, 4, (2, 7, 2))
    tokens[1] = tokens[0]
    tokens[:, 2, 0] = torch.tensor([7, 8])
    columns = torch.zeros((2, 7, 1), dtype=torch.long)
    mix = torch.tensor([0.3, 0.7]), torch.tensor([1, 0])
    with torch.no_grad():
        before = model.trunk(tokens, columns)
        blended = model.with_blends({7: {7: 0.3, 8: 0.7}})
        torch.testing.assert_close(
            blended.trunk(tokens[:1], columns[:1]), model.trunk(tokens, columns, mix=mix)[:1]
        )
        assert torch.equal(model.trunk(tokens, columns), before)
    assert blended.blocks is model.blocks


@pytest.mark.parametrize("head", ["cascade", "parallel", "delay"])
def test_the_logits_of_teacher_forcing_are_what_the_likelihood_is_of(head: str) -> None:
    model = build(replace(config_of(("dense",), layers=2), head=head))
    tokens, structure = rows(9)
    logits = model(tokens, structure)
    expected = model.nll(tokens, structure)
    assert [tuple(each.shape) for each in logits] == [(2, 8, size) for size in FIELDS]
    for field, each in enumerate(logits):
        loss = torch.nn.functional.cross_entropy(
            each.transpose(1, 2), tokens[:, 1:, field], reduction="none"
        )
        torch.testing.assert_close(loss, expected[..., field])
    if head == "delay":  # where later rows' first fields stand before a row's last
        return
    # its own later fields and all later rows change nothing of a row's logits
    other = tokens.clone()
    other[:, 5, 3:] = (other[:, 5, 3:] + 1) % 5
    other[:, 6:] = 0
    for each, changed in zip(logits[:4], model(other, structure)[:4], strict=True):
        torch.testing.assert_close(each[:, :5], changed[:, :5])


def test_values_outside_the_vocabulary_are_named() -> None:
    model = build(config_of(("dense",)))
    tokens, structure = rows(9)
    tokens[1, 4, 2] = 8
    with pytest.raises(InputError, match=r"field pitch of row 4 of sequence 1 is 8; .* 0 to 7"):
        model(tokens, structure)
    tokens[1, 4, 2], structure[0, 3, 1] = 0, -1
    with pytest.raises(InputError, match=r"structure bar of row 3 of sequence 0 is -1; .* 0 to 4"):
        model(tokens, structure)
    for wrong in ((tokens[0], structure[0]), (tokens[..., :3], structure), (tokens, tokens)):
        with pytest.raises(InputError, match=r"the shape \("):
            model(*wrong)
