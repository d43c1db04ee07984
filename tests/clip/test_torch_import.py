from __future__ import annotations

import subprocess
import sys

import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.torch_import import torch_import_errors
from napari_clip_heatmap.errors import ModelLoadError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError("[WinError 1114] A DLL initialization routine failed. Error loading c10.dll"),
            ("WinError 1114", "Qt may have loaded", "vc_redist.x64.exe", "import torch, napari"),
        ),
        (ImportError("libcudart.so.13: cannot open"), ("libcudart", "pip install", "torch")),
        (OSError("Input/output error"), ("Input/output error", "pip install")),
    ],
)
def test_why_it_cannot_be_loaded_and_what_to_do(error: Exception, words: tuple[str, ...]) -> None:
    with pytest.raises(ModelLoadError) as caught, torch_import_errors():
        raise error
    assert all(word in str(caught.value) for word in words)
    assert caught.value.__cause__ is error


def test_other_errors_are_not_touched() -> None:
    with pytest.raises(ValueError, match="mine"), torch_import_errors():
        raise ValueError("mine")


def test_the_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "napari_clip_heatmap.clip.loading", None)
    with pytest.raises(ModelLoadError, match="PyTorch and open_clip cannot be imported"):
        nch.load_model("demo")


LOAD_AND_COMPUTE = """
import sys
import numpy as np
import napari_clip_heatmap as nch
image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)
encoding = nch.encode(nch.load_model("demo", device="cpu"), image)
assert encoding.heatmaps(["nuclei", "background"]).verdicts
import open_clip
from napari_clip_heatmap.clip.sources.build import refuse_unsupported
for name in ("ViT-B-16-SigLIP", "MobileCLIP-S1", "convnext_base", "RN50", "coca_base"):
    refuse_unsupported(open_clip.get_model_config(name), origin=name)
for name in ("torch._dynamo", "torch._dynamo.utils", "triton"):
    assert name not in sys.modules, name
"""

COMPILER_LATER = """
import sys
from napari_clip_heatmap.clip.torch_import import import_open_clip
import_open_clip()
import torch, torchvision
double = torch.compile(lambda x: x + x, backend="eager")
assert double(torch.ones(2)).sum() == 4
assert "torch._dynamo" in sys.modules
regions = torchvision.ops.roi_align(torch.ones(1, 1, 4, 4), torch.tensor([[0.0, 0, 0, 4, 4]]), 1)
assert regions.item() == 1
from torchvision.ops import roi_align
asked = sys.modules["torchvision.ops.roi_align"].is_compile_supported
assert asked("cpu") == torch._dynamo.utils.is_compile_supported("cpu")
"""

KEPT_FROM_THE_COMPILER = """
import sys
from napari_clip_heatmap.clip import torch_import
import torch
with torch_import.compiler_left_out():
    @torch.compiler.disable
    def one(x):
        return x + (1 if torch.compiler.is_compiling() else 2)
    @torch.compiler.disable(recursive=False)
    def other(x):
        return x + (1 if torch.compiler.is_compiling() else 3)
assert "torch._dynamo" not in sys.modules
assert one.__name__ == "one"
assert [each(torch.zeros(1)).item() for each in (one, other)] == [2, 3]
assert "torch._dynamo" not in sys.modules
compiled = torch.compile(lambda x: 10 * one(x) + other(x), backend="eager")
assert compiled(torch.zeros(1)).item() == 23
assert "torch._dynamo" in sys.modules
"""

COMPILER_FIRST = """
import sys
import torch._dynamo
from napari_clip_heatmap.clip.torch_import import import_open_clip
import_open_clip()
assert sys.modules["torch._dynamo"] is torch._dynamo
assert sys.modules["torchvision.ops.roi_align"].is_compile_supported is (
    torch._dynamo.utils.is_compile_supported
)
"""

ASKED_FOR_MORE = """
import sys
from napari_clip_heatmap.clip import torch_import
import torch
with torch_import.compiler_left_out():
    from torch._dynamo.utils import is_compile_supported
    assert "torch._dynamo.eval_frame" not in sys.modules
    {question}
assert "torch._dynamo.eval_frame" in sys.modules
assert type(sys.modules["torch._dynamo"]).__name__ == "module"
assert torch._dynamo.config is sys.modules["torch._dynamo.config"]
"""


@pytest.mark.parametrize(
    "program",
    [
        LOAD_AND_COMPUTE,
        COMPILER_LATER,
        KEPT_FROM_THE_COMPILER,
        COMPILER_FIRST,
        *(
            ASKED_FOR_MORE.format(question=question)
            for question in (
                "from torch._dynamo.utils import counters",
                "import torch._dynamo.eval_frame",
                "torch._dynamo.config.cache_size_limit",
            )
        ),
    ],
    ids=["never", "later", "kept from", "first", "utils", "submodule", "attribute"],
)
def test_the_compiler_is_imported_where_it_is_needed_and_nowhere_else(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
