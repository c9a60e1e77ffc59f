"""A suite of a few attacks, for tests in which it does not matter how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from trilemma import registry

__all__ = ["few_attacks"]

FEW = ("stake_splitting", "fake_miners", "cloned_miners", "misreporting", "censorship")


@pytest.fixture(scope="module", autouse=True)
def few_attacks() -> Iterator[None]:
    """Let comparisons of the module that imports this try five registered attacks, not all."""
    load = registry.load_attacks
    registered, _ = load()

    def loaded(specs: Any = None) -> Any:
        return ({name: registered[name] for name in FEW}, {}) if specs is None else load(specs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "load_attacks", loaded)
        yield
