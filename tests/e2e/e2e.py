#!/usr/bin/env python3
# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The end-to-end tests on a real cluster (docs/kubernetes.md): e2e.py [--keep] [CASE...]

Reads KUBECONFIG; E2E_LOAD, a command that takes image archives (without it the cluster pulls E2E_REGISTRY);
E2E_ADDON, a command that installs metrics-server, prometheus, keda, prometheus-adapter; E2E_API_STOP and E2E_API_START,
commands that end and begin the API server; E2E_OLD_IMAGES, a folder of archives with the tag 0.1.0. Cases that need
one of them are skipped without it.

Cases run in the order of this file and build on each other; `install` always runs. Prints a line a case; exit status 1
when one failed. Everything lies in the namespaces headgate-e2e and headgate-e2e-storage.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/tools"))
import chart_test  # noqa: E402
import cluster  # noqa: E402
from cluster import ENGINE, Failed, Load, brief, check, helm, kubectl, merged, pods, run, until  # noqa: E402
from failures import Failures  # noqa: E402
from lifecycle import Lifecycle  # noqa: E402
from models import Models  # noqa: E402

QUESTION = ("import openai, os\n"
            "client = openai.OpenAI(base_url='http://headgate-router:8080/v1', api_key=os.environ['HEADGATE_KEY'])\n"
            "answer = client.chat.completions.create(model='', max_tokens=8,\n"
            "    messages=[{'role': 'user', 'content': 'What is the capital of France?'}])\n"
            "print(len(answer.choices[0].message.content))\n")
THRESHOLD = 4  # requests a second of each router to the cloud


