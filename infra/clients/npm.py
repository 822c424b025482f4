"""Runs the programs that ask by `@bandwidth/numbers`."""

import json
import os
import pathlib
import subprocess
from dataclasses import dataclass

from dev import Report

NODE_SECONDS_MAX = 180


@dataclass
class Npm:
    node_modules: str

    def run(self, report: Report, program: str, given: dict, prefix: str = "") -> list[dict]:
        """Gives the program what it is to know on stdin; the names of its checks get the prefix.

        Gives back what it tells besides its checks.
        """
        done = subprocess.run(
            ["node", str(pathlib.Path(__file__).with_name(program))],
            input=json.dumps(given).encode(),
            stdout=subprocess.PIPE,
            env={**os.environ, "NODE_PATH": self.node_modules},
            timeout=NODE_SECONDS_MAX,
        )
        told = []
        for line in map(json.loads, done.stdout.splitlines()):
            if isinstance(line, dict):
                told.append(line)
            else:
                name, holds, otherwise = line
                report.check(f"npm: {prefix}{name}", holds, otherwise)
        report.same(f"npm: {program} comes to its end", done.returncode, 0)
        return told
