"""The Prefect flows; each is a module that runs by itself: `python -m pipelines.flows.retrain`."""

import os
import sys

from sftdec.runtime import spare_loopback

if sys.argv[0] == "-m" and sys.stderr is not None and sys.stderr.isatty():  # a flow's module is about to be run
    print("Loading Prefect (some seconds)", file=sys.stderr)

# Prefect reads these once, while it is imported; this is imported before any flow's module is.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
spare_loopback()  # a flow's own server is asked through no proxy
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
