from .checkpoint import Checkpoints
from .distributed import Group, joined, start_processes, under_torchrun
from .engine import Engine, EngineError, Feed
from .loop import Report
from .losses import stage_loss
from .objective import Objective
from .peer_objective import PeerObjective
from .run import stage_params, train_on_build, train_sft_dec, write_curve
from .schedule import STAGES, Stage, weights_path
from .state import begin
from .step import take_step

__all__ = [
    "STAGES",
    "Checkpoints",
    "Engine",
    "EngineError",
    "Feed",
    "Group",
    "Objective",
    "PeerObjective",
    "Report",
    "Stage",
    "begin",
    "joined",
    "stage_loss",
    "stage_params",
    "start_processes",
    "take_step",
    "train_on_build",
    "train_sft_dec",
    "under_torchrun",
    "weights_path",
    "write_curve",
]
