from .checkpoint import Checkpoints
from .distributed import Group, joined, start_processes, under_torchrun
from .losses import stage_loss
from .objective import Objective, PeerObjective
from .run import run_training, stage_inputs, stage_params, train_network, weights_path, write_curve
from .schedule import STAGES, Stage
from .state import begin
from .step import Stepper, take_step

__all__ = [
    "STAGES",
    "Checkpoints",
    "Group",
    "Objective",
    "PeerObjective",
    "Stage",
    "Stepper",
    "begin",
    "joined",
    "run_training",
    "stage_inputs",
    "stage_loss",
    "stage_params",
    "start_processes",
    "take_step",
    "train_network",
    "under_torchrun",
    "weights_path",
    "write_curve",
]
