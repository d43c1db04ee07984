"""A model's files onto this machine: weights, configuration and tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from huggingface_hub import constants, hf_hub_url

from napari_clip_heatmap.clip.hub.offline import how_by_hand
from napari_clip_heatmap.clip.hub.download import Remote, fetch, look_up, settle
from napari_clip_heatmap.clip.needed import Needed, all_here
from napari_clip_heatmap.clip.reasons import FETCH_ERRORS, reason
from napari_clip_heatmap.errors import Cancelled, ModelLoadError

__all__ = ["Cancel", "Progress", "bring", "obtain"]

Progress = Callable[[int, int], None]
"""Bytes that are here, and bytes in all."""

Cancel = Callable[[], bool]


def bring(
    name: str,
    files: Sequence[Needed],
    *,
    progress: Progress = lambda done, total: None,
    cancelled: Cancel = lambda: False,
    by_hand: Sequence[Needed] = (),
    complete: bool = True,
) -> list[Path]:
    """Download what the hub has newer, or this machine has not.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    files : sequence of Needed
    progress : callable(bytes_here, bytes_in_all), optional
    cancelled : callable() -> bool, optional
        Asked before every piece; what has come is kept, and the next call goes on from there.
    by_hand : sequence of Needed, optional
        What a person would have to bring to this machine, if not just the file that failed.
    complete : bool
        Whether these files are all there are; then their version is the one that is used from now
        on, and until then the one before.

    Returns
    -------
    list of Path
        In the order of `files`, without those that are not required and not there.

    Raises
    ------
    ModelLoadError
        A file cannot be had: which one, from where, why, and where to put it by hand.
    Cancelled
        `cancelled` said so.
    """
    remotes = []
    for needed in files:
        if cancelled():
            raise Cancelled("The download was cancelled before it began.")
        if remote := _found(name, needed, by_hand):
            remotes.append(remote)
    total = sum(remote.size or 0 for remote in remotes)
    before, paths = 0, []
    for remote in remotes:

        def tell(done: int, before: int = before) -> None:
            progress(before + done, total)

        try:
            paths.append(fetch(remote, progress=tell, cancelled=cancelled))
        except FETCH_ERRORS as error:
            raise _failure(name, remote.repository, remote.name, by_hand, error) from error
        before += remote.size or 0
        progress(before, total)
    if complete:
        _settle(name, remotes, by_hand)
    return paths


def obtain(name: str, files: Sequence[Needed]) -> list[Path]:
    """Return files as they are on this machine; only where one is missing, `bring` them."""
    if all_here(files):
        return [path for needed in files if (path := needed.here())]
    return bring(name, files)


def _settle(name: str, remotes: Sequence[Remote], by_hand: Sequence[Needed]) -> None:
    for remote in remotes:
        try:
            settle(remote)
        except OSError as error:
            raise _failure(name, remote.repository, remote.name, by_hand, error) from error


def _found(name: str, needed: Needed, by_hand: Sequence[Needed]) -> Remote | None:
    try:
        for each in needed.names:
            remote = look_up(needed.repository, each)
            if remote is not None:
                return remote
    except FETCH_ERRORS as error:
        raise _failure(name, needed.repository, needed.names[0], by_hand, error) from error
    if needed.required:
        raise ModelLoadError(
            f"'{needed.repository}' on {constants.ENDPOINT} has none of {', '.join(needed.names)}, "
            f"so '{name}' cannot be loaded from it."
        )
    return None


def _failure(
    name: str, repository: str, file: str, by_hand: Sequence[Needed], error: BaseException
) -> ModelLoadError:
    address = hf_hub_url(repository, file)
    to_bring = [hf_hub_url(each.repository, each.names[0]) for each in by_hand] or [address]
    return ModelLoadError(
        f"The file {file} of '{name}' could not be had from {address}: {reason(error)}. "
        f"{how_by_hand(name, to_bring)}"
    )
