"""How often every instrument that was asked for plays, with entrances and without.

    python benchmarks/entrances.py --weights mini --bars 8 --seeds 2

Music is written from nothing for 21 requests of three to five instruments. For each setting of
`--entrance`:

    all play       share of takes in which every instrument asked for plays
    instruments    share of the instruments asked for that play
    first          quarter notes until the last of them enters, median over takes where all do
    bars           share of the bars in which each of them plays
    rarest         the same of the one that plays least, mean over takes
    notes/s        of all takes
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.generation.session import Continuation
from musenet.model.checkpoint import load_checkpoint
from musenet.options.generate_options import GenerateOptions

REQUESTS: tuple[tuple[str, str], ...] = (
    ("rock", "electric guitar,electric bass,drums"),
    ("rock", "overdriven guitar,distortion guitar,electric bass,drums"),
    ("pop", "piano,acoustic guitar,electric bass,drums"),
    ("pop", "electric piano,strings,synth bass,drums,lead"),
    ("jazz", "piano,acoustic bass,drums"),
    ("jazz", "tenor sax,trumpet,piano,acoustic bass,drums"),
    ("jazz", "vibraphone,electric guitar,acoustic bass"),
    ("blues", "harmonica,electric guitar,electric bass,drums"),
    ("funk", "clavinet,electric guitar,slap bass,drums"),
    ("latin", "piano,trumpet,acoustic bass,drums"),
    ("reggae", "organ,electric guitar,electric bass,drums"),
    ("folk", "violin,flute,acoustic guitar"),
    ("folk", "accordion,violin,acoustic bass"),
    ("baroque", "violin,cello,harpsichord"),
    ("baroque", "oboe,violin,cello,harpsichord"),
    ("classical", "violin,viola,cello"),
    ("classical", "flute,oboe,clarinet,bassoon,horn"),
    ("romantic", "piano,violin,cello"),
    ("", "strings,harp,flute"),
    ("", "trumpet,trombone,tuba"),
    ("", "choir,organ,strings,timpani"),
)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--bars", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    checkpoint = load_checkpoint(arguments.weights)
    known = checkpoint.tokenizer.vocabulary.names("style")
    names = ("all play", "instruments", "first", "bars", "rarest", "notes/s")
    print(f"{'entrance':10}" + "".join(f"{name:>13}" for name in names))
    for entrance in (0.0, 1.0):
        complete, playing, entered, bars, rarest, notes = [], [], [], [], [], 0
        began = time.perf_counter()
        for style, instruments in REQUESTS:
            for seed in range(arguments.seeds):
                options = GenerateOptions.from_keywords(
                    styles=style if style in known else (),
                    instruments=instruments,
                    bars=arguments.bars,
                    seed=seed,
                    entrance=entrance,
                )
                continuation = Continuation(checkpoint, None, options)
                for _ in continuation.steps():
                    pass
                (result,) = continuation.results()
                found = result.score.notes
                bar = 4 * result.score.ticks_per_quarter
                first = [
                    found["start"][found["program"] == program].min(initial=1 << 30)
                    for program in options.instruments
                ]
                share = [
                    len(np.unique(found["start"][found["program"] == program] // bar))
                    / arguments.bars
                    for program in options.instruments
                ]
                bars += share
                rarest.append(min(share))
                here = [begin < 1 << 30 for begin in first]
                playing += here
                complete.append(all(here))
                if all(here):
                    entered.append(max(first) / result.score.ticks_per_quarter)
                notes += len(found)
        speed = notes / (time.perf_counter() - began)
        print(
            f"{entrance:<10g}{np.mean(complete):>13.0%}{np.mean(playing):>13.0%}"
            f"{np.median(entered):>13.1f}{np.mean(bars):>13.0%}{np.mean(rarest):>13.0%}{speed:>13.0f}"
        )


if __name__ == "__main__":
    main()
