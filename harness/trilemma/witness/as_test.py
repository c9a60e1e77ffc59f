"""A witness as a pytest file of its own: it fails until the mechanism is mended."""

from __future__ import annotations

import base64
import textwrap
from pprint import pformat

from trilemma.witness.witness import Witness

__all__ = ["as_test"]

TOLERATED = 0.5  # part of the harm below which the test passes

TEMPLATE = '''"""A play that harms a mechanism, as a test: it fails until the mechanism is mended.

Written by `trilemma replay --as-test`; run it with pytest. It passes once the play does no more
than {part:.0%} of the harm that it did when this was written.
"""

import base64

from trilemma import load
from trilemma.witness import Witness

MECHANISM = {mechanism!r}
MOST = {most!r}
STORY = {story}
WORLDS = """
{worlds}
"""


def test_{name}():
    witness = Witness.read(STORY, base64.b64decode(WORLDS))
    harm = witness.replay(load(MECHANISM)).harm
    assert harm <= MOST, f"{{MECHANISM}}: {{witness.play}} does harm {{harm}}, more than {{MOST}}"
'''


def as_test(witness: Witness) -> str:
    """Return the source of a test that holds everything it needs but the mechanism.

    Whatever texts a witness holds are written as literals, so that none of them is run.

    Parameters
    ----------
    witness : Witness
    """
    packed = base64.b64encode(witness.arrays()).decode()
    return TEMPLATE.format(
        mechanism=witness.mechanism,
        part=TOLERATED,
        most=TOLERATED * witness.harm,
        story=pformat(witness.story(), width=98, sort_dicts=False),
        worlds="\n".join(textwrap.wrap(packed, 98)),
        name="".join(it if it.isascii() and it.isalnum() else "_" for it in witness.name).lower(),
    )
