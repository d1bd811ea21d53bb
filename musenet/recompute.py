"""Trading time for memory in training: what a layer keeps for its backward pass.

    none        everything
    selective   results of matmuls and attention; norms, rotations, activations are done again
    full        the layer's input alone

The gradients are the same to the last bit, because the same operations run on the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

RECOMPUTE = ("none", "selective", "full")

_aten = torch.ops.aten
_KEPT = [
    _aten.mm.default,
    _aten.addmm.default,
    _aten.bmm.default,
    _aten.baddbmm.default,
    _aten._scaled_dot_product_flash_attention_for_cpu.default,
    _aten._scaled_dot_product_flash_attention.default,
    _aten._scaled_dot_product_efficient_attention.default,
    _aten._scaled_dot_product_cudnn_attention.default,
]


def run(layer: Callable[[Tensor], Tensor], x: Tensor, recompute: str) -> Tensor:
    """layer(x), keeping for the backward pass what `recompute` says."""
    if recompute == "none" or not torch.is_grad_enabled():
        return layer(x)
    # Nothing in a layer is random, so no generator's state needs to be kept.
    again = partial(checkpoint, layer, x, use_reentrant=False, preserve_rng_state=False)
    if recompute == "full":
        result: Tensor = again()
    else:
        result = again(context_fn=partial(create_selective_checkpoint_contexts, _KEPT))
    return result
