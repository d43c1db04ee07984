"""The heatmaps of several prompts: on the patch lattice, and at the image's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import SettingsError, shorten
from napari_clip_heatmap.imaging import colors
from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.resample import (
    WINDOW,
    at_pixel,
    coarser,
    pixel_range,
    to_image_pixels,
)
from napari_clip_heatmap.imaging.validity import Validity
from napari_clip_heatmap.pipeline.objects.heatmap_objects import HeatmapObjects
from napari_clip_heatmap.pipeline.score_registry import Score
from napari_clip_heatmap.pipeline.scoring import Scoring

if TYPE_CHECKING:
    from dask.array import Array

    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.verdicts import PromptVerdict

__all__ = ["Heatmaps", "LazyHeatmaps", "Maps", "refuse_heads"]


def refuse_heads(layers: object, heads: object) -> None:
    """Raise `SettingsError` where an encoding is asked for layers or heads."""
    if layers is not None or heads is not None:
        raise SettingsError(
            "an encoding holds the sum over layers and heads, so it has no maps of single ones; "
            "with the model and the image, head_maps(model, image, prompts).only(layers=['L4']) or "
            ".only(heads=['L4H2']) has them"
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Maps:
    """One map per prompt on the patch lattice, and how it was made.

    Parameters
    ----------
    scoring : Scoring
        The prompts and the score.
    lattice_values : float32 (prompt, grid_y, grid_x)
        One value per patch, not interpolated; NaN where nothing is known.
    similarity : float32 (prompt,)
        Cosine similarity of each prompt with the image: the mean over tiles, whatever the score.
    unowned : float32 (prompt,)
        The part of `similarity` that no patch contributes (class token, MLPs, input); NaN where it
        is not known, as in encodings of earlier versions.
    image_notes : tuple of str
        Plain sentences on what the model saw of the image.
    flat : bool
        Whether the image is nearly constant, so that its maps are drawn without any contrast.
    """

    scoring: Scoring
    lattice_values: NDArray[np.float32]
    similarity: NDArray[np.float32]
    unowned: NDArray[np.float32]
    image_notes: tuple[str, ...] = ()
    flat: bool = False

    def __repr__(self) -> str:
        shown = ", ".join(f"'{shorten(prompt, 30)}'" for prompt in self.prompts[:4])
        more = f", ... {len(self.prompts)} in all" if len(self.prompts) > 4 else ""
        y, x = self._shape
        return f"{type(self).__name__}({shown}{more}; score={self.score!r}, y={y}, x={x})"

    @property
    def _shape(self) -> tuple[int, int]:
        y, x = self.lattice_values.shape[1:]
        return y, x

    @property
    def prompts(self) -> tuple[str, ...]:
        """Each prompt once, in the order given."""
        return self.scoring.prompts

    @property
    def score(self) -> Score:
        """The name of the score; see `Encoding.heatmaps`."""
        return self.scoring.score

    @property
    def baseline(self) -> tuple[str, ...]:
        """The prompts that were subtracted or competed; empty where these are the prompts.

        The baseline that was given, or the neutral prompts where "relative" or "softmax" had a
        single prompt.
        """
        return self.scoring.baseline

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain sentences on how to read the maps, and on what the model saw; often empty."""
        return self.scoring.notes + self.image_notes

    @property
    def unit(self) -> str:
        """Unit of the values: "cosine" (a contribution to the cosine) or "probability"."""
        return self.scoring.unit

    @property
    def recipes(self) -> tuple[dict[str, list[str]], ...]:
        """Per prompt the texts whose directions were averaged, and those of its own contrast."""
        return self.scoring.recipes


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Heatmaps(HeatmapObjects, Maps):
    """One heatmap per prompt at image pixels, as `Encoding.heatmaps` returns them.

    Next to `values` there are ``prompts``, ``similarity``, ``unowned``, ``lattice_values``,
    ``score``, ``baseline``, ``unit``, ``notes`` and ``recipes``.

    Parameters
    ----------
    scoring, lattice_values, similarity, unowned, image_notes, flat
        As `Maps` takes them.
    encoding : Encoding
        What they were made of.
    values : float32 (prompt, y, x)
        Contribution of the patch under each image pixel to the cosine similarity (for "softmax"
        its probability), interpolated bilinearly between patch centers. NaN where the image is
        invalid and outside the region.

    Examples
    --------
    >>> maps = encoding.heatmaps(["nuclei", "filaments", "background"])
    >>> maps.values.shape, maps.prompts
    ((3, 96, 96), ('nuclei', 'filaments', 'background'))
    >>> overlay = maps.jet()[0]  # uint8 (y, x, 3)
    """

    encoding: Encoding
    values: NDArray[np.float32]

    @property
    def _shape(self) -> tuple[int, int]:
        y, x = self.values.shape[1:]
        return y, x

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The words of earlier versions for `checks`; see `Verdict`."""
        return tuple(str(check.verdict) for check in self.checks)

    @cached_property
    def checks(self) -> tuple[PromptVerdict, ...]:
        """How far to trust each map, and why."""
        # Here, because both modules import `Encoding`, which imports this one.
        from napari_clip_heatmap.pipeline.null_reference import make_null_reference
        from napari_clip_heatmap.pipeline.verdicts import judge_prompts

        null = make_null_reference(self.encoding, self.scoring.templates)
        return judge_prompts(self.encoding, self.scoring, null)

    def normalized(self) -> NDArray[np.float32]:
        """Return each map scaled to 0..1 by its own range, float32 (prompt, y, x); NaN stays NaN.

        A map without any contrast becomes 0, and so does every map of a nearly constant image.

        Examples
        --------
        >>> mask = maps.normalized()[0] > 0.5
        """
        return colors.min_max(self.values, least=np.inf if self.flat else 0.0)

    def jet(self) -> NDArray[np.uint8]:
        """Return each normalized map in OpenCV's JET colors, uint8 RGB (prompt, y, x, 3).

        Red contributes most to the score, blue least; invalid pixels are black.

        Examples
        --------
        >>> from PIL import Image
        >>> Image.fromarray(maps.jet()[0]).save("nuclei.png")
        """
        return colors.jet(self.normalized())

    def edge_aware(self, image: ArrayLike) -> NDArray[np.float32]:
        """Return the maps drawn along the edges of the image, for display only.

        What is between patches is drawn by the image, not seen by the model: never measure in it.
        The mean over each patch's pixels stays the patch's value. No other method, table or file
        uses it.

        Parameters
        ----------
        image : array (y, x), (y, x, 3) or (y, x, 4)
            The image that was encoded.

        Returns
        -------
        float32 (prompt, y, x)
            In the unit of `values`, and NaN where they are.

        Raises
        ------
        ImageError
            The image has another shape than the maps.

        Examples
        --------
        >>> maps.edge_aware(image).shape
        (2, 96, 96)
        """
        from napari_clip_heatmap.annotation.image_edges import check_pixels
        from napari_clip_heatmap.imaging.edge_aware import draw_along_edges

        lattice = self.encoding.lattice
        pixels = check_pixels(image, lattice.image_shape)
        drawn = draw_along_edges(self.lattice_values, lattice, pixels)
        drawn[~np.isfinite(self.values)] = np.nan
        return drawn


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LazyHeatmaps(Maps):
    """One heatmap per prompt that is interpolated to image pixels only where it is looked at.

    Parameters
    ----------
    scoring, lattice_values, similarity, unowned, image_notes, flat
        As `Maps` takes them.
    lattice : Lattice
    region : Region
        Maps are NaN outside.
    validity : Validity
        Maps are NaN where the image is invalid.

    Examples
    --------
    >>> lazy = encoding.lazy_heatmaps(["nuclei", "background"])
    >>> corner = lazy.window(slice(0, 256), slice(0, 256))  # float32 (2, 256, 256)
    >>> levels = lazy.pyramid()  # dask arrays (prompt, y, x), the finest first
    """

    lattice: Lattice
    region: Region
    validity: Validity

    @property
    def _shape(self) -> tuple[int, int]:
        return self.lattice.image_shape

    @property
    def limits(self) -> NDArray[np.float32]:
        """Smallest and largest lattice value of each map, float32 (prompt, 2): no pixel is beyond.

        Maps that are to be drawn flat have limits far apart, so that no contrast shows.
        """
        known = np.isfinite(self.lattice_values)
        low = np.min(self.lattice_values, axis=(1, 2), where=known, initial=np.inf)
        high = np.max(self.lattice_values, axis=(1, 2), where=known, initial=-np.inf)
        limits = np.stack([low, high], axis=1)
        limits[~known.any(axis=(1, 2))] = 0
        if self.flat:
            limits[:, 1] = limits[:, 0] + 1
        return limits

    @property
    def gapless(self) -> bool:
        """Whether every pixel of every map has a value."""
        holes = self.validity.holes or not self.region.is_whole
        return not holes and bool(np.isfinite(self.lattice_values).all())

    def pixel_limits(self) -> NDArray[np.float32]:
        """Return the smallest and largest pixel of each map, float32 (prompt, 2).

        For maps that are `gapless`; they need not be interpolated for it.
        """
        return pixel_range(self.lattice_values, self.lattice)

    def window(
        self,
        y: slice | None = None,
        x: slice | None = None,
        *,
        factor: int = 1,
        maps: slice = slice(None),
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return a rectangle of the maps, float32 (prompt, y, x).

        Parameters
        ----------
        y, x : slice, optional
            Rows and columns, in pixels that are `factor` image pixels wide; by default all.
        factor : int
            Image pixels per pixel of the result, along each axis.
        maps : slice
            Which prompts.
        out : float32 (prompt, y, x), optional
            Array to fill; it is returned.
        """
        lattice = coarser(self.lattice, factor)
        height, width = lattice.image_shape
        rows, columns = y or slice(0, height), x or slice(0, width)
        values = to_image_pixels(self.lattice_values[maps], lattice, rows, columns, out)
        at_y = (np.arange(rows.start, rows.stop) + 0.5) * (self.lattice.y.image / height)
        at_x = (np.arange(columns.start, columns.stop) + 0.5) * (self.lattice.x.image / width)
        for shown in (self.validity.read(at_y, at_x), self.region.inside(at_y, at_x)):
            if shown is not None:  # by an index it would take 16 bytes for each of them
                np.copyto(values, np.float32(np.nan), where=~shown)
        return values

    def at(self, y: int, x: int) -> NDArray[np.float32]:
        """Return all maps at one image pixel, float32 (prompt,); NaN where nothing is known."""
        values = at_pixel(self.lattice_values, self.lattice, y, x)
        point = np.array([y + 0.5]), np.array([x + 0.5])
        for shown in (self.validity.read(*point), self.region.inside(*point)):
            if shown is not None and not shown.all():
                values[:] = np.nan
        return values

    def eager(self, encoding: Encoding) -> Heatmaps:
        """Return the maps with all their pixels; `encoding` is what they were made of."""
        return Heatmaps(
            encoding=encoding,
            scoring=self.scoring,
            lattice_values=self.lattice_values,
            similarity=self.similarity,
            unowned=self.unowned,
            image_notes=self.image_notes,
            flat=self.flat,
            values=self.window(),
        )

    def dask(self, factor: int = 1) -> Array:
        """Return the maps as a dask array (prompt, y, x), equal to the eager ones, chunk by chunk.

        Parameters
        ----------
        factor : int
            Image pixels per pixel of the array, along each axis.
        """
        from napari_clip_heatmap.pipeline.lazy_pyramid import lazy_array

        return lazy_array(self._window, self.lattice, (len(self.prompts),), factor)

    def pyramid(self, smallest: int = WINDOW) -> list[Array]:
        """Return the maps at full resolution, then each half as wide, down to `smallest` pixels."""
        from napari_clip_heatmap.pipeline.lazy_pyramid import lazy_pyramid

        return lazy_pyramid(self._window, self.lattice, (len(self.prompts),), smallest)

    def _window(
        self, index: tuple[int, ...], y: slice, x: slice, factor: int
    ) -> NDArray[np.float32]:
        (prompt,) = index
        plane: NDArray[np.float32] = self.window(
            y, x, factor=factor, maps=slice(prompt, prompt + 1)
        )[0]
        return plane
