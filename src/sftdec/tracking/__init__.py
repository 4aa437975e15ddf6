"""Experiment tracking: one MLflow row an execution of the pipeline, its stages nested below, nothing lost."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
