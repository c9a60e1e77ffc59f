"""Write the gallery from real runs: `python docs/gallery.py` (about three minutes).

Needs Chromium for the picture of the page, the extra `test`, and the shared data (subnet 31) at
`../shared/data` or where `TRILEMMA_DATA` points.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from docs.screenshots import Shot, photographed
from trilemma import Imported, Report, compare, read, sweep
from trilemma.importers import Network
from trilemma.report.figures import draw_comparison, draw_sweep
from trilemma.whatif import whatif

__all__ = ["main"]

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures"
SUBNET = "networks/bittensor-sn31/sn31_sim.msgpack"
RIVALS = ("stake_capped", "quadratic", "dao_vote")
PAGE = Shot(1280, "light", 1560)


def main() -> int:
    """Write `docs/gallery.md` and its figures."""
    data = Path(os.environ.get("TRILEMMA_DATA", ROOT.parent / "shared" / "data")) / SUBNET
    if not data.is_file():
        sys.exit(f"no {data}: set TRILEMMA_DATA to the folder of the shared data")
    parts = [*_default(), *_subnet(read([data])), *_elsewhere()]
    text = "\n".join(
        [
            "# Gallery",
            "",
            "Every picture shows a real run; `python docs/regenerate.py gallery` makes them all.",
            "",
            *parts,
        ]
    )
    (ROOT / "docs" / "gallery.md").write_text(f"{text}\n")
    return 0


def _default() -> Iterator[str]:
    with TemporaryDirectory() as run:
        report = compare(out=run)
        _figures(Path(run), "default")
        photographed(Path(run) / "report.html", Path(run), [PAGE])
        shutil.copy(Path(run) / PAGE.name, FIGURES / "page.png")
    yield from _section("The default comparison", "trilemma compare --out run", report)
    yield from ("![The page of the run](figures/page.png)", "")
    yield from _pictures("default")


def _subnet(network: Network) -> Iterator[str]:
    worlds = Imported(network)
    with TemporaryDirectory() as run:
        report = compare(world=worlds, out=run)
        _figures(Path(run), "subnet")
    command = f"trilemma compare --network {network.name} --out run"
    yield from _section("A real network: subnet 31 of Bittensor", command, report)
    yield from _pictures("subnet")
    yield from _changes(network)
    rules = ("yuma", *RIVALS[:2])
    answer = sweep(rules, over="distrusted", values="0..5", world=worlds)
    draw_sweep(answer, str(FIGURES / "subnet-distrusted.svg"))
    yield from (
        "How much hangs on the belief that its largest validators reported honestly:",
        f"`trilemma sweep {' '.join(rules)} --network {network.name} --over distrusted=0..5`.",
        "",
        "![Scores by how many of the largest are not believed](figures/subnet-distrusted.svg)",
        "",
    )


def _changes(network: Network) -> Iterator[str]:
    """Yield who would gain and lose by other rules."""
    answer = whatif(network, "yuma", RIVALS)
    asked = " ".join(f"--to {rule}" for rule in RIVALS)
    yield f"Who would gain and lose: `trilemma whatif --network {network.name} {asked}`,"
    yield f"mean over {network.epochs} epochs, in % of all pay:"
    yield ""
    yield f"| instead of `yuma` | {' | '.join(f'`{rule}`' for rule in RIVALS)} |"
    yield f"| --- | {' | '.join('---:' for _ in RIVALS)} |"
    told = json.loads(answer.to_json())
    yield _row("changes hands", [f"{100 * it['gained']:.1f}" for it in told["after"]])
    for place, group in enumerate(told["after"][0]["groups"]):
        found = [it["groups"][place] for it in told["after"]]
        change = [f"{100 * (it['after'] - it['before']):+.2f}" for it in found]
        yield _row(f"{group['role']}, {group['name']}", change)
    yield ""


def _row(head: str, cells: list[str]) -> str:
    return f"| {head} | {' | '.join(cells)} |"


def _elsewhere() -> Iterator[str]:
    yield from (
        "## What honest stake must be worth in honest work",
        "",
        f"[How to read it](yuma.md): `trilemma map yuma {' '.join(RIVALS)} --figure map.svg`.",
        "",
        "![Retention lines of four mechanisms](figures/retention.svg)",
        "",
        "## The ranking turns over as identities get dearer",
        "",
        "[How to read it](sweeps.md): `trilemma sweep --identity-cost 0..0.1 --figure sweep.svg`.",
        "",
        "![Scores as identities get dearer](figures/identity-cost.svg)",
    )


def _figures(run: Path, name: str) -> None:
    told = json.loads((run / "report.json").read_text())
    for path in draw_comparison(told, run / "figures"):
        shutil.copy(path, FIGURES / f"{name}-{path.name}")


def _pictures(name: str) -> Iterator[str]:
    yield from (
        f"![Sybil resistance against neutrality](figures/{name}-trade-off.svg)",
        "",
        f"![How far insiders cut a miner off](figures/{name}-cut-off.svg)",
        "",
        f"![What each attack does alone](figures/{name}-attacks.svg)",
        "",
        f"![In how many hands pay is](figures/{name}-concentration.svg)",
        "",
    )


def _section(title: str, command: str, report: Report) -> Iterator[str]:
    yield from (f"## {title}", "", f"`{command}`:", "")
    decided = [it for it in report.notes if it.startswith(("Identities ", "The ranking "))]
    yield from (f"* {note}" for note in decided)
    yield ""


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
