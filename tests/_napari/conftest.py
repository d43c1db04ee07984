"""A model of a few lines, so that the GUI is tested without a transformer."""

from __future__ import annotations

import gc
import os
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import FunctionType, SimpleNamespace

import numpy as np
import pytest
import torch
from napari._qt.qt_main_window import _QtMainWindow
from napari._qt.qt_viewer import QtViewer
from napari._qt.widgets import qt_welcome
from napari._vispy import canvas
from napari.settings import NapariSettings
from napari.utils.events.event import EventEmitter
from napari.utils.notifications import notification_manager
from napari.utils.theme import _themes
from npe2 import PluginManifest

from napari_clip_heatmap._napari import settings, startup
from napari_clip_heatmap._napari.controllers import background
from napari_clip_heatmap._napari.demo import why_no_display
from napari_clip_heatmap._napari.job.model_download import ModelCatalog, download_with_progress
from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.clip.catalog import CatalogEntry
from napari_clip_heatmap.errors import Cancelled, ModelLoadError
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.pipeline.speed import MeasuredSpeed

no_display = cache(why_no_display)


def pytest_runtest_setup(item):
    """Skip tests of windows where none can open, unless the gate insists on them."""
    if {"qapp", "qtbot", "make_napari_viewer"} & {*item.fixturenames} and (reason := no_display()):
        outcome = pytest.fail if os.environ.get("CLIP_HEATMAP_REQUIRE_GUI") else pytest.skip
        outcome(f"no window can open here: {reason}")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """No test finds what another, or the developer, chose last."""
    monkeypatch.setattr(settings, "section", lambda: None)


@pytest.fixture(scope="session", autouse=True)
def lean_windows():
    """Spare napari's windows what takes much of their time, and no test here is about.

    They write no settings for each dock, nor their welcome for each shortcut, and do not follow
    every event of every widget, to show a hidden bar of menus; they have their style sheet once,
    not once more for what is inside of them. npe2 finds the plugins once, not once a window, and
    VisPy draws each letter once. Where a layer goes, no full collection of garbage follows, which
    napari asks for to be safe with OpenGL's drivers for Windows.
    """
    welcome = getattr(qt_welcome, "QtWelcomeWidget", object())  # earlier versions lack it
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((NapariSettings, "_maybe_save"), (welcome, "refresh")):
            if hasattr(owner, name):
                patch.setattr(owner, name, lambda _self, *_event: None)
        if letters := letter_renderer():
            patch.setattr(letters, "render_to_texture", remembered_letters(letters))
        if "eventFilter" in vars(_QtMainWindow):  # 16,000 calls from Qt into Python per window
            patch.delattr(_QtMainWindow, "eventFilter")
        if os.name != "nt":
            few = SimpleNamespace(**vars(gc) | {"collect": lambda: gc.collect(0)})
            patch.setattr(canvas, "gc", few, raising=False)
        patch.setattr(QtViewer, "setStyleSheet", lambda _self, _sheet: None, raising=False)
        patch.setattr(PluginManifest, "discover", remembered_plugins())
        patch.setattr(EventEmitter, "_check_signature", remembered_signatures(), raising=False)
        yield


def letter_renderer():
    """Return the class that draws letters on napari's canvas; earlier versions have another."""
    try:
        from napari._vispy.utils.qt_font import SDFRendererCPU
    except ImportError:
        return None
    return SDFRendererCPU


def remembered_letters(renderer):
    """Return the drawing of letters into a texture, which draws each once."""
    render, drawn = renderer.render_to_texture, {}

    def render_to_texture(self, data, texture, offset, size):
        (x, y), (width, height) = offset, size
        key = data.tobytes(), data.shape, size
        if key not in drawn:
            drawn[key] = np.zeros((height, width, 3), np.uint8)
            render(self, data, drawn[key], (0, 0), size)
        texture[y : y + height, x : x + width, :] = drawn[key]

    return render_to_texture


def remembered_plugins():
    """Return npe2's search for plugins, done once; those of other paths are not in it."""
    discover = PluginManifest.discover
    found = cache(lambda: tuple(discover()))
    return staticmethod(lambda paths=(): iter(discover(paths) if paths else found()))


def remembered_signatures():
    """Return napari's question whether a callback takes an event, asked once for each code."""
    takes_event, known = EventEmitter._check_signature, {}

    def check(callback):
        function = getattr(callback, "__func__", callback)
        if not isinstance(function, FunctionType) or vars(function):  # perhaps one that is wrapped
            return takes_event(callback)
        key = function.__code__, len(function.__defaults__ or ()), function is callback
        if key not in known:
            known[key] = takes_event(callback)
        return known[key]

    return staticmethod(check)


