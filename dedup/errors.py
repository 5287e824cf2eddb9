"""Every error this project raises on purpose.

    DedupError
    ├── UsageError          an option or argument that cannot be carried out
    ├── InputRefused        an input file that cannot be read as asked; nothing was written
    ├── EnvironmentFault    disk, permission, database or memory: the same command may work later
    ├── WriterBusy          another process is writing to this workspace
    ├── VersionMismatch     a workspace, schema, model or snapshot of another version
    └── CorruptStore        the database holds something it must not hold

Each message names the value at fault and the remedy, in one sentence or two. Only the command line maps
them to exit codes (``cli.main``).
"""


class DedupError(Exception):
    """Base of every error that this project raises on purpose."""


class UsageError(DedupError):
    """An option or argument that cannot be carried out."""


class InputRefused(DedupError):
    """An input that cannot be read as asked; nothing was written.

    ``code`` is the class of the fault as listed in ``docs/bad-input.md``, for example ``E_EMPTY``.
    """

    def __init__(self, message: str, code: str = "E_INPUT") -> None:
        super().__init__(message)
        self.code = code


class EnvironmentFault(DedupError):
    """Disk, permission, database or memory: the same command may work later."""


class WriterBusy(DedupError):
    """Another process is writing to this workspace."""


class VersionMismatch(DedupError):
    """A workspace, schema, model or snapshot of a version that this program does not read."""


class CorruptStore(DedupError):
    """The database holds something that it must not hold."""
