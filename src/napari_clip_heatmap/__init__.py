"""Text-based decomposition of CLIP image embeddings as heatmaps, for napari, scripts and the shell.

>>> import napari_clip_heatmap as nch
>>> model = nch.load_model("demo")
>>> maps = nch.encode(model, image).heatmaps(["nuclei", "filaments"])

Public names are looked up on first use: importing the package imports nothing else.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for typing's, and typing need not be imported
if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import Objects
    from napari_clip_heatmap.api import (
        decompose,
        download_model,
        encode,
        list_models,
        load_model,
        open_encoding,
        score_objects,
        token_map,
    )
    from napari_clip_heatmap.errors import Cancelled, ClipHeatmapError
    from napari_clip_heatmap.files.methods import methods_text
    from napari_clip_heatmap.files.object_formats import write_objects
    from napari_clip_heatmap.files.reading import read_image
    from napari_clip_heatmap.files.script import python_script
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.imaging.masks import Outlines
    from napari_clip_heatmap.imaging.region import Region
    from napari_clip_heatmap.imaging.view import View
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.heatmaps import Heatmaps
    from napari_clip_heatmap.pipeline.object_scores import ObjectScores
    from napari_clip_heatmap.pipeline.stored.cache import EncodingCache

    __version__: str

__all__ = [
    "Cancelled",
    "Channel",
    "ClipHeatmapError",
    "Encoding",
    "EncodingCache",
    "Heatmaps",
    "ObjectScores",
    "Objects",
    "Outlines",
    "Region",
    "View",
    "__version__",
    "decompose",
    "download_model",
    "encode",
    "list_models",
    "load_model",
    "methods_text",
    "open_encoding",
    "python_script",
    "read_image",
    "score_objects",
    "token_map",
    "write_objects",
]

_HOMES = {
    "Cancelled": "errors",
    "Channel": "imaging.channel",
    "ClipHeatmapError": "errors",
    "Encoding": "pipeline.encoding",
    "EncodingCache": "pipeline.stored.cache",
    "Heatmaps": "pipeline.heatmaps",
    "ObjectScores": "pipeline.object_scores",
    "Objects": "annotation.objects",
    "Outlines": "imaging.masks",
    "Region": "imaging.region",
    "View": "imaging.view",
    "decompose": "api",
    "download_model": "api",
    "list_models": "api",
    "encode": "api",
    "load_model": "api",
    "methods_text": "files.methods",
    "open_encoding": "api",
    "python_script": "files.script",
    "read_image": "files.reading",
    "score_objects": "api",
    "token_map": "api",
    "write_objects": "files.object_formats",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-clip-heatmap")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
