"""Decoders: row-by-row inference in PyTorch, as CUDA graphs or with int8 weights."""
