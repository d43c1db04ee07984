"""A model whose image tower runs on the workers of a Dask scheduler; words stay on this machine."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.clip.torch_import import import_open_clip
from napari_clip_heatmap.errors import ClipHeatmapError, DeviceError, SettingsError, shorten
from napari_clip_heatmap.pipeline.batches import BatchedForward, TileOutput, suitable_size
from napari_clip_heatmap.pipeline.remote.scheduler import TRUSTED_KEY, Scheduler, connect

if TYPE_CHECKING:
    from distributed import Client, Future

    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["RemoteModel", "load_remote_model"]

_WAITING = 2
"""Batches per thread of the workers that are under way at a time."""

_WARN_FROM = "distributed.admin.large-graph-warning-threshold"
"""Of Dask's configuration: bytes of a task from which it warns."""

_NO_PICKLE = ("dask", "msgpack")
"""In which forms results are accepted: as arrays and plain values."""


class ModelRequest(NamedTuple):
    """Which model the workers load, in plain values."""

    name: str
    options: tuple[tuple[str, Any], ...]


class RemoteDevice(NamedTuple):
    """What stands for `torch.device`."""

    type: str
    address: str

    def __str__(self) -> str:
        return self.address


def load_remote_model(
    name: object,
    device: str | Scheduler,
    tokenizer: object = None,
    precision: str = "auto",
    image_size: object = None,
    outlier_factor: float | None = None,
    preprocess: object = None,
    mlp_by_token: bool = False,
) -> ClipModel:
    """Load a model on the workers of a scheduler.

    Parameters
    ----------
    name : str
        As `load_model` takes it; its files must be there for the workers, and here for the words.
    device : str or Scheduler
    tokenizer : None
        Only a model's own can be used.
    precision, image_size, outlier_factor, preprocess, mlp_by_token
        As `load_model` takes them.

    Returns
    -------
    RemoteModel
        Stands for the `ClipModel` that encoding takes.

    Raises
    ------
    DeviceError
        The scheduler is not trusted, does not answer, or has no workers.
    SettingsError
        The model has no name, or another tokenizer is given.
    ModelLoadError, UnsupportedModelError, DecompositionError
        As `load_model` raises them, on a worker.

    Examples
    --------
    >>> load_remote_model("demo", "tcp://127.0.0.1:8786")  # doctest: +SKIP
    RemoteModel('demo', device='tcp://127.0.0.1:8786')
    """
    scheduler = device if isinstance(device, Scheduler) else Scheduler(str(device))
    if not isinstance(name, str) or tokenizer is not None:
        raise SettingsError(
            "workers of a scheduler load a model by its name, with its own tokenizer; give a name "
            "such as 'demo', or a device of this machine"
        )
    if not scheduler.is_trusted:
        raise DeviceError(
            f"the scheduler '{shorten(scheduler.address)}' is on another machine and has no "
            "certificate; whoever controls it could run programs on this one. Use tls:// with "
            "certificates, an ssh tunnel to 127.0.0.1, or say that you trust it: "
            f"Scheduler(..., trusted=True), or its address in Dask's configuration, {TRUSTED_KEY}"
        )
    options = {
        "precision": precision,
        "image_size": image_size,
        "outlier_factor": outlier_factor,
        "preprocess": preprocess,
        "mlp_by_token": mlp_by_token or None,
    }
    given = {key: _plain(value) for key, value in options.items() if value is not None}
    # Results are arrays and plain values; other forms would be unpickled.
    client = connect(scheduler, deserializers=[*_NO_PICKLE], set_as_default=False)
    try:
        request = ModelRequest(name, tuple(sorted(given.items())))
        return cast("ClipModel", RemoteModel(client, scheduler, request))
    except BaseException:
        client.close()
        raise


