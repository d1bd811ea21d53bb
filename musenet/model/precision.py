"""Where the arithmetic happens: the device, and the precision of matrix products."""

from __future__ import annotations

import torch

from tokenizer.errors import InputError


def device_of(name: str) -> torch.device:
    """The device called `cpu`, `cuda`, or the better one there is (`auto`)."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device can be used here; give device=cpu")
    return torch.device(name)


def matmul_dtype(precision: str) -> torch.dtype:
    """The type of matrix products, `bf16` or `fp32`; weights stay in fp32 beside it.

    Never fp16, which has no exponent to spare for a loss that is not scaled.
    """
    return torch.bfloat16 if precision == "bf16" else torch.float32
