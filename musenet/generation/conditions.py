"""What a request and its prompt say together: defaults, labels of the prefix, constraints."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from musenet.decoding.engines import resolve_engine
from musenet.export.parts import free_channels
from musenet.model.checkpoint import Checkpoint
from musenet.model.stored import AnyModel
from musenet.options import parse
from musenet.options.generate_options import GenerateOptions
from musenet.options.shared_options import SharedOptions
from musenet.options.timeline import Change
from musenet.sampling.constraints import Constraints, implied_by_prompt, longest_rest, usual_for
from musenet.sampling.processors.entrance import Entrance
from musenet.sampling.processors.instrument_balance import InstrumentBalance
from musenet.sampling.processors.loop_penalty import LoopPenalty
from musenet.sampling.processors.processor import ProcessorConfig
from musenet.sampling.processors.style_penalty import StylePenalty
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError, unknown
from tokenizer.instruments import DRUMS
from tokenizer.instruments import name as instrument_name
from tokenizer.labels import Labels

from .chords import chords_of, knows_chords
from .prompt import Prompt, blank

DEFAULT_TEMPO = 100.0

# Who plays a style that mostly bands play: often together in the training data, drums among them.
USUAL_BANDS = {
    "afrobeat": "electric guitar, trumpet, electric bass, drums",
    "afrocuban": "piano, trumpet, acoustic bass, drums",
    "blues": "piano, electric guitar, acoustic bass, drums",
    "bolero": "guitar, violin, acoustic bass, drums",
    "country": "steel guitar, electric guitar, acoustic bass, drums",
    "electronic": "square lead, sawtooth, synth bass, drums",
    "funk": "electric guitar, electric piano, electric bass, drums",
    "game": "square lead, strings, electric bass, drums",
    "gospel": "choir, piano, electric bass, drums",
    "highlife": "electric guitar, trumpet, electric bass, drums",
    "hiphop": "electric piano, jazz guitar, electric bass, drums",
    "jazz": "piano, acoustic bass, drums",
    "latin": "piano, guitar, acoustic bass, drums",
    "metal": "distortion guitar, overdriven guitar, electric bass, drums",
    "new_orleans": "trumpet, clarinet, banjo, tuba, drums",
    "polka": "accordion, clarinet, tuba, drums",
    "pop": "piano, electric guitar, electric bass, drums",
    "punk": "overdriven guitar, electric bass, drums",
    "reggae": "electric guitar, hammond organ, electric bass, drums",
    "rock": "overdriven guitar, electric guitar, electric bass, drums",
    "soul": "piano, alto sax, electric bass, drums",
    "world": "electric guitar, trumpet, electric bass, drums",
}

# How often a figure may be repeated where no prompt says how much this music repeats.
FRESH_LOOPS = LoopPenalty(repeats=4, rows=32)


def completed(
    options: GenerateOptions, prompt: Prompt | None, checkpoint: Checkpoint
) -> GenerateOptions:
    """A request with every default filled in, for the recipe.

    Music for drums is sampled at a lower temperature, and keeps the chords of its prompt unless it
    is given others: bands repeat patterns over a loop of chords. A new piece in a style of bands is
    for such a band.
    """
    if prompt is None:
        options = _for_usual_band(options)
        drums = DRUMS in (*options.instruments, *(options.only_instruments or ()))
    else:
        drums = bool((prompt.music.notes["program"] == DRUMS).any())
    chords = (
        prompt is not None
        and drums
        and options.keep_chords is None
        and knows_chords(checkpoint.tokenizer.vocabulary)
        and bool(chords_of(prompt).before(prompt.boundary).numbers.any())
    )
    return replace(
        options.completed(fresh=prompt is None, drums=drums, chords=chords),
        engine=resolve_engine(options.engine, checkpoint.network),
    )


def _for_usual_band(options: GenerateOptions) -> GenerateOptions:
    """A new piece in a style of bands that names neither players nor a composer, with players."""
    _, styles = asked_labels(options)
    bands = [USUAL_BANDS[style] for style in styles if style in USUAL_BANDS]
    if not bands or options.instruments or options.only_instruments or options.composer:
        return options
    return replace(options, instruments=parse.programs(bands[0]))


_FOR_ENCODINGS = frozenset(
    (
        *("bars", "length", "begin", "stop", "composer", "styles", "hear_as", "instruments"),
        *("find_beats", "tempo", "meter", "key", "pedal", "temperature", "top_k", "top_p", "min_p"),
        *("overlap", "seed", "seed_alone", "variations"),
    )
)
"""The options that weights of a learned encoding heed; the sampling of ids has no others."""


def for_encoding(options: GenerateOptions, encoding: LearnedTokenizer) -> GenerateOptions:
    """A request to weights of a learned encoding, without the defaults that do nothing there.

    Raises:
        InputError: if it asks for what only weights of compound rows can do.
    """
    options = replace(
        options,
        keep_chords=options.keep_chords or False,
        engine="eager" if options.engine == "auto" else options.engine,
    )
    usual = GenerateOptions(bars=options.bars, keep_chords=False, engine="eager")
    asked = [
        one.name
        for one in fields(options)
        if one.name not in _FOR_ENCODINGS and getattr(options, one.name) != getattr(usual, one.name)
    ]
    if any(len(shares) > 1 for asked_ in _blends(options).values() for shares in asked_):
        asked.append("blends of labels")
    if asked:
        raise InputError(
            f"these weights write the {encoding.encoding} encoding, which cannot heed "
            f"{', '.join(asked).replace('_', ' ')}; leave that out, or take other weights"
        )
    return options


def check_names(options: SharedOptions, vocabulary: Vocabulary) -> None:
    """Reject a composer or style that the model does not know.

    Raises:
        InputError: with the nearest known name.
    """
    for kind, asked in _blends(options).items():
        for name in (name for shares in asked for name in shares):
            if vocabulary.control(f"{kind}:{name}") is None:
                raise unknown(kind, name, vocabulary.names(kind))


def check_labels(options: GenerateOptions, vocabulary: Vocabulary) -> None:
    """Reject names that the model does not know, and guidance by nothing.

    Raises:
        InputError: with the nearest known name, or what guides.
    """
    check_names(options, vocabulary)
    if options.guidance != 1 and not (options.composer or options.styles):
        raise InputError(
            "--guidance strengthens composer and style; give --composer or --style too"
        )


def asked_labels(options: SharedOptions) -> tuple[str | None, tuple[str, ...]]:
    """The composer and the styles of the prefix; the first name of a blend stands for it."""
    composers, styles = ([next(iter(one)) for one in asked] for asked in _blends(options).values())
    return (composers[0] if composers else None), tuple(styles)


def sampled_model(checkpoint: Checkpoint, options: SharedOptions) -> AnyModel:
    """What is sampled from: the model, with labels that stand for blends embedded as these.

    The model was trained on mixtures of embeddings (mixup), and one row in the prefix costs
    nothing. To mix the predictions with each label instead would take a sequence for each, and
    write now as the one and now as the other.

    Args:
        checkpoint: with the model.
        options: the request; its engine is resolved.
    """
    vocabulary = checkpoint.tokenizer.vocabulary
    rows = {}
    for kind, asked in _blends(options).items():
        for shares in asked:
            values = {vocabulary.known([f"{kind}:{n}"])[0]: share for n, share in shares.items()}
            if len(values) > 1:
                rows[next(iter(values))] = values
    model = checkpoint.network if options.engine == "int8" else checkpoint.model
    return model.with_blends(rows) if rows else model


def _blends(options: SharedOptions) -> dict[str, list[dict[str, float]]]:
    """What composer and styles ask for, by kind of label."""
    return {"composer": parse.composers(options.composer), "style": parse.blends(options.styles)}


def labels(options: GenerateOptions, prompt: Prompt, tokenizer: Tokenizer) -> Labels:
    """The labels of the prefix: those of the prompt, overridden by the request."""
    found = tokenizer.labels(prompt.music)
    instruments = dict.fromkeys((*options.instruments, *found.instruments))
    if options.only_instruments is not None:
        instruments = dict.fromkeys(options.only_instruments)
    composer, styles = asked_labels(options)
    return replace(
        found,
        composer=composer,
        styles=styles,
        instruments=tuple(instruments),
        tempo=options.tempo or found.tempo or DEFAULT_TEMPO,
        key=options.key or found.key,
    )


def changed(options: GenerateOptions, change: Change) -> GenerateOptions:
    """A request as it is from a change of labels on."""
    return replace(
        options,
        composer=change.composer or options.composer,
        styles=change.styles or options.styles,
        instruments=() if change.instruments else options.instruments,
        only_instruments=change.instruments or options.only_instruments,
        tempo=change.tempo or options.tempo,
        key=change.key or options.key,
    )


def constraints(options: GenerateOptions, prompt: Prompt, *, settled: bool = False) -> Constraints:
    """The requested constraints, and those implied by the prompt or the number of instruments.

    Without a request, the instruments and the density of the prompt apply. Where a new piece is
    `settled`, past its first section, only the requested instruments go on.

    Raises:
        InputError: if an instrument is asked for and ruled out.
    """
    only = options.only_instruments
    if only is not None and (outside := set(options.instruments) - set(only)):
        raise InputError(
            f"--instrument asks for {instrument_name(min(outside))}, which --only-instruments "
            "leaves out; add it there, or drop one of the two"
        )
    limits = options.constraints()
    present = {part.program for part in prompt.parts}
    wanted = {*(options.only_instruments or ()), *options.instruments}
    if wanted and not present:
        limits = usual_for(limits, len(wanted))
    if options.only_instruments is not None:
        limits = replace(limits, programs=options.only_instruments)
    elif settled and not present and options.instruments and not options.new_instruments:
        limits = replace(limits, programs=options.instruments)
    elif present and not options.new_instruments and limits.programs is None:
        playing = np.unique(prompt.music.notes["program"]).tolist()
        limits = replace(limits, programs=tuple(sorted({*playing, *options.instruments})))
        if not options.instruments:
            heard = prompt.music.notes, prompt.music.ticks_per_quarter
            limits = replace(implied_by_prompt(limits, *heard), rest=longest_rest(*heard))
    room = len(present) + len(free_channels(prompt.file)) + (DRUMS not in present)
    return replace(limits, instruments=min(limits.instruments, room))


def wanted(options: GenerateOptions, prompt: Prompt) -> tuple[int, ...]:
    """The programs that are requested or in the prompt; empty if any will do."""
    if options.only_instruments is not None:
        return options.only_instruments
    present = np.unique(prompt.music.notes["program"]).tolist()
    return tuple(dict.fromkeys((*options.instruments, *present)))


def processors(
    options: GenerateOptions,
    prompt: Prompt,
    steps: tuple[int, int],
    tokenizer: Tokenizer,
) -> tuple[ProcessorConfig, ...]:
    """What leans on the draw in a stretch of the music.

    Args:
        options: the request as it is there.
        prompt: what stands before the music.
        steps: the first of the stretch, and the first after it.
        tokenizer: of the model.
    """
    body = tokenizer.body(prompt.music)
    asked = options.instruments or (options.only_instruments or ()) * bool(options.then)
    playing = set(np.unique(prompt.music.notes["program"]).tolist())
    fresh = not playing
    programs = wanted(options, prompt)
    same = not options.new_instruments and set(programs) == playing
    return (
        InstrumentBalance(options.instrument_balance, asked),
        StylePenalty(
            options.style_penalty,
            keep_key=(options.key is None or fresh) and options.chords is None,
            keep_texture=same and not fresh,
        ),
        replace(FRESH_LOOPS if fresh else LoopPenalty(), strength=options.loop_penalty),
        Entrance.within(steps, programs, body, tokenizer.vocabulary, options.entrance),
    )


def blank_prompt(options: GenerateOptions) -> Prompt:
    """The empty prompt of a new piece."""
    return blank(options.tempo or DEFAULT_TEMPO, options.meter or (4, 4), options.key)
