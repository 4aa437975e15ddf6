"""What inference refuses."""


class PhotoError(ValueError):
    """A photo or a list of them that can't be deblurred; the message says which and why."""
