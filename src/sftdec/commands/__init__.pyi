from .datasets import add_datasets
from .deblur import add_deblur
from .demo import add_demo
from .drift import add_drift
from .evaluate import add_evaluate
from .export import add_export
from .models import add_models
from .printing import take_any_text
from .reproduce import add_reproduce

__all__ = [
    "add_datasets",
    "add_deblur",
    "add_demo",
    "add_drift",
    "add_evaluate",
    "add_export",
    "add_models",
    "add_reproduce",
    "take_any_text",
]
