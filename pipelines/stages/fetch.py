"""DVC stage fetch: the data sets in data/ → build/scenes."""

from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.datasets import REFUSED, Kept, fetch, users_folder
from sftdec.params import load_params
from sftdec.runtime import compute
from sftdec.tracking import track_stage

DATA, OUT = Path("data"), Path("build/scenes")


def main() -> None:
    """Fetch what params.yaml names."""
    params = load_params(Path("params.yaml"))
    with track_stage("fetch", Path.cwd(), reads=[DATA], params=params.fetch.model_dump()) as tracker:
        with compute(**params.compute.model_dump()) as run:
            folder = users_folder()
            index, refused = fetch(params.fetch, DATA, OUT, run, Kept(folder) if folder else None)
        counts = {f"refused_{check}": float(count) for check, count in refused["check"].value_counts().items()}
        failed = int((refused["check"] != "extra").sum())
        figures = {"scenes": float(len(index)), "sigma_mean": float(index["sigma_mean"].mean())}
        tracker.metrics({**figures, "refused": float(failed), **counts}, step=0)
        tracker.artifact(OUT / "index.parquet", "scenes")
        tracker.artifact(OUT / REFUSED, "scenes")
        tracker.writes([OUT])
        print(f"{len(index)} scenes, {failed} refused")


if __name__ == "__main__":
    run_stage(main)
