"""How much a file may hold: enough for every real network, too little to bring a machine down."""

from __future__ import annotations

from trilemma.errors import DataError

__all__ = ["LARGEST_FILE", "MOST_NUMBERS", "check_growth", "check_numbers"]

MOST_NUMBERS = 2**28  # 2 GiB as float64
LARGEST_FILE = 2**27  # bytes of a file that is read in one piece
FREE_GROWTH = 2**28  # bytes that any file may unfold to
MOST_GROWTH = 500  # times that a larger one may grow; deflated zeros grow 1000 times


def check_numbers(what: str, numbers: int) -> None:
    """Refuse more numbers than a machine should hold at once.

    Raises
    ------
    DataError
    """
    if numbers > MOST_NUMBERS:
        raise DataError(
            f"{what} is too large; at most {MOST_NUMBERS:,} numbers are read (2 GiB as float64), "
            "so split the epochs over several files"
        )


def check_growth(what: str, unfolded: int, stored: int) -> None:
    """Refuse a few bytes on disk that would become many in memory.

    Parameters
    ----------
    what : str
        What would unfold.
    unfolded, stored : int
        Bytes in memory, and on disk.

    Raises
    ------
    DataError
    """
    if unfolded > max(FREE_GROWTH, MOST_GROWTH * stored):
        raise DataError(
            f"{what}: {stored:,} bytes would unfold to {unfolded:,}, as those of a bomb do; "
            "leave out who neither sets nor gets weights"
        )
