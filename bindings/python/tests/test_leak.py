"""What is opened, asked and closed many times leaves nothing behind."""

import os
import pathlib
import subprocess
import sys

from world import Scenario

ROUNDS = int(os.environ.get("OUTRIDER_LEAK_ROUNDS", "300"))
# Between two measurements of a process that holds nothing more, the allocator differs by up to 3 MB. A list of 50
# records that stayed in memory once a round would be 20 MB after 300 of them, a kilobyte a row.
CEILING_KB = 6144


class Leak(Scenario):
    def test_leak(self) -> None:
        script = pathlib.Path(__file__).with_name("leak_rounds.py")
        done = subprocess.run(
            [sys.executable, script, self.path("records"), str(ROUNDS)], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        early_kb, early_threads, early_files, late_kb, late_threads, late_files = map(int, done.stdout.split())
        self.assertLess(late_kb, early_kb + CEILING_KB, f"after {ROUNDS} rounds")
        self.assertEqual((late_threads, late_files), (early_threads, early_files))
