"""Values as messages show them: counts with their noun, and what a user wrote on a short line."""

import re
import reprlib

LONGEST = 400  # characters of a message that a library wrote
PLAIN_KEY = re.compile(r"[\w${}.-]{1,80}")


class _Short(reprlib.Repr):
    """`repr` of the first elements and characters."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxdict = 4
        self.maxlevel = 2
        self.maxstring = self.maxother = 100

    def repr_int(self, x: int, level: int) -> str:
        if x.bit_length() > 256:  # Python refuses to write numbers of thousands of digits
            return f"a whole number of {x.bit_length()} bits"
        return repr(x)


_SHORT = _Short()


def counted(number: int, noun: str) -> str:
    """Return `1 lesion`, `2 lesions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown(value: object) -> str:
    """A value as Python writes it, without what makes it long."""
    return one_line(_SHORT.repr(value))


def shown_key(key: object) -> str:
    """A key as it is, or as Python writes it if it is long or has unusual characters."""
    return str(key) if PLAIN_KEY.fullmatch(str(key)) else shown(key)


def one_line(text: str) -> str:
    """The words of a text on one line, at most LONGEST characters of them."""
    line = " ".join(text[: 4 * LONGEST].split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def first_line(error: Exception) -> str:
    """The first line of what a library says about an error, or the type of the error."""
    return one_line(_lines(error)[0]).rstrip(". ")


def last_line(error: Exception) -> str:
    """The last line of what a library says about an error, or the type of the error."""
    return one_line(_lines(error)[-1])


def _lines(error: Exception) -> list[str]:
    return str(error).strip().splitlines() or [type(error).__name__]
