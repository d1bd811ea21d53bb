"""The device and the precision of matrix products."""

from __future__ import annotations

import torch

from tokenizer.errors import InputError


def device_of(name: str) -> torch.device:
    """The device named `cpu` or `cuda`, or the better one available (`auto`).

    Raises:
        InputError: if a CUDA device is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device is available; set device=cpu")
    return torch.device(name)


def matmul_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type of matrix products, for `bf16`, `fp32` or `auto`; weights stay in fp32 beside it.

    `auto` is bfloat16 where the hardware multiplies it: on GPUs, and on CPUs with AVX-512 or AMX.
    On other CPUs bfloat16 is fifty times slower than fp32. Never fp16, whose exponent range is
    too small for an unscaled loss.
    """
    if precision == "auto":
        fast = device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32
