"""The dataset folder: shards, the table of pieces, windows with augmentation."""
