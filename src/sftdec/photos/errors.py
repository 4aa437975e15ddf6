"""What is refused of a photo."""


class PhotoError(ValueError):
    """A photo or a list of them that can't be deblurred; the message says which and why."""
