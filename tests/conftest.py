"""Shared by all tests: a small random CLIP, as open_clip makes it and as the package loads it."""

from __future__ import annotations

import copy
import gc
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# What a developer or a CI service sets decides nothing here, nor in the programs that tests start.
# Some libraries read their variables when they are imported, so this comes before them.
FOREIGN = (
    *("CLIP_HEATMAP_", "HF_", "HUGGINGFACE_", "HUGGING_FACE_", "TRANSFORMERS_", "TIMM_"),
    *("DASK_", "IMAGEIO_", "NAPARI_", "NPE2_", "TYPER_", "ZARR_"),
    *("ALL_PROXY", "FTP_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("COLORTERM", "COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES", "NO_COLOR", "PY_COLORS"),
    *("TERM", "TERMINAL_WIDTH", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
    *("QT_AUTO_SCREEN_SCALE_FACTOR", "QT_ENABLE_HIGHDPI_SCALING", "QT_FONT_DPI", "QT_SCALE_FACTOR"),
    *("QT_SCREEN_SCALE_FACTORS", "QT_STYLE_OVERRIDE"),
)
OURS = {"CLIP_HEATMAP_REQUIRE_GUI", "CLIP_HEATMAP_MONKEY", "CLIP_HEATMAP_MONKEY_WITHOUT"}
for name in {*os.environ} - OURS:
    if name.upper().startswith(FOREIGN):
        del os.environ[name]
# Nobody's models, tokens and settings are found, and nobody's are changed.
HOME = tempfile.TemporaryDirectory(prefix="clip-heatmap-tests-", ignore_cleanup_errors=True)
os.environ |= {
    "CLIP_HEATMAP_MODELS": f"{HOME.name}/models",
    "HF_HOME": f"{HOME.name}/hub",
    "NAPARI_CONFIG": f"{HOME.name}/napari.yaml",
}
# The processes of `-n` share the processor's cores.
if n_processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    threads = str(max(1, (os.cpu_count() or 1) // n_processes))
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    os.environ.setdefault("LP_NUM_THREADS", threads)  # of OpenGL in software

import open_clip
import pytest
import torch
import torch._dynamo  # an optimizer imports it, which may crash once Mesa has drawn a window
from hypothesis import settings
from safetensors.torch import save_file
from torch import nn

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.model import ClipModel

# How long an example takes says something of the machine, not of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

TINY: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32,
        "patch_size": 8,
        "layers": 3,
        "width": 32,
        "head_width": 8,
    },
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 2,
    },
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz", type=int, help="generated inputs per test in tests/fuzz")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many inputs the tests of tests/fuzz generated, and what became of them."""
    reports = [each for found in terminalreporter.stats.values() for each in found]
    generated = {
        report.nodeid.rpartition("::")[2]: counts
        for report in reports
        for name, counts in getattr(report, "user_properties", ())
        if name == "generated inputs" and report.when == "call"
    }
    if not generated:
        return
    terminalreporter.section("generated inputs")
    for test, counts in sorted(generated.items()):
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
        terminalreporter.write_line(f"{test}: {outcomes}")
    total = sum(number for counts in generated.values() for number in counts.values())
    terminalreporter.write_line(f"in all: {total}")


def randomise(module: nn.Module, seed: int = 0) -> None:
    """Give every weight a random value: no bias, gain or shift stays at its trivial start."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.state_dict().items():
            if name.endswith("logit_scale"):
                continue
            fan = weight.shape[-1] if weight.ndim > 1 else 1
            noise = torch.randn(weight.shape, generator=generator) * (0.8 / fan**0.5)
            is_gain = weight.ndim == 1 and name.endswith(("weight", "gamma", "head_scale"))
            weight.copy_(1 + 0.3 * noise if is_gain else noise)


def build_clip(seed: int = 0, *, quick_gelu: bool = False, **vision: object) -> open_clip.CLIP:
    """Return a stock open_clip model with random weights and a changed vision configuration."""
    config = copy.deepcopy(TINY)
    config["vision_cfg"].update(vision)
    model = open_clip.CLIP(**config, quick_gelu=quick_gelu).eval()
    randomise(model, seed)
    return model


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run long tests first: at the end one process would run the last while the others wait.

    They are also three times as long there: what a process has opened in napari slows it down.
    """
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="module", autouse=True)
def frozen_modules() -> None:
    """Leave what is already loaded out of garbage collections.

    napari's own fixture collects several times a test. With torch, napari and every test module
    in memory, one full collection takes a third of a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of encodings of the test's own, also for the programs it starts."""
    folder = tmp_path_factory.mktemp("cache") / "encodings"
    monkeypatch.setenv("CLIP_HEATMAP_CACHE", str(folder))
    return folder


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """Set how many threads torch uses, until the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., open_clip.CLIP]:
    """Make more like `tiny_clip`: ``make_clip(seed, quick_gelu=..., **vision_cfg)``."""
    return build_clip


@pytest.fixture(scope="session")
def tiny_clip() -> open_clip.CLIP:
    """A stock open_clip model with random weights: 3 layers, 4 heads, patch 8 at 32 px."""
    return build_clip()


@pytest.fixture(scope="session")
def tiny_model(tiny_clip: open_clip.CLIP) -> ClipModel:
    """The same, loaded."""
    return load_model(tiny_clip, device="cpu")


@pytest.fixture
def make_folder(
    tiny_clip: open_clip.CLIP, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """Write `tiny_clip` as a model folder of the test's own."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("folder")
        write_folder(tiny_clip, folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_folder(tiny_clip: open_clip.CLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny_clip` as a model folder, not to be changed."""
    folder = tmp_path_factory.mktemp("tiny")
    write_folder(tiny_clip, folder)
    return folder


def write_folder(model: nn.Module, folder: Path) -> None:
    """Write a model as open_clip does: its configuration and safetensors."""
    config = {"model_cfg": TINY, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
