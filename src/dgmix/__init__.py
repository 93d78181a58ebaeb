"""dgmix: hear from healthy recordings alone that a machine is about to break."""

__version__ = "0.1.0"
