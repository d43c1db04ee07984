"""Text-based decomposition of CLIP image embeddings as heatmaps, for napari, scripts and the shell.

Public names are imported on first use, so importing the package is quick. They are listed once, in
``__init__.pyi``, where editors and type checkers find them too.

Examples
--------
>>> import napari_clip_heatmap as nch
>>> model = nch.load_model("demo")
>>> maps = nch.encode(model, image).heatmaps(["nuclei", "filaments"])
>>> maps.values.shape
(2, 96, 96)
"""

from __future__ import annotations

import lazy_loader

_attribute, _names, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted([*__all__, "__version__"])


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-clip-heatmap")
    return _attribute(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
