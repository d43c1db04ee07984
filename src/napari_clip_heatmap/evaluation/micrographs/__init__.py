"""Real micrographs with captions and truth, described by an index file."""

from __future__ import annotations
