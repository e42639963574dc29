# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The Go example, generated, vetted, built and run against the real programs: go_test.py BINARIES BUILD."""

import os
import shutil
import subprocess
import sys
import unittest

import world

BUILD_SECONDS = 180  # the first time it downloads
OFFLINE = ("dial tcp", "no such host", "i/o timeout", "module lookup disabled", "connection refused",
           "toolchain not available", "TLS handshake timeout")


def build(folder):
    environment = dict(os.environ, CGO_ENABLED="0")
    for command in (["./generate.sh"], ["go", "vet", "."], ["go", "build", "-o", "example", "."]):
        try:
            ended = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=BUILD_SECONDS)
        except subprocess.TimeoutExpired:
            world.skip(f"{command} does not end within {BUILD_SECONDS} s: no network?")
        if ended.returncode != 0:
            if any(sign in ended.stderr for sign in OFFLINE):
                world.skip("Go's modules are not in its cache and cannot be downloaded:\n" + ended.stderr)
            sys.exit(f"{command} fails:\n{ended.stdout}{ended.stderr}")
    return folder / "example"


class GoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(world.World(BINARIES))

    def test_routes(self):
        world.check_routes(self, lambda *arguments: self.world.run(EXAMPLE, *filter(None, arguments)))

    def test_says_what_went_wrong(self):
        ended = self.world.run(EXAMPLE, HEADGATE_API_KEY="another")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("code = Unauthenticated", ended.stderr)


if __name__ == "__main__":
    BINARIES, BUILD = sys.argv.pop(1), sys.argv.pop(1)
    for tool in ("go", "protoc"):
        if not shutil.which(tool):
            world.skip(f"no {tool} here")
    EXAMPLE = build(world.copy_example("go", BUILD))
    unittest.main()
