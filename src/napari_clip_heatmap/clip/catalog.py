"""The models there are: open_clip's list as far as it can be decomposed, and a few of the hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import open_clip
from open_clip.pretrained import list_pretrained

from napari_clip_heatmap.clip.architectures import Architecture, architecture_of
from napari_clip_heatmap.clip.hub import hub_folder
from napari_clip_heatmap.clip.sources.resolve import DEMO
from napari_clip_heatmap.clip.provenance import BSD, HUB_MODELS, Provenance, provenance
from napari_clip_heatmap.clip.sources.open_clip_registry import tag_is_here

__all__ = ["CatalogueEntry", "list_models"]

BYTES_PER_WEIGHT = 4
_QUICK = "-quickgelu"
"""Ends a second name of architectures whose tags name the activation themselves."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A model that can be loaded by its name.

    Parameters
    ----------
    name : str
        As `load_model` takes it.
    family : str
        Of the image tower.
    image_size, patch_size : (int, int)
        Height and width, pixels of the image that the model sees.
    parameters : int or None
        Weights of both towers; None where unknown.
    data : str
        What it was trained on.
    licence : str
    forbids : str
        What the licence forbids; empty where nothing.
    note : str
        What is worth knowing beside: of biomedical models, what they know; may be empty.
    needs : str
        A package to install beside this one, mostly empty.
    here : bool
        Whether its files are on this machine.
    """

    name: str
    family: str
    image_size: tuple[int, int]
    patch_size: tuple[int, int]
    parameters: int | None
    data: str
    licence: str
    forbids: str
    note: str
    needs: str
    here: bool

    @property
    def download_bytes(self) -> int | None:
        """About how much there is to download, in single precision; None where unknown."""
        if self.name == DEMO:
            return 0
        return None if self.parameters is None else BYTES_PER_WEIGHT * self.parameters

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along height and width of one image."""
        (height, width), (patch_y, patch_x) = self.image_size, self.patch_size
        return height // patch_y, width // patch_x

    def matches(self, search: str) -> bool:
        """Whether every word of a search is somewhere in the entry, whatever its case."""
        text = " ".join(
            (self.name, self.family, self.data, self.licence, self.forbids, self.note)
        ).lower()
        return all(word in text for word in search.lower().split())


def list_models(search: str = "") -> tuple[CatalogueEntry, ...]:
    """Return the models that can be decomposed: the bundled one, those of the hub, open_clip's.

    Parameters
    ----------
    search : str
        Words that must all be in an entry's name, family, data, licence or note.
    """
    return tuple(entry for entry in _entries() if entry.matches(search))


def _entries() -> Iterator[CatalogueEntry]:
    drawn = Provenance("drawn scenes of microscopy", BSD, "Bundled: a first look, no download.")
    found = architecture_of(DEMO)
    if found:
        yield _entry(DEMO, found, drawn, here=True)
    for model in HUB_MODELS:
        found = architecture_of(model.architecture)
        if found:
            here = hub_folder(model.name) is not None
            yield _entry(model.name, found, model.provenance, here=here)
    built = {arch for arch in open_clip.list_models() if not arch.endswith(_QUICK)}
    for arch, tag in list_pretrained():  # an older open_clip has tags of what it cannot build
        found = architecture_of(arch) if arch in built else None
        if found:
            name = f"{arch}/{tag}"
            yield _entry(name, found, provenance(name), here=tag_is_here(name))


def _entry(
    name: str, architecture: Architecture, known: Provenance, *, here: bool
) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        family=architecture.family,
        image_size=architecture.image_size,
        patch_size=architecture.patch_size,
        parameters=architecture.parameters,
        data=known.data,
        licence=known.licence.name,
        forbids=known.licence.forbids,
        note=known.note,
        needs=architecture.needs,
        here=here,
    )
