"""Engines of single steps: int8 stays near, keeps sequences apart, and greedy choices agree."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from musenet.config import ModelConfig
from musenet.step import ENGINES, Step, int8_is_fast, resolve
from musenet.transformer import Transformer
from tokenizer.errors import InputError

FIELDS, STRUCTURE = (40, 9, 30, 7, 5), (6, 5, 7, 5, 9, 9)
CONFIG = ModelConfig(
    FIELDS,
    STRUCTURE,
    layers=3,
    heads=4,
    width=64,
    context=64,
    row_length=8,
)


def build(config: ModelConfig = CONFIG) -> Transformer:
    torch.manual_seed(0)
    model = Transformer(config)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def rows(length: int, batch: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(1)
    tokens, structure = (
        torch.stack([torch.randint(0, s, (batch, length), generator=g) for s in sizes], -1)
        for sizes in (FIELDS, STRUCTURE)
    )
    return tokens, structure


@torch.no_grad()
def steps(model: Transformer, engine: str, tokens: Tensor, structure: Tensor) -> Tensor:
    model.engine = engine
    cache = model.new_cache(tokens.shape[0])
    assert cache.step is not None
    assert cache.step.engine == engine
    return torch.cat(
        [
            model.trunk(tokens[:, i : i + 1], structure[:, i : i + 1], cache)
            for i in range(tokens.shape[1])
        ],
        1,
    )


def test_eager_steps_are_the_full_pass() -> None:
    model, (tokens, structure) = build(), rows(40, 2)
    with torch.no_grad():
        full = model.trunk(tokens, structure)
    assert (steps(model, "eager", tokens, structure) - full).abs().max() < 1e-4


def test_bf16_steps_are_near_the_full_pass_in_bf16() -> None:
    model, (tokens, structure) = build(), rows(40, 2)
    with torch.no_grad():
        exact = model.trunk(tokens, structure)
        model.compute = torch.bfloat16
        full = model.trunk(tokens, structure)
        found = steps(model, "eager", tokens, structure)
    assert found.dtype == torch.bfloat16
    assert (found - exact).norm() < 1.5 * (full - exact).norm()


def test_int8_stays_within_two_percent() -> None:
    model, (tokens, structure) = build(), rows(40, 2)
    exact, rough = (steps(model, engine, tokens, structure) for engine in ("eager", "int8"))
    assert 0 < (exact - rough).norm() / exact.norm() < 0.02


def test_int8_numbers_do_not_depend_on_the_sequences_beside() -> None:
    """A row is rounded by itself, so that only the rounding of fp32 is left."""
    model, (tokens, structure) = build(), rows(12, 5)
    together = steps(model, "int8", tokens, structure)
    for i in range(5):
        alone = steps(model, "int8", tokens[i : i + 1], structure[i : i + 1])
        assert torch.allclose(alone, together[i : i + 1], atol=1e-5)


def test_greedy_choices_agree_unless_the_top_two_are_close() -> None:
    model, (tokens, structure) = build(), rows(60, 2)
    logits = [
        torch.nn.functional.linear(steps(model, engine, tokens, structure), model.head.out[0])
        for engine in ("eager", "int8")
    ]
    top = logits[0].topk(2, dim=-1).values
    tolerance = 2 * (logits[0] - logits[1]).abs().amax(-1)
    clear = top[..., 0] - top[..., 1] > tolerance
    assert clear.float().mean() > 0.5
    assert torch.equal(logits[0].argmax(-1)[clear], logits[1].argmax(-1)[clear])


def test_auto_takes_int8_for_large_models_on_cpus_that_are_fast_at_it() -> None:
    with torch.device("meta"):
        small = Transformer(CONFIG)
        large = Transformer(ModelConfig(FIELDS, STRUCTURE, layers=6, width=512))
    assert resolve("auto", small) == "eager"
    assert resolve("auto", large) == "eager"
    large.to_empty(device="cpu")
    assert resolve("auto", large) == ("int8" if int8_is_fast() else "eager")


def test_an_unknown_engine_is_refused() -> None:
    model = build()
    model.engine = "int4"
    with torch.no_grad(), pytest.raises(InputError, match="did you mean 'int8'"):
        model.new_cache(1)
    assert set(ENGINES) == {"auto", "eager", "int8"}


def test_other_networks_go_through_their_layers() -> None:
    from musenet.config import faithful

    assert Step.supports(build())
    assert not Step.supports(build(faithful(CONFIG)))


def test_a_model_made_in_inference_mode_can_generate() -> None:
    with torch.inference_mode():
        model, (tokens, structure) = build(), rows(9, 1)
        full = model.trunk(tokens, structure)
        assert (steps(model, "eager", tokens, structure) - full).abs().max() < 1e-4
