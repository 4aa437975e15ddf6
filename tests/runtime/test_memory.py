"""What keeps a process's freed memory."""

import subprocess
import sys

import pytest

from sftdec.runtime import is_out_of_memory

MEASURE = """
import resource
import numpy as np
from sftdec.runtime.memory import keep_freed_memory
if {kept}:
    keep_freed_memory()
for _ in range(3):
    blocks = [np.ones(4 << 20, np.uint8) for _ in range(50)]
    del blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    blocks = [np.ones(4 << 20, np.uint8) for _ in range(50)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(kept: bool) -> int:
    done = subprocess.run([sys.executable, "-c", MEASURE.format(kept=kept)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone is told")
def test_freed_memory_is_used_again_without_asking_for_its_pages():
    assert page_faults(kept=True) * 10 < page_faults(kept=False)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone is told")
def test_what_was_kept_is_returned_when_asked_for():
    code = (
        "import numpy as np, psutil; from sftdec.runtime import keep_freed_memory, return_freed_memory\n"
        "keep_freed_memory(); blocks = [np.ones(4 << 20, np.uint8) for _ in range(50)]; last = np.ones(9)\n"
        "del blocks; kept = psutil.Process().memory_info().rss; return_freed_memory()\n"
        "print(kept - psutil.Process().memory_info().rss >> 20)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 150


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("CUDA error: out of memory\nCUDA kernel errors might be reported asynchronously", True),
        ("CUDA error: an illegal memory access was encountered", False),
    ],
)
def test_a_gpus_libraries_name_a_lack_of_memory_in_their_own_words(said, expected):
    assert is_out_of_memory(RuntimeError(said)) == expected
