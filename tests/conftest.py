"""Test settings: every run draws the same examples."""

from hypothesis import settings

settings.register_profile("polyinj", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("polyinj")
