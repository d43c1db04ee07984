"""Where the chooser's models come from; what stands in for it in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.job.model_download import Bring, Brought, bring
from napari_clip_heatmap._napari.startup import import_towers
from napari_clip_heatmap.clip.torch_import import explained

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.catalog import CatalogueEntry

__all__ = ["Catalogue"]


def _listed() -> tuple[CatalogueEntry, ...]:
    with explained():
        import_towers()
    from napari_clip_heatmap.api import list_models

    return list_models()


def _alike(path: Path) -> tuple[str, ...] | None:
    with explained():
        import_towers()
        from napari_clip_heatmap.clip.sources.local import architectures_alike
    return architectures_alike(path)


def _bring(name: str, cancelled: Callable[[], bool]) -> Iterator[Brought]:
    return bring(name, cancelled)


@dataclass(frozen=True)
class Catalogue:
    """What there is to choose from; all of it takes its time, so it is called in threads.

    Parameters
    ----------
    listed : callable() -> tuple of CatalogueEntry
    bring : callable
        Downloads a model; see `bringing.bring`.
    alike : callable(Path) -> tuple of str or None
        What the weights in a file are like; see `clip.file.architectures_alike`.
    """

    listed: Callable[[], tuple[CatalogueEntry, ...]] = _listed
    bring: Bring = _bring
    alike: Callable[[Path], tuple[str, ...] | None] = _alike
