"""Which of two processes this is, once somebody else's code has forked."""

from __future__ import annotations

import os
import threading

from trilemma.errors import PluginError

__all__ = ["FORKS", "refuse_fork"]

BORN = 1 << 32  # more forks than anybody lives to see


class _Forks(threading.local):
    count = 0


FORKS = _Forks()
"""Its `count` is another one once this thread forks, in either process.

It is counted and not asked of the system: `os.getpid` takes .3 us, twice a call.
"""


def _has_parted() -> None:
    FORKS.count += 1


def _is_born() -> None:
    FORKS.count += BORN


if hasattr(os, "register_at_fork"):  # nobody forks elsewhere
    os.register_at_fork(after_in_parent=_has_parted, after_in_child=_is_born)


def refuse_fork(name: str, before: int) -> None:
    """End this process if it was born since, without a word; else say who has forked.

    Parameters
    ----------
    name : str
        Whose code ran.
    before : int
        The count of `FORKS` then.

    Raises
    ------
    PluginError
        In the process that forked.
    """
    if FORKS.count - before >= BORN:
        os._exit(0)  # or two harnesses would go on
    raise PluginError(f"{name} forked; a mechanism answers in the process it is asked in")
