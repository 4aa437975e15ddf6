"""The Prefect flows; each is a module that runs by itself: `python -m pipelines.flows.retrain`."""

import os

# Prefect reads these once, while it is imported; this is imported before any flow's module is.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
for name in ("no_proxy", "NO_PROXY"):  # of which some read the one, some the other
    spared = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if "127.0.0.1" not in spared.split(","):  # a flow's own server is asked through no proxy
        os.environ[name] = ",".join(part for part in (spared, "localhost", "127.0.0.1", "::1") if part)
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
