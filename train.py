"""Train a model: `python train.py DATASET --preset mini --out RUN`. The same as `musenet train`."""

from musenet.cli.main import run

if __name__ == "__main__":
    run("train")
