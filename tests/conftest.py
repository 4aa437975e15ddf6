"""What holds for every test."""

from hypothesis import settings

settings.register_profile("no clock", deadline=None)  # a busy machine may take its time over an example
settings.load_profile("no clock")
