"""What holds for every test."""

import os

from hypothesis import settings

os.environ["SFTDEC_PHOTOS"] = ""  # stages that tests run keep nothing in the user's own folder
settings.register_profile("no clock", deadline=None)  # a busy machine may take its time over an example
settings.load_profile("no clock")
