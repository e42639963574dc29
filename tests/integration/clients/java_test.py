# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The Java example, built with Maven and run against the real programs: java_test.py BINARIES BUILD."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

import world

BUILD_SECONDS = 180  # the first time it downloads
OFFLINE = ("Unknown host", "Connection refused", "Connect to ", "Network is unreachable", "Could not transfer",
           "timed out")


def maven(folder, *arguments):
    command = ["mvn", "--quiet", "--batch-mode", *arguments]
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=BUILD_SECONDS)


def build(folder):
    """The class path of the built example. A build of the same sources is not made twice: Maven starts slowly."""
    sources = [path for path in (folder, folder.parents[1] / "proto") for path in path.rglob("*") if path.is_file()
               and "target" not in path.parts]
    classpath = folder / "target/classpath.txt"
    if not classpath.exists() or classpath.stat().st_mtime < max(path.stat().st_mtime for path in sources) \
            or not all(os.path.exists(entry) for entry in classpath.read_text().split(":")):
        goals = ("clean", "compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath.new")
        try:
            ended = maven(folder, "--offline", *goals)
            if ended.returncode != 0:
                ended = maven(folder, *goals)
        except subprocess.TimeoutExpired:
            world.skip(f"mvn does not end within {BUILD_SECONDS} s: no network?")
        if ended.returncode != 0:
            if any(sign in ended.stdout for sign in OFFLINE):
                world.skip("Maven's artifacts are not in its cache and cannot be downloaded:\n" + ended.stdout[-2000:])
            sys.exit(f"mvn fails:\n{ended.stdout}{ended.stderr}")
        (folder / "target/classpath.new").rename(classpath)
        classpath.touch()
    return f"{folder / 'target/classes'}:{classpath.read_text().strip()}"


class JavaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(world.World(BINARIES))

    def example(self, *arguments, **environment):
        return self.world.run("java", "-XX:TieredStopAtLevel=1", "-cp", CLASSPATH, "io.headgate.example.Main",
                              *filter(None, arguments), **environment)

    def test_routes(self):
        world.check_routes(self, self.example)

    def test_says_what_went_wrong(self):
        ended = self.example(HEADGATE_API_KEY="another")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("error: UNAUTHENTICATED: ", ended.stderr)


if __name__ == "__main__":
    BINARIES, BUILD = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
    for tool in ("java", "javac", "mvn"):
        if not shutil.which(tool):
            world.skip(f"no {tool} here")
    CLASSPATH = build(world.copy_example("java", BUILD))
    unittest.main()
