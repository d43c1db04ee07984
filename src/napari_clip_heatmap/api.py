"""The entry points of the library, for the viewer, the command line and notebooks alike.

Importing torch and open_clip takes seconds, so it waits for the first call that needs them. The
examples assume ``import napari_clip_heatmap as nch``, a loaded `model` and an `image` (96, 96, 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from napari_clip_heatmap.clip.torch_import import open_clip_imported
from napari_clip_heatmap.imaging.lattice import OVERLAP

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike
    from torch import Tensor, nn

    from napari_clip_heatmap.clip.catalog import CatalogEntry
    from napari_clip_heatmap.clip.model import ClipModel, ConventionName
    from napari_clip_heatmap.core.decomposition import Decomposition
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.imaging.lattice import Quality
    from napari_clip_heatmap.imaging.region import Region
    from napari_clip_heatmap.imaging.view import View
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.remote.scheduler import Scheduler
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = [
    "decompose",
    "download_model",
    "encode",
    "list_models",
    "load_model",
    "open_encoding",
    "token_map",
]


def load_model(
    model: str | nn.Module,
    *,
    tokenizer: Any = None,
    device: str | Scheduler = "auto",
    precision: str = "auto",
    image_size: int | tuple[int, int] | None = None,
    outlier_factor: float | None = None,
    mlp_by_token: bool = False,
    preprocess: str | Sequence[Sequence[float]] | None = None,
) -> ClipModel:
    """Load a CLIP model and check on a probe image that its decomposition is exact.

    Parameters
    ----------
    model : str or nn.Module
        "demo" or "micrographs" (bundled), "ARCH/TAG" of open_clip such as
        "ViT-B-16/laion2b_s34b_b88k", "hf-hub:ORG/NAME", "local-dir:PATH" (files of open_clip or
        transformers), the path of a file of weights, "ARCH/TAG@PATH" for weights trained like, or
        from, a released model, "ARCH@PATH" with `preprocess`, or a ready open_clip model, which is
        never changed: it is copied if it has to be moved or cast.
    tokenizer : callable, optional
        Maps texts to token ids; by default the model's own.
    device : str or Scheduler
        "auto", "cpu", "cuda", "cuda:1", "mps". "auto" keeps a ready model where it is. A device
        whose results differ from the CPU's, or without enough memory, is not used: the CPU is used
        instead, and ``model.notices`` says why. The address of a Dask scheduler, such as
        "tcp://host:8786", lets its workers encode tiles; `Scheduler` has certificates and trust.
    precision : {"auto", "fp32", "fp64", "bf16", "fp16"}
        Of the image tower. "auto" keeps the precision of the bundled model, of small models and of
        ready ones. Other models run in half precision if the device is fast in it (GPUs; CPUs with
        AVX512-BF16 or AMX) and the maps of a probe image change by at most 1e-2 of their range.
        "fp32" is exact to 1e-5. Statistics and sums are never computed in half precision.
    image_size : int or (int, int), optional
        Height and width of the model's input, a whole number of patches; by default as it was
        trained. Position embeddings are interpolated. A larger size gives each patch more context
        and a finer map of the same view; it is checked to be exact too.
    outlier_factor : float, optional
        Leave register-like tokens out of the maps: those with a norm before the last layer of more
        than this many times the median of their image (3 is usual). The mean of their neighbors
        replaces them; `decompose` still returns them. Off by default.
    mlp_by_token : bool
        Only for towers that pool by a mean over tokens: maps show each patch's MLPs and input, too.
    preprocess : str or (mean, std), optional
        Normalization of pixels, instead of the one in the model's files: "openai", "imagenet",
        "half", "none", "r,g,b/r,g,b", or mean and standard deviation of red, green and blue.

    Returns
    -------
    ClipModel

    Raises
    ------
    ModelLoadError
        The weights or the tokenizer cannot be found or read, hold NaN or infinite values, or their
        settings are not known; or PyTorch cannot be imported. No code in the files is executed.
    UnsupportedModelError
        No exact decomposition is known for the model's image tower.
    DecompositionError
        The contributions to the probe's embedding do not sum to it, or `outlier_factor` is invalid,
        or the tower does not fit `mlp_by_token`.
    SettingsError
        `image_size` is not a whole number of patches, or `preprocess` is invalid.
    DeviceError
        The device or precision does not exist here, the model cannot run on the CPU either, or the
        scheduler does not answer or is not trusted.

    Examples
    --------
    >>> nch.load_model("demo", device="cpu")
    ClipModel('demo', device='cpu', dtype=torch.float32)
    >>> nch.load_model("demo", image_size=128).grid
    (16, 16)
    """
    if "://" in str(device):  # also of a `Scheduler`
        from napari_clip_heatmap.pipeline.remote.remote_model import load_remote_model as remote

        settings = (tokenizer, precision, image_size, outlier_factor, preprocess, mlp_by_token)
        return remote(model, device, *settings)
    with open_clip_imported():
        from napari_clip_heatmap.clip.loading import load_model as load

    return load(
        model,
        tokenizer=tokenizer,
        device=str(device),
        precision=precision,
        image_size=image_size,
        outlier_factor=outlier_factor,
        mlp_by_token=mlp_by_token,
        preprocess=preprocess,
    )


def encode(
    model: ClipModel,
    image: ArrayLike | Channel | Sequence[Channel],
    *,
    view: View | None = None,
    region: Region | None = None,
    downsample: float | Literal["auto"] = "auto",
    overlap: float = OVERLAP,
    quality: Quality = "standard",
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    cache: EncodingCache | None = None,
) -> Encoding:
    """Encode an image of any size, in overlapping tiles on one patch lattice.

    There is no center crop, and an image smaller than a tile is padded by reflection. Of an image
    of the model's input size, at ``downsample=1``, the result is exactly the model's own token map.

    Parameters
    ----------
    model : ClipModel
    image : array (y, x), (y, x, 3) or (y, x, 4), Channel or sequence of Channel
        Gray, RGB or RGBA, of any boolean, integer or real floating dtype: in memory, memory-mapped,
        dask or zarr, which are read in parts. A list of arrays is a pyramid, finest first. NaN and
        infinite pixels are NaN in the heatmaps. Several channels are blended into one image.
    view : View, optional
        How values become colors. By default 8-bit values are kept, and other types are scaled by
        their robust range; the notes of the heatmaps say which.
    region : Region, optional
        The part to encode; the heatmaps are NaN elsewhere. By default the whole image.
    downsample : float or "auto"
        Image pixels per model pixel, averaged over their area; below 1 enlarges. With "auto", the
        short side spans at most `AUTO_TILES` tiles, and tiny images are enlarged.
    overlap : float
        Smallest fraction of a tile that its neighbor covers too, from 0 to 0.9.
    quality : {"standard", "fine", "finest"}
        1, 2 or 4 values per patch and axis, in 1, 4 or 16 times the time, from tiles shifted by
        parts of a patch, each decomposed exactly. Similarity and verdicts stay the standard ones.
    batch_size : int, optional
        Tiles per forward pass; by default depends on the device.
    progress : callable(done_tiles, total_tiles), optional
        Called before the first pass and after each one.
    cancelled : callable() -> bool, optional
        Called before each pass; true stops the work.
    cache : EncodingCache, optional
        Encodings on disk: those in it are not computed again, and new ones are added. By default
        nothing is read or written.

    Returns
    -------
    Encoding

    Raises
    ------
    ImageError, SettingsError
        The image has no valid pixel, or a shape or type that cannot be used; a setting is outside
        the accepted range.
    Cancelled
        `cancelled` returned true.

    Examples
    --------
    >>> maps = nch.encode(nch.load_model("demo"), image).heatmaps(["nuclei", "filaments"])
    >>> maps.prompts, maps.values.shape, maps.values.dtype
    (('nuclei', 'filaments'), (2, 96, 96), dtype('float32'))
    """
    from napari_clip_heatmap.pipeline.encode import encode as encode_image

    return encode_image(
        model,
        image,
        view=view,
        region=region,
        downsample=downsample,
        overlap=overlap,
        quality=quality,
        batch_size=batch_size,
        progress=progress,
        cancelled=cancelled,
        cache=cache,
    )


def list_models(search: str = "") -> tuple[CatalogEntry, ...]:
    """Return the models that can be decomposed, of open_clip and the hub, without a network.

    Parameters
    ----------
    search : str
        Words that must all occur in an entry's name, family, training data, license or note.

    Returns
    -------
    tuple of CatalogEntry
        ``name`` (as `load_model` takes it), ``image_size`` and ``patch_size`` (pixels), ``data``,
        ``licence``, ``forbids``, ``needs`` (a package), ``here`` (on this machine) and so on.

    Examples
    --------
    >>> [entry.name for entry in nch.list_models("histopathology PubMedBERT")]
    ['hf-hub:wisdomik/QuiltNet-B-16-PMB']
    """
    with open_clip_imported():
        from napari_clip_heatmap.clip.catalog import list_catalog

    return list_catalog(search)


def download_model(
    name: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Download a model's files, tokenizer included, so that it can be loaded offline.

    An interrupted download is continued, and every file is checked against the hub's hash.
    HF_ENDPOINT, HF_HUB_OFFLINE, HF_HOME and proxies are respected.

    Parameters
    ----------
    name : str
        "ARCH/TAG" of open_clip, or "hf-hub:ORG/NAME".
    progress : callable(received_bytes, total_bytes), optional
    cancelled : callable() -> bool, optional
        Both called for each half megabyte; true stops the download.

    Returns
    -------
    Path
        The file of weights, or the folder of a model of the hub.

    Raises
    ------
    ModelLoadError
        There is no such model, or a file cannot be downloaded: which one, from where, why, and
        where to place it by hand.
    UnsupportedModelError
        Its image tower cannot be decomposed; raised before weights are downloaded.
    Cancelled
        The received bytes are kept.

    Examples
    --------
    >>> nch.download_model("ViT-B-16/laion2b_s34b_b88k")  # doctest: +SKIP
    PosixPath('.../open_clip_model.safetensors')
    """
    with open_clip_imported():
        from napari_clip_heatmap.clip.sources.resolve import download_named_model

    return download_named_model(
        name,
        progress=progress or (lambda received, total: None),
        cancelled=cancelled or (lambda: False),
    )


