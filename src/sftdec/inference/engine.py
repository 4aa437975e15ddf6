"""The engine: a network that is loaded once and called with pictures."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from sftdec.inference.blending import Blend, Composition, Only
from sftdec.inference.large_blur import BYTES, check_max_blur, count_scales, deblur_at_scales
from sftdec.inference.levels import check_image
from sftdec.inference.runtime_choice import choose_precision, choose_runtimes
from sftdec.inference.runtimes import Runtime, RuntimeFailedError, TorchRuntime
from sftdec.inference.tile_size import choose_tile
from sftdec.networks import load_weights
from sftdec.runtime import choose_device, has_bf16, keep_freed_memory

Progress = Callable[[int, int], None]
LOG = logging.getLogger(__name__)


class Deblurred(NamedTuple):
    """What a picture became.

    ``image``: the all-in-focus picture, H×W×3 of the input's type: uint8, uint16, or float32 in 0..1 for any float.
    ``defocus``: the defocus map, float32 H×W in 0..1: sigma (px) divided by the ``sigma_max`` of what deblurred it.
    """

    image: NDArray[Any]
    defocus: NDArray[np.float32]


class EngineSettings(TypedDict, total=False):
    """How a model computes.

    Attributes:
        device: ``auto``, ``cpu`` or ``cuda[:n]``.
        precision: ``auto`` is bf16 for pictures of 8 bits where the hardware computes it, else fp32.
        runtime: what computes: ``torch``, or on a CPU ``onnxruntime`` (fp32) or ``openvino``, which come with the extra
            ``export``; ``auto`` is the fastest of those that are installed, and ``torch`` where that one fails.
        tile: side (px) of the tiles that are deblurred at a time; None: chosen for ``memory``.
        memory: GiB that the process may take, 2 where it isn't given.
        local_pooling: window (px) of local pooling, such as the training crop's side; None: none.
        max_blur: the largest blur that is looked for and taken off (Gaussian standard deviation, px; a disc of twice
            that in radius), at coarser scales where the network's own ``sigma_max`` doesn't reach it. A map's 1.0
            stands for it then. Where it isn't given, four times ``sigma_max``, which is the most; 0 or ``sigma_max``:
            no coarser scale.
        everywhere: True: what the network makes of a picture, all over. Else what its map says is in focus (up to
            0.4 px of sigma) stays to the bit, and tiles that are in focus throughout are not computed.
    """

    device: str
    precision: Literal["auto", "bf16", "fp32"]
    runtime: str
    tile: int | None
    memory: float | None
    local_pooling: int | None
    max_blur: float | None
    everywhere: bool


class Engine:
    """A network ready to deblur.

    May be called from several threads at once: each call gives what it would give alone, and they take turns tile by
    tile, so that together they need the memory of one and their pictures'.

    ``sigma_max``: blur (Gaussian standard deviation, px) that a map's 1.0 stands for: ``max_blur``, or the network's
    own where that is larger. ``exact`` makes what computes pictures of more than 8 bits; None: ``runtime`` does.
    ``otherwise`` makes the engine whose runtime takes over where this one's fails; None: the failure is raised.
    """

    def __init__(
        self,
        runtime: Runtime,
        tile: int | None = None,
        memory: float | None = None,
        exact: Callable[[], Runtime] | None = None,
        otherwise: "Callable[[], Engine] | None" = None,
        max_blur: float | None = None,
        everywhere: bool = False,
    ) -> None:
        self.sigma_max = check_max_blur(max_blur, runtime.sigma_max)
        self._scales = count_scales(self.sigma_max, runtime.sigma_max)
        self.runtime, self.everywhere, self._tile, self._memory = runtime, everywhere, tile, memory
        self._exact, self._otherwise = exact or (lambda: runtime), otherwise
        self._turn = threading.Lock()

    @classmethod
    def of_file(cls, path: Path, **settings: Unpack[EngineSettings]) -> Self:
        """Load a weights file or, unless PyTorch is to compute, an ``.onnx`` file that ``sftdec export`` wrote.

        Raises:
            ValueError: no such model, device, precision or runtime, a tile or memory that isn't above 0, a ``max_blur``
                out of range, or local pooling where nothing is pooled.
        """
        tile, memory = settings.get("tile"), settings.get("memory")
        if tile is not None and tile < 1:
            raise ValueError(f"tile: found {tile}, expected px, 1 or more")
        if memory is not None and not memory > 0:
            raise ValueError(f"memory: found {memory}, expected GiB, above 0")
        keep_freed_memory()
        how = (settings.get("device", "auto"), settings.get("precision", "auto"), settings.get("local_pooling"))
        return cls._of_first(choose_runtimes(settings.get("runtime", "auto"), path, *how), path, settings)

    @classmethod
    def _of_first(cls, names: Sequence[str], path: Path, settings: EngineSettings) -> Self:
        """With the first of the runtimes, or the next one where it can't be loaded or fails later."""
        name, *others = names
        try:
            runtime, exact = _load(name, path, settings)
        except ValueError:
            raise
        except Exception as error:
            if not others:
                raise
            LOG.warning("runtime %s: can't be loaded (%s); %s is taken", name, error, others[0])
            return cls._of_first(others, path, settings)
        otherwise = (lambda: cls._of_first(others, path, settings)) if others else None
        tile, memory, max_blur = settings.get("tile"), settings.get("memory"), settings.get("max_blur")
        return cls(runtime, tile, memory, exact, otherwise, max_blur, settings.get("everywhere", False))

    def __call__(
        self,
        image: NDArray[Any],
        progress: Progress | None = None,
        *,
        strength: float = 1.0,
        mask: NDArray[Any] | None = None,
        only: Only | None = None,
    ) -> Deblurred:
        """Deblur one sRGB picture H×W×3: uint8, uint16, or float in 0..1; H and W of 16 px or more.

        ``progress`` is told how many tiles of how many are done, over all passes. ``strength``, ``mask`` and ``only``
        say how much of the result is taken and where, see ``inference.Blend``; what takes nothing is the picture to the
        bit, and isn't computed.

        Raises:
            PhotoError: another shape or type, a picture that is too small, values that are NaN or infinite, or a
                ``Blend`` that makes no sense for it.
            ValueError: memory that isn't enough for this picture.
        """
        check_image(image)
        blend = Blend(strength, mask, only)
        blend.check(image.shape[:2])
        otherwise = self._otherwise
        try:
            return self._deblur(image, progress, blend)
        except RuntimeFailedError as error:
            if otherwise is None:
                raise
            with self._turn:
                if self._otherwise is otherwise:  # no other thread has met it before
                    LOG.warning("%s, which auto does from here on; the picture is begun anew", error)
                    engine = otherwise()
                    self.runtime, self._exact, self._otherwise = engine.runtime, engine._exact, engine._otherwise
        return self(image, progress, strength=strength, mask=mask, only=only)

    def _deblur(self, image: NDArray[Any], progress: Progress | None, blend: Blend) -> Deblurred:
        runtime = self.runtime if image.dtype == np.uint8 else self._exact()
        made = Composition(image, blend, runtime.sigma_max, self.everywhere)
        tile, unit = self._tile, runtime.sigma_max / self.sigma_max
        if tile is None:
            tile = choose_tile(runtime, image, self._memory, BYTES if self._scales else 0)
        defocus = deblur_at_scales(runtime, image, tile, made.write, progress, self._turn, made.choose, self._scales)
        defocus *= np.float32(unit)
        return Deblurred(made.result, np.clip(defocus, 0, 1, out=defocus))


def _load(name: str, path: Path, settings: EngineSettings) -> tuple[Runtime, Callable[[], Runtime] | None]:
    """A runtime, and what makes the one for more than 8 bits where that is another: ``auto`` is fp32 there."""
    device, precision = settings.get("device", "auto"), settings.get("precision", "auto")
    window = settings.get("local_pooling")
    if name != "torch":
        from sftdec.inference.graph_runtimes import load_runtime

        graph = load_runtime(name, path, device, precision, window)
        exactly = cache(lambda: load_runtime(name, path, device, "fp32", window))
        return graph, exactly if (precision, graph.precision) == ("auto", "bf16") else None
    chosen = choose_device(device)
    network = load_weights(path).to(chosen)
    network.set_local_pooling(window)
    runs = TorchRuntime(network, chosen, choose_precision(precision, has_bf16(chosen)))
    exact = cache(lambda: TorchRuntime(network, chosen, "fp32"))
    return runs, exact if (precision, runs.precision) == ("auto", "bf16") else None
