"""System calls that no exercise needs, refused by the kernel: a filter for bubblewrap (seccomp, Linux).

They would hold memory that no watch counts (it belongs to no process), reach the lecturer's keys or the machine below
through what namespaces do not divide, or open namespaces in which the walls could be built anew. Threads may be
started and processes may not: a program that doubles itself faster than a watch can look must not begin. All threads
have the same open files: with a set for each the limit on these would hold nothing.

Measured with the files and the time that a student has: 2.1 GB in TCP sockets, 2.0 GB in pairs of sockets with larger
buffers, 2.5 GB in extended attributes, 1.5 GB in events of inotify, 2 MB for each page that a pipe is given; and with
open files of their own 24 threads, of 300 that may be, had 1.4 GB in pairs of sockets.
"""

import platform
import struct
from typing import NamedTuple

__all__ = ["call_filter"]


class Machine(NamedTuple):
    """A kind of processor: its number in the kernel's audit interface, its column of `REFUSED`, whether it has fork."""

    audit: int
    column: int
    forks: bool


MACHINES = {"x86_64": Machine(0xC000003E, 0, True), "aarch64": Machine(0xC00000B7, 1, False)}

# Numbers of the calls on x86_64 and on aarch64, from Linux' unistd.h.
REFUSED = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "syslog": (103, 116),
    "socket": (41, 198),
    "setsockopt": (54, 208),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "inotify_init": (253, 26),  # aarch64 has only inotify_init1
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    "io_setup": (206, 0),
    "timer_create": (222, 107),
    "splice": (275, 76),
    "tee": (276, 77),
    "vmsplice": (278, 75),
    "seccomp": (317, 277),
    "landlock_create_ruleset": (444, 444),
}
FORK, VFORK = 57, 58  # on x86_64 alone; aarch64 has only clone
CLONE, CLONE3, MMAP, SOCKETPAIR, FCNTL, PRCTL = (56, 220), (435, 435), (9, 222), (53, 199), (72, 25), (157, 167)
CLOSE_RANGE, UNSHARED = (436, 436), 2  # CLOSE_RANGE_UNSHARE
LATER = 450  # from here on both have the same calls, and those that a later kernel adds are not known to be harmless
THREAD, SAME_FILES = 0x00010000, 0x00000400  # CLONE_THREAD, CLONE_FILES
NEW_NAMESPACES = 0x7E020000  # the CLONE_NEW... flags together
SHARED_AND_IN_NO_FILE = 0x21  # MAP_SHARED | MAP_ANONYMOUS
UNIX, STREAM, KIND_OF_SOCKET = 1, 1, 0xF  # AF_UNIX, SOCK_STREAM; the flags of a type lie above
LOCKS = (6, 7, 37, 38)  # F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW: of a file each byte may have its own
PIPE_SIZE = 1031  # F_SETPIPE_SZ
SECCOMP_OF_PRCTL = 22
FOREIGN = 0x40000000  # numbers from here on are of x86_64's second interface (x32)

# Classic BPF: codes of instructions, and what a filter may answer.
LOAD, AND, EQUAL, AT_LEAST, ANY_BIT, ANSWER = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
NOT_PERMITTED, NO_SUCH_CALL = ERROR | 1, ERROR | 38  # EPERM; ENOSYS, upon which libc takes the older clone
NUMBER, ARCHITECTURE = 0, 4  # places in the kernel's seccomp_data


def call_filter(machine: str = "") -> bytes | None:
    """The filter for a kind of machine (this one by default), as bubblewrap's ``--seccomp`` takes it; None if unknown.

    Each instruction has eight bytes: code, jumps if true and if false, operand.

    >>> len(call_filter("x86_64")) % 8
    0
    >>> call_filter("abacus") is None
    True
    """
    kind = MACHINES.get(machine or platform.machine())
    if kind is None:
        return None
    column = kind.column
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, kind.audit),
        (ANSWER, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        *_answer(AT_LEAST, FOREIGN, NOT_PERMITTED),
        *_answer(AT_LEAST, LATER, NO_SUCH_CALL),
        *_answer(EQUAL, CLONE3[column], NO_SUCH_CALL),
    ]
    for numbers in REFUSED.values():
        program += _answer(EQUAL, numbers[column], NOT_PERMITTED)
    if kind.forks:
        program += [*_answer(EQUAL, FORK, NOT_PERMITTED), *_answer(EQUAL, VFORK, NOT_PERMITTED)]
    no_thread = [
        line for flag in (THREAD, SAME_FILES) for line in [(ANY_BIT, 1, 0, flag), (ANSWER, 0, 0, NOT_PERMITTED)]
    ]
    program += _with_argument(CLONE[column], 0, [*no_thread, *_answer(ANY_BIT, NEW_NAMESPACES, NOT_PERMITTED)])
    program += _with_argument(CLOSE_RANGE[column], 2, _answer(ANY_BIT, UNSHARED, NOT_PERMITTED))
    mask = (AND, 0, 0, SHARED_AND_IN_NO_FILE)
    program += _with_argument(MMAP[column], 3, [mask, *_answer(EQUAL, SHARED_AND_IN_NO_FILE, NOT_PERMITTED)])
    # A pair of streams, which Python's event loops wake themselves with, and no datagrams.
    no_pair = [(EQUAL, 1, 0, UNIX), (ANSWER, 0, 0, NOT_PERMITTED), (LOAD, 0, 0, _place(1)), (AND, 0, 0, KIND_OF_SOCKET)]
    program += _with_argument(SOCKETPAIR[column], 0, [*no_pair, (EQUAL, 1, 0, STREAM), (ANSWER, 0, 0, NOT_PERMITTED)])
    commands = [_answer(EQUAL, command, NOT_PERMITTED) for command in (*LOCKS, PIPE_SIZE)]
    program += _with_argument(FCNTL[column], 1, [line for lines in commands for line in lines])
    program += _with_argument(PRCTL[column], 0, _answer(EQUAL, SECCOMP_OF_PRCTL, NOT_PERMITTED))
    program.append((ANSWER, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


Instruction = tuple[int, int, int, int]


def _answer(test: int, operand: int, answer: int) -> list[Instruction]:
    """Answer so if the test holds, else go on."""
    return [(test, 0, 1, operand), (ANSWER, 0, 0, answer)]


def _with_argument(number: int, place: int, then: list[Instruction]) -> list[Instruction]:
    """For one call alone: test the lower half of an argument, and allow the call if no test answers."""
    body = [(LOAD, 0, 0, _place(place)), *then, (ANSWER, 0, 0, ALLOW)]
    return [(EQUAL, 0, len(body), number), *body]


def _place(argument: int) -> int:
    """Where the kernel's seccomp_data has the lower half of an argument."""
    return 16 + 8 * argument
