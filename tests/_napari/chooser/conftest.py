"""A catalogue of a few models, and a download that comes when the test lets it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from napari_clip_heatmap._napari.job.model_download import ModelCatalog, download_with_progress
from napari_clip_heatmap.clip.catalog import CatalogEntry
from napari_clip_heatmap.errors import Cancelled

PLAIN = CatalogEntry(
    name="demo",
    family="native",
    image_size=(96, 96),
    patch_size=(8, 8),
    parameters=9_000_000,
    data="drawn scenes",
    licence="BSD-3-Clause",
    forbids="",
    note="",
    needs="",
    here=True,
)
ENTRIES = (
    PLAIN,
    replace(
        PLAIN,
        name="hf-hub:some/Pathology",
        image_size=(224, 224),
        patch_size=(32, 32),
        parameters=None,
        data="tissue sections",
        licence="MIT",
        note="Biomedical: stained tissue.",
        needs="no_such_package",
        here=False,
    ),
    replace(
        PLAIN,
        name="ViT-B-16/web",
        image_size=(224, 224),
        patch_size=(16, 16),
        parameters=150_000_000,
        data="web pairs",
        licence="CC-BY-NC-4.0",
        forbids="commercial use",
        here=False,
    ),
    replace(
        PLAIN,
        name="ViT-L-14/web",
        image_size=(224, 336),
        patch_size=(14, 14),
        parameters=700_000_000,
        data="web pairs",
        licence="Apache-2.0",
        here=False,
    ),
)


class Hub:
    """What the catalogue's callables do, and what they were asked for.

    Attributes
    ----------
    gate : Semaphore
        Lets one megabyte after another through.
    error : Exception or None
        Raised after the first one.
    alike : tuple of str or None
        What any file of weights is like.
    """

    def __init__(self):
        self.entries = ENTRIES
        self.gate = threading.Semaphore(0)
        self.error, self.alike, self.reason = None, ("ViT-B-16",), None
        self.asked = []
        self.kept = 0

    def listed(self):
        if self.reason is not None:
            raise self.reason
        return self.entries

    def download(self, name, *, progress, cancelled):
        self.asked.append((name, self.kept))
        while self.kept < 10:
            while not self.gate.acquire(timeout=0.01):
                if cancelled():
                    raise Cancelled("as asked")
            self.kept += 1
            progress(self.kept * 10**6, 10**7)
            if self.error is not None:
                raise self.error
        self.entries = tuple(
            replace(entry, here=entry.here or entry.name == name) for entry in self.entries
        )

    def like(self, path: Path):
        if self.reason is not None:
            raise self.reason
        return self.alike

    @property
    def catalogue(self):
        return ModelCatalog(
            self.listed,
            lambda name, cancelled: download_with_progress(name, cancelled, self.download),
            self.like,
        )


@pytest.fixture
def hub():
    return Hub()
