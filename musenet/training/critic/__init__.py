"""The critic: a head that tells real music from generated, its data and training."""
