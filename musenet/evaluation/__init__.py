"""Evaluation: likelihood, musical statistics and originality."""
