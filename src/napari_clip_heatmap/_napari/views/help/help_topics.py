"""The short texts behind the question mark; each has a page with the whole story."""

from __future__ import annotations

from dataclasses import dataclass

from napari_clip_heatmap.pipeline.score_registry import SCORES

__all__ = ["SITE", "TOPICS", "TOUR", "HelpTopic", "TourStep"]

SITE = "https://napari-clip-heatmap.github.io/napari-clip-heatmap/"


@dataclass(frozen=True)
class HelpTopic:
    """A question, its answer in a few sentences, and the page of the site with more."""

    question: str
    answer: str
    page: str

    @property
    def address(self) -> str:
        """Where the page is."""
        return SITE + self.page


TOPICS = (
    HelpTopic(
        "What do the colors mean?",
        "Red: the patch there contributed more to this prompt's score than to what the prompts "
        "have in common. Clear: no more than that. It is no outline, and no proof that the thing "
        "is there. All maps have one scale, unless you choose 'own'.",
        "how-to-read-a-map/",
    ),
    HelpTopic(
        "What is Trust?",
        "good: the map depends on your words, the thing was found in this image, and the map is "
        "still the prompt's own. doubtful: one of these is weaker than usual. none: do not believe "
        "the colors. Hover over the word for the reasons.",
        "how-to-read-a-map/#look-at-the-trust-first",
    ),
    HelpTopic(
        "What is Match?",
        "The cosine similarity between your words and the image, as a mean over its tiles. Compare "
        "prompts on one image, or one prompt over images of one kind. There is no value from which "
        "on a match is good: 0.3 is high for most large models, 0.1 for SigLIP.",
        "start/#the-first-map",
    ),
    HelpTopic(
        "Which score?",
        "\n".join(f"{name}: {each.help}." for name, each in SCORES.items()),
        "how-to-read-a-map/#which-score",
    ),
    HelpTopic(
        "Why is the map so coarse?",
        "A map has one value for each patch of the model, 8 to 32 of the pixels that the model "
        "sees; what is smoother is interpolated. A Resolution below 1 enlarges the image for the "
        "model: finer, and slower.",
        "limits/",
    ),
    HelpTopic(
        "Which model for my images?",
        "demo is a first look at micrographs; micrographs knows more kinds of things, and places "
        "them less well. For stained tissue, organisms, X-rays or photographs there are better "
        "ones: press ... beside Model.",
        "models/",
    ),
)


@dataclass(frozen=True)
class TourStep:
    """A control, by its name, and what to say beside it."""

    control: str
    text: str


TOUR = (
    TourStep("image", "This image is asked. Choose another by selecting its layer."),
    TourStep("prompts", "Type what to look for, one prompt to a row."),
    TourStep("run", "Run reads the image once. From then on the maps follow while you type."),
    TourStep(
        "prompts",
        "Click a row to see its map. Look at Trust before you believe the colors: good, doubtful "
        "or none, with the reasons in its tooltip.",
    ),
    TourStep("help", "The question mark answers the rest, and shows this tour again."),
)