@pytest.fixture(autouse=True)
def forgotten_windows():
    """Let napari's themes forget closed windows: they keep each, whose menus follow all changes."""
    yield
    for theme in _themes.values():
        theme.events.canvas.disconnect()


@pytest.fixture(scope="module", autouse=True)
def frozen_modules():
    """Leave what is already loaded out of collections: napari asks for one when a layer goes."""
    gc.unfreeze()  # of earlier windows something may be garbage by now
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def kept_frozen(monkeypatch):
    """Keep leftovers of earlier tests out of collections, too; nothing of ours unfreezes them."""
    gc.collect()
    gc.freeze()
    lenient = SimpleNamespace(**vars(gc))
    lenient.freeze = lenient.unfreeze = lambda: None
    for module in (startup, background):
        monkeypatch.setattr(module, "gc", lenient)


COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}


class ColourText:
    """Each prompt has a direction of its own: red, green, blue, and others by their length."""

    logit_scale = 10.0
    d_embed = 3

    def encode(self, prompts):
        rows = [COLOURS.get(p, (1, len(p), len(p) ** 2)) for p in prompts]
        return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=-1)

    def unread_words(self, prompt):
        return tuple(prompt.split()[20:])

    def unknown_words(self, prompt):
        return ()

    def in_one_thread(self, work):
        return work()


class ColourModel:
    """The share of a patch is its mean colour."""

    name = "colours"
    device = torch.device("cpu")
    image_size, patch_size, grid = (32, 32), (8, 8), (4, 4)
    n_layers, d_model, d_embed = 1, 4096, 3  # batches of it are computed one by one
    notices, max_batch = (), None

    def __init__(self):
        self.text = ColourText()
        self.gate = threading.Event()  # closed, it holds batches of tiles back...
        self.gate.set()
        self.asked = threading.Event()  # a batch has come as far as the gate
        self.hold_after = 0  # ...after this many
        self.batches = self.tiles = 0

    def preprocess(self, tiles):
        return torch.as_tensor(tiles).movedim(-1, 1)

    def token_map(self, batch):
        self.asked.set()
        assert self.batches < self.hold_after or self.gate.wait(20)
        self.batches += 1
        self.tiles += len(batch)
        tokens = torch.nn.functional.avg_pool2d(batch, 8).movedim(1, -1) / 16
        return SimpleNamespace(tokens=tokens, representation=tokens.sum((1, 2)) + 1e-3)

    def describe(self):
        return {"name": self.name, "weights_sha256": "0" * 64, "device": "cpu"}


@pytest.fixture
def model():
    model = ColourModel()
    yield model
    model.gate.set()


@pytest.fixture
def loads():
    """The names of the models that were loaded."""
    return []


@pytest.fixture
def session(model, loads):
    def load_model(name, *, device="auto", **options):
        loads.append(name)
        if name == "absent":
            raise ModelLoadError("there is no model 'absent'; accepted: demo")
        return model

    def encode_tile_by_tile(*args, **kwargs):
        settings = {**kwargs, "downsample": 1, "batch_size": 1, "coarse": False}
        return encode_progressively(*args, **settings)

    return Session(load_model, encode_tile_by_tile)


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def widget(viewer, session):
    """The dock widget, asking for red, green and blue."""
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = [*COLOURS]
    return widget


@pytest.fixture
def progressive_session(model):
    """As a user has it: at the resolution asked for, and with a coarse look first."""
    return Session(lambda name, *, device: model)


@pytest.fixture
def messages():
    """The notifications shown since the test began."""
    notification_manager.records.clear()
    return notification_manager.records


@pytest.fixture
def picture():
    """A red, a green and a blue stripe, uint8 (96, 120, 3), a little rough, so no tile is blank."""
    image = np.random.default_rng(0).integers(0, 20, (96, 120, 3), np.uint8)
    for channel in range(3):
        image[:, 40 * channel : 40 * (channel + 1), channel] += 235
    return image


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
        seconds_per_megapixel=17.96,
        architecture="ViT-B-16",
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
    measured : list of (str, dict)
        Architectures that were measured, and where.
    """

    def __init__(self):
        self.entries = ENTRIES
        self.gate = threading.Semaphore(0)
        self.error, self.alike, self.reason = None, ("ViT-B-16",), None
        self.asked = []
        self.kept = 0
        self.measured = []

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

    def measure(self, architecture, options, stopped):
        self.measured.append((architecture, options))
        while not self.gate.acquire(timeout=0.01):
            if stopped():
                raise Cancelled("as asked")
        if self.error is not None:
            raise self.error
        return MeasuredSpeed(4.321, "cpu", "float32")

    @property
    def catalog(self):
        return ModelCatalog(
            self.listed,
            lambda name, cancelled: download_with_progress(name, cancelled, self.download),
            self.like,
            self.measure,
        )


@pytest.fixture
def hub():
    return Hub()
