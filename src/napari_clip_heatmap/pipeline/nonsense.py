"""Prompts that mean nothing: what a map looks like that owes nothing to its text."""

from __future__ import annotations

__all__ = ["MADE_UP", "NONSENSE", "STAND_IN"]

STAND_IN = "wug"
"""Stands for every word that a model never met."""

MADE_UP = (
    "wug", "xv", "florb", "qxz", "kwijibo", "dax mimsy", "uiop vlk", "zorp blick mave",
    "tove gimble wabe brillig", "snark frabjous vorpal tulgey", "zzxqw kjvbn pwrtl",
    "hgfd mnbv lkjh poiu", "a photo of a slithe", "a picture of plim", "an image of a quonk",
    "there are raths here", "yellow borogove flumph", "outgrabe yellow snib drell trop",
)  # fmt: skip
"""Words that no language has: alone, together, and in sentences."""

# Chosen by `evaluation.choice.choose_nonsense` with the bundled model, so that no senseless order
# of words that name nothing is far from all of them. Nothing in them is particular to that model.
_SENSELESS = (
    "under an an an", "there a a an there", "with of of of there of", "are are are are of the",
    "under under under there are", "of there the there a of", "under are are wug",
    "a wug there an", "are the the an are", "the", "of are wug an", "here a here an the an",
    "here there and the and", "of under of an", "here of the under wug a", "a a there a",
    "an under wug there there", "under wug are are", "are are wug a", "a a under an",
    "an an here wug", "here are are of of here", "wug there wug under under here",
    "the are wug the of there", "with an an an a an", "of there an are are the",
    "the are wug under", "wug the wug of the of", "are wug the a are there", "an an wug an",
    "under wug there an an", "of under wug", "the there wug", "are a the wug are",
    "a here the there there", "under with under are are are", "the an of",
    "are there the under an there", "a a an are an", "wug wug there a are",
    "a there there wug there", "there the an the an under", "microscope micrograph microscope",
    "there an micrograph labelled a micrograph",
    "microscope microscopy image an there microscope", "image microscope wug an",
    "micrograph there microscopy the micrograph under", "micrograph image an",
    "picture picture an", "microscopy image wug a an picture",
    "there micrograph here microscopy microscopy an", "microscope photo are photo image picture",
    "microscope a wug labelled there", "micrograph an photo under under", "microscope wug image",
    "micrograph a a there a microscope", "image there labeled labeled an image",
    "there labeled wug micrograph of an", "of a wug are microscope",
    "of microscope an picture an", "microscope are of wug microscope",
    "image microscope an photo", "a an picture micrograph", "wug micrograph micrograph an",
    "there wug wug micrograph labeled picture", "labeled image under under there labeled",
    "the image there labelled microscope", "of an wug a micrograph",
    "image microscopy are wug micrograph under", "labeled an picture wug labeled under",
    "there of micrograph image image", "a wug under image",
    "are under picture microscopy picture micrograph", "a wug a microscope a",
    "of microscope wug microscopy microscopy an", "there photo microscope under wug",
    "here photo image image an a", "micrograph micrograph microscope labeled an",
)  # fmt: skip

NONSENSE = MADE_UP + _SENSELESS
"""Made-up words, and known words that name nothing in senseless order."""
