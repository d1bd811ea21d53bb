"""What a request and its prompt say together: labels of the prefix, constraints, a new piece."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from musenet.export import merge
from musenet.sampling.constraints import Constraints, implied_by_prompt, usual_for
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import unknown
from tokenizer.instruments import DRUMS
from tokenizer.labels import Labels

from .options import GenerateOptions
from .prompt import Prompt, blank
from .shared_options import SharedOptions

DEFAULT_TEMPO = 100.0


def check_names(options: SharedOptions, vocabulary: Vocabulary) -> None:
    """Reject a composer or style that the model does not know.

    Raises:
        InputError: with the nearest known name.
    """
    if options.composer and vocabulary.control(f"composer:{options.composer}") is None:
        raise unknown("composer", options.composer, vocabulary.names("composer"))
    for style in options.styles:
        if vocabulary.control(f"style:{style}") is None:
            raise unknown("style", style, vocabulary.names("style"))


def labels(options: GenerateOptions, prompt: Prompt, tokenizer: Tokenizer) -> Labels:
    """The labels of the prefix: those of the prompt, overridden by the request."""
    found = tokenizer.labels(prompt.music)
    instruments = dict.fromkeys((*options.instruments, *found.instruments))
    if options.only_instruments is not None:
        instruments = dict.fromkeys(options.only_instruments)
    return replace(
        found,
        composer=options.composer,
        styles=options.styles,
        instruments=tuple(instruments),
        tempo=options.tempo or found.tempo or DEFAULT_TEMPO,
        key=options.key or found.key,
    )


def constraints(options: GenerateOptions, prompt: Prompt) -> Constraints:
    """The requested constraints, and those implied by the prompt or the number of instruments.

    Without a request, the instruments and the density of the prompt apply.
    """
    limits = options.constraints()
    parts = merge.parts_of(prompt.file)
    present = {part.program for part in parts}
    wanted = {*(options.only_instruments or ()), *options.instruments}
    if wanted and not present:
        limits = usual_for(limits, len(wanted))
    if options.only_instruments is not None:
        limits = replace(limits, programs=options.only_instruments)
    elif present and not options.new_instruments and limits.programs is None:
        playing = np.unique(prompt.music.notes["program"]).tolist()
        limits = replace(limits, programs=tuple(sorted({*playing, *options.instruments})))
        if not options.instruments:
            limits = implied_by_prompt(limits, prompt.music.notes, prompt.music.ticks_per_quarter)
    room = len(present) + len(merge.free_channels(prompt.file)) + (DRUMS not in present)
    return replace(limits, instruments=min(limits.instruments, room))


def blank_prompt(options: GenerateOptions) -> Prompt:
    """The empty prompt of a new piece."""
    return blank(options.tempo or DEFAULT_TEMPO, options.meter or (4, 4), options.key)
