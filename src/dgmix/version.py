"""The version of dgmix."""

__version__ = "0.1.0"
