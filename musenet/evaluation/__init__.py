"""Evaluation: what a model is worth, in bits, in musical statistics and in originality."""
