"""How the factors of a product are written."""

__all__ = ["bracketed"]


def bracketed(number: str) -> str:
    """A written number as a factor: a negative one in brackets.

    >>> bracketed("0.5"), bracketed("−0.5")
    ('0.5', '(−0.5)')
    """
    return f"({number})" if number.startswith("−") else number
