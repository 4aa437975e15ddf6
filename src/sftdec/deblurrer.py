"""Deblurring from Python: a model by its name, loaded once and called with pictures."""

from pathlib import Path
from typing import Self, Unpack

from sftdec.inference import Deblurred, Engine, EngineSettings
from sftdec.registry import Chosen, choose_model

__all__ = ["Deblurred", "Deblurrer"]


class Deblurrer(Engine):
    """A model ready to deblur: ``Deblurrer.load()(image).image``; see ``inference.Engine``.

    ``chosen``: the model that was loaded and why it was taken.
    """

    chosen: Chosen | None = None

    @classmethod
    def load(cls, model: str | Path | None = None, **settings: Unpack[EngineSettings]) -> Self:
        """Load a model.

        ``model``: a weights file, ``models:/…``, or ``builtin``, or, unless PyTorch is to compute, an ``.onnx`` file
        that ``sftdec export`` wrote; None: the champion of the registry (``mlflow.db`` here, or
        ``MLFLOW_TRACKING_URI``) where it was judged better than ``builtin`` on the registry's test photos, else
        ``builtin``. ``settings``: how it computes (device, precision, runtime, tile, memory, local_pooling,
        max_blur, everywhere), see ``inference.EngineSettings``.

        Raises:
            ValueError: no such model, device, precision or runtime, a tile or memory that isn't above 0, or local
                pooling where nothing is pooled.
        """
        chosen = choose_model(model)
        loaded = cls.of_file(chosen.weights, **settings)
        loaded.chosen = chosen
        return loaded

    @property
    def model(self) -> str | None:
        """Which model it is: a file, ``builtin`` or a version's address; None where it was made of a runtime."""
        return None if self.chosen is None else self.chosen.name
