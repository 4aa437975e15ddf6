"""Crops as the tests ask for them: smaller than a training's may be."""

from sftdec.params import AugmentationParams


def cut(crop, rotation=0.0, flips=True, **light):
    return AugmentationParams(crop=crop, rotation=rotation, flips=flips, **light)
