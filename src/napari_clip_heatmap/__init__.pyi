# The public names, read by editors, type checkers and `lazy_loader`.

from .annotation.objects import Objects
from .annotation.peaks import Peaks
from .api import (
    decompose,
    download_model,
    encode,
    list_models,
    load_model,
    open_encoding,
    token_map,
)
from .clip.model import ClipModel
from .core.decomposition import Decomposition
from .errors import Cancelled, ClipHeatmapError
from .files.methods_paragraph import methods_text
from .files.object_formats import write_objects
from .files.reading.image_file import read_image
from .files.reproduction_script import python_script
from .imaging.channel import Channel
from .imaging.masks import Outlines
from .imaging.region import Region
from .imaging.view import View
from .pipeline.encoding import Encoding
from .pipeline.explanation.explain import explain
from .pipeline.explanation.explanation import Explanation
from .pipeline.explanation.head_maps import HeadHeatmaps, HeadMaps, head_maps
from .pipeline.explanation.head_words import HeadWords, describe_heads
from .pipeline.explanation.word_list import WordList, words_of
from .pipeline.heatmaps import Heatmaps, LazyHeatmaps
from .pipeline.objects.object_scores import ObjectScores, score_objects
from .pipeline.remote.scheduler import Scheduler, Tls
from .pipeline.score_registry import Score
from .pipeline.storage.cache import EncodingCache
from .pipeline.trust import Trust, Verdict
from .pipeline.verdicts import Assessment, PromptCheck, PromptVerdict, assess
from .prompting.example import Example

__version__: str

__all__ = [
    "Assessment",
    "Cancelled",
    "Channel",
    "ClipHeatmapError",
    "ClipModel",
    "Decomposition",
    "Encoding",
    "EncodingCache",
    "Example",
    "Explanation",
    "HeadHeatmaps",
    "HeadMaps",
    "HeadWords",
    "Heatmaps",
    "LazyHeatmaps",
    "ObjectScores",
    "Objects",
    "Outlines",
    "Peaks",
    "PromptCheck",
    "PromptVerdict",
    "Region",
    "Scheduler",
    "Score",
    "Tls",
    "Trust",
    "Verdict",
    "View",
    "WordList",
    "__version__",
    "assess",
    "decompose",
    "describe_heads",
    "download_model",
    "encode",
    "explain",
    "head_maps",
    "list_models",
    "load_model",
    "methods_text",
    "open_encoding",
    "python_script",
    "read_image",
    "score_objects",
    "token_map",
    "words_of",
    "write_objects",
]
