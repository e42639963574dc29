# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The cases about installing, changing, upgrading and removing: a part of e2e.World."""

import json
import os
import pathlib
import shlex
import subprocess

import cluster
from cluster import Load, brief, check, get, helm, kubectl, pods, run, until

ENGINE = cluster.ENGINE
# Where the tag 0.1.0 is; a clone without tags has the commit.
FIRST_RELEASE = "90ca671b2ff3708f135d9c5f0381ae7d95473200"
KEYS = ("audit", "client", "tenants")


def keys():
    return [get("secret", f"headgate-{name}")["data"] for name in KEYS]


def both_ready(component, count=2):
    listed = pods(component)
    return len(listed) == count and all(
        any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
        for pod in listed)


def evict(name):
    run("kubectl", "create", "--raw", f"/api/v1/namespaces/{cluster.NAMESPACE}/pods/{name}/eviction", "-f", "-",
        stdin=json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}))


def unbroken(load):
    got = load.result()
    check(not got["broken"] and not got["refused"], f"broken: {got}")
    check(not got.get("sensitive_cloud"), f"sensitive to the cloud: {got}")
    return brief(got)


class Lifecycle:
    def changes(self):
        """Everything that ends pods on purpose, under load: what the contract promises holds."""
        self.upgrade()
        load = Load(120, threads=12, rate=20, sensitive=0.5)
        for kind, name in (("statefulset", "headgate-router"), ("deployment", ENGINE)):
            kubectl("rollout", "restart", f"{kind}/{name}")
            cluster.ready(kind, name)
        for component in ("engine", "router"):
            kubectl("delete", "pod", pods(component)[0]["metadata"]["name"], "--wait=false")
            until(180, f"all {component}s", lambda: both_ready(component))
            evict(pods(component)[-1]["metadata"]["name"])
            until(180, f"all {component}s", lambda: both_ready(component))
        return f"rollout of both, delete and eviction of one pod of each: {unbroken(load)}"

    def node_drain(self):
        """`kubectl drain` of a node with everything on it, under load. On one node what is evicted has nowhere to go:
        the budgets then keep one router and one engine, and the drain waits until the node takes pods again."""
        self.upgrade()
        node = pods("router")[0]["spec"]["nodeName"]
        load = Load(90, threads=8, rate=15, sensitive=0.5)
        try:
            said = subprocess.run(
                ["kubectl", "drain", node, "--pod-selector=app.kubernetes.io/instance=headgate", "--ignore-daemonsets",
                 "--delete-emptydir-data", "--timeout=45s"], capture_output=True, text=True, check=False)
            left = [len([one for one in pods(component) if one["spec"].get("nodeName") == node])
                    for component in ("router", "engine")]
        finally:
            run("kubectl", "uncordon", node)
        check("evict" in said.stdout + said.stderr, said.stderr[-500:])
        for component in ("router", "engine"):
            until(240, f"all {component}s", lambda: both_ready(component))
        return f"drained to {left[0]} router and {left[1]} engines, then back: {unbroken(load)}"

    def model_version(self):
        """Another model under load, by the rolling upgrade of the pool."""
        load = Load(60, threads=8, rate=15, sensitive=0.7)
        self.upgrade(model="toy-2")
        said = unbroken(load)
        models = until(30, "the new model's name", lambda: (lambda said: said if "toy-2" in said else None)(
            cluster.inside(cluster.MODELS)))
        check("toy-1" not in models, f"the old model is still listed: {models}")
        return f"toy-1 to toy-2: {said}"

    def router_scale(self):
        """Two routers, three, two, under load: the third one's audit chain stays, was ended, and verifies."""
        self.upgrade()
        load = Load(60, threads=8, rate=15, sensitive=0.5)
        kubectl("scale", "statefulset/headgate-router", "--replicas=3")
        until(120, "three routers", lambda: both_ready("router", 3))
        kubectl("scale", "statefulset/headgate-router", "--replicas=2")
        until(120, "two routers", lambda: both_ready("router", 2))
        said = unbroken(load)
        kubectl("wait", "--for=delete", "pod/headgate-router-2", "--timeout=120s")
        verdict = cluster.verify("audit-headgate-router-2")
        check("not ended" not in verdict, f"the chain was cut, not ended: {verdict}")
        return f"{said}; the chain of the third: {verdict}"

    def deletion_cost(self):
        """The annotation follows what engines do."""
        self.upgrade(more={"deletionCost": {"enabled": True, "intervalSeconds": 1}})
        cluster.ready("deployment", "headgate-deletion-cost")

        def costs():
            name = "controller.kubernetes.io/pod-deletion-cost"
            return [int((one["metadata"].get("annotations") or {}).get(name, 0)) for one in pods("engine")]
        load = Load(30, threads=12, rate=0, sensitive=1.0, tokens=64)
        most = until(40, "a cost above zero", lambda: max(costs()))
        load.result()
        until(60, "no cost when idle", lambda: max(costs()) == 0)
        return f"{most} while busy, 0 when idle"

    def endpoint_slices(self):
        """Routers follow EndpointSlices with no right but to read them; a rollout of engines under load."""
        address = json.loads(run("kubectl", "get", "endpoints", "kubernetes", "-o", "json"))
        address = address["subsets"][0]["addresses"][0]["ip"]
        self.upgrade(more={"router": {"discovery": "endpoint-slices"}, "networkPolicy": {
            "apiServer": [{"ipBlock": {"cidr": address + "/32"}}, {"ipBlock": {"cidr": "10.96.0.0/16"}}]}})
        account = f"system:serviceaccount:{cluster.NAMESPACE}:headgate-router"
        for verb, what, expected in (("list", "endpointslices.discovery.k8s.io", "yes"), ("list", "pods", "no"),
                                     ("get", "secrets", "no"), ("patch", "pods", "no")):
            said = kubectl("auth", "can-i", verb, what, f"--as={account}", quiet=True).strip()
            check(said == expected, f"may the router {verb} {what}? {said}")
        load = Load(60, threads=8, rate=15, sensitive=0.7)
        kubectl("rollout", "restart", f"deployment/{ENGINE}")
        cluster.ready("deployment", ENGINE)
        said = unbroken(load)
        self.upgrade()
        return f"a rollout of engines: {said}"

    def tls(self):
        """Given TLS for clients and mutual TLS between routers and engines."""
        cluster.certificates()
        self.upgrade(more={"tls": {"clients": {"mode": "secret", "secret": "e2e-client-tls"},
                                   "engines": {"mode": "secret", "engineSecret": "e2e-engine-tls",
                                               "routerSecret": "e2e-router-tls"}}})
        helm("test", "headgate", "--timeout", "5m", timeout=330)
        said = unbroken(Load(20, threads=4, rate=8, sensitive=0.5, tls=True))
        engine = pods("engine")[0]["status"]["podIP"]
        refused = cluster.inside("import socket, ssl\n"
                                 "context = ssl._create_unverified_context()\n"
                                 f"plain = socket.create_connection(('{engine}', 50051), 10)\n"
                                 "try:\n"
                                 " tls = context.wrap_socket(plain)\n tls.send(b'PRI * HTTP/2.0')\n"
                                 " print('refused' if not tls.recv(1) else 'accepted')\n"
                                 "except (ssl.SSLError, ConnectionError):\n print('refused')\n")
        check(refused.strip() == "refused", f"an engine talks to who has no certificate: {refused}")
        self.upgrade()
        return f"the helm test and {said}; an engine refuses who has no certificate"

    def upgrade_keeps(self):
        """An upgrade keeps the keys that an install made, and replicas that a scaler chose."""
        before = keys()
        self.upgrade(mode="cpu")
        check(before == keys(), "an upgrade changed a key")
        helm("rollback", "headgate", "--wait", "--timeout", "10m")
        return "keys stay through upgrade and rollback"

    def upgrade_release(self):
        """From chart 0.1.0 to this one and back, under load. With E2E_OLD_IMAGES (a folder of archives with the tag
        0.1.0) the programs are that release's as well."""
        folder = cluster.ROOT / "build/e2e/release-0.1.0"
        folder.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(["git", "-C", cluster.ROOT, "archive", FIRST_RELEASE, "deploy/helm"], check=True,
                                 capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        old = os.environ.get("E2E_OLD_IMAGES")
        if old and os.environ.get("E2E_LOAD"):
            run(*shlex.split(os.environ["E2E_LOAD"]), *sorted(pathlib.Path(old).glob("*.tar")))
        before = keys()
        self.upgrade(chart=folder / "deploy/helm/headgate", tag="0.1.0" if old else None)
        load = Load(60, threads=8, rate=15, sensitive=0.5)
        self.upgrade()
        up = unbroken(load)
        load = Load(60, threads=8, rate=15, sensitive=0.5)
        helm("rollback", "headgate", "--wait", "--timeout", "10m")
        cluster.ready("statefulset", "headgate-router")
        cluster.ready("deployment", ENGINE)
        down = unbroken(load)
        check(before == keys(), "an upgrade changed a key")
        self.upgrade()
        return f"chart{' and programs' if old else ''} of 0.1.0: up {up}; back {down}"

    def uninstall(self):
        """Nothing stays but the audit claims and their key; every chain of every router that ever lived verifies."""
        helm("uninstall", "headgate", "--wait", "--timeout", "5m")
        kubectl("wait", "--for=delete", "pod", "-l", "app.kubernetes.io/instance=headgate", "--timeout=180s")
        kinds = ",".join(one for one in run("kubectl", "api-resources", "--namespaced", "--verbs=list", "-o",
                                            "name").split() if "metrics.k8s.io" not in one)
        left = run("kubectl", "-n", cluster.NAMESPACE, "get", kinds, "-l", "app.kubernetes.io/instance=headgate", "-o",
                   "name").split()
        whole = json.loads(run("kubectl", "get", "clusterroles,clusterrolebindings", "-o", "json"))["items"]
        left += [f"cluster-wide/{one['metadata']['name']}" for one in whole if "headgate" in one["metadata"]["name"]]
        unexpected = [one for one in left if not one.startswith("persistentvolumeclaim/audit-headgate-router-")
                      and one != "secret/headgate-audit"]
        check(not unexpected, f"left behind: {unexpected}")
        claims = sorted(one.split("/")[1] for one in left if one.startswith("persistentvolumeclaim/"))
        check(claims, "no audit claim is left")
        said = [f"{claim[-1]}: {cluster.verify(claim)}" for claim in claims]
        kubectl("delete", "pvc", *claims)
        kubectl("delete", "secret", "headgate-audit")
        return f"nothing left but {len(claims)} audit claims and their key; every chain verifies ({'; '.join(said)})"
