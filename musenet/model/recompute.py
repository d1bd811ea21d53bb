"""Activation checkpointing: what a layer saves for its backward pass.

    none        everything
    selective   results of matmuls and attention; norms, rotations, activations are recomputed
    full        only the layer's input

The gradients are the same to the last bit, because the same operations run on the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

RECOMPUTE = ("none", "selective", "full")

_KEPT = {
    "aten::mm",
    "aten::addmm",
    "aten::bmm",
    "aten::baddbmm",
    "musenet::dense_attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "aten::_flash_attention_forward",
    "aten::_efficient_attention_forward",
    "xformers_flash::flash_fwd",
}


def run(layer: Callable[[Tensor], Tensor], x: Tensor, recompute: str) -> Tensor:
    """layer(x), saving for the backward pass what `recompute` says."""
    if recompute == "none" or not torch.is_grad_enabled():
        return layer(x)
    # Nothing in a layer is random, so no generator state needs to be saved.
    again = partial(checkpoint, layer, x, use_reentrant=False, preserve_rng_state=False)
    if recompute == "full":
        result: Tensor = again()
    else:
        result = again(context_fn=partial(create_selective_checkpoint_contexts, _policy))
    return result


def _policy(_context: Any, operator: Any, *_: Any, **__: Any) -> CheckpointPolicy:
    kept = operator._schema.name in _KEPT
    return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE
