# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""A reference engine, the DeepSeek emulator and a router as a user starts them, for the tests of the clients."""

import ctypes
import hashlib
import http.client
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

KEY = "key-of-the-client"
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
START_SECONDS = 60
ROOT = pathlib.Path(__file__).resolve().parents[3]
EVERYDAY = "What is a canal?"
# The check digit is right; the person does not exist.
PATIENT = "Who is the patient with resident ID 11010519491231002X?"


def skip(why):
    print("SKIPPED: " + why, flush=True)
    sys.exit(SKIPPED)


class World:
    """Use as a context: programs run and files exist inside it only. `http`, `grpc`, `admin`, `emulator`: addresses."""

    def __init__(self, binaries, front=None):
        """`front`: called with the emulator's address; returns what stands under `cloud:` instead of that address."""
        self.binaries = pathlib.Path(binaries)
        self.front = front
        self.programs = []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="headgate-clients-"))

    def __enter__(self):
        try:
            self.start_all()
        except BaseException as failure:
            self.__exit__(type(failure))
            raise
        return self

    def __exit__(self, failure=None, *_):
        wrong = []
        for program in reversed(self.programs):  # the router before what it talks to
            program.terminate()
            try:
                code = program.wait(20)
            except subprocess.TimeoutExpired:
                program.kill()
                code = program.wait()
            program.stdout.close()
            if code not in (0, -signal.SIGTERM):
                wrong.append(f"{program.args[0]} ended with {code}")
        logs = "".join(f"{log.name}:\n{log.read_text()[-4000:]}\n" for log in sorted(self.folder.glob("*.log")))
        shutil.rmtree(self.folder, ignore_errors=True)
        if wrong and failure is None:
            raise RuntimeError("; ".join(wrong) + "\n" + logs)

    def start_all(self):
        engine = self.start("headgate-engine", "--reference", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                            "--metrics", "127.0.0.1:0")["grpc"]
        self.emulator = self.start("deepseek-emulator", "--listen", "127.0.0.1:0", "--token-ms", "0")["http"]
        self.write("audit.key", "k" * 32)
        self.write("cloud.key", "test-cloud-key\n")
        self.write("tenants.yaml", "tenants:\n  - name: alpha\n    api_key_sha256: "
                   f"[\"{hashlib.sha256(KEY.encode()).hexdigest()}\"]\n")
        (self.folder / "audit").mkdir()
        cloud = self.front(self) if self.front else f"base_url: http://{self.emulator}"
        router = self.start("headgate-router", "--config", self.write("router.yaml", f"""\
listen: {{grpc: "127.0.0.1:0", http: "127.0.0.1:0", admin: "127.0.0.1:0", metrics: "127.0.0.1:0", reflection: true}}
tenants_file: tenants.yaml
local:
  endpoints:
    - name: engine
      address: {engine}
cloud:
  enabled: true
  {cloud}
  api_key_file: cloud.key
audit:
  directory: audit
  key_file: audit.key
"""))
        self.http, self.grpc, self.admin = router["http"], router["grpc"], router["admin"]
        self.wait_ready()

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def start(self, name, *arguments):
        """Starts a program; the addresses of its line `listening NAME=ADDRESS ...`."""
        with open(self.folder / (name + ".log"), "wb") as log:
            program = subprocess.Popen([self.binaries / name, *arguments], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=die_with_parent)
        self.programs.append(program)
        lines = queue.Queue()
        threading.Thread(target=collect, args=(program.stdout, lines), daemon=True).start()
        while True:
            line = lines.get(timeout=START_SECONDS)
            if line is None:
                raise RuntimeError(f"{name} ended: {(self.folder / (name + '.log')).read_text()[-2000:]}")
            if line.startswith("listening "):
                return dict(field.split("=", 1) for field in line.split()[1:])

    def wait_ready(self):
        """Until the router has seen the engine: a sensitive request has nowhere else to go."""
        for _ in range(2000):
            connection = http.client.HTTPConnection(self.http, timeout=20)
            connection.request("POST", "/v1/chat/completions", json.dumps(
                {"messages": [{"role": "user", "content": PATIENT}], "max_tokens": 1}),
                {"content-type": "application/json", "authorization": "Bearer " + KEY})
            status = connection.getresponse().status
            connection.close()
            if status == 200:
                return
        raise RuntimeError(f"the engine does not answer through the router: HTTP {status}")

    def environment(self):
        """What the examples read; no proxies."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return dict(kept, HEADGATE_GRPC=self.grpc, HEADGATE_URL=f"http://{self.http}/v1", HEADGATE_API_KEY=KEY)

    def run(self, *command, cwd=None, **environment):
        return subprocess.run([str(part) for part in command], cwd=cwd, env=dict(self.environment(), **environment),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def copy_example(name, build):
    """The example and the contract in the build folder, so that nothing is generated into the source tree."""
    target = pathlib.Path(build) / "clients"
    ignore = shutil.ignore_patterns("target", "headgatev1")
    shutil.copytree(ROOT / "examples" / name, target / "examples" / name, ignore=ignore, dirs_exist_ok=True)
    shutil.copytree(ROOT / "proto", target / "proto", dirs_exist_ok=True)
    return target / "examples" / name


def check_routes(test, ask):
    """`ask(question, level)` runs a gRPC example; its outputs are alike in each language."""
    for question, level, target in ((EVERYDAY, "", "TARGET_CLOUD"), (PATIENT, "", "TARGET_LOCAL"),
                                    (EVERYDAY, "restricted", "TARGET_LOCAL"), (PATIENT, "public", "TARGET_LOCAL")):
        with test.subTest(question=question, level=level):
            ended = ask(question, level)
            test.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
            lines = ended.stdout.strip().split("\n")
            test.assertTrue(lines[0].startswith("route: " + target), lines)
            test.assertTrue("".join(lines[1:-1]).strip(), lines)
            test.assertRegex(lines[-1], r"^finish: FINISH_REASON_(STOP|LENGTH) [1-9]\d* tokens$")


def collect(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put(None)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
