"""Models on the Hugging Face Hub: fetched by `musenet.load("owner/name")`, put there by a method.

The only part of the library that speaks to a server, and only when it is asked to. Needs
`pip install 'musenet[hub]'`; HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE mean what they mean there.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from musenet.model.checkpoint import Checkpoint, save_checkpoint
from musenet.training.card import card
from tokenizer.errors import InputError

FILES = ("config.json", "model.safetensors", "tokenizer.json", "training.json", "README.md")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_TAGS = ("music", "midi", "symbolic-music", "music-generation")


def is_repository(name: str | os.PathLike[str]) -> bool:
    """Whether a name is an `owner/name` of the Hub and no folder here."""
    return _REPOSITORY.fullmatch(os.fspath(name)) is not None and not Path(name).exists()


def download(
    repository: str, folder: str | os.PathLike[str] | None = None, *, revision: str | None = None
) -> Path:
    """Fetch a checkpoint; what the cache has already is not fetched again.

    Args:
        repository: its `owner/name`.
        folder: where its files go; by default the Hub's cache.
        revision: a branch, a tag or a commit.

    Returns:
        The checkpoint's folder.

    Raises:
        InputError: without `huggingface_hub`, without a connection, or if there is no such model.
    """
    hub = _library(f"there is no folder {repository}, and to fetch it from the Hub ")
    with _said(repository):
        found = hub.snapshot_download(
            repository,
            revision=revision,
            local_dir=folder,
            allow_patterns=list(FILES),
            endpoint=os.environ.get("HF_ENDPOINT"),
        )
    return Path(found)


def push(
    checkpoint: Checkpoint,
    repository: str,
    *,
    licence: str,
    private: bool = False,
    token: str | None = None,
) -> str:
    """Upload a checkpoint, making the repository if there is none; returns its address.

    Args:
        checkpoint: to upload.
        repository: its `owner/name`.
        licence: the Hub's id of the weights' licence, such as `cc-by-sa-4.0`.
        private: whether a new repository is private.
        token: to write with; by default that of `hf auth login` or HF_TOKEN.

    Raises:
        InputError: without `huggingface_hub` or a connection, or if the Hub refuses.
    """
    hub = _library()
    if not is_repository(repository):
        raise InputError(f"'{repository}' is no repository of the Hub; give owner/name")
    name = repository.partition("/")[2]
    text = f"---\n{metadata(checkpoint, name, licence)}\n---\n\n{_card(checkpoint, repository)}"
    api = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / name
        save_checkpoint(folder, checkpoint.model, checkpoint.tokenizer, checkpoint.training, text)
        with _said(repository):
            api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repository, folder_path=folder, commit_message=f"musenet {checkpoint.hash}"
            )
    return f"{api.endpoint}/{repository}"


def _card(checkpoint: Checkpoint, repository: str) -> str:
    """The text of the model card: what the record of the training says, and how to load it."""
    name, record = repository.partition("/")[2], checkpoint.training
    text = f"# {name}\n\nA model for musenet.\n"
    if "settings" in record:
        parameters = sum(p.numel() for p in checkpoint.model.parameters())
        text = card(name, checkpoint.config, parameters, record)
    return f'{text}\n```python\nmodel = musenet.load("{repository}")\n```\n'


def metadata(checkpoint: Checkpoint, name: str, licence: str) -> str:
    """The YAML at the top of a model card: licence, library, tags, and figures if any."""
    hub = _library()
    figures = checkpoint.training.get("evaluation") or {}
    results = None
    if "bits_per_note" in figures:
        results = [
            hub.EvalResult(
                task_type="music-generation",
                dataset_type="midi",
                dataset_name=f"{figures.get('pieces', 0):,} held-out pieces",
                metric_type="bits-per-note",
                metric_value=round(figures["bits_per_note"], 4),
            )
        ]
    data = hub.ModelCardData(
        license=licence,
        library_name="musenet",
        tags=list(_TAGS),
        model_name=name,
        eval_results=results,
    )
    text: str = data.to_yaml()
    return text.strip()


def _library(why: str = "") -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise InputError(
            f"{why}huggingface_hub is not installed; pip install 'musenet[hub]'"
        ) from error
    return huggingface_hub


@contextmanager
def _said(repository: str) -> Iterator[None]:
    """Within the context, what the Hub or the way to it refuses is one sentence."""
    from huggingface_hub import errors

    try:
        yield
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"the Hub has no model {repository}, or it is private and needs a token, and there is "
            "no folder of that name here"
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise InputError(
            f"cannot reach the Hub for {repository}, and it has not been downloaded before; "
            "connect, or give a folder"
        ) from error
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(f"the Hub refuses {repository}: {first}") from error
    except Exception as error:  # its HTTP library's own errors, which differ between versions
        if "Connect" not in type(error).__name__ and "Timeout" not in type(error).__name__:
            raise
        raise InputError(
            f"cannot reach the Hub for {repository}; try again when connected"
        ) from error
