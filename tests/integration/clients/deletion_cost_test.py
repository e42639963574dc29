# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""`headgate deletion-cost` against a stand-in for the Kubernetes API, with a real engine's metrics among its pods:
deletion_cost_test.py BINARIES"""

import http.server
import json
import pathlib
import subprocess
import sys
import threading
import unittest
import urllib.parse

import world

COST = "controller.kubernetes.io/pod-deletion-cost"
PATH = "/api/v1/namespaces/llm/pods"
TOKEN = "the-token"


def pod(name, address="127.0.0.1", cost=None, leaving=False):
    metadata = {"name": name, "annotations": {COST: cost} if cost else {"other": "x"}}
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata, "status": {"podIP": address} if address else {}}


class Kubernetes:
    """The API on a port of its own; `pods` are listed, `patches` keeps [(name, body)], `status` answers lists."""

    def __init__(self):
        self.pods, self.patches, self.asked, self.status = [], [], [], 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def do_GET(self):
                outer.asked.append((self.path, self.headers["Authorization"]))
                self.answer(outer.status, {"items": outer.pods})

            def do_PATCH(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.headers["Content-Type"] == "application/merge-patch+json"
                outer.patches.append((self.path.removeprefix(PATH + "/"), body["metadata"]["annotations"][COST]))
                self.answer(200, {})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Metrics(http.server.BaseHTTPRequestHandler):
    """An engine with two requests that run and three that wait."""
    TEXT = ('# HELP vllm:num_requests_running x\nvllm:num_requests_running{model_name="m"} 2\n'
            'vllm:num_requests_waiting{model_name="m"} 3\nvllm:num_preemptions_total{model_name="m"} 9\n')

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.TEXT.encode())

    def log_message(self, *_):
        pass


class Watched(world.World):
    """The real programs; `engine_metrics` is an address."""

    def start(self, name, *arguments):
        addresses = super().start(name, *arguments)
        if name == "headgate-engine":
            self.engine_metrics = addresses["metrics"]
        return addresses


class DeletionCostTest(unittest.TestCase):
    def setUp(self):
        self.kubernetes = Kubernetes()
        self.addCleanup(self.kubernetes.close)
        self.engine = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
        threading.Thread(target=self.engine.serve_forever, daemon=True).start()
        self.addCleanup(self.engine.server_close)
        self.addCleanup(self.engine.shutdown)
        self.token = pathlib.Path(self.enterContext(world.tempfile.TemporaryDirectory())) / "token"
        self.token.write_text(TOKEN + "\n")

    def run_rounds(self, port=None, rounds=1):
        address = "http://127.0.0.1:%d" % self.kubernetes.server.server_address[1]
        return subprocess.run(
            [BINARIES / "headgate", "deletion-cost", "--namespace", "llm", "--selector", "a=b,c in (d)", "--api",
             address, "--token-file", self.token, "--metrics-port", str(port or self.engine.server_address[1]),
             "--interval", "1", "--rounds", str(rounds)], capture_output=True, text=True, timeout=120, check=False)

    def test_what_runs_and_waits_becomes_the_cost(self):
        self.kubernetes.pods = [pod("new"), pod("same", cost="5"), pod("other", cost="4"), pod("going", leaving=True),
                                pod("no-address", address="")]
        run = self.run_rounds()
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(self.kubernetes.patches, [("new", "5"), ("other", "5")])
        path, token = self.kubernetes.asked[0]
        self.assertEqual(token, "Bearer " + TOKEN)
        self.assertEqual(urllib.parse.parse_qs(urllib.parse.urlsplit(path).query),
                         {"fieldSelector": ["status.phase=Running"], "labelSelector": ["a=b,c in (d)"]})

    def test_a_pod_that_does_not_answer_keeps_what_it_has(self):
        self.kubernetes.pods = [pod("silent", address="127.0.0.2", cost="3")]
        self.engine.server_close()
        run = self.run_rounds()
        self.assertEqual(run.returncode, 0)
        self.assertIn("silent: no metrics", run.stderr)
        self.assertEqual(self.kubernetes.patches, [])

    def test_a_refused_list_is_said_and_the_next_round_comes(self):
        self.kubernetes.status = 403
        run = self.run_rounds(rounds=2)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr.count("listing pods: HTTP 403"), 2)

    def test_fields_of_other_types_end_nothing(self):
        for broken in ([1], [{"metadata": 5}], [{"metadata": {"name": 3}, "status": {"podIP": {}}}], {"a": 1}, None):
            with self.subTest(items=broken):
                self.kubernetes.pods = broken
                run = self.run_rounds()
                self.assertIn(run.returncode, (0, 1), run.stderr)

    def test_a_real_engine_idle_costs_nothing(self):
        with Watched(BINARIES) as real:
            self.kubernetes.pods = [pod("idle", cost="7")]
            run = self.run_rounds(port=real.engine_metrics.split(":")[1])
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(self.kubernetes.patches, [("idle", "0")])


if __name__ == "__main__":
    BINARIES = pathlib.Path(sys.argv.pop(1))
    unittest.main()
