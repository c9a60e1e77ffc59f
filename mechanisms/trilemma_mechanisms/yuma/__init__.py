"""Yuma consensus, versions 2 and 3: in floating point, or as the chain computes it.

`rule.py` is the epoch, step by step. `accounts.py` says who counts in it, `entries.py` which
weights and bonds do, and `numbers.py` what a number is.

Source: opentensor/subtensor, ``pallets/subtensor/src/epoch/run_epoch.rs``.
"""

from trilemma_mechanisms.yuma.rule import State, Yuma

__all__ = ["State", "Yuma"]
