"""All that knows open_clip: loading, preprocessing, text, and one adapter for each tower family."""

from __future__ import annotations
