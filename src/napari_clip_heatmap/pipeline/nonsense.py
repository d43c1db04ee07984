"""Prompts that mean nothing, which every other prompt is compared with."""

from __future__ import annotations

__all__ = ["MADE_UP", "NONSENSE", "STAND_IN"]

STAND_IN = "wug"
"""Replaces every word that a model never learned."""

MADE_UP = (
    "wug", "xv", "florb", "qxz", "kwijibo", "dax mimsy", "uiop vlk", "zorp blick mave",
    "tove gimble wabe brillig", "snark frabjous vorpal tulgey", "zzxqw kjvbn pwrtl",
    "hgfd mnbv lkjh poiu", "a photo of a slithe", "a picture of plim", "an image of a quonk",
    "there are raths here", "yellow borogove flumph", "outgrabe yellow snib drell trop",
)  # fmt: skip
"""Words of no language: alone, together, and in sentences."""

# Chosen by `choose_null_prompts` with the bundled model, so that no senseless sequence of words is
# far from all of them. Nothing in them is specific to that model.
_SENSELESS = (
    "under an an an", "there a a an there", "with of of of there of", "are are are are of the",
    "under under under under", "are an under wug of of", "of there the there a of",
    "a wug there an", "are under wug under", "the", "are the the an are", "of are wug an",
    "here a here an the an", "there wug are a are under", "the under of of an of",
    "here there and the and", "a a there a", "an there wug", "a the under of wug there",
    "are are wug a", "a a under an", "under a are wug a", "an here an wug there there",
    "the are wug the of there", "of there an are are the", "with an an an a an",
    "there here under there the the", "an under wug a there are", "wug there there there here",
    "an are are wug", "wug the wug of the of", "are there the under an there", "an an wug an",
    "under wug there an an", "of under wug", "wug under of under wug under", "wug wug are are",
    "a there there wug there", "under with under are are are", "the here under are are are",
    "the an of", "a a an are an", "microscope micrograph microscope",
    "there an micrograph labelled a micrograph",
    "microscope microscopy image an there microscope",
    "image microscopy are wug micrograph under",
    "micrograph there microscopy the micrograph under", "an are wug are photo microscope",
    "microscope image wug", "micrograph image an", "microscope picture a picture image",
    "of microscope wug microscopy microscopy an",
    "there micrograph here microscopy microscopy an", "microscope are of wug microscope",
    "there of micrograph image image", "micrograph an photo under under",
    "micrograph a a there a microscope", "microscope wug image",
    "image there labeled labeled an image", "photo the the wug", "of a wug are microscope",
    "of microscope an picture an", "there labeled wug micrograph of an",
    "an wug there photo image", "are wug labeled microscope are there",
    "labeled labeled microscope labelled", "of an wug a micrograph", "a an picture micrograph",
    "image microscope an photo", "of wug an image", "wug micrograph micrograph an",
    "microscopy image wug a an picture", "microscope are", "wug under are a labeled an",
    "labeled an picture wug labeled under", "labelled wug wug the micrograph",
    "are under picture microscopy picture micrograph", "are there wug under microscope a",
)  # fmt: skip

NONSENSE = MADE_UP + _SENSELESS
"""Made-up words, and known words that name nothing, in senseless order."""
