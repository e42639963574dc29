# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""levels_test.py BIN [MODEL]: an engine for every x86-64 (tools/llama build portable) with each of its CPU backends
alone: those that this CPU runs answer alike, the others are refused by name, and of all the best is taken. Prints how
long a token took with each."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

# What /proc/cpuinfo calls that which a level needs, from the least level to the best.
NEEDS = {"x64": "sse2", "sse42": "sse4_2", "haswell": "avx f16c fma avx2 bmi2",
         "cascadelake": "avx512f avx512cd avx512vl avx512dq avx512bw avx512_vnni",
         "zen4": "avx512_vnni avx512vbmi avx512_bf16", "sapphirerapids": "avx512_vnni avx512vbmi avx512_bf16 amx_int8"}


def runs_here(level):
    flags = re.search(r"^flags\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M).group(1).split()
    return set(NEEDS[level].split()) <= set(flags)


class Engine:
    """A copy of the engine, whose folder has the backends of `levels`."""

    def __init__(self, folder, levels):
        for part in ("bin", "lib/headgate"):
            (folder / part).mkdir(parents=True)
        program = shutil.copy(BIN / "headgate-engine", folder / "bin")
        for path in LIBRARIES.glob("libggml*"):
            if "-cpu-" not in path.name or path.stem.rpartition("-")[2] in levels:
                shutil.copy(path, folder / "lib/headgate")
        self.process = subprocess.Popen(
            [program, "--model", MODEL, "--context-tokens=1024", "--parallel=2", "--listen=127.0.0.1:0",
             "--admin=127.0.0.1:0", "--metrics=127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        self.said, self.ports = "", None  # no ports: it has ended
        for line in self.process.stdout:
            self.said += line
            if line.startswith("listening"):
                self.ports = dict(re.findall(r"(\w+)=(\S+)", line))
                return
        self.end()

    def level(self):
        maps = pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()
        return {found for found in re.findall(r"libggml-cpu-(\w+)\.so", maps)}

    def token_ms(self):
        with urllib.request.urlopen(f"http://{self.ports['metrics']}/metrics", timeout=30) as page:
            found = dict(re.findall(r"^vllm:inter_token_latency_seconds_(sum|count)\S* (\S+)$", page.read().decode(),
                                    re.M))
        return 1000 * float(found["sum"]) / float(found["count"])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.stdout.close()
        return self.process.wait()


class Levels(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "probes.txt").write_text("What is the capital of France?\nWhat is a canal lock?\n"
                                                "Name three fruits.\nWhat is a prime number?\n")
        self.levels = {path.stem.rpartition("-")[2] for path in LIBRARIES.glob("libggml-cpu-*.so")}

    def engine(self, levels):
        engine = Engine(self.folder / "-".join(sorted(levels)), levels)
        self.addCleanup(engine.end)
        return engine

    def ask(self, engine):
        """A few questions; the first engine's answers are what the others' are compared with. They compute in another
        order and with other roundings, so they are not the same."""
        run = subprocess.run([BIN / "headgate", "drift", "--engine", engine.ports["grpc"], "--baseline",
                              self.folder / "baseline.json", "--probes", self.folder / "probes.txt",
                              "--logprob-change-max=0.2", "--length-change-max=0.5"], capture_output=True, text=True,
                             check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_each_alone(self):
        self.assertEqual(self.levels, set(NEEDS))
        for level in NEEDS:
            with self.subTest(level=level):
                engine = self.engine({level})
                if not runs_here(level):
                    self.assertNotEqual(engine.process.returncode, 0)
                    self.assertIn("no backend that this CPU runs", engine.said)
                    continue
                self.assertIsNotNone(engine.ports, engine.said)
                self.assertEqual(engine.level(), {level})
                self.ask(engine)
                print(f"{level}: {engine.token_ms():.2f} ms a token", flush=True)
                self.assertEqual(engine.end(), 0)  # two of them at once would share the cores

    def test_the_best_of_all(self):
        engine = self.engine(self.levels)
        self.assertIsNotNone(engine.ports, engine.said)
        self.assertEqual(engine.level(), {[level for level in NEEDS if runs_here(level)][-1]})


if __name__ == "__main__":
    BIN = pathlib.Path(sys.argv[1]).resolve()
    LIBRARIES = BIN.parent / "lib/headgate"
    MODEL = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("HEADGATE_TEST_MODEL", "")
    if not LIBRARIES.is_dir() or not MODEL:
        print("SKIPPED: needs HEADGATE_TEST_MODEL and programs with HEADGATE_LLAMA_VARIANT=portable")
        raise SystemExit(77)
    unittest.main(argv=sys.argv[:1])
