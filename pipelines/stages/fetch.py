"""DVC stage fetch: the data sets in data/ → build/scenes."""

from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.datasets.fetch import fetch
from sftdec.params import load_params
from sftdec.tracking import track_stage

DATA, OUT = Path("data"), Path("build/scenes")


def main() -> None:
    """Fetch what params.yaml names."""
    params = load_params(Path("params.yaml"))
    with track_stage("fetch", Path.cwd(), reads=[DATA], params=params.fetch.model_dump()) as tracker:
        index = fetch(params.fetch, DATA, OUT)
        tracker.metrics({"scenes": float(len(index)), "sigma_mean": float(index["sigma_mean"].mean())}, step=0)
        tracker.artifact(OUT / "index.parquet", "scenes")
        tracker.writes([OUT])


if __name__ == "__main__":
    run_stage(main)
