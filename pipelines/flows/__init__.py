"""The Prefect flows; each is a module that runs by itself: ``python -m pipelines.flows.retrain``."""
