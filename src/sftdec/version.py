"""What is released: pyproject.toml reads it here, as every file that says which sftdec made it."""

__version__ = "1.0.0"
