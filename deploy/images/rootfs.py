#!/usr/bin/env python3
# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""deploy/images/rootfs.py NAME DEST FILE...: everything an image of ours holds, in the folder DEST.

FILE is a program of ours (goes to /usr/bin, stripped, with the libraries that it loads and what lies in
../lib/headgate beside it: backends for levels of CPUs, to /usr/lib/headgate), a path of this Debian that
begins with /usr/, /bin/ or @/ (keeps its place, with its libraries), or SOURCE=TARGET (a plain file). Adds
certificates, /etc/passwd and /tmp; no shell unless one is named. Writes /usr/share/sbom/NAME.spdx.json, which names
the Debian package of every file, and the sources that are compiled in. The same input gives the same bytes: names are
sorted, times are SOURCE_DATE_EPOCH or 0.
"""

import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import uuid

USER = 65532
BUILT_IN = ["llama.cpp", "nlohmann-json3-dev", "libboost1.81-dev", "libcli11-dev", "libyaml-cpp-dev"]
ARCHIVES = ["libabsl-dev", "libgrpc++-dev", "libgrpc-dev", "libprotobuf-dev"]  # too, where they are no shared libraries


def libraries(program):
    """The files that the dynamic loader maps for `program`, the loader itself among them."""
    run = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if run.returncode:
        return []  # static
    if "not found" in run.stdout:
        sys.exit(f"rootfs.py: {program}: {run.stdout}")
    return sorted(set(re.findall(r"(/\S+) \(0x", run.stdout)))


def packages(paths):
    """Path -> (package, version) as dpkg knows it; asked once, since every question reads all its lists."""
    names = {path: (path, os.path.realpath(path), "/usr" + path, path.removeprefix("/usr")) for path in paths}
    run = subprocess.run(["dpkg-query", "--search", *sorted({name for tried in names.values() for name in tried})],
                         capture_output=True, text=True, check=False)  # some are not found: status 1
    listed = [line.rsplit(": ", 1) for line in run.stdout.split("\n") if ": " in line and "diversion by" not in line]
    owner = {name: package.split(",")[0].split(":")[0] for package, name in listed}
    owners = {path: next((owner[name] for name in tried if name in owner), None) for path, tried in names.items()}
    return {path: (package, version(package)) for path, package in owners.items() if package}


@functools.cache
def version(package):
    run = subprocess.run(["dpkg-query", "--show", "--showformat", "${Version}", package], capture_output=True,
                         text=True, check=False)
    return run.stdout.strip() if run.returncode == 0 else ""


def backends(program):
    """A program for every x86-64 takes one of these when it starts; others have their CPU backend linked in."""
    folder = pathlib.Path(program).resolve().parent.parent / "lib/headgate"
    if not any("libggml" in path for path in libraries(program)):
        return []
    return sorted(path for path in folder.glob("libggml*.so*") if re.search(r"ml(-base)?\.so\.\d+$|-cpu-", path.name))


def place(dest, source, target, strip=False):
    to = dest / target.lstrip("/")
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(os.path.realpath(source), to)
    to.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    if strip:
        subprocess.run(["strip", "--strip-unneeded" if ".so" in to.name else "--strip-all", to], check=True)
    return "/" + target.lstrip("/")


def fill(name, dest, files):
    """Target path -> source path of everything that was placed from this Debian; and the programs of ours."""
    ours, system, parts = [], {}, []
    for file in files:
        source, _, target = file.partition("=")
        if target:
            place(dest, source, target)
        elif file.startswith(("/usr/", "/bin/", "@")):
            system[place(dest, file.lstrip("@"), file.lstrip("@"))] = file.lstrip("@")
        else:
            ours.append(place(dest, file, "/usr/bin/" + os.path.basename(file), strip=True))
            parts += backends(file)
    ours += [place(dest, part, f"/usr/lib/headgate/{part.name}", strip=True) for part in parts]
    roots = [file.lstrip("@") for file in files if "=" not in file] + parts
    for library in sorted({one for root in roots for one in libraries(root) if "libggml" not in one}):
        system[place(dest, library, library)] = library
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    system[place(dest, bundle, bundle)] = "/usr/share/ca-certificates"
    return ours, system


def etc(dest):
    for path, text in {"etc/passwd": f"headgate:x:{USER}:{USER}::/nonexistent:/usr/sbin/nologin\n",
                       "etc/group": f"headgate:x:{USER}:\n",
                       "etc/nsswitch.conf": "hosts: files dns\n"}.items():
        (dest / path).parent.mkdir(parents=True, exist_ok=True)
        (dest / path).write_text(text)
    (dest / "tmp").mkdir(exist_ok=True)
    (dest / "tmp").chmod(0o1777)


def sbom(name, dest, ours, system):
    """SPDX 2.3. Its name space follows from its content, so that it can be made again."""
    owners = packages(system.values())
    unknown = sorted(path for path in system.values() if path not in owners and "ca-certificates" not in path)
    found = sorted(set(owners.values()) | ({("ca-certificates", version("ca-certificates"))}))
    shared = any("/libprotobuf.so" in path for path in system)
    built_in = [(package, version(package)) for package in BUILT_IN + ([] if shared else ARCHIVES)] if ours else []
    entries = [{"SPDXID": f"SPDXRef-{kind}-{re.sub('[^A-Za-z0-9.-]', '-', package)}", "name": package,
                "versionInfo": number or "see tools/pins", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
                **({"externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                      "referenceLocator": f"pkg:deb/debian/{package}@{number}"}]} if number else {})}
               for kind, listed in (("Package", found), ("BuiltIn", built_in)) for package, number in listed]
    programs = [{"SPDXID": f"SPDXRef-Program-{os.path.basename(path)}", "fileName": "." + path, "checksums": [
        {"algorithm": "SHA256", "checksumValue": hashlib.sha256((dest / path[1:]).read_bytes()).hexdigest()}]}
        for path in ours]
    document = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
                "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: deploy/images/rootfs.py"]},
                "packages": entries, "files": programs,
                "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                                   "relatedSpdxElement": entry["SPDXID"]} for entry in entries + programs],
                **({"comment": "files of no package: " + ", ".join(unknown)} if unknown else {})}
    seed = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    document["documentNamespace"] = f"urn:uuid:{uuid.UUID(seed[:32])}"
    path = dest / f"usr/share/sbom/{name}.spdx.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def main():
    name, dest = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(dest, ignore_errors=True)
    dest.mkdir(parents=True)
    ours, system = fill(name, dest, sys.argv[3:])
    if any(file == "/usr/bin/busybox" for file in sys.argv[3:]):
        for applet in ("sh", "cp", "ln", "mv", "rm", "sha256sum"):
            (dest / "bin").mkdir(exist_ok=True)
            (dest / "bin" / applet).symlink_to("/usr/bin/busybox")
    etc(dest)
    sbom(name, dest, ours, system)
    when = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    for path in sorted(dest.rglob("*"), reverse=True):
        os.utime(path, (when, when), follow_symlinks=False)


if __name__ == "__main__":
    main()
