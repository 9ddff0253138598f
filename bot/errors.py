"""Errors that a user, not a developer, has to act on."""


class UserError(Exception):
    """Bad input or a missing piece. The message is one line that says what is wrong and how to mend it.

    The command line prints it and exits with status 2; nothing may have been written before it is raised.
    """
