"""What steps gave, added up where they are computed: a GPU isn't waited for at each of them."""

import torch
from torch import Tensor

VALUES = ("loss", "loss_dme", "loss_df", "loss_wd", "gradient_norm", "learning_rate")


class Tally:
    """Sums over steps, float64 on the device; a step whose values aren't finite is counted and added to nothing.

    ``averaged`` and ``bad_in_a_row`` are as ``TrainingState``'s, and go on where those are.
    """

    def __init__(self, device: torch.device, averaged: int = 0, bad_in_a_row: int = 0) -> None:
        self.sums, self.last = torch.zeros(2, len(VALUES), dtype=torch.float64, device=device)
        counts = [0, 0, averaged, bad_in_a_row]  # steps that count, steps skipped
        self._counts = torch.tensor(counts, dtype=torch.float64, device=device)

    @property
    def averaged(self) -> Tensor:
        """How often the average has followed the network."""
        return self._counts[2]

    @torch.no_grad()
    def add(self, values: Tensor, finite: Tensor) -> None:
        """Take a step's ``VALUES``, float64."""
        good = finite.double()
        self.last.copy_(values)
        self.sums += torch.where(finite, values, torch.zeros_like(values))
        self._counts += torch.stack([good, 1 - good, good, 1 - good])
        self._counts[3].mul_(1 - good)

    def read(self) -> tuple[dict[str, float], dict[str, float], list[int]]:
        """Wait for the device: the sums and counts (steps, skipped, averaged, bad in a row) since the last reading,
        and the last step's values.
        """
        found = torch.cat([self.sums, self.last, self._counts]).tolist()
        self.sums.zero_()
        self._counts[:2].zero_()
        sums, last = found[: len(VALUES)], found[len(VALUES) : -4]
        return dict(zip(VALUES, sums, strict=True)), dict(zip(VALUES, last, strict=True)), [int(n) for n in found[-4:]]
