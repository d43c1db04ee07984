"""The method of an encoding that makes an example from places in its image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_clip_heatmap.prompting.example import Example

__all__ = ["ExampleMaker"]


class ExampleMaker:
    """What can be asked of an `Encoding` by showing places instead of writing words."""

    def example(
        self,
        positive: Any,
        negative: Any = (),
        *,
        name: str,
        words: str = "",
        weight: float = 0.5,
        templates: str | Iterable[str] = "plain",
    ) -> Example:
        """Make an example: a direction that stands where a prompt can stand.

        Its map is high where the image looks to the model as it does at the positive places, and
        unlike the image as a whole and the negative places. It is a direction like that of words,
        so its map is an exact decomposition too: of the cosine of image and direction.

        Parameters
        ----------
        positive, negative : array-like
            Points (n, 2), y and x in image pixels, whole numbers at pixel centers; or a mask, bool
            (y, x), of the image's shape. Negative places are optional; good ones are those where a
            map is high and should not be.
        name : str
            What its maps are called; no other prompt of a list may have this name.
        words : str
            Words to mix in, as a prompt: "vesicles", "vesicles | bubbles", or with a contrast,
            "platelets - red blood cells"; without one they are compared with neutral prompts.
        weight : float
            Of the places against the words, 0 to 1; without words it changes nothing.
        templates : str or iterable of str
            Sentences that the words are put into; see `heatmaps`.

        Returns
        -------
        Example

        Raises
        ------
        PromptError
            There is no positive place; a place is outside the image, or where it is not known; the
            places do not differ from the rest of the image; or the name or the words cannot be
            read.
        SettingsError
            The weight is not from 0 to 1.

        Examples
        --------
        >>> example = encoding.example(
        ...     positive=[(20, 30), (52, 41)], negative=[(80, 12)], name="mine", words="nuclei"
        ... )
        >>> example.positive, example.negative, example.weight
        (2, 1, 0.5)
        >>> encoding.heatmaps(["filaments", example]).values.shape
        (2, 96, 96)
        """
        from napari_clip_heatmap.pipeline.examples.make_example import make_example

        return make_example(
            self,  # type: ignore[arg-type] # only `Encoding` derives from this
            positive,
            negative,
            name=name,
            words=words,
            weight=weight,
            templates=templates,
        )
