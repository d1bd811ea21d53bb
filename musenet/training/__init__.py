"""Training: from a dataset folder to a run folder with weights, checkpoints and curves."""
