"""The two kinds of failure that dgmix explains in one sentence."""


class DgmixError(Exception):
    """dgmix could not finish; the message says what failed and what to do. Exit status 1."""

    exit_status = 1


class InputError(DgmixError):
    """What the user gave cannot be used; the message names the file or setting. Exit status 2."""

    exit_status = 2
