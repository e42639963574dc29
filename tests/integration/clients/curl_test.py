# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Every line of examples/curl.md as it stands there, against the real programs: curl_test.py BINARIES BUILD."""

import os
import re
import shutil
import sys
import unittest

import world


def lines():
    """The commands of the page: those of a block that begin with curl or grpcurl, with what continues them."""
    page = (world.ROOT / "examples" / "curl.md").read_text()
    for block in re.findall(r"^```\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"^(?:grp)?curl .*?(?:\n(?=(?:grp)?curl |\Z)|\n\n)", block, re.MULTILINE | re.DOTALL)


class CurlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(world.World(BINARIES))

    def line(self, text):
        for name, address in (("8080", self.world.http), ("8081", self.world.grpc), ("8082", self.world.admin)):
            text = text.replace("localhost:" + name, address)
        text = text.replace('{"request":', '{"tenant": "alpha", "request":')
        return re.sub(r"^(grpcurl|curl)", rf'\1 -H "authorization: Bearer {world.KEY}"', text)

    def test_every_line_is_answered(self):
        commands = list(lines())
        self.assertGreater(len(commands), 6)
        grpcurl = shutil.which("grpcurl")
        for command in commands:
            if command.startswith("grpcurl") and not grpcurl:
                print("no grpcurl here, not run: " + command.split("\n")[0], flush=True)
                continue
            with self.subTest(command=command):
                ended = self.world.run("sh", "-c", self.line(command), cwd=world.ROOT)
                self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
                self.check(command, ended.stdout)

    def check(self, command, output):
        if "curl -i" in command:
            self.assertIn("HTTP/1.1 200", output)
            self.assertIn("x-headgate-route: " + ("local" if "restricted" in command else "cloud"), output)
        elif command.startswith("curl"):
            self.assertNotIn('"error"', output)
            self.assertIn('"object"', output)
        else:
            target = "TARGET_LOCAL" if "RESTRICTED" in command else "TARGET_CLOUD"
            self.assertIn(target, output)


if __name__ == "__main__":
    BINARIES, _ = sys.argv.pop(1), sys.argv.pop(1)
    os.environ["PATH"] += os.pathsep + os.path.expanduser("~/go/bin")
    unittest.main()
