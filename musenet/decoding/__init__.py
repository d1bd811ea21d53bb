"""Decoders: the network row by row, in PyTorch, as CUDA graphs or with int8 weights."""
