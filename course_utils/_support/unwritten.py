"""Functions that readers still have to write: until then they raise NotImplementedError without a message."""

import traceback

__all__ = ["unwritten"]


def unwritten(problem: BaseException | None) -> str:
    """The name of the function that is still to be written, if `problem` was raised by one; empty otherwise.

    PyTorch raises errors of the same type, but with a message, for instance for the softmax of integers.

    >>> def half(x):
    ...     raise NotImplementedError()
    >>> try:
    ...     half(1)
    ... except NotImplementedError as problem:
    ...     unwritten(problem)
    'half'
    >>> unwritten(NotImplementedError("not implemented for 'Long'"))
    ''
    """
    if not isinstance(problem, NotImplementedError) or str(problem):
        return ""
    frames = traceback.extract_tb(problem.__traceback__)
    return frames[-1].name if frames else ""
