"""Reading bytes of a file that may be damaged or malicious: nothing beyond their end, and errors say at which byte."""

from course_utils._support.words import plural

__all__ = ["FormatError", "Reader", "varint"]


class FormatError(ValueError):
    """A file that breaks the format: what is wrong with it, and at which byte."""


class Reader:
    """Reads the bytes of `data` from `at` to `end` and no others; `where` names them in errors.

    `offset`: the position of `data` in the file, for the errors.

    Raises: FormatError, from all methods, where the bytes are not what is asked for.

    >>> Reader(b"abc", 0, 3, "the name").take(4)
    Traceback (most recent call last):
        ...
    course_utils.coding.reader.FormatError: byte 0: the name ends 1 byte too early
    """

    def __init__(self, data: bytes | memoryview, at: int, end: int, where: str, *, offset: int = 0) -> None:
        self.data, self.at, self.end, self.where = memoryview(data), at, min(end, len(data)), where
        self.offset = offset

    @property
    def place(self) -> str:
        """Where in the file the next byte lies."""
        return f"byte {self.offset + self.at}"

    def take(self, n: int) -> memoryview:
        """The next n bytes; a view, not a copy."""
        if n > self.end - self.at:
            raise FormatError(f"{self.place}: {self.where} ends {plural(n - (self.end - self.at), 'byte')} too early")
        self.at += n
        return self.data[self.at - n : self.at]

    def rest(self) -> memoryview:
        """All bytes that are left; a view, not a copy."""
        return self.take(self.end - self.at)

    def byte(self) -> int:
        """The next byte as a number."""
        return self.take(1)[0]

    def varint(self, maximum: int) -> int:
        """A whole number up to `maximum` in groups of 7 bits, the lowest first; the top bit says that more follow."""
        start, value = self.place, 0
        for group in range(10):
            byte = self.byte()
            value |= (byte & 127) << (7 * group)
            if byte < 128:
                if (byte == 0 and group > 0) or value > maximum:
                    break
                return value
        raise FormatError(f"{start}: {self.where} has a number that is above {maximum} or not in the fewest bytes")

    def finish(self) -> None:
        """Check that no bytes are left."""
        if self.at != self.end:
            raise FormatError(f"{self.place}: {self.where} has {plural(self.end - self.at, 'byte')} too many")


def varint(value: int) -> bytes:
    """The bytes of a whole number, not negative, as `Reader.varint` reads them.

    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
