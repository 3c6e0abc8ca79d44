"""The name under which a student stands in the tables and in the names of files, whoever else is in the class.

It depends on what the platform, or the student, wrote and on nothing else: not on the other students, their order, the
machine or its language. So a lecturer's mark stays with its student.
"""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection

from course_utils.exercises.grading.spreadsheet import FORMULA, INVISIBLE

__all__ = ["alike", "both_pages", "key", "page_names"]

LONGEST = 80  # characters
LONGEST_BYTES = 160  # a file system takes some 255, with what is added before and after
# What no file's name can hold on Linux, macOS or Windows, what separates cells, and blanks other than the plain one.
FORBIDDEN = re.compile(rf'[<>:"/\\|?*;{INVISIBLE}]|[^\S ]')
RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)")  # by Windows
HASH = re.compile(r" ~[0-9a-f]{12}$")


def key(name: str) -> str:
    """The name itself if a file can be called so on every system, otherwise the closest such name and a hash.

    Different names have different keys. Names that differ in their Unicode form alone are the same name.

    >>> key("Lovelace, Ada"), key("Zoe\u0308 O'Brien")
    ('Lovelace, Ada', "Zoë O'Brien")
    >>> key("Ada/Bob"), key("CON")
    ('Ada_Bob ~1e07a41bbca4', '_CON ~a3dbc4b644a9')
    """
    name = unicodedata.normalize("NFC", name)
    closest = _closest(name)
    if closest == name and not HASH.search(name):
        return name
    return f"{closest} ~{_hash(name)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _closest(name: str) -> str:
    """The name that has what every system, and every spreadsheet, takes, and is no longer than a key may be."""
    name = FORBIDDEN.sub("_", name).rstrip(" .").lstrip(" .'~")
    name = FORMULA.sub(r"\g<before>_", name)
    if RESERVED.match(name):
        name = f"_{name}"
    room = LONGEST_BYTES - len(" ~") - 12
    return name[:LONGEST].encode()[:room].decode(errors="ignore") or "unnamed"


def page_names(keys: Collection[str]) -> dict[str, str]:
    """For each key the name of a page: the key, with a hash where names differ in nothing that every system sees.

    >>> page_names(["Ada", "bob"])
    {'Ada': 'Ada', 'bob': 'bob'}
    >>> page_names(["Ada", "ada"])
    {'Ada': 'Ada ~c3e766f3768f', 'ada': 'ada ~1d0e585b08ac'}
    """
    folded = {name: unicodedata.normalize("NFKC", name).casefold() for name in keys}
    times = Counter(folded.values())
    return {name: both_pages(name)[times[folded[name]] > 1] for name in folded}


def both_pages(key: str) -> tuple[str, str]:
    """The two names that the page of a key may have, in the class of today or in that of tomorrow."""
    return key, f"{key} ~{_hash(f'page of {key}')}"


def alike(keys: Collection[str]) -> dict[str, list[str]]:
    """For each key the others of which a reader may not tell it apart: the same letters and digits in other forms.

    >>> alike(["Jane Doe", "jane.doe", "Bob"])
    {'Jane Doe': ['jane.doe'], 'jane.doe': ['Jane Doe']}
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(keys):
        letters = unicodedata.normalize("NFKC", HASH.sub("", name)).casefold()
        groups["".join(filter(str.isalnum, letters))].append(name)
    several = [group for group in groups.values() if len(group) > 1]
    return {name: [other for other in group if other != name] for group in several for name in group}
