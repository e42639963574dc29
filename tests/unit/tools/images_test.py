# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""What an image of a program holds: images_test.py PROGRAM. The same twice, no shell, nobody's writable file, and a
list of contents that names every package and the program's own digest."""

import hashlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]


def tree(folder):
    """Everything that would be in the image's layer: names, kinds, rights, times, contents."""
    return {str(path.relative_to(folder)): (
        oct(path.lstat().st_mode), path.lstat().st_mtime, os.readlink(path) if path.is_symlink() else hashlib.sha256(
            path.read_bytes()).hexdigest() if path.is_file() else "") for path in sorted(folder.rglob("*"))}


@unittest.skipUnless(shutil.which("dpkg-query") and shutil.which("strip"), "needs Debian's tools")
class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        for name in ("one", "two"):
            subprocess.run([sys.executable, ROOT / "deploy/images/rootfs.py", "program", cls.folder / name, PROGRAM],
                           check=True)
        cls.tree = tree(cls.folder / "one")
        cls.sbom = json.loads((cls.folder / "one/usr/share/sbom/program.spdx.json").read_text())

    def test_the_same_again(self):
        self.assertEqual(self.tree, tree(self.folder / "two"))
        self.assertEqual({entry[1] for entry in self.tree.values()}, {0}, "times are SOURCE_DATE_EPOCH, or 0")

    def test_no_shell_and_nothing_that_others_may_write(self):
        programs = [name for name, entry in self.tree.items() if name.startswith(("bin/", "usr/bin/", "sbin/"))
                    and not stat.S_ISDIR(int(entry[0], 8))]
        self.assertEqual(programs, ["usr/bin/" + os.path.basename(PROGRAM)])
        writable = [name for name, entry in self.tree.items() if int(entry[0], 8) & 0o022 and not stat.S_ISLNK(
            int(entry[0], 8))]
        self.assertEqual(writable, ["tmp"])
        self.assertFalse([name for name, entry in self.tree.items() if int(entry[0], 8) & 0o6000], "no set-id file")

    def test_list_of_contents(self):
        self.assertEqual(self.sbom["spdxVersion"], "SPDX-2.3")
        self.assertNotIn("comment", self.sbom, "a file of no package")
        names = {one["name"] for one in self.sbom["packages"]}
        self.assertLessEqual({"libc6", "libstdc++6", "ca-certificates"}, names)
        known = {one["SPDXID"] for one in self.sbom["packages"] + self.sbom["files"]}
        self.assertEqual(known, {one["relatedSpdxElement"] for one in self.sbom["relationships"]})
        self.assertTrue(all(one["versionInfo"] for one in self.sbom["packages"]))
        program = self.sbom["files"][0]
        self.assertEqual(program["checksums"][0]["checksumValue"], self.tree[program["fileName"][2:]][2])


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    if not os.access(PROGRAM, os.X_OK):
        print(f"SKIPPED: no {PROGRAM}")
        raise SystemExit(77)
    unittest.main()
