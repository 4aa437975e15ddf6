from .commits import code_checksums, flatten, lineage, read_flat_params
from .definitions import stage_definitions
from .git_command import WorktreeError, git
from .stages import stage_order, stage_outs
from .worktrees import (
    DATA_FILE,
    bring_data,
    cache_folder,
    code_first,
    commit_definition,
    commit_of,
    data_sets,
    dvc_environment,
    is_kept_by_dvc,
    mirror_data,
    place_worktree,
    remove_worktree,
    run_dvc_quietly,
    share_cache,
)

__all__ = [
    "DATA_FILE",
    "WorktreeError",
    "bring_data",
    "cache_folder",
    "code_checksums",
    "code_first",
    "commit_definition",
    "commit_of",
    "data_sets",
    "dvc_environment",
    "flatten",
    "git",
    "is_kept_by_dvc",
    "lineage",
    "mirror_data",
    "place_worktree",
    "read_flat_params",
    "remove_worktree",
    "run_dvc_quietly",
    "share_cache",
    "stage_definitions",
    "stage_order",
    "stage_outs",
]
