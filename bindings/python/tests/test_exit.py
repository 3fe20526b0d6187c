"""A process that ends without closing anything ends in good order, whoever is being told something."""

import pathlib
import subprocess
import sys

from world import Scenario, ask

SCRIPT = pathlib.Path(__file__).with_name("exits.py")
# Between nothing having happened and everything: each falls into another moment.
MOMENTS = [0.0, 0.03, 0.1, 0.3]


class Exit(Scenario):
    def ends(self, *words: str) -> None:
        done = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "the end\n", ""), words)

    def test_listener_that_misbehaves_when_the_process_ends(self) -> None:
        for number, seconds in enumerate(MOMENTS):
            self.ends(self.path(f"lists-{number}"), str(seconds))

    def test_platform_when_the_process_ends(self) -> None:
        ask("/fill", office=self.office, customers=2000)
        for number, seconds in enumerate(MOMENTS):
            code = ask("/code", office=self.office, user="Anna")["code"]
            self.ends(self.path(f"syncs-{number}"), str(seconds), self.url, code)
