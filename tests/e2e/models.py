# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The cases about where a pool's model comes from, the Jobs on models, and other projects' servers: a part of
e2e.World. The model is the small one for trying out."""

import hashlib
import json

import cluster
from cluster import Load, apply, check, get, kubectl, pods, until
from lifecycle import unbroken

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
CLAIMS = ["models-0", "models-1", "models-2"]
KEY = "6b" * 32
SMALL = {"contextTokens": 512, "parallel": 2, "extraArgs": [], "replicas": 1, "startupSeconds": 600,
         "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}}


def volumes(*claims):
    return [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims]


def mounts(*claims):
    return [{"name": claim, "mountPath": f"/{claim}"} for claim in claims]


def to_its_end(name, image, args, command=None, more_mounts=(), more_volumes=(), claims=CLAIMS):
    """Runs a pod once; what it said."""
    kubectl("delete", "pod", name, "--ignore-not-found", "--wait")
    apply(cluster.pod(name, image, command=command, args=args, mounts=mounts(*claims) + list(more_mounts),
                      volumes=volumes(*claims) + list(more_volumes)))
    return ended("pod", name, lambda: kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}"))


def ended(kind, name, phase):
    last = until(600, f"the end of {kind} {name}", lambda: (
        lambda now: now if now in ("Succeeded", "Failed") else None)(phase()))
    said = kubectl("logs", f"{kind}/{name}", "--tail=20", quiet=True).strip()
    check(last == "Succeeded", f"{name}: {said[-800:]}")
    kubectl("delete", kind, name, "--wait")
    return said


def job_phase(name):
    status = get("job", name)["status"]
    return "Succeeded" if status.get("succeeded") else "Failed" if any(
        one["type"] == "Failed" and one["status"] == "True" for one in status.get("conditions", [])) else ""


def answered():
    """Sensitive requests that the pool answers."""
    said = Load(10, threads=2, rate=1, sensitive=1.0, tokens=4)
    return unbroken(said)


class Models:
    def copies(self):
        """Three claims with a copy of the model each; returns the file's SHA-256."""
        for claim in CLAIMS:
            apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
        # Renamed into place: engines of the case before may still read the file that was there.
        script = " && ".join(f"rm -f /{claim}/*.enc /{claim}/small* /{claim}/served* && "
                             f"cp /model/{FILE} /{claim}/new && mv /{claim}/new /{claim}/{FILE} && "
                             f"cp /model/*.json /{claim}/" for claim in CLAIMS)
        script += f" && sha256sum /models-0/{FILE}"
        return to_its_end("copy", "headgate-model-smollm2", ["-c", script], command=["/bin/sh"]).split()[0]

    def no_copies(self):
        kubectl("delete", "pvc", *CLAIMS, "--ignore-not-found", "--wait")

    def model_copies(self):
        """The first of three copies is damaged: pods start from the second, and say so."""
        digest = self.copies()
        to_its_end("damage", "headgate-model-smollm2", ["-c", f"echo x >> /models-0/{FILE}"], command=["/bin/sh"])
        self.upgrade(more={"engine": {**SMALL, "model": {
            "source": "pvc", "file": FILE, "sha256": digest, "pvc": {"claims": CLAIMS}}}})
        said = kubectl("logs", pods("engine")[0]["metadata"]["name"], "-c", "model")
        check("/copies/0: no" in said and "using /copies/1" in said, f"the init container said: {said}")
        return f"the damaged copy is passed over: {answered()}"

    def model_key(self):
        """An encrypted model and its key in a secret; without the key it does not start."""
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "model-key"},
               "stringData": {"model.key": KEY}})
        self.copies()
        to_its_end("encrypt", "headgate", ["model", "encrypt", f"/models-2/{FILE}", "--to", "/models-2/m.enc",
                                           "--model-key", "file:/key/model.key"],
                   more_mounts=[{"name": "key", "mountPath": "/key"}],
                   more_volumes=[{"name": "key", "secret": {"secretName": "model-key", "defaultMode": 0o440}}])
        self.upgrade(more={"engine": {**SMALL, "model": {
            "source": "pvc", "file": "m.enc", "pvc": {"claims": CLAIMS[2:]}, "keySecret": "model-key"}}})
        said = answered()
        plain = to_its_end("look", "headgate-model-smollm2", [
            "-c", "/usr/bin/busybox head -c 4 /models-2/m.enc | sha256sum"], command=["/bin/sh"]).split()[0]
        check(plain != hashlib.sha256(b"GGUF").hexdigest(), "the file on the claim is not encrypted")
        return said

    def model_jobs(self):
        """The pipeline makes, tries and promotes a smaller model, which engines then serve; the drift probe writes its
        baseline with the first run of its CronJob and agrees with it in the second."""
        self.copies()
        apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "drift"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
        pipeline = {"enabled": True, "claim": "models-0", "from": FILE, "to": "small.gguf", "type": "Q4_0",
                    "extraArgs": ["--perplexity-rise-max=0.5", "--threads=1"],
                    "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}}}
        self.upgrade(more={"modelPipeline": pipeline})
        names = [one["metadata"]["name"] for one in get("jobs")["items"]]
        name = next(one for one in names if "model-pipeline" in one)
        made = ended("job", name, lambda: job_phase(name)).split("\n")[-1]
        self.upgrade(more={"drift": {"enabled": True, "claim": "drift", "extraArgs": ["--timeout=300"]},
                           "engine": {**SMALL, "model": {"source": "pvc", "file": "served.json",
                                                         "pvc": {"claims": ["models-0"]}}}})
        said = [made, answered()]
        for run in ("first", "second"):
            kubectl("create", "job", f"drift-{run}", "--from=cronjob/headgate-drift")
            said.append(ended("job", f"drift-{run}", lambda: job_phase(f"drift-{run}")).split("\n")[-1])
        self.upgrade()
        kubectl("delete", "pvc", "drift")
        self.no_copies()
        return "; ".join(said)

    def other_servers(self):
        """Pools of vLLM and SGLang, each a stand-in that takes their flags and speaks as they do: sensitive requests go
        to both."""
        pool = {"image": {"repository": "e2e-openai"}, "replicas": 1, "extraArgs": [], "parallel": 4,
                "model": {"source": "image", "file": FILE}}
        self.upgrade(more={"enginePools": {
            "default": {"replicas": 1}, "vllm": {**pool, "kind": "vllm", "model": {**pool["model"], "name": "their-v"}},
            "sglang": {**pool, "kind": "sglang", "model": {**pool["model"], "name": "their-s"}}}})
        for name in ("vllm", "sglang"):
            cluster.ready("deployment", f"headgate-engine-{name}")
        # Nothing restarts for it: the kubelet brings routers their configuration within a minute or so.
        load = Load(120, threads=8, rate=8, sensitive=1.0)
        busy = {name: until(115, f"a request at {name}", lambda: running(f"headgate-engine-{name}"))
                for name in ("vllm", "sglang")}
        said = unbroken(load)
        kubectl("delete", "pod", *[one["metadata"]["name"] for one in pods("engine") if "-default-" in one[
            "metadata"]["name"]])  # the router's own kind gone for a while: the others answer
        others = unbroken(Load(10, threads=4, rate=5, sensitive=1.0))
        self.upgrade()
        return f"{json.dumps(sorted(busy))} answer: {said}; without an engine of ours: {others}"


def running(deployment):
    """Requests that a stand-in works on now, from its metrics."""
    for one in pods("engine"):
        name = one["metadata"]["name"]
        if name.startswith(deployment + "-"):
            port = 30000 if "sglang" in name else 8000
            page = cluster.run("kubectl", "get", "--raw",
                               f"/api/v1/namespaces/{cluster.NAMESPACE}/pods/{name}:{port}/proxy/metrics", quiet=True)
            if any(line.split()[0].startswith(("vllm:num_requests_running", "sglang:num_running")) and float(
                    line.split()[-1]) > 0 for line in page.splitlines()):
                return True
    return False
