"""The network: configuration, Transformer, heads, checkpoints."""
