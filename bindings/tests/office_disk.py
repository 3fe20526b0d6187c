"""Small disks: each a file system of its own, in memory."""

import os
import shutil
import subprocess

from office_server import Refusal


class Disks:
    """They go with the office, whoever still has files open on them."""

    def __init__(self, work: str) -> None:
        self.work, self.mounted = work, []

    def make(self, size_bytes: int) -> str:
        if os.geteuid() != 0 or not shutil.which("mount"):
            raise Refusal(501, "a disk of its own can only be made by root")
        path = os.path.join(self.work, f"disk-{len(self.mounted) + 1}")
        os.makedirs(path)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=700", "outrider-disk", path]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Refusal(501, f"no disk can be made here: {done.stderr.strip()}")
        self.mounted.append(path)
        return path

    def end(self) -> None:
        for path in self.mounted:
            subprocess.run(["umount", "--lazy", path], capture_output=True)
