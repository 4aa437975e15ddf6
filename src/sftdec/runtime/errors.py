"""The error of everything that reads data."""


class DataError(ValueError):
    """Data that can't be used; the message names the file or key, what was found, what was expected and the mend."""
