"""Deblurring from Python: a model by its name, loaded once and called with pictures."""

from pathlib import Path
from typing import Self, Unpack

from sftdec.inference import Deblurred, Engine, EngineSettings
from sftdec.registry import find_weights

__all__ = ["Deblurred", "Deblurrer"]


class Deblurrer(Engine):
    """A model ready to deblur: ``Deblurrer.load()(image).image``; see ``inference.Engine``."""

    @classmethod
    def load(cls, model: str | Path | None = None, **settings: Unpack[EngineSettings]) -> Self:
        """Load a model.

        ``model``: a weights file, ``models:/…``, or ``builtin``, or, unless PyTorch is to compute, an ``.onnx`` file
        that ``sftdec export`` wrote; None: the registry's champion where there is a registry with one (``mlflow.db``
        here, or ``MLFLOW_TRACKING_URI``), else ``builtin``. ``settings``: how it computes (device, precision, runtime,
        tile, memory, local_pooling), see ``inference.EngineSettings``.

        Raises:
            ValueError: no such model, device, precision or runtime, a tile or memory that isn't above 0, or local
                pooling where nothing is pooled.
        """
        return cls.of_file(find_weights(model), **settings)
