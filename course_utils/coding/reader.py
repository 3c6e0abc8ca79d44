"""Reading bytes that a stranger may have written: nothing is taken that is not there, and errors say where."""

__all__ = ["FormatError", "Reader", "varint"]


class FormatError(ValueError):
    """A file that is not what it should be: what is wrong with it, and at which byte."""


class Reader:
    """Reads the bytes of `data` from `at` to `end` and nothing else; `where` says what they are.

    >>> Reader(b"abc", 0, 3, "the name").take(4)
    Traceback (most recent call last):
        ...
    course_utils.coding.reader.FormatError: byte 0: the name ends 1 bytes too early
    """

    def __init__(self, data: bytes | memoryview, at: int, end: int, where: str, *, offset: int = 0) -> None:
        self.data, self.at, self.end, self.where = memoryview(data), at, min(end, len(data)), where
        self.offset = offset  # of the data in the file, for the errors

    @property
    def place(self) -> str:
        """Where in the file the next byte lies."""
        return f"byte {self.offset + self.at}"

    def take(self, n: int) -> memoryview:
        """The next n bytes; a view, not a copy."""
        if n > self.end - self.at:
            raise FormatError(f"{self.place}: {self.where} ends {n - (self.end - self.at)} bytes too early")
        self.at += n
        return self.data[self.at - n : self.at]

    def rest(self) -> memoryview:
        """All that is left."""
        return self.take(self.end - self.at)

    def byte(self) -> int:
        """The next byte as a number."""
        return self.take(1)[0]

    def varint(self, most: int) -> int:
        """A whole number in groups of 7 bits, the lowest first; the top bit says that more follow."""
        start, value = self.place, 0
        for place in range(10):
            byte = self.byte()
            value |= (byte & 127) << (7 * place)
            if byte < 128:
                if (byte == 0 and place) or value > most:
                    break
                return value
        raise FormatError(f"{start}: {self.where} has a number that is not written shortest, or above {most}")

    def finish(self) -> None:
        """Nothing must be left."""
        if self.at != self.end:
            raise FormatError(f"{self.place}: {self.where} has {self.end - self.at} bytes too many")


def varint(value: int) -> bytes:
    """A whole number as `Reader.varint` reads it.

    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
