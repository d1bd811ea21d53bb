"""The gallery: every example prompt continued once by default, and what became of it as a table.

    python benchmarks/gallery.py [--weights mini] [--bars 16] [--keep]

Each prompt of `examples/prompts` and `examples/user_prompts` is continued with seed 0 and no other
option; then come four fills and four accompaniments, in the same way. With `--keep` the MIDI files
go to `examples/continuations` and `examples/edits`, and the pictures to `docs/pictures`, as they
are in the repository.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/tokenizer.py would be found as the package

import musenet  # noqa: E402
from musenet.api import FilledSong  # noqa: E402
from musenet.evaluation.parts_kept import parts_kept  # noqa: E402

EXAMPLES = ROOT / "examples"
FILLS = {
    "pop": {"bars": "5-6"},
    "quartet": {"bars": "3-6"},
    "jazz": {"bars": "5-8", "instruments": "piano"},
    "orchestra": {"bars": "3-4", "instruments": "violin"},
}
ACCOMPANIMENTS = {
    "pop": {"tracks": "Bass"},
    "folk": {"instruments": "bass,drums"},
    "chorale": {"instruments": "organ"},
    "piano": {"instruments": "cello"},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    model = musenet.load(asked.weights)
    print("| prompt | notes per bar | in the key | parts kept | seconds |\n|---|---|---|---|---|")
    for folder in ("prompts", "user_prompts"):
        for path in sorted((EXAMPLES / folder).iterdir()):
            began = time.perf_counter()
            song = model.generate(path, bars=asked.bars, seed=0)[0]
            seconds = time.perf_counter() - began
            if asked.keep:
                song.save(EXAMPLES / "continuations" / f"{path.stem}.mid")
                song.picture(ROOT / "docs" / "pictures" / f"{path.stem}.png")
            new, prompt = song.result.adherence.new, song.result.adherence.prompt
            kept = parts_kept(song.score, song.result.boundary, asked.bars).figures()["score"]
            assert prompt is not None
            print(
                f"| {path.stem} | {new.notes_per_bar:.0f} (prompt {prompt.notes_per_bar:.0f}) "
                f"| {new.in_key:.0%} ({prompt.in_key:.0%}) "
                f"| {'–' if kept is None else f'{kept:.2f}'} | {seconds:.1f} |",
                flush=True,
            )
    print("\n| song | asked for | new notes |\n|---|---|---|")
    for what, request in (("fill", FILLS), ("accompany", ACCOMPANIMENTS)):
        for name, options in request.items():
            write: Callable[..., list[FilledSong]] = getattr(model, what)
            edited = write(EXAMPLES / "prompts" / f"{name}.mid", seed=0, **options)[0]
            if asked.keep:
                edited.save(EXAMPLES / "edits" / f"{what}_{name}.mid")
            words = ", ".join(f"{key} {value}" for key, value in options.items())
            print(f"| {name} | {what}: {words} | {edited.take.notes} |", flush=True)


if __name__ == "__main__":
    main()
