# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests do to a cluster: only KUBECONFIG (kubectl, helm), E2E_LOAD and E2E_ADDON are used."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import threading
import time

ENGINE = "headgate-engine-default"
MODELS = ("import os, urllib.request as u\n"
          "key = {'authorization': 'Bearer ' + os.environ['HEADGATE_KEY']}\n"
          "print(u.urlopen(u.Request('http://headgate-router:8080/v1/models', headers=key)).read().decode())\n")
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CHART = ROOT / "deploy/helm/headgate"
NAMESPACE = "headgate-e2e"
STORAGE = "headgate-e2e-storage"  # where pods may do what the restricted namespace forbids: prepare volumes
REGISTRY = os.environ.get("E2E_REGISTRY", "localhost")
TAG = os.environ.get("E2E_TAG") or re.search(r"^appVersion: (\S+)$", (CHART / "Chart.yaml").read_text(), re.M).group(1)
RESTRICTED = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
              "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


class Failed(Exception):
    """A check that did not hold."""


def check(condition, message):
    if not condition:
        raise Failed(message)


def run(*command, stdin=None, timeout=600, quiet=False):
    ended = subprocess.run([str(part) for part in command], input=stdin, capture_output=True, text=True, check=False,
                           timeout=timeout)
    if ended.returncode and not quiet:
        raise Failed(f"{' '.join(map(str, command[:6]))}: {(ended.stderr or ended.stdout).strip()[-1500:]}")
    return ended.stdout


def kubectl(*arguments, **more):
    return run("kubectl", "-n", NAMESPACE, *arguments, **more)


def get(*arguments):
    """Parsed JSON of `kubectl get`."""
    return json.loads(kubectl("get", *arguments, "-o", "json"))


