"""An oracle file: many epochs, with every input and every output that the chain computed.

It is an `.npz` that holds the epochs one after the other: `s_NAME` one number per epoch, `v_NAME`
one number per uid, `m_NAME_{indptr,idx,val}` a CSR matrix per epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from trilemma.errors import DataError
from trilemma.model import AnyArray

__all__ = ["Oracle"]


class Oracle:
    """The epochs of a file, each a dict of inputs and outputs by name.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the file cannot be read or is no oracle.
    """

    def __init__(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                self.arrays = dict(file)
            self.sizes = self.arrays["s_n"].reshape(-1).astype(np.int64)
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
            raise DataError(f"{path}: not an oracle file ({error})") from error
        if self.sizes.size == 0:
            raise DataError(f"{path}: an oracle file without a single epoch")
        self._accounts = np.concatenate([[0], np.cumsum(self.sizes)])
        self._pointers = np.concatenate([[0], np.cumsum(self.sizes + 1)])
        self._entries = {name: self._starts(name) for name in self._matrices()}

    def __len__(self) -> int:
        return int(self.sizes.size)

    def __getitem__(self, number: int) -> dict[str, Any]:
        within = slice(*self._accounts[number : number + 2])
        case: dict[str, Any] = {}
        for key, array in self.arrays.items():
            if key.startswith("s_"):
                case[key[2:]] = int(array[number])
            elif key.startswith("v_"):
                case[key[2:]] = array[within]
        for name in self._entries:
            case[name] = self._matrix(name, number)
        case["tag_name"] = str(self.arrays["tag_names"][case["tag"]])
        return case

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[number] for number in range(len(self)))

    def _matrices(self) -> list[str]:
        return [key[2:-7] for key in self.arrays if key[:2] == "m_" and key.endswith("_indptr")]

    def _starts(self, name: str) -> AnyArray:
        sizes = self.arrays[f"m_{name}_indptr"][self._pointers[1:] - 1].astype(np.int64)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    def _matrix(self, name: str, number: int) -> tuple[AnyArray, AnyArray, AnyArray]:
        pointers = slice(*self._pointers[number : number + 2])
        entries = slice(*self._entries[name][number : number + 2])
        indptr = self.arrays[f"m_{name}_indptr"][pointers]
        return indptr, self.arrays[f"m_{name}_idx"][entries], self.arrays[f"m_{name}_val"][entries]