def small(cloud, model="toy-1", **engine):
    """Values for a small node and short times; the toy model answers at a known speed."""
    price = {"version": "e2e", "model": "deepseek-flash", "currency": "USD", "valid_from": "2026-01-01",
             "cache_hit": 3000, "cache_miss": 150000, "output": 600000}
    scaling = {"mode": "off", "min": 1, "max": 3, "scaleDownSeconds": 15, "scaleDownPods": 2, "requestsPerPod": 2}
    return {
        "image": {"registry": cluster.REGISTRY, "tag": cluster.TAG},
        "cloud": {"enabled": True, "baseUrl": cloud, "existingSecret": "cloud-key", "caSecret": "cloud-tls"},
        "router": {"autoscaling": {"mode": "off"}, "drainSeconds": 30, "preStopSeconds": 5,
                   "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
                   "config": {"policy": {"cloud_qps_threshold": THRESHOLD}, "accounting": {"prices": [price]}}},
        "engine": {"model": {"source": "reference", "name": model}, "extraArgs": ["--reference-step-ms=20"],
                   "drainSeconds": 30, "preStopSeconds": 5, "replicas": 2, "autoscaling": {**scaling, **engine},
                   "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}}},
        "networkPolicy": {"routerEgress": [{"to": [{"podSelector": {"matchLabels": {"app": "cloud"}}}],
                                            "ports": [{"port": 8443}]}]}}


class World(Lifecycle, Failures, Models):
    def __init__(self):
        self.cloud = None

    def upgrade(self, more=None, chart=cluster.CHART, tag=None, **engine):
        """The values of `small`, `more` over them."""
        values = merged(small(self.cloud, **engine), more or {})
        if tag:
            values["image"]["tag"] = tag
        file = cluster.ROOT / "build/e2e/values.json"
        file.write_text(json.dumps(values))
        helm("upgrade", "headgate", chart, "--reset-values", "--values", file, "--wait", "--timeout", "10m")
        cluster.ready("statefulset", "headgate-router")
        cluster.ready("deployment", ENGINE)

    # --- cases ---

    def install(self):
        cluster.load_images()
        cluster.namespaces()
        cluster.storage(10)
        self.cloud = cluster.emulator()
        begin = time.monotonic()
        helm("upgrade", "--install", "headgate", cluster.CHART, "--set", f"image.registry={cluster.REGISTRY}", "--set",
             f"image.tag={cluster.TAG}", "--wait", "--timeout", "10m", timeout=660)
        seconds = time.monotonic() - begin
        cluster.client()
        check(len(pods("router")) == 2 and len(pods("engine")) >= 2, "two routers and two engines by default")
        return f"ready after {seconds:.0f} s with the default values, in a namespace that enforces `restricted`"

    def server_accepts(self):
        """Every rendering of the chart's unit tests and every example, in a dry run of this API server: types, ranges,
        CEL, and the warnings of Pod Security. Kinds of operators whose definitions are not installed are left out."""
        known = set(run("kubectl", "api-resources", "--no-headers").split())
        examples = [one for path in sorted((cluster.ROOT / "deploy/examples").glob("*.yaml"))
                    for one in chart_test.yaml.safe_load_all(path.read_text()) if one and "apiVersion" in one]
        count, left_out = 0, set()
        for name, every in [("deploy/examples", examples)] + [
                (name, chart_test.render(values, "dry")) for name, values in chart_test.RENDERINGS.items()]:
            objects = [one for one in every if one["kind"] in known]
            left_out |= {one["kind"] for one in every} - known
            if not objects:
                continue
            said = subprocess.run(["kubectl", "-n", cluster.NAMESPACE, "apply", "--dry-run=server", "-f", "-"],
                                  input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
                                  capture_output=True, text=True, check=False)
            check(said.returncode == 0 and "Warning" not in said.stderr, f"{name}: {said.stderr[-1500:]}")
            count += len(objects)
        return f"{count} objects, no warning; left out: {', '.join(sorted(left_out)) or 'none'}"

    def helm_test(self):
        helm("test", "headgate", "--timeout", "5m", timeout=330)
        return "two requests, one of them sensitive"

    def clients(self):
        said = cluster.inside(QUESTION)
        check(int(said) > 0, "the openai package got no answer")
        done = ["openai"]
        call = ["exec", "client", "--", "sh", "-c"]
        proto, question = "headgate/v1/inference.proto", '{"prompt": "What is a canal?", "max_tokens": 4}'
        for tool, command, sign in (
                ("grpcurl", f"grpcurl -plaintext -import-path /proto -proto {proto} -H \"authorization: Bearer "
                 f"$HEADGATE_KEY\" -d '{question}' headgate-router:8081 headgate.v1.Inference/Generate", "TARGET_"),
                ("ghz", f"ghz --insecure -n 20 -c 2 -i /proto --proto {proto} --call headgate.v1.Inference.Generate -m "
                 f"\"{{\\\"authorization\\\":\\\"Bearer $HEADGATE_KEY\\\"}}\" -d '{question}' headgate-router:8081",
                 "20 responses")):
            if not kubectl(*call, f"command -v {tool}", quiet=True).strip():
                continue
            answer = kubectl(*call, command)
            check(sign in answer, f"{tool}: {answer[-600:]}")
            done.append(tool)
        return "from inside a pod: " + ", ".join(done)

    def shares(self):
        self.upgrade()
        seconds = 30
        load = Load(seconds, threads=24, rate=30, sensitive=0.3).result()
        check(not load["broken"], f"broken: {load}")
        check(load.get("sensitive_cloud", 0) == 0, f"sensitive to the cloud: {load}")
        check(load.get("sensitive_local", 0) > 0 and load.get("everyday_local", 0) > 0, f"nothing local: {load}")
        most = len(pods("router")) * THRESHOLD
        to_cloud = load.get("everyday_cloud", 0) / seconds
        check(0.6 * most <= to_cloud <= 1.1 * most + 1, f"{to_cloud:.1f}/s to the cloud, allowed {most}/s: {load}")
        return f"{to_cloud:.1f}/s of {most}/s allowed to the cloud, the rest and all sensitive local: {brief(load)}"

    def scale(self, mode):
        """Up under load, traffic to the new pod, down again, nothing broken."""
        self.upgrade(mode=mode)
        old = {one["metadata"]["name"] for one in pods("engine")}
        begin = time.monotonic()
        load = Load(150, threads=16, rate=0, sensitive=1.0, tokens=24)
        until(140, "a second ready engine", lambda: cluster.replicas("deployment", ENGINE) > 1)
        up = time.monotonic() - begin
        answered = until(60, "an answer of a new engine", lambda: any(
            successes(one["metadata"]["name"]) > 0 for one in pods("engine") if one["metadata"]["name"] not in old))
        first = time.monotonic() - begin
        most = cluster.replicas("deployment", ENGINE)
        got = load.result()
        check(answered and not got["broken"], f"broken: {got}")
        light = Load(60, threads=1, rate=2, sensitive=1.0)
        until(240, "one engine again", lambda: len(pods("engine")) == 1)
        down = light.result()
        check(not down["broken"], f"broken while scaling down: {down}")
        return (f"second engine ready after {up:.0f} s, its first answer after {first:.0f} s, {most} engines, then "
                f"down; up {brief(got)}; down {brief(down)}")

    def scale_cpu(self):
        cluster.addon("metrics-server")
        return self.scale("cpu")

    def scale_external(self):
        cluster.addon("prometheus")
        self.adapter()
        try:
            return self.scale("external")
        finally:
            self.no_adapter()

    def adapter(self):
        # It reads its rules when it starts.
        run("kubectl", "-n", "monitoring", "delete", "deployment", "prometheus-adapter", "--ignore-not-found")
        cluster.addon("prometheus-adapter", environment={
            "ADAPTER_CONFIG": str(cluster.ROOT / "monitoring/prometheus-adapter.yaml")})

    def no_adapter(self):
        """It and keda both own external.metrics.k8s.io."""
        run("kubectl", "delete", "apiservice", "v1beta1.external.metrics.k8s.io", "--ignore-not-found")
        run("kubectl", "-n", "monitoring", "delete", "deployment", "prometheus-adapter", "--ignore-not-found")

    def scale_keda(self):
        cluster.addon("prometheus", "keda")
        try:
            return self.scale("keda")
        finally:
            self.upgrade()

    def clean(self):
        run("kubectl", "delete", "namespace", cluster.NAMESPACE, cluster.STORAGE, "--ignore-not-found", "--wait")
        run("kubectl", "delete", "pv", "-l", "app=headgate-e2e", "--ignore-not-found", "--wait=false")
        return "namespaces and volumes of the tests are gone"


def successes(name):
    """Requests that an engine has answered, from its own metrics."""
    path = f"/api/v1/namespaces/{cluster.NAMESPACE}/pods/{name}:50053/proxy/metrics"
    lines = run("kubectl", "get", "--raw", path, quiet=True).split("\n")
    return sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:request_success_total{"))


CASES = ["install", "server_accepts", "helm_test", "clients", "shares", "changes", "model_version", "router_scale",
         "node_drain", "deletion_cost", "endpoint_slices", "tls", "model_copies", "model_key",
         "model_jobs", "other_servers", "scale_cpu", "scale_external", "prometheus_fails",
         "scale_keda", "cloud_fails", "redis_fails", "api_server_stops", "upgrade_keeps", "upgrade_release", "record",
         "uninstall"]
# What a case cannot do without.
NEEDS = {"scale_cpu": "E2E_ADDON", "scale_external": "E2E_ADDON", "scale_keda": "E2E_ADDON",
         "prometheus_fails": "E2E_ADDON", "api_server_stops": "E2E_API_STOP"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="of: " + " ".join(CASES))
    parser.add_argument("--keep", action="store_true", help="leave everything as it is at the end")
    flags = parser.parse_args()
    chosen = [name for name in CASES if name == "install" or not flags.cases or name in flags.cases]
    world, failed, skipped = World(), [], 0
    for name in chosen + ([] if flags.keep else ["clean"]):
        if name in NEEDS and not os.environ.get(NEEDS[name]):
            print(f"skipped {name}: needs {NEEDS[name]}", flush=True)
            skipped += 1
            continue
        begin = time.monotonic()
        try:
            said = getattr(world, name)()
            print(f"passed {name} ({time.monotonic() - begin:.0f} s): {said}", flush=True)
        except Exception as error:  # the next cases may still say something
            if not isinstance(error, Failed):
                traceback.print_exc()
            print(f"FAILED {name} ({time.monotonic() - begin:.0f} s): {error}", flush=True)
            failed.append(name)
            if name == "install":
                break
    print(f"e2e: {len(chosen) - len(failed) - skipped} of {len(chosen)} cases passed, {skipped} skipped" + (
        f", failed: {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