def open_encoding(path: str | Path, *, model: str | ClipModel | None = None) -> Encoding:
    """Open an encoding that `Encoding.save` wrote; prompts need no image tower and no GPU.

    All stored bytes are checked against their hashes.

    Parameters
    ----------
    path : str or Path
    model : str or ClipModel, optional
        The model that encoded the image, if it cannot be found by its recorded name: a loaded one,
        or the name of a folder elsewhere. By default the text tower of the recorded model is
        loaded, on the CPU, at the first prompt.

    Raises
    ------
    EncodingFileError
        The file is missing, damaged, or of a newer version.
    ModelLoadError
        The model is missing or has other weights; raised at the first prompt where it is loaded.

    Examples
    --------
    >>> path = nch.encode(model, image).save("cells.zarr.zip")
    >>> nch.open_encoding(path).heatmaps(["nuclei", "filaments"]).values.shape
    (2, 96, 96)
    """
    from napari_clip_heatmap.pipeline.storage.records import open_saved_encoding

    return open_saved_encoding(path, model=model)


def decompose(
    model: ClipModel,
    batch: Tensor,
    *,
    layers: Sequence[int | str] | None = None,
    heads: Sequence[int | str] | None = None,
    convention: ConventionName = "reference",
) -> Decomposition:
    """Split the unit image embedding into the contributions of every layer, head and token.

    All contributions sum to the unit image embedding; dotted with a unit text direction, to the
    cosine similarity (arXiv 2310.05916).

    Parameters
    ----------
    model : ClipModel
    batch : float tensor (b, 3, h, w)
        Preprocessed images, from ``model.preprocess``.
    layers, heads : sequence of int or str, optional
        Only these, by number or label ("L22", "L22H5"); the others are summed, which saves memory.
    convention : {"reference", "centered"}
        How to split what belongs to no single token: "reference" as the authors' code does, evenly
        over tokens; "centered" keeps it out of the tokens.

    Returns
    -------
    Decomposition
        ``attention`` (batch, layer, token, head, d_embed), with the class token first; ``mlp``
        (batch, layer + 1, d_embed), with the input first; ``unselected`` (batch, d_embed), the sum
        of all other layers and heads; ``representation`` (batch, d_embed), the unnormalized
        embedding.

    Raises
    ------
    DecompositionError, ImageError
        There is no such layer, head or convention; the batch does not fit the model.

    Examples
    --------
    >>> parts = nch.decompose(model, batch, layers=["L3"])
    >>> parts
    Decomposition(batch=1, layers=1, tokens=145, heads=8, d_embed=128, convention='reference')
    >>> unit = parts.representation / parts.representation.norm(dim=-1, keepdim=True)
    >>> bool((parts.total - unit).abs().max() < 1e-5)
    True
    """
    return model.decompose(batch, layers=layers, heads=heads, convention=convention)


def token_map(model: ClipModel, batch: Tensor) -> Tensor:
    """Return the contribution of each patch to the unit image embedding, in one forward pass.

    Parameters
    ----------
    model : ClipModel
    batch : float tensor (b, 3, h, w)
        Preprocessed images, from ``model.preprocess``.

    Returns
    -------
    float32 tensor (batch, grid_y, grid_x, d_embed), or float64 as the model
        ``decompose(model, batch).attention`` without the class token, summed over layers and heads.

    Raises
    ------
    ImageError
        The batch does not fit the model.

    Examples
    --------
    >>> nch.token_map(model, batch).shape
    torch.Size([1, 12, 12, 128])
    """
    return model.token_map(batch).tokens
