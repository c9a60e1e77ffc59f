"""Walk through the tutorial, and write what its commands print into it: `python docs/tutorial.py`.

The page is followed as a reader would: its first code is saved as `merit.py`, differences are
applied to it, commands are run. A text that ends with three dots shows as many lines as before.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).with_suffix(".md")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
MORE = "...\n"
CODE = "merit.py"


class Walk:
    """A walk through the page, in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.printed = ""

    def page(self, page: str) -> str:
        """Return the page with what its commands print now."""
        return BLOCK.sub(self._block, page)

    def _block(self, block: re.Match[str]) -> str:
        kind, text = block.groups()
        match kind:
            case "python":
                (self.folder / CODE).write_text(text)
            case "diff":
                self._change(text)
            case "bash":
                self.printed = "".join(map(self._run, text.splitlines()))
            case "text":
                text = _shortened(self.printed, text)
        return f"```{kind}\n{text}```"

    def _change(self, difference: str) -> None:
        lines = difference.splitlines(keepends=True)
        before, after = ("".join(it[1:] for it in lines if it[0] != sign) for sign in "+-")
        code = (self.folder / CODE).read_text()
        assert code.count(before) == 1, before
        (self.folder / CODE).write_text(code.replace(before, after))

    def _run(self, command: str) -> str:
        program, *arguments = shlex.split(command)
        match program:
            case "trilemma":
                return self._python("-m", "trilemma", *arguments)
            case "pip":
                self._install(arguments[-1].removesuffix("[test]"))
            case "cp":
                shutil.copy(*(self.folder / it for it in arguments))
            case _:
                assert program == "pytest", command  # the reader's own affair
        return ""

    def _install(self, project: str) -> None:
        """Install what the page does, to a folder of its own and without a network."""
        how = ("--no-deps", "--no-index", "--no-build-isolation", "--no-compile", "--quiet")
        self._python("-m", "pip", "install", *how, "--target", "site", project)

    def _python(self, *arguments: str) -> str:
        path = [str(self.folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
        done = subprocess.run(
            [sys.executable, "-P", *arguments],  # -P: the current folder is not searched
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode in (0, 1), done.stderr  # 1: a claim is broken, as it should be
        assert not done.stderr, done.stderr
        return done.stdout


def _shortened(printed: str, shown: str) -> str:
    if not shown.endswith(MORE):
        return printed
    lines = printed.splitlines(keepends=True)
    return "".join([*lines[: len(shown.splitlines()) - 1], MORE])


def main() -> None:
    """Write the page anew."""
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(Walk(Path(folder)).page(PAGE.read_text()))


if __name__ == "__main__":
    main()
