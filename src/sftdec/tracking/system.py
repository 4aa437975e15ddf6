"""What the machine is doing, under the names MLflow's own system-metrics tab knows."""

import importlib
from typing import Any

import psutil

MEGABYTE = 1e6


class SystemSampler:
    """Samples processor, memory (also that of one process) and, where NVIDIA's library finds them, GPUs."""

    def __init__(self, process: int) -> None:
        self._process = psutil.Process(process)
        self._nvml = _load_nvml()
        psutil.cpu_percent()  # the first call has nothing to compare with and says 0

    def sample(self) -> dict[str, float]:
        """Percentages (0..100) since the last sample and megabytes in use now; takes about a millisecond."""
        memory = psutil.virtual_memory()
        return {
            "system/cpu_utilization_percentage": psutil.cpu_percent(),
            "system/system_memory_usage_megabytes": memory.used / MEGABYTE,
            "system/system_memory_usage_percentage": memory.percent,
            "system/process_memory_usage_megabytes": self._process.memory_info().rss / MEGABYTE,
        } | self._sample_gpus()

    def _sample_gpus(self) -> dict[str, float]:
        if self._nvml is None:
            return {}
        sampled: dict[str, float] = {}
        for index in range(self._nvml.nvmlDeviceGetCount()):
            device = self._nvml.nvmlDeviceGetHandleByIndex(index)
            rates = self._nvml.nvmlDeviceGetUtilizationRates(device)
            memory = self._nvml.nvmlDeviceGetMemoryInfo(device)
            sampled[f"system/gpu_{index}_utilization_percentage"] = float(rates.gpu)
            sampled[f"system/gpu_{index}_memory_usage_megabytes"] = memory.used / MEGABYTE
        return sampled


def _load_nvml() -> Any:
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # not installed, no driver, no device: each has its own exception
        return None
    return nvml