class RemoteModel:
    """What encoding needs of a `ClipModel`, while its image tower is on other machines.

    Parameters
    ----------
    client : distributed.Client
        Closed with the model.
    scheduler : Scheduler
    request : ModelRequest

    Attributes
    ----------
    notices : tuple of str
        What the workers' device could not do as requested.
    batches_ahead : int
        Batches that may be under way while the next tiles are read.
    """

    def __init__(self, client: Client, scheduler: Scheduler, request: ModelRequest) -> None:
        from napari_clip_heatmap.pipeline.storage.records import DeferredText

        self._client, self._request = client, request
        self._close = weakref.finalize(self, client.close)
        self.device = RemoteDevice("remote", scheduler.address)
        about = self._result(self._submit(_facts, request))
        self._described: Mapping[str, Any] = about["described"]
        self.notices: tuple[str, ...] = tuple(about["notices"])
        self.batch_size = int(about["batch_size"])
        self.batches_ahead = _WAITING * max(1, int(sum(client.nthreads().values())))
        self.name, self.max_batch = request.name, None
        self.weights_sha256 = str(self._described["weights_sha256"])
        self.image_size = _pair(self._described["image_size"])
        self.patch_size = _pair(self._described["patch_size"])
        self.grid = tuple(
            size // patch for size, patch in zip(self.image_size, self.patch_size, strict=True)
        )
        self.d_embed = int(about["d_embed"])
        self.text = DeferredText(self.name, self._described, self.d_embed)

    def __repr__(self) -> str:
        return f"RemoteModel({self.name!r}, device={self.device.address!r})"

    def describe(self) -> dict[str, object]:
        """Return the provenance of results: that of the workers' model, and where it runs."""
        device = f"{self.device.address} ({self._described['device']})"
        return {**self._described, "device": device}

    def start_forward(self, tiles: Sequence[NDArray[np.float32]]) -> Callable[[], list[TileOutput]]:
        """Send tiles (tile_y, tile_x, 3), in 0..1, to a worker; return how to wait for the output.

        Raises
        ------
        DeviceError
            The scheduler is lost.
        """
        future = self._submit(_forward, self._request, np.stack(tiles))

        def finish() -> list[TileOutput]:
            output = self._result(future)
            pairs = zip(output["tokens"], output["embeddings"], strict=True)
            return [TileOutput(tokens, embedding) for tokens, embedding in pairs]

        return finish

    def fall_back_to_full_precision(self) -> bool:
        """Return False: the workers' precision was chosen when they loaded the model."""
        return False

    def preprocess(self, tiles: object) -> NoReturn:
        """Raise, as all that needs the image tower on this machine does."""
        raise self._elsewhere()

    def token_map(self, batch: object, **options: object) -> NoReturn:
        """Raise, as `preprocess` does."""
        raise self._elsewhere()

    def decompose(self, batch: object, **options: object) -> NoReturn:
        """Raise, as `preprocess` does."""
        raise self._elsewhere()

    @property
    def tower(self) -> NoReturn:
        """Raise, as `preprocess` does."""
        raise self._elsewhere()

    @property
    def n_layers(self) -> NoReturn:
        """Raise, as `preprocess` does."""
        raise self._elsewhere()

    def _elsewhere(self) -> DeviceError:
        return DeviceError(
            f"the image tower is on the workers of '{shorten(self.device.address)}', which encode "
            "tiles and no more; layers and heads are looked into on a device of this machine, "
            "such as 'cpu'"
        )

    def close(self) -> None:
        """Let go of the scheduler."""
        self._close()

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future:
        import dask

        # A batch of tiles is used once, so there is nothing to load beforehand.
        with self._connection(), dask.config.set({_WARN_FROM: "1 GiB"}):
            return self._client.submit(function, *arguments, pure=False)

    def _result(self, future: Future) -> Any:
        with self._connection():
            return future.result()

    @contextmanager
    def _connection(self) -> Iterator[None]:
        """Say in a `DeviceError` that the scheduler is lost, or its workers fail."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        try:
            yield
        except ClipHeatmapError:
            raise
        except (CancelledError, CommClosedError, KilledWorker, OSError, RuntimeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DeviceError(
                f"the scheduler '{shorten(self.device.address)}' or its workers cannot go on "
                f"({shorten(reason, 200)}); what is done is kept. See whether they are running, "
                "and run again to go on"
            ) from error


_loading = threading.Lock()


@lru_cache(maxsize=1)
def _loaded(request: ModelRequest) -> Any:
    import_open_clip()
    from napari_clip_heatmap.clip.loading import load_model

    options: dict[str, Any] = dict(request.options)
    return load_model(request.name, device="auto", **options)


def _model(request: ModelRequest) -> Any:
    """Return the model of this worker; threads that ask at the same time load it once."""
    with _loading:
        return _loaded(request)


def _facts(request: ModelRequest) -> dict[str, Any]:
    """Return what the machine in front needs to know of the model of a worker."""
    model = _model(request)
    return {
        "described": model.describe(),
        "notices": list(model.notices),
        "d_embed": model.d_embed,
        "batch_size": suitable_size(model),
    }


def _forward(request: ModelRequest, tiles: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Send tiles through the model of a worker, whatever happens to its device."""
    # One batch: other threads of the worker may have others, and its cores are free if not.
    batches = BatchedForward(_model(request), len(tiles), at_once=1)
    finished = batches.submit([((number, 0), tile) for number, tile in enumerate(tiles)], last=True)
    outputs = [output for batch in finished for _, output in batch]
    return {
        "tokens": np.stack([each.tokens for each in outputs]),
        "embeddings": np.stack([each.embedding for each in outputs]),
    }


def _pair(lengths: Sequence[Any]) -> tuple[int, int]:
    height, width = lengths
    return int(height), int(width)


def _plain(value: Any) -> Any:
    """Return lists as tuples, which a cache can have as keys."""
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
