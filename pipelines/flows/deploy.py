"""`python -m pipelines.flows.deploy`: what prefect.yaml declares is deployed, what it declares no more is deleted.

A deployment of before would go on: its nights, and a slot of its limit that a power cut left taken.
"""

import argparse
import re
import subprocess
import sys
from typing import Any

from prefect import get_client

from pipelines.flows.tasks import ROOT
from sftdec.runtime import read_yaml

FILE = ROOT / "prefect.yaml"


def main() -> None:
    """Deploy to the server that is configured."""
    argparse.ArgumentParser(description="Deploy what prefect.yaml declares, and delete what it doesn't.").parse_args()
    done = subprocess.run([sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], cwd=ROOT)
    if done.returncode:
        sys.exit(done.returncode)
    for name in delete_others(read_yaml(FILE)["deployments"]):
        print(f"{name}: deleted, {FILE.name} declares it no more")


def delete_others(declared: list[dict[str, Any]]) -> list[str]:
    """Delete this pipeline's deployments in the declared ones' work pools that aren't among them; their names.

    Those of another machine are in a pool of its own.
    """
    names, pools = {each["name"] for each in declared}, {each["work_pool"]["name"] for each in declared}
    deleted = []
    with get_client(sync_client=True) as client:
        for each in client.read_deployments():
            ours = re.match(r"pipelines[./]", each.entrypoint or "")
            if ours and each.work_pool_name in pools and each.name not in names:
                client.delete_deployment(each.id)
                deleted.append(f"{client.read_flow(each.flow_id).name}/{each.name}")
    return deleted


if __name__ == "__main__":
    main()
