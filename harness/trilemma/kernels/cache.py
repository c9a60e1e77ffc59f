"""Find a folder for compiled kernels, and empty it of old ones, before any is defined.

Numba keeps them beside the source, else in the user's own cache folder; where neither can be
written it refuses to define a kernel at all, so that a read-only install would not even import.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from numba import config, njit

__all__ = ["settle"]

VARIABLE = "NUMBA_CACHE_DIR"
PRIVATE = 0o700  # a cache holds code: whoever can write to it can run what he likes


def settle() -> None:
    """Keep compiled kernels in the temporary directory where numba knows no place for them.

    Says so in one line on stderr. No warning: at an import those can be turned into errors.
    """
    kept = _kept()
    if kept is None:
        folder = _folder()
        # For the processes that this one starts, too: they share it, and have no more to say.
        os.environ[VARIABLE] = str(folder)
        config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
        print(
            f"trilemma: no writable cache folder, so compiled kernels are kept in {folder}; "
            f"set {VARIABLE} to choose another",
            file=sys.stderr,
        )
        kept = _kept()
    if kept is not None:
        _renew(kept)


def _kept() -> Path | None:
    """Return the folder that numba finds for the kernels of this package: it tries to write."""
    try:
        return Path(str(njit(cache=True)(_kept).stats.cache_path))
    except RuntimeError:
        return None


def _renew(folder: Path) -> None:
    """Forget what other sources than these were compiled to.

    Numba looks at the file of a kernel alone, not at those that the functions it calls come from:
    after an upgrade, or an edit, it would go on running old ones.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    now = sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = folder / "sources.sha256"
    with suppress(OSError):
        if stamp.read_text() == now:
            return
    with suppress(OSError):  # another process may be doing the same
        for index in folder.glob("*.nbi"):
            index.unlink(missing_ok=True)
        stamp.write_text(now)


def _folder() -> Path:
    """Return a folder that nobody else can write to: this user's own, else a new one."""
    if not hasattr(os, "getuid"):  # on Windows the temporary directory is the user's own
        return Path(tempfile.gettempdir()) / "trilemma-numba"
    folder = Path(tempfile.gettempdir()) / f"trilemma-numba-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(PRIVATE)
    found = folder.lstat()  # not what a link points to
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if mine and stat.S_IMODE(found.st_mode) == PRIVATE:
        return folder
    return Path(tempfile.mkdtemp(prefix="trilemma-numba-"))


settle()
