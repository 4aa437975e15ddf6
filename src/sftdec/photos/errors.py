"""What is refused of a photo."""

SMALLEST_SIDE = 16  # px, each way


class PhotoError(ValueError):
    """A photo or a list of them that can't be deblurred; the message says which and why."""
