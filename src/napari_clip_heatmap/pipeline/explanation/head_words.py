"""What a head looks for: the words that its outputs over many images vary along (TextSpan).

Of each head the contributions to the embeddings of many tiles are taken, and words are chosen one
after another: the word whose direction the contributions vary along most; then what it explains is
taken out of the contributions and of the other words (arXiv 2310.05916, algorithm 1).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import OutputError, SettingsError
from napari_clip_heatmap.pipeline.explanation.explain import Step, finish, require_model
from napari_clip_heatmap.pipeline.explanation.explanation import head_label
from napari_clip_heatmap.pipeline.explanation.tile_heads import TiledImage, computed, tile_heads
from napari_clip_heatmap.user_folders import data_root
from napari_clip_heatmap.validation import integer

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = [
    "HeadWords",
    "describe_heads",
    "describe_steps",
    "head_words_of",
    "read_words",
    "span_words",
]

RANK = 80
"""Directions that a head's contributions are described in, at most, as in the authors' code."""

LEAST_TILES = 8
"""Tiles below which nothing can be said of how a head's contributions vary."""

_SPREAD = 1e-12
"""Fraction of the variance below which nothing is left to explain."""

_LEAST_SIZE = 1e-5
"""Singular values below this fraction of the largest are rounding errors of single precision."""