def apply(*objects, namespace=NAMESPACE):
    run("kubectl", "-n", namespace, "apply", "-f", "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def helm(*arguments, **more):
    return run("helm", "-n", NAMESPACE, *arguments, **more)


def until(seconds, what, condition):
    """A cluster has no event for "all of this is so": it is asked every second. Returns the condition's value."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            value = condition()
            if value:
                return value
        except (Failed, KeyError, ValueError) as error:
            last = error
        threading.Event().wait(1)
    raise Failed(f"not after {seconds} s: {what}{f' ({last})' if last else ''}")


def load_images():
    """The archives of tools/images, by the command that E2E_LOAD names; without it the registry has them."""
    if os.environ.get("E2E_LOAD"):
        archives = [ROOT / "build/images" / f"{name}.tar" for name in (
            "headgate-router", "headgate-engine", "headgate", "headgate-model-smollm2", "headgate-model-tools",
            "deepseek-emulator", "e2e-client", "e2e-redis", "e2e-openai")]
        run(*shlex.split(os.environ["E2E_LOAD"]), *archives)


def addon(*names, environment=None):
    command = os.environ.get("E2E_ADDON")
    check(command, "needs E2E_ADDON to install " + " ".join(names))
    subprocess.run([*shlex.split(command), *names], check=True, timeout=3600, stdout=sys.stderr,
                   env={**os.environ, **(environment or {})})


def namespaces():
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {
        "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}}},
          {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": STORAGE}})


def image(name):
    return f"{REGISTRY}/{name}:{TAG}"


def pod(name, image_name, command=None, args=None, env=None, mounts=None, volumes=None, security=None, container=None):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": {
        "automountServiceAccountToken": False, "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
        "securityContext": RESTRICTED if security is None else security,
        "containers": [{"name": "main", "image": image(image_name), "imagePullPolicy": "IfNotPresent",
                        **({"command": command} if command else {}), **({"args": args} if args else {}),
                        "env": env or [], "volumeMounts": mounts or [],
                        "securityContext": CONTAINER if container is None else container}],
        "volumes": volumes or []}}


def storage(count):
    """Where there is no default storage class: `count` volumes in folders of the node that anyone may write."""
    classes = json.loads(run("kubectl", "get", "storageclass", "-o", "json"))["items"]
    if any((one["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true"
           for one in classes):
        return
    if run("kubectl", "get", "pv", "-l", "app=headgate-e2e", "-o", "name"):
        return  # of a run that was kept: its audit records are not ours to delete
    folder = "/var/lib/headgate-e2e"
    script = (f"import os, shutil\nfor i in range({count}):\n shutil.rmtree(f'/host/v{{i}}', ignore_errors=True)\n"
              " os.mkdir(f'/host/v{i}')\n os.chmod(f'/host/v{i}', 0o777)\n")
    maker = pod("volumes", "e2e-client", command=["python3", "-c", script], security={"runAsUser": 0}, container={},
                mounts=[{"name": "host", "mountPath": "/host"}],
                volumes=[{"name": "host", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}])
    run("kubectl", "-n", STORAGE, "delete", "pod", "volumes", "--ignore-not-found", "--wait")
    apply(maker, namespace=STORAGE)
    until(120, "the volumes' folders", lambda: run("kubectl", "-n", STORAGE, "get", "pod", "volumes", "-o",
                                                  "jsonpath={.status.phase}") == "Succeeded")
    for i in range(count):
        apply({"apiVersion": "v1", "kind": "PersistentVolume",
               "metadata": {"name": f"headgate-e2e-{i}", "labels": {"app": "headgate-e2e"}},
               "spec": {"capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOnce"],
                        "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": f"{folder}/v{i}"}}})


def emulator():
    """The cloud of these tests, with a certificate of its own, behind https in the cluster."""
    folder = ROOT / "build/e2e"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"cloud.{NAMESPACE}.svc.cluster.local"
    if not kubectl("get", "secret", "cloud-tls", "--ignore-not-found", "-o", "name"):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", folder / "tls.key", "-out",
            folder / "tls.crt")
    certificate, key = (folder / "tls.crt").read_text(), (folder / "tls.key").read_text()
    server = pod("cloud", "deepseek-emulator", command=["/usr/bin/deepseek-emulator"], args=[
        "--listen=0.0.0.0:8443", "--tls-cert=/tls/tls.crt", "--tls-key=/tls/tls.key", "--api-key=e2e-cloud-key",
        "--tokens=8", "--token-ms=5"], mounts=[{"name": "tls", "mountPath": "/tls"}],
        volumes=[{"name": "tls", "secret": {"secretName": "cloud-tls", "defaultMode": 0o440}}])
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cloud-tls"},
           "stringData": {"tls.crt": certificate, "tls.key": key, "ca.crt": certificate}},
          {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cloud-key"},
           "stringData": {"api-key": "e2e-cloud-key"}},
          {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cloud"},
           "spec": {"selector": {"app": "cloud"}, "ports": [{"port": 443, "targetPort": 8443}]}}, server)
    return f"https://{name}"


def client():
    """A pod to ask from, with the key of the chart's tenant: an install may have made another one."""
    kubectl("delete", "pod", "client", "--ignore-not-found", "--wait")
    apply(pod("client", "e2e-client", command=["/usr/bin/busybox", "sleep", "86400"], env=[
        {"name": "PYTHONPATH", "value": "/opt/site"}, {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
        {"name": "HEADGATE_KEY", "valueFrom": {"secretKeyRef": {"name": "headgate-client", "key": "api-key"}}}]))
    kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=120s")


def inside(script, *arguments, timeout=600):
    """Runs Python in the client's pod."""
    return kubectl("exec", "-i", "client", "--", "python3", "-", *arguments, stdin=script, timeout=timeout)


class Load:
    """tests/e2e/load.py in the client's pod, in the background until `result`."""

    def __init__(self, seconds, threads=8, rate=0.0, sensitive=0.3, tokens=16, tls=False):
        self.process = subprocess.Popen(
            ["kubectl", "-n", NAMESPACE, "exec", "-i", "client", "--", "python3", "-", "headgate-router", "8080",
             *map(str, (seconds, threads, rate, sensitive, tokens)), *(["tls"] if tls else [])],
            stdin=open(HERE / "load.py", encoding="utf-8"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.limit = seconds + 180

    def result(self):
        out, err = self.process.communicate(timeout=self.limit)
        check(self.process.returncode == 0 and out.strip(), f"the load driver was cut off: {err[-800:]}")
        return json.loads(out)


def brief(load):
    keys = ("ok", "came_again", "refused", "broken", "first_p50_ms", "first_p99_ms")
    return ", ".join(f"{key} {json.dumps(load.get(key, 0))}" for key in keys)


def merged(values, more):
    """`more` over `values`, map by map."""
    return {**values, **{key: merged(values[key], value) if isinstance(value, dict) and isinstance(
        values.get(key), dict) else value for key, value in more.items()}}


def certificates():
    """An authority, and secrets for the routers' clients, the engines and the routers as the engines' clients."""
    folder = ROOT / "build/e2e"
    name = f"headgate-router.{NAMESPACE}.svc"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=e2e", "-keyout", folder / "ca.key", "-out", folder / "ca.crt")
    authority = (folder / "ca.crt").read_text()
    for secret, names, usage in (
            ("e2e-client-tls", ["headgate-router", name, name + ".cluster.local"], "serverAuth"),
            ("e2e-engine-tls", [f"headgate-engine.{NAMESPACE}.svc"], "serverAuth"),
            ("e2e-router-tls", [name], "clientAuth")):
        (folder / "tls.ext").write_text("subjectAltName=" + ",".join(f"DNS:{one}" for one in names)
                                        + f"\nextendedKeyUsage={usage}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=" + names[0], "-keyout", folder / "one.key", "-out", folder / "one.csr")
        run("openssl", "x509", "-req", "-in", folder / "one.csr", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", folder / "tls.ext", "-out", folder / "one.crt")
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}, "stringData": {
            "ca.crt": authority, "tls.crt": (folder / "one.crt").read_text(),
            "tls.key": (folder / "one.key").read_text()}})


def verify(claim):
    """What `headgate audit verify` says of the chains on a claim."""
    name = f"verify-{claim}"
    apply(pod(name, "headgate", args=["audit", "verify", "/audit", "--key-file", "/key/audit.key"], mounts=[
        {"name": "audit", "mountPath": "/audit"}, {"name": "key", "mountPath": "/key"}], volumes=[
        {"name": "audit", "persistentVolumeClaim": {"claimName": claim}},
        {"name": "key", "secret": {"secretName": "headgate-audit", "defaultMode": 0o440}}]))
    phase = until(180, f"the audit of {claim}", lambda: (
        lambda now: now if now in ("Succeeded", "Failed") else None)(
            kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")))
    said = kubectl("logs", name, quiet=True).strip()
    check(phase == "Succeeded", f"{claim}: {said[-500:]}")
    kubectl("delete", "pod", name)
    return "; ".join(line for line in said.split("\n") if "anchors" not in line)


def cloud_record():
    """Everything that ever arrived at the emulator, as text."""
    return inside("import ssl, urllib.request\n"
                  "context = ssl._create_unverified_context()\n"
                  f"url = 'https://cloud.{NAMESPACE}.svc.cluster.local/__records'\n"
                  "print(urllib.request.urlopen(url, context=context, timeout=60).read().decode())")


def ready(kind, name):
    kubectl("rollout", "status", f"{kind}/{name}", "--timeout=300s")


def pods(component):
    listed = get("pods", "-l", f"app.kubernetes.io/instance=headgate,app.kubernetes.io/component={component}")["items"]
    return [one for one in listed if "deletionTimestamp" not in one["metadata"]]


def replicas(kind, name):
    return get(kind, name)["status"].get("readyReplicas", 0)
