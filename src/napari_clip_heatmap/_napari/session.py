"""From a question to its answer, step by step; knows no viewer and no Qt.

The model and the last image's encoding stay in memory: the same image is encoded once, and later
prompts are one product.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap._napari.without_triton import without_triton
from napari_clip_heatmap.errors import Cancelled, ClipHeatmapError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.heatmaps import Heatmaps
    from napari_clip_heatmap.pipeline.scores import Score

__all__ = ["Answer", "Question", "Refusal", "Session", "Step"]


@dataclass(frozen=True, eq=False)
class Question:
    """What the user asks.

    Parameters
    ----------
    pixels : array-like (y, x) or (y, x, 3|4)
        May be lazy.
    prompts, baseline : tuple of str
    model, device : str
        As `api.load_model` takes them.
    score : {"relative", "absolute", "contrast"}
    """

    pixels: Any
    prompts: tuple[str, ...]
    model: str = "demo"
    device: str = "auto"
    score: Score = "relative"
    baseline: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What is being done; ``done`` of ``total`` tiles, or ``total`` 0 where that is unknown."""

    text: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, eq=False)
class Answer:
    """The heatmaps of a question.

    Parameters
    ----------
    heatmaps : Heatmaps
    limits : tuple of (float, float)
        Smallest and largest valid value per prompt.
    encoding : Encoding
        What they were made from.
    encoded_before : bool
        The image tower did not run: the encoding was still there.
    seconds : float
        From the question to the answer.
    """

    heatmaps: Heatmaps
    limits: tuple[tuple[float, float], ...]
    encoding: Encoding
    encoded_before: bool
    seconds: float


@dataclass(frozen=True)
class Refusal:
    """Why there is no answer, in words for the user."""

    message: str


class Session:
    """Answers questions, one at a time.

    Parameters
    ----------
    load_model, encode : callable, optional
        Stand in for those of `napari_clip_heatmap.api`.
    """

    def __init__(
        self,
        load_model: Callable[..., ClipModel] | None = None,
        encode: Callable[..., Encoding] | None = None,
    ) -> None:
        self._load_model = load_model
        self._encode = encode
        self._model: tuple[tuple[str, str], ClipModel] | None = None
        self._encoding: tuple[tuple[str, ...], Encoding] | None = None

    def answer(
        self,
        question: Question,
        tiles_done: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> Generator[Step, None, Answer | Refusal | None]:
        """Answer a question; yields before each step, returns None where it was cancelled.

        What the user can mend is returned as a `Refusal`. Every ``RuntimeError`` is among them:
        torch raises it for whatever a device does not like, and napari's workers would take it for
        their own end.

        Parameters
        ----------
        question : Question
        tiles_done : callable(done, total)
            Called in this same thread while the image is encoded.
        cancelled : callable() -> bool
            Asked before each batch of tiles.
        """
        try:
            return (yield from self._answer(question, tiles_done, cancelled))
        except Cancelled:
            return None
        except ClipHeatmapError as error:
            return Refusal(str(error))
        except (RuntimeError, MemoryError, OSError) as error:
            return Refusal(f"{type(error).__name__}: {error}")

    def _answer(
        self,
        question: Question,
        tiles_done: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> Generator[Step, None, Answer]:
        started = time.perf_counter()
        yield Step("Reading the image")
        pixels = np.asarray(question.pixels)
        key = (_digest(pixels), question.model, question.device)
        before = self._encoding is not None and self._encoding[0] == key
        if self._encoding is None or not before:
            self._encoding = None  # free it first: two would need twice the memory
            yield Step(f"Loading the model {question.model}")
            model = self._loaded(question.model, question.device)
            yield Step("Encoding the image")
            encode = self._encode or _api().encode
            encoded = encode(model, pixels, progress=tiles_done, cancelled=cancelled)
            self._encoding = (key, encoded)
        encoding = self._encoding[1]
        yield Step("Scoring the prompts")
        heatmaps = encoding.heatmaps(question.prompts, question.score, baseline=question.baseline)
        limits = tuple(_limits(values) for values in heatmaps.values)
        return Answer(heatmaps, limits, encoding, before, time.perf_counter() - started)

    def _loaded(self, name: str, device: str) -> ClipModel:
        if self._model is None or self._model[0] != (name, device):
            self._model = None  # free it first, as above
            with without_triton():
                load_model = self._load_model or _api().load_model
                self._model = ((name, device), load_model(name, device=device))
        return self._model[1]


def _api() -> Any:
    """Import the library late: torch and open_clip take seconds, and this thread can wait."""
    from napari_clip_heatmap import api

    return api


def _digest(pixels: NDArray[Any]) -> str:
    """Name an image by its content, so that one painted on in place counts as another."""
    content = blake2b(f"{pixels.dtype}{pixels.shape}".encode(), digest_size=16)
    if pixels.size and not pixels.dtype.hasobject:  # what has no numbers is refused later
        content.update(np.ascontiguousarray(pixels).view(np.uint8).data)
    return content.hexdigest()


def _limits(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return contrast limits: the valid range; napari needs them apart, also on a flat map."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return low, max(high, low + 1e-6)
