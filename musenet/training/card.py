"""The model card of a checkpoint, generated from the record of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from musenet.model.config import ModelConfig


def card(name: str, config: ModelConfig, parameters: int, training: Mapping[str, Any]) -> str:
    """The text of a checkpoint's README.md.

    Args:
        name: of the model.
        config: its shape.
        parameters: how many it has.
        training: the content of `training.json`; `data`, `evaluation`, `remarks` and `notices`
            are optional.
    """
    parts = [
        f"# {name}\n\n"
        "A Transformer that continues and composes symbolic music, one token per note. Load it "
        f'with `musenet generate --weights {name}` or `musenet.load("{name}")`; nothing in this '
        "folder is pickled.\n",
        _shape(config, parameters),
        _recipe(training),
        _data(training.get("data")),
        _quality(training),
        _music(training.get("evaluation")),
        training.get("remarks", ""),
        _limits(training.get("data")),
        _notices(training.get("notices")),
    ]
    return "\n".join(part for part in parts if part)


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def _shape(config: ModelConfig, parameters: int) -> str:
    return (
        "## Shape\n\n"
        f"{parameters / 1e6:.2f} M parameters in bfloat16: {config.layers} layers of width "
        f"{config.width} with {config.heads} heads; attention by "
        f"{', '.join(dict.fromkeys(config.layer_patterns))} (rows of {config.row_length}); "
        f"{config.head} head; up to {config.context} tokens.\n"
    )


def _recipe(training: Mapping[str, Any]) -> str:
    settings, processes = training["settings"], training.get("processes", 1)
    weights = ", ".join(f"{k} × {v:g}" for k, v in sorted(settings["weights"].items()))
    return (
        "## Training\n\n"
        f"{_beginning(training.get('initial'))}{_averaged(training)}"
        f"{training['hours']:.2f} hours in {training['sessions']} session(s) with "
        f"{_many(training, '{} processes of ')}{settings['threads'] or 'all'} thread(s); "
        f"{training['steps']:,} steps, {training['notes'] / 1e6:.2f} M notes seen. "
        f"Windows of {settings['context']} tokens, {settings['batch']} per step; "
        f"optimizer {settings['optimizer']} (rates {settings['muon_rate']:g} for hidden matrices, "
        f"{settings['adam_rate']:g} for the rest; warm-up of {settings['warmup']} steps, "
        f"linear decay over the last {100 * settings['decay']:.0f} %); "
        f"matrix products in {settings['precision']}; "
        f"transposition by up to {settings['transpose']} semitones"
        f"{', volume' if settings['volume'] else ''}{', tempo' if settings['timing'] else ''}"
        f"{', mixup' if settings['mixup'] else ''} augmentation.\n\n"
        + (
            f"Corpora were drawn more or less often than their size: {weights}.\n\n"
            if weights
            else ""
        )
        + "All settings are in `training.json`. The command:\n\n"
        f"```\n{command(settings, processes)}\n```\n"
    )


def _beginning(initial: Mapping[str, Any] | None) -> str:
    """The training of the initial weights, back to the first run."""
    if not initial:
        return ""
    return (
        f"{_beginning(initial.get('initial'))}The run started from the weights {initial['name']} "
        f"({initial['hash']}{_mean_of(initial)}), which had seen "
        f"{initial['notes'] / 1e6:.2f} M notes in {initial['hours']:.2f} hours "
        f"{_many(initial, 'of {} processes ')}and {initial['steps']:,} steps "
        "(their settings are in `training.json` too). "
    )


def _many(training: Mapping[str, Any], words: str) -> str:
    """`words` with the number of processes, if there were several."""
    processes = training.get("processes", 1)
    return words.format(processes) if processes > 1 else ""


def _mean_of(training: Mapping[str, Any]) -> str:
    runs = training.get("averaged")
    return f", the mean of {len(runs)} runs" if runs else ""


def _averaged(training: Mapping[str, Any]) -> str:
    """The runs that were averaged, if any."""
    runs = training.get("averaged")
    if not runs:
        return ""
    seeds = ", ".join(_seed(run) for run in runs)
    seed_of = {
        run["hash"]: "that mean" if run.get("averaged") else f"that of seed {run['seed']}"
        for run in runs
    }
    began = "".join(
        f"; that of seed {run['seed']} began with {seed_of[run['initial']]}"
        for run in runs
        if run.get("initial") in seed_of
    )
    return (
        f"These weights are the mean of {len(runs)} runs with different seeds ({seeds}; "
        f"`musenet average`{began}); hours, steps and notes are the sums. "
    )


def _seed(run: Mapping[str, Any]) -> str:
    """The seed of a run; of a mean, those of its runs."""
    runs = run.get("averaged")
    return f"the mean of {' and '.join(_seed(each) for each in runs)}" if runs else str(run["seed"])


def command(settings: Mapping[str, Any], processes: int = 1) -> str:
    """The command that trains with these settings, without the defaults."""
    from dataclasses import asdict

    from .settings import Settings

    default = asdict(Settings())
    changes = {k: v for k, v in settings.items() if v != default.get(k)}
    start = f"torchrun --standalone --nproc-per-node {processes}" if processes > 1 else "python"
    words = [f"{start} train.py DATASET --out runs/mini"]
    for key, value in changes.items():
        if isinstance(value, dict):
            words += [f"--set {_word(f'{key}.{name}', inner)}" for name, inner in value.items()]
        elif value is not None:
            words.append(f"--set {_word(key, value)}")
    return " \\\n    ".join(words)


def _word(key: str, value: Any) -> str:
    """A setting as one word of a command line."""
    import json
    import shlex

    text = value if isinstance(value, str) else json.dumps(value)
    return shlex.quote(f"{key}={text}")


def _data(report: Mapping[str, Any] | None) -> str:
    if not report:
        return ""
    rows = [
        (corpus, by.get("train", {}).get("pieces", 0), f"{by.get('train', {}).get('notes', 0):,}")
        for corpus, by in report["corpora"].items()
    ]
    licences = [(name, count) for name, count in report["licences"].items()]
    return (
        "## Data\n\n"
        "Pieces that are equal up to transposition, tempo and order of parts are in one split, "
        "so the model was not trained on any arrangement of a held-out piece.\n\n"
        + _table(("source", "training pieces", "notes"), rows)
        + "\n"
        + _table(("licence, as the source states it", "pieces"), licences)
        + (
            "\nThe full report of `musenet prepare` is in `training.json`.\n"
            if "refused" in report
            else ""
        )
    )


def _quality(training: Mapping[str, Any]) -> str:
    figures = training.get("evaluation")
    if not figures:
        bits = training["validation_bits_per_note"]
        return (
            ""
            if bits is None
            else (
                "## Quality\n\n"
                f"{bits:.3f} bits per note on validation windows drawn equally from every source.\n"
            )
        )
    low, high = figures["interval"]
    baselines = [
        (f"counts, {name.replace('_', ' ')}", f"{part['bits_per_note']:.3f}")
        for name, part in figures.get("baselines", {}).items()
    ]
    fields = [(field, f"{bits:.3f}") for field, bits in figures["per_field"].items()]
    sources = [
        (source, f"{part['bits_per_note']:.3f}", part["pieces"], f"{part['notes']:,}")
        for source, part in figures["per_source"].items()
    ]
    return (
        "## Quality\n\n"
        f"On {figures['pieces']:,} held-out pieces ({figures['notes']:,} notes), given only "
        f"their meter, the model needs **{figures['bits_per_note']:.3f} bits per note** "
        f"({low:.3f}–{high:.3f}, 95 % over pieces). N-gram baselines on the same "
        "notes:\n\n"
        + _table(
            ("model", "bits per note"),
            [("this model", f"**{figures['bits_per_note']:.3f}**"), *baselines],
        )
        + "\n"
        + _table(("field", "bits per note"), fields)
        + "\n"
        + _table(("source", "bits per note", "pieces", "notes"), sources)
    )


def _music(figures: Mapping[str, Any] | None) -> str:
    """Generated music compared with held-out music, and what it copies."""
    found = (figures or {}).get("music")
    if not found:
        return ""
    rows = [
        (
            name.replace("_", " "),
            f"{part['ours']:.3f}",
            f"{part['real']:.3f}",
            f"{part['interval'][0]:.3f}–{part['interval'][1]:.3f}",
            "inside" if part["inside"] else f"{part['distance']:+.2f} standard deviations",
        )
        for name, part in found["statistics"].items()
    ]
    text = (
        "## The music it generates\n\n"
        f"{found['made']:,} generated pieces and {found['real']:,} held-out ones; the interval "
        "contains 95 % of the means of as many real pieces.\n\n"
        + _table(("statistic", "generated", "real", "interval", "generated mean"), rows)
    )
    return text + _originality(figures.get("originality") if figures else None)


def _originality(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    rows = [
        (
            words,
            f"{part['median_longest']:.0f}",
            f"{part['percentile_99']:.0f}",
            f"{part['longest']:.0f}",
            f"{100 * part['mean_covered']:.1f} %",
        )
        for words, part in (("generated", found["made"]), ("held-out", found["held_out"]))
    ]
    listed = [
        f"- {piece['name']}: {piece['longest']} notes, as in {piece['piece']}"
        for piece in found["too_close"]
    ]
    return (
        "\nThe longest run of notes, in any key, that a piece shares with one of "
        f"{found['library']:,} training pieces, and the share of its notes in runs of more than "
        f"{found['covered_means_more_than']}:\n\n"
        + _table(("pieces", "median", "99th percentile", "longest", "covered"), rows)
        + f"\n{len(listed)} generated pieces share a longer run than 99 % of the held-out ones"
        + (":\n\n" + "\n".join(listed) + "\n" if listed else ".\n")
    )


def _limits(report: Mapping[str, Any] | None) -> str:
    most = ""
    corpora = report["corpora"] if report else {}
    notes = {c: by["train"]["notes"] for c, by in corpora.items() if "train" in by}
    if notes:
        largest = max(notes, key=lambda corpus: notes[corpus])
        most = (
            f" Most notes come from {largest} ({100 * notes[largest] / sum(notes.values()):.0f} %)."
        )
    return (
        "## Limits and use\n\n"
        "For sketching, continuing and studying music. It knows European concert music, hymns, "
        "songs and some band music, and little or nothing of other traditions."
        + most
        + " Dynamics are flat in most of its sources. Its context is limited, and it does not plan "
        "whole pieces. It can repeat phrases of its training data.\n\n"
        "The weights are published under CC BY-SA 4.0; what you make with them is yours.\n"
    )


def _notices(notices: Mapping[str, str] | None) -> str:
    if not notices:
        return ""
    return "## Attribution\n\n" + "\n".join(
        f"### {source}\n\n{text.strip()}\n" for source, text in sorted(notices.items())
    )
