"""What a section of ``gpu.py`` is given, and where it puts what it finds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from gpu import Found, write

SIZES = {"small": (8, 88), "shipped": (32, 128), "wide": (32, 128), "paper": (6, 256)}  # crops a step, px


class Section:
    """``until``: the monotonic clock's seconds, which all processes have in common, at which it is stopped."""

    def __init__(self, name: str, out: Path, until: float, device: str) -> None:
        self.name, self.out, self.until = name, out, until - 0.05 * (until - time.monotonic())
        self.device = torch.device(
            "cuda" if device == "auto" and torch.cuda.is_available() else device.replace("auto", "cpu")
        )
        self.on_gpu = self.device.type == "cuda"
        self.sizes = SIZES if self.on_gpu else dict.fromkeys(SIZES, (2, 32))
        self.found: Found = {}
        self.failed: list[str] = []

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()

    def keep(self, *names: str, **values: Any) -> None:
        """Write values below the names."""
        place = self.found
        for name in names:
            place = place.setdefault(name, {})
        place.update(values)
        write(self.out / f"{self.name}.json", self.found)
        print(*names, values, flush=True)

    def attempt(self, names: tuple[str, ...], measure: Callable[..., Found], *given: Any) -> None:
        """Keep what is measured, or why it couldn't be; the rest goes on."""
        try:
            self.keep(*names, **measure(self, *given))
        except Exception as error:
            self.failed.append(", ".join(names))
            self.keep(*names, failed=f"{type(error).__name__}: {error}"[:500])
        if self.on_gpu:
            torch.cuda.empty_cache()

    def wait(self) -> float:
        """The time, when the device has done what it was given."""
        if self.on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter()

    def seconds_of(self, work: Callable[[], object], least: float) -> float:
        """Seconds a call, repeated for at least so many seconds."""
        work()
        started, calls, taken = self.wait(), 0, 0.0
        while calls == 0 or taken < least:
            work()
            calls, taken = calls + 1, self.wait() - started
        return taken / calls

    @contextmanager
    def memory(self, into: Found) -> Iterator[None]:
        """The largest memory taken inside, GB."""
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats()
        yield
        into["gb"] = torch.cuda.max_memory_allocated() / 1e9 if self.on_gpu else None