Vectors = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class HeadWords:
    """The words that describe each head of a model, the best first.

    Parameters
    ----------
    words : tuple of tuple of tuple of str
        By layer, head and rank; fewer than asked for where a head varies along fewer directions.
    explained : tuple of tuple of tuple of float
        Fraction of the variance of the head's contributions that the words up to this one explain.
    weights_sha256 : str
        Of the model.
    model : str
        Its name.
    n_images, n_tiles, n_words : int
        What they were chosen from.

    Examples
    --------
    >>> found = nch.describe_heads(model, images, words)  # doctest: +SKIP
    >>> found.words[3][1][0]  # doctest: +SKIP
    'round spots'
    """

    words: tuple[tuple[tuple[str, ...], ...], ...]
    explained: tuple[tuple[tuple[float, ...], ...], ...]
    weights_sha256: str
    model: str
    n_images: int
    n_tiles: int
    n_words: int

    def __repr__(self) -> str:
        return (
            f"HeadWords({self.model!r}, layers={len(self.words)}, heads={len(self.words[0])}, "
            f"images={self.n_images}, tiles={self.n_tiles}, words={self.n_words})"
        )

    def rows(self) -> list[dict[str, object]]:
        """Return one JSON-able row for each head: label, words and explained variance."""
        return [
            {
                "head": head_label(layer, head),
                "words": list(words),
                "explained": [round(value, 6) for value in self.explained[layer][head]],
            }
            for layer, heads in enumerate(self.words)
            for head, words in enumerate(heads)
        ]

    def save(self, path: str | Path | None = None) -> Path:
        """Write them as JSON, by default where the viewer finds them for this model.

        Raises
        ------
        OutputError
            The disk refuses.
        """
        path = _file_of(self.weights_sha256) if path is None else Path(path)
        content = {
            "version": 1,
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "images": self.n_images,
            "tiles": self.n_tiles,
            "words": self.n_words,
            "heads": self.rows(),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.part")
            draft.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            raise OutputError(
                f"the words of heads could not be written to {path}: {error}"
            ) from error
        return path


def head_words_of(weights_sha256: str) -> HeadWords | None:
    """Return the words that were found for a model before, or None.

    Parameters
    ----------
    weights_sha256 : str
        Of the model, ``model.weights_sha256``.

    Raises
    ------
    SettingsError
        The file is there and cannot be read.
    """
    path = _file_of(weights_sha256)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _parsed(content)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SettingsError(
            f"the words of heads in {path} cannot be read ({type(error).__name__}: {error}); "
            "delete the file and run clip-heatmap heads again"
        ) from error


def describe_heads(
    model: ClipModel,
    images: Iterable[Any],
    words: Sequence[str],
    *,
    count: int = 5,
    tiles_per_image: int = 16,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> HeadWords:
    """Return the words that the contributions of each head vary along most, over many images.

    Parameters
    ----------
    model : ClipModel
    images : iterable of arrays
        Each as `encode` takes it; read one after another.
    words : sequence of str
        To choose from: hundreds, of all that may be in the images.
    count : int
        Words for each head, at most.
    tiles_per_image : int
        Of a larger image so many tiles count, evenly spread.
    progress : callable(done_tiles, total_tiles_of_the_image), optional
    cancelled : callable() -> bool, optional
        Called before each tile.

    Returns
    -------
    HeadWords
        Its method ``save()`` keeps it where the viewer finds it.

    Raises
    ------
    SettingsError
        There are too few words or tiles.
    Cancelled
    """
    steps = describe_steps(model, images, words, count=count, tiles_per_image=tiles_per_image)
    return finish(steps, progress, cancelled)


def describe_steps(
    model: ClipModel,
    images: Iterable[Any],
    words: Sequence[str],
    *,
    count: int = 5,
    tiles_per_image: int = 16,
) -> Generator[Step, None, HeadWords]:
    """Do what `describe_heads` says, tile by tile; yields tiles done and all of the image."""
    require_model(model)
    listed = _checked_words(words)
    count = integer("count", count, 1, len(listed))
    integer("tiles_per_image", tiles_per_image, 1, 2**31)
    samples, n_images = [], 0
    for image in images:
        n_images += 1
        samples += yield from _sampled(model, image, tiles_per_image)
    if len(samples) < LEAST_TILES:
        raise SettingsError(
            f"{n_images} images have {len(samples)} tiles; at least {LEAST_TILES} are needed to "
            "say along which words a head varies: give more or larger images"
        )
    found = _of_every_head(np.stack(samples), model.encode_text(listed).double().numpy(), count)
    return HeadWords(
        words=tuple(
            tuple(tuple(listed[number] for number in chosen) for chosen, _ in heads)
            for heads in found
        ),
        explained=tuple(tuple(tuple(explained) for _, explained in heads) for heads in found),
        weights_sha256=model.weights_sha256,
        model=model.name,
        n_images=n_images,
        n_tiles=len(samples),
        n_words=len(listed),
    )


def _checked_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return each word once; raise `SettingsError` if there is nothing to choose from."""
    listed = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    if len(listed) < 2:
        raise SettingsError(
            f"{len(listed)} words were given; at least 2 are needed to choose from, and hundreds "
            "are usual"
        )
    return listed


def _of_every_head(
    samples: NDArray[np.float32], directions: Vectors, count: int
) -> list[list[tuple[list[int], list[float]]]]:
    """Return the words of each head by layer, from samples (tile, layer, head, d_embed)."""
    _, n_layers, n_heads, _ = samples.shape
    return [
        [span_words(samples[:, layer, head], directions, count) for head in range(n_heads)]
        for layer in range(n_layers)
    ]


def read_words(path: Path) -> list[str]:
    """Return the words of a text file, one a line; empty lines are left out.

    Raises
    ------
    SettingsError
        The file is missing, or no text in UTF-8.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read as a list of words ({error}); give a text file in UTF-8 with "
            "one word a line"
        ) from error
    return [line.strip() for line in lines if line.strip()]


def span_words(
    contributions: NDArray[np.floating[Any]], directions: NDArray[np.floating[Any]], count: int
) -> tuple[list[int], list[float]]:
    """Choose the directions that vectors vary along, one after another (TextSpan).

    Parameters
    ----------
    contributions : float (sample, d_embed)
    directions : float (word, d_embed)
    count : int

    Returns
    -------
    list of int, list of float
        Numbers of the words, and the fraction of the variance that is explained up to each.
    """
    samples = np.asarray(contributions, np.float64)
    words = _within_span(samples, np.asarray(directions, np.float64))
    samples = samples - samples.mean(axis=0)
    total = float(np.square(samples).sum())
    chosen: list[int] = []
    explained: list[float] = []
    left = total
    while len(chosen) < count and left > _SPREAD * total:
        spread = (samples @ words.T).std(axis=0)
        best = int(spread.argmax())
        length = float(words[best] @ words[best])
        if spread[best] ** 2 * len(samples) <= _SPREAD * total or length == 0:
            break
        along = words[best] / np.sqrt(length)
        samples = samples - np.outer(samples @ along, along)
        words = words - np.outer(words @ along, along)
        left = float(np.square(samples).sum())
        chosen.append(best)
        explained.append(1 - left / total)
    return chosen, explained


def _within_span(samples: Vectors, directions: Vectors) -> Vectors:
    """Return directions projected onto what the samples span, so that only that part counts."""
    _, sizes, basis = np.linalg.svd(samples, full_matrices=False)
    basis = basis[:RANK][sizes[:RANK] > sizes[0] * _LEAST_SIZE]
    inside: Vectors = (directions @ basis.T) @ basis
    return inside


def _sampled(
    model: ClipModel, image: Any, most: int
) -> Generator[Step, None, list[NDArray[np.float32]]]:
    """Return what each head adds to the embedding of some tiles, each (layer, head, d_embed)."""
    import torch

    tiled = TiledImage(model, image)
    tiles = tiled.tiles
    picked = sorted({int(at) for at in np.linspace(0, len(tiles) - 1, min(most, len(tiles)))})
    every_direction = torch.eye(model.d_embed)
    found = []
    for done, number in enumerate(picked, 1):
        heads = tile_heads(model, tiled.read(tiles[number]))
        ones = torch.ones(1, heads.n_tokens)
        added = computed(partial(heads.contributions, ones, every_direction))[0]
        found.append(np.moveaxis(added, 0, -1).astype(np.float32))
        yield done, len(picked)
    return found


def _file_of(weights_sha256: str) -> Path:
    """Return where the words of a model's heads are kept."""
    return data_root() / "heads" / f"{weights_sha256}.json"


def _parsed(content: dict[str, Any]) -> HeadWords:
    rows = {row["head"]: row for row in content["heads"]}
    n_layers = 1 + max(int(name[1:].partition("H")[0]) for name in rows)
    n_heads = len(rows) // n_layers
    by_head = [
        [rows[head_label(layer, head)] for head in range(n_heads)] for layer in range(n_layers)
    ]
    return HeadWords(
        words=tuple(tuple(tuple(map(str, row["words"])) for row in heads) for heads in by_head),
        explained=tuple(
            tuple(tuple(map(float, row["explained"])) for row in heads) for heads in by_head
        ),
        weights_sha256=str(content["weights_sha256"]),
        model=str(content["model"]),
        n_images=int(content["images"]),
        n_tiles=int(content["tiles"]),
        n_words=int(content["words"]),
    )
