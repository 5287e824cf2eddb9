"""The errors that this project raises on purpose.

    DedupError
    ├── UsageError          an invalid option or argument
    ├── InputRefused        an input that cannot be read as requested; nothing was written
    │   └── TooManyRemoved  an input that would remove too many records of its source
    ├── EnvironmentFault    disk, permissions, database or memory: the same command may work later
    ├── WriterBusy          another process is writing to this workspace
    ├── VersionMismatch     a workspace, schema, model or snapshot of an unsupported version
    └── CorruptStore        the database contains invalid data

Each message names the value at fault and the remedy, in one or two sentences. Only the command line maps errors
to exit codes (``cli.exit_codes``).
"""


class DedupError(Exception):
    """Base class of the errors that this project raises on purpose."""


class UsageError(DedupError):
    """An invalid option or argument."""


class InputRefused(DedupError):
    """An input that cannot be read as requested; nothing was written.

    ``code`` is an error code from ``docs/bad-input.md``, for example ``E_EMPTY``.
    """

    def __init__(self, message: str, code: str = "E_INPUT") -> None:
        super().__init__(message)
        self.code = code


class TooManyRemoved(InputRefused):
    """An input that would remove too many records of its source; nothing was written."""


class EnvironmentFault(DedupError):
    """A problem with disk, permissions, database or memory; the same command may work later."""


class WriterBusy(DedupError):
    """Another process is writing to this workspace."""


class VersionMismatch(DedupError):
    """A workspace, schema, model or snapshot of an unsupported version."""


class CorruptStore(DedupError):
    """The database contains invalid data."""
