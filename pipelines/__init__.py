"""Orchestration: the DVC stages' scripts and the Prefect flows over them."""
