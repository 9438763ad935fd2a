"""The exceptions of spikesim: one base class, mixed into the built-in kinds."""


class SpikesimError(Exception):
    """Base class of every error that spikesim raises on purpose."""


class ParameterError(SpikesimError, ValueError):
    """A value that is not allowed; the message says which, and what is."""


class ParameterTypeError(SpikesimError, TypeError):
    """A value of a kind that is not allowed."""


class ParameterIndexError(SpikesimError, IndexError):
    """An index outside the thing it points into."""


class NotEnoughMemoryError(SpikesimError, MemoryError):
    """A request whose size is known to exceed the memory there is."""


class NonFiniteStateError(SpikesimError, FloatingPointError):
    """A state variable that became NaN or infinite during a run."""


class DamagedFileError(SpikesimError, ValueError):
    """A file that is damaged, or of another kind or version than was asked for."""


class StorageError(SpikesimError, OSError):
    """A file that a run renews cannot be written; the message says which, and how to go on."""


class MissingDataError(SpikesimError, FileNotFoundError):
    """A file of a data set is not where it was looked for; the message says which, and where."""


class MissingExtraError(SpikesimError, ImportError):
    """An optional library is not installed; the message names the extra that brings it."""


class SpikesimWarning(UserWarning):
    """Base class of every warning that spikesim gives."""


class RoundingWarning(SpikesimWarning):
    """A duration off the time step was rounded, or weights coarsely in compact precision."""


class UnitWarning(SpikesimWarning):
    """A value that is plausible in another unit than the one that spikesim takes."""


class CacheWarning(SpikesimWarning):
    """The folder of compiled kernels cannot be used, or held a damaged file."""


class DeadLayerWarning(SpikesimWarning):
    """A layer has stopped to take part in training."""


class DivergenceWarning(SpikesimWarning):
    """The loss of a training has become many times what it was before the training."""
