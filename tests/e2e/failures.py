# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The cases in which something around the routers ends: a part of e2e.World."""

import base64
import json
import os
import shlex
import subprocess
import threading

import cluster
from cluster import ENGINE, Load, apply, check, get, kubectl, pods, run, until
from lifecycle import unbroken


class Failures:
    def cloud_fails(self):
        self.upgrade()
        recorded = self.record()  # it ends with the emulator
        load = Load(40, threads=8, rate=12, sensitive=0.3)
        kubectl("delete", "pod", "cloud", "--wait")
        said = unbroken(load)
        self.cloud = cluster.emulator()
        return f"record of the cases before: {recorded}; the emulator gone, everything answered locally: {said}"

    def record(self):
        """What arrived at the cloud: something, and no byte of a sensitive request."""
        until(60, "the cloud in use again", lambda: Load(5, threads=4, rate=8, sensitive=0.5).result().get(
            "everyday_cloud"))
        record = json.loads(cluster.cloud_record())
        text = b"\n".join(base64.b64decode(one) for one in record["connections"])
        check(record["dropped_bytes"] == 0, "the record is not whole")
        check(b"colour of the rainbow" in text, "no everyday request in the record: the check would see nothing")
        for word in (b"kingfisher", b"11010519491231002X", b"Li Wei"):
            check(word not in text, f"{word.decode()} reached the cloud")
        return f"{len(text)} bytes in {len(record['connections'])} connections, no canary"

    def api_server_stops(self):
        """E2E_API_STOP and E2E_API_START end and begin the API server (here: SIGSTOP and SIGCONT). Everything that runs
        goes on: routers and engines ask it nothing, or remember what it said."""
        stop, start = os.environ.get("E2E_API_STOP"), os.environ.get("E2E_API_START")
        self.upgrade()
        said = {}
        for name, more in (("dns", {}), ("endpoint-slices", {"router": {"discovery": "endpoint-slices"},
                                                             "networkPolicy": {"enabled": False}})):
            self.upgrade(more=more)
            load = Load(45, threads=8, rate=15, sensitive=0.5)
            threading.Event().wait(5)
            subprocess.run(shlex.split(stop), check=True)
            try:
                threading.Event().wait(25)
            finally:
                subprocess.run(shlex.split(start), check=True)
            until(120, "the API server", lambda: run("kubectl", "get", "--raw", "/readyz"))
            said[name] = unbroken(load)
        self.upgrade()
        return "25 s without it: " + "; ".join(f"engines by {name}: {one}" for name, one in said.items())

    def prometheus_fails(self):
        """Scaled by a metric of Prometheus, which goes: the number of engines stays, and nothing is lost."""
        cluster.addon("prometheus")
        self.adapter()
        try:
            self.upgrade(mode="external")
            load = Load(100, threads=12, rate=0, sensitive=1.0, tokens=24)
            until(180, "a second ready engine", lambda: cluster.replicas("deployment", ENGINE) > 1)
            run("kubectl", "-n", "monitoring", "scale", "deployment/prometheus", "--replicas=0")
            said = unbroken(load)
            least = min(len(pods("engine")) for _ in range(15) if not threading.Event().wait(2))
            check(least > 1, f"scaled down to {least} without an answer")
            conditions = {one["type"]: one["status"] for one in get("hpa", ENGINE)["status"]["conditions"]}
            return f"{least} engines stay (ScalingActive {conditions.get('ScalingActive')}): {said}"
        finally:
            run("kubectl", "-n", "monitoring", "scale", "deployment/prometheus", "--replicas=1")
            self.no_adapter()
            self.upgrade()

    def redis_fails(self):
        """Routers that count together through Redis, which goes and comes back."""
        apply(cluster.pod("redis", "e2e-redis", command=["/usr/bin/redis-server"], args=[
            "--save", "", "--appendonly", "no", "--protected-mode", "no"]),
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "redis"},
             "spec": {"selector": {"app": "redis"}, "ports": [{"port": 6379}]}})
        kubectl("wait", "--for=condition=Ready", "pod/redis", "--timeout=120s")
        self.upgrade(more={"networkPolicy": {"redis": [{"podSelector": {"matchLabels": {"app": "redis"}}}]}, "router": {
            "config": {"sharing": {"redis": f"redis.{cluster.NAMESPACE}.svc.cluster.local:6379", "routers": 2}}}})
        load = Load(40, threads=8, rate=15, sensitive=0.4)
        kubectl("delete", "pod", "redis", "--wait")
        said = unbroken(load)
        self.upgrade()
        kubectl("delete", "service", "redis")
        return f"Redis gone, every router counts for itself: {said}"
