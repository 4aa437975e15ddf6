from .addresses import HIDDEN, LOOPBACK, hush, spare_loopback, without_passwords
from .atomic import atomic_path
from .checksums import checksum, together
from .devices import Exact, Precision, autocast, choose_device, compute_exactly, has_bf16, mixed, training_dtype
from .errors import DataError
from .extras import MissingExtraError, needs_extra
from .imports import Imports, below
from .locks import held_file
from .memory import LARGEST_KEPT, is_out_of_memory, keep_freed_memory, return_freed_memory
from .parallel import Run, compute, run_here
from .waiting import wait_passively
from .yaml_text import dump_yaml, parse_yaml, read_yaml

__all__ = [
    "HIDDEN",
    "LARGEST_KEPT",
    "LOOPBACK",
    "DataError",
    "Exact",
    "Imports",
    "MissingExtraError",
    "Precision",
    "Run",
    "atomic_path",
    "autocast",
    "below",
    "checksum",
    "choose_device",
    "compute",
    "compute_exactly",
    "dump_yaml",
    "has_bf16",
    "held_file",
    "hush",
    "is_out_of_memory",
    "keep_freed_memory",
    "mixed",
    "needs_extra",
    "parse_yaml",
    "read_yaml",
    "return_freed_memory",
    "run_here",
    "spare_loopback",
    "together",
    "training_dtype",
    "wait_passively",
    "without_passwords",
]
