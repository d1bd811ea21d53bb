"""Choosing a decoder by engine name; all share the interface `decoder.Decoder`.

eager    PyTorch, in the model's precision, on any device (musenet.decoding.eager; for `delay` and
         `flatten` heads musenet.decoding.delayed)
int8     ONNX Runtime on a CPU, int8 weights (musenet.decoding.int8)
graphs   PyTorch on a CUDA GPU, a row's kernels replayed at once (musenet.decoding.cuda_graphs)
auto     int8 where available, else eager
"""

from __future__ import annotations

from musenet.model.stored import AnyModel, StoredModel
from tokenizer.errors import InputError, unknown

from . import int8
from .decoder import Decoder

ENGINES = ("auto", "eager", "int8", "graphs")


def resolve_engine(engine: str, model: AnyModel) -> str:
    """The engine that a name stands for, for a model.

    Raises:
        InputError: for an unknown name, or an engine that cannot run this model here.
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if engine == "eager":
        return engine
    reason = _graphs_hindrance(model) if engine == "graphs" else int8.hindrance(model)
    if engine == "auto":
        return "int8" if reason is None else "eager"
    if reason is not None:
        raise InputError(reason)
    return engine


def make_decoder(model: AnyModel, batch: int, engine: str) -> Decoder:
    """A decoder of `batch` sequences; all but `int8` take PyTorch and a Transformer.

    Raises:
        InputError: see `resolve_engine`.
    """
    engine = resolve_engine(engine, model)
    if engine == "int8":
        return int8.Int8Decoder(model, batch)
    if isinstance(model, StoredModel):
        from musenet.model.build import build

        model = build(model)
    if engine == "graphs":
        from .cuda_graphs import GraphDecoder

        return GraphDecoder(model, batch)
    if model.head.interleaving.name == "parallel":
        from .eager import EagerDecoder

        return EagerDecoder(model, batch)
    from .delayed import DelayedDecoder

    return DelayedDecoder(model, batch)


def _graphs_hindrance(model: AnyModel) -> str | None:
    from . import cuda_graphs

    if isinstance(model, StoredModel):
        return "the graphs engine needs a CUDA GPU; use --engine auto"
    return cuda_graphs.hindrance(model)
