"""From a question to its answer, step by step; knows no viewer and no Qt.

The model and what was encoded stay in memory: a plane is encoded once, later prompts are one
product, and a run that was stopped goes on where it was. What was encoded is on disk, too, for the
next time that napari is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.job.encoding_cache import RecentEncodings
from napari_clip_heatmap._napari.job.model_download import (
    Bring,
    DownloadProgress,
    download_missing,
    download_step,
)
from napari_clip_heatmap._napari.job.request import (
    CANCELLED,
    HeatmapRequest,
    HeatmapResult,
    RunError,
    RunStep,
)
from napari_clip_heatmap._napari.job.run import HeatmapRun
from napari_clip_heatmap.errors import Cancelled, ClipHeatmapError
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache
from napari_clip_heatmap.pipeline.storage.cached_encode import encode_cached

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["Session"]


class Session:
    """Answers questions, one at a time.

    Parameters
    ----------
    load_model, encode : callable, optional
        Stand in for `api.load_model` and `pipeline.progressive.encode_progressively`.
    cache : EncodingCache, optional
        Where encodings are kept on disk; by default in the user's cache folder.
    bring : callable, optional
        Downloads a model that is missing before it is loaded; by default `download_missing`, or
        nothing where another `load_model` is given.
    """

    def __init__(
        self,
        load_model: Callable[..., ClipModel] | None = None,
        encode: Callable[..., Any] | None = None,
        cache: EncodingCache | None = None,
        bring: Bring | None = None,
    ) -> None:
        self._load_model = load_model
        self._bring = bring or (download_missing if load_model is None else _bring_nothing)
        self.cache = cache or EncodingCache()
        self._encode = partial(
            encode_cached, cache=self.cache, encode=encode or encode_progressively
        )
        self._model: tuple[tuple[str, dict[str, str]], ClipModel] | None = None
        self._kept = RecentEncodings()
        self._told: set[str] = set()

    def answer(
        self, question: HeatmapRequest, cancelled: Callable[[], bool]
    ) -> Generator[RunStep, None, HeatmapResult | RunError | None]:
        """Run a request; yields before each step and now and then within.

        What the user can mend is reported: in a `RunError` where nothing was done, else as the
        reason of a result that is not complete. Every ``RuntimeError`` counts as such: torch raises
        it for whatever a device does not like, and napari's workers would take it for their own
        end.

        Parameters
        ----------
        question : HeatmapRequest
        cancelled : callable() -> bool
            Asked before each batch of tiles.

        Returns
        -------
        HeatmapResult or RunError or None
            None where it was cancelled before there was anything to show.
        """
        run: HeatmapRun | None = None
        try:
            yield from self._bringing(question, cancelled)
            model = self._loaded(question)
            run = HeatmapRun(question, model, self._kept, cancelled, self._encode)
            yield from run.steps()
        except Cancelled:
            reason = CANCELLED
        except ClipHeatmapError as error:
            reason = str(error)
        except (RuntimeError, MemoryError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
        else:
            reason = ""
        if run is not None and run.begun:
            answer = run.answer(reason)
            return replace(answer, news=self._news(model))
        return None if reason == CANCELLED else RunError(reason)

    def _bringing(
        self, question: HeatmapRequest, cancelled: Callable[[], bool]
    ) -> Iterator[RunStep]:
        """Download the model's files where they are missing; and tell that it is loaded now."""
        loading = RunStep(f"Loading the model {question.model}")
        yield loading  # what is to be imported first takes seconds
        if self._holds(question):
            return
        last: DownloadProgress | None = None
        for last in self._bring(question.model, cancelled):
            yield download_step(question.model, last)
        if cancelled():
            raise Cancelled("Cancelled before the model was loaded.")
        if last is not None:
            yield loading

    def _holds(self, question: HeatmapRequest) -> bool:
        return self._model is not None and self._model[0] == question.loading

    def _loaded(self, question: HeatmapRequest) -> ClipModel:
        if self._model is None or not self._holds(question):
            if self._model is not None:
                self._forget()
            load_model = self._load_model or _api().load_model
            name, options = question.loading
            self._model = question.loading, load_model(name, **options)
        return self._model[1]

    def _forget(self) -> None:
        """Free the model and all that refers to it, first: two would need twice the memory."""
        from napari_clip_heatmap.clip.devices import release_memory

        self._model = None
        self._kept.clear()
        release_memory()

    def _news(self, model: ClipModel) -> tuple[str, ...]:
        """Return what a device could not do as asked, each time it is new."""
        news = tuple(notice for notice in model.notices if notice not in self._told)
        self._told.update(news)
        return news


def _bring_nothing(_name: str, _cancelled: Callable[[], bool]) -> Iterator[DownloadProgress]:
    return iter(())


def _api() -> Any:
    """Import the library late: torch and open_clip take seconds, and this thread can wait."""
    from napari_clip_heatmap import api

    return api
