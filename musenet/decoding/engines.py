"""Choosing a decoder by engine name; all share the interface `decoder.Decoder`.

eager    PyTorch, in the model's precision, on any device (musenet.decoding.eager; for `delay` and
         `flatten` heads musenet.decoding.delayed)
int8     ONNX Runtime on a CPU, int8 weights (musenet.decoding.int8)
graphs   PyTorch on a CUDA GPU, a row's kernels replayed at once (musenet.decoding.cuda_graphs)
auto     int8 where available, else eager
"""

from __future__ import annotations

from collections.abc import Callable

from musenet.model.transformer import Transformer
from tokenizer.errors import InputError, unknown

from . import cuda_graphs, int8
from .decoder import Decoder
from .delayed import DelayedDecoder
from .eager import EagerDecoder

ENGINES = ("auto", "eager", "int8", "graphs")


def resolve_engine(engine: str, model: Transformer) -> str:
    """The engine that a name stands for, for a model.

    Raises:
        InputError: for an unknown name, or an engine that cannot run this model here.
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if engine == "eager":
        return engine
    reason = cuda_graphs.hindrance(model) if engine == "graphs" else int8.hindrance(model)
    if engine == "auto":
        return "int8" if reason is None else "eager"
    if reason is not None:
        raise InputError(reason)
    return engine


def make_decoder(model: Transformer, batch: int, engine: str) -> Decoder:
    """A decoder of `batch` sequences; create and use it with gradients disabled.

    Raises:
        InputError: see `resolve_engine`.
    """
    made: dict[str, Callable[[Transformer, int], Decoder]] = {
        "eager": EagerDecoder if model.head.interleaving.name == "parallel" else DelayedDecoder,
        "int8": int8.Int8Decoder,
        "graphs": cuda_graphs.GraphDecoder,
    }
    return made[resolve_engine(engine, model)](model, batch)
