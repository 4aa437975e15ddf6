"""How this process's threads wait for one another."""

import os


def wait_passively() -> None:
    """Have threads that wait for others leave their core to those who compute; what the user has set stays.

    OpenMP's spin instead: beside one busy process a step of training then takes twice its time and more. It is read
    once, while PyTorch is loaded, so this has to be called before that; processes that are started later inherit it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
