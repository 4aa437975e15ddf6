"""A registered version's weights without MLflow, and only where they are what was registered."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from sftdec.registry import register, resolve_weights, set_champion
from sftdec.tracking import TrackingSettings
from sftdec.tracking.local_weights import find_local_weights
from tests.registry.small import tamper


def test_aliases_and_numbers_lead_where_mlflow_leads_and_anything_odd_leads_nowhere(
    root: Path,
    settings: TrackingSettings,
    trained: list[Path],
    tmp_path: Path,
) -> None:
    champion = "models:/sft-dec@champion"
    assert find_local_weights(champion, settings) is None
    first = register(trained[0], None, {}, root, settings=settings)
    register(trained[1], None, {}, root, settings=settings)
    assert find_local_weights(champion, settings) is None  # there is none yet
    set_champion(first, "first", {}, root, settings)
    for model in (champion, "models:/sft-dec@challenger", "models:/sft-dec/1", "models:/sft-dec/2"):
        assert find_local_weights(model, settings) == resolve_weights(model, root, settings)
    for model in ("models:/sft-dec/9", "models:/other@champion", "models:/sft-dec", "mine.safetensors"):
        assert find_local_weights(model, settings) is None
    code = "import sys; from sftdec.registry.names import find_weights; print(find_weights())\n"
    code += "sys.exit('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    file = find_local_weights(champion, settings)
    assert file is not None and done.stdout.strip() == str(file)
    shutil.copy(file, tmp_path / "kept")
    tamper(file)
    assert find_local_weights(champion, settings) is None
    shutil.copy(tmp_path / "kept", file)
    with sqlite3.connect(settings.database or "") as database:
        database.execute("ALTER TABLE model_versions RENAME COLUMN storage_location TO elsewhere")  # another MLflow
    assert find_local_weights(champion, settings) is None
