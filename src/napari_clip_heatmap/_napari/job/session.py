"""From a request to its heatmaps, step by step; knows no viewer and no Qt.

The model and recent encodings stay in memory: a plane is encoded once, later prompts cost one
matrix product, and a cancelled run goes on where it stopped. Encodings are cached on disk too, for
the next start of napari.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.job.encoding_cache import RecentEncodings
from napari_clip_heatmap._napari.job.model_download import (
    AT_ONCE,
    Download,
    DownloadProgress,
    download_missing,
    download_step,
)
from napari_clip_heatmap._napari.job.request import (
    HeatmapRequest,
    HeatmapResult,
    ResultStatus,
    RunStep,
)
from napari_clip_heatmap._napari.job.run import HeatmapRun
from napari_clip_heatmap.errors import Cancelled, ClipHeatmapError
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache
from napari_clip_heatmap.pipeline.storage.cached_encode import encode_cached

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["Session", "error_message"]

logger = logging.getLogger(__name__)


class Session:
    """Runs requests, one at a time.

    Parameters
    ----------
    load_model, encode : callable, optional
        Replace `api.load_model` and `pipeline.progressive.encode_progressively`.
    cache : EncodingCache, optional
        Encodings on disk; by default in the user's cache folder.
    download : callable, optional
        Downloads a model that is missing before it is loaded; by default `download_missing`, or
        nothing where another `load_model` is given.
    """

    def __init__(
        self,
        load_model: Callable[..., ClipModel] | None = None,
        encode: Callable[..., Any] | None = None,
        cache: EncodingCache | None = None,
        download: Download | None = None,
    ) -> None:
        self._load_model = load_model
        self.download = download or (download_missing if load_model is None else _no_download)
        self.cache = EncodingCache() if cache is None else cache  # an empty one is false
        encode = encode or partial(encode_progressively, at_once=AT_ONCE)
        self._encode = partial(encode_cached, cache=self.cache, encode=encode)
        self._model: tuple[tuple[str, dict[str, str]], ClipModel] | None = None
        self._recent = RecentEncodings()
        self._reported: set[str] = set()

    def run(
        self, request: HeatmapRequest, stopped: Callable[[], bool]
    ) -> Generator[RunStep, None, HeatmapResult]:
        """Run a request; yields before each step and now and then within.

        An error or a cancellation after the first heatmaps ends in a result that says so, with all
        that was done until then; before that, it is raised.

        Parameters
        ----------
        request : HeatmapRequest
        stopped : callable() -> bool
            Called before each batch of tiles.

        Raises
        ------
        Cancelled
            Before there was anything to show.
        ClipHeatmapError, RuntimeError, MemoryError, OSError
            Likewise; torch raises RuntimeError for whatever a device does not like.
        """
        run: HeatmapRun | None = None
        try:
            yield from self._ensure_downloaded(request, stopped)
            model = self._loaded(request)
            run = HeatmapRun(request, model, self._recent, stopped, self._encode)
            yield from run.steps()
        except Cancelled:
            if run is None or not run.begun:
                raise
            result = run.result(ResultStatus.CANCELLED)
        except (ClipHeatmapError, RuntimeError, MemoryError, OSError) as error:
            if run is None or not run.begun:
                raise
            logger.warning("A run was stopped", exc_info=error)
            result = run.result(ResultStatus.STOPPED, error_message(error))
        else:
            result = run.result(ResultStatus.COMPLETE)
        return replace(result, device_notes=self._new_notices(model))

    def model_of(self, request: HeatmapRequest) -> ClipModel:
        """Return the model of a request, loaded before or now; for work between runs."""
        return self._loaded(request)

    def _ensure_downloaded(
        self, request: HeatmapRequest, stopped: Callable[[], bool]
    ) -> Iterator[RunStep]:
        """Download the model's files where they are missing; then announce the loading."""
        loading = RunStep(f"Loading the model {request.model}")
        yield loading  # the imports that come first take seconds
        if self._holds(request):
            return
        last: DownloadProgress | None = None
        for last in self.download(request.model, stopped):
            yield download_step(request.model, last)
        if stopped():
            raise Cancelled("Cancelled before the model was loaded.")
        if last is not None:
            yield loading

    def _holds(self, request: HeatmapRequest) -> bool:
        return self._model is not None and self._model[0] == request.loading

    def _loaded(self, request: HeatmapRequest) -> ClipModel:
        if self._model is None or not self._holds(request):
            if self._model is not None:
                self._release_model()
            load_model = self._load_model or _load_by_api
            name, options = request.loading
            self._model = request.loading, load_model(name, **options)
        return self._model[1]

    def _release_model(self) -> None:
        """Free the model and all that refers to it, before another is loaded: two need twice."""
        from napari_clip_heatmap.clip.devices import release_memory

        self._model = None
        self._recent.clear()
        release_memory()

    def _new_notices(self, model: ClipModel) -> tuple[str, ...]:
        """Return what a device could not do as requested, each sentence once."""
        new = tuple(notice for notice in model.notices if notice not in self._reported)
        self._reported.update(new)
        return new


def error_message(error: Exception) -> str:
    """Return the text of an error for the user; of one that is not ours, with its kind."""
    if isinstance(error, ClipHeatmapError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _no_download(_name: str, _stopped: Callable[[], bool]) -> Iterator[DownloadProgress]:
    return iter(())


def _load_by_api(name: str, **options: str) -> ClipModel:
    """Import the library late: torch and open_clip take seconds, which this thread can wait."""
    from napari_clip_heatmap import api

    return api.load_model(name, **options)  # type: ignore[arg-type] # all are strings
