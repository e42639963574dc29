# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Real programs under load while they are killed, stopped, cut off, robbed of their disk and lied to about the time.
Every request ends exactly once, as its phase allows; nothing sensitive and nothing unrecorded reaches the cloud; at the
end nothing is left over and the audit log is whole.

faults_test.py BINARIES [--scale N] [CLOCK_STEP_LIBRARY]
  HEADGATE_FAULT_SECONDS  length of a fault (1)       HEADGATE_FAULT_ROUNDS  times through all faults (1)
  HEADGATE_FAULT_CALLERS  requests at a time (16)     HEADGATE_FAULT_SEED    of the choices (1)
  HEADGATE_FAULT_ONLY     just these, with commas
  --scale, HEADGATE_TEST_TIME_SCALE  multiply every wait (1)"""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import fault_load
import fault_world

DAY = 86400
WHOLE = {"whole"}
ANY = {"whole", "error", "refused"}


def setting(name, default):
    return float(os.environ.get("HEADGATE_FAULT_" + name, default))


class Faults:
    """One method a fault: it begins and ends it while the load goes on."""

    def __init__(self, here, load):
        self.here, self.load, self.seconds = here, load, setting("SECONDS", 1)
        self.unwritable = []  # (begin, end) of the times without a disk, generously
        self.sealed = []      # requests of these times, strictly: none may have left

    async def pass_time(self, share=1.0):
        await asyncio.sleep(self.seconds * share)

    async def calm(self):
        await self.pass_time()

    async def engine_killed(self):
        await self.here.engines[0].kill()
        await self.pass_time()
        await self.here.start_engine(0)

    async def engine_stopped(self):
        self.here.engines[1].signal(signal.SIGSTOP)
        await self.pass_time()
        self.here.engines[1].signal(signal.SIGCONT)

    async def engines_killed(self):
        for engine in self.here.engines:
            await engine.kill()
        await self.pass_time()
        for number in range(fault_world.ENGINES):
            await self.here.start_engine(number)

    async def cloud_killed(self):
        await self.here.emulator.kill()
        await self.pass_time()
        await self.here.start_emulator()

    async def cloud_stopped(self):
        self.here.emulator.signal(signal.SIGSTOP)
        await asyncio.sleep(3 * self.here.scale)  # beyond both time-outs
        self.here.emulator.signal(signal.SIGCONT)

    async def cloud_cut(self):
        await self.cut_often([self.here.cloud_proxy])

    async def everything_cut(self):
        await self.cut_often([self.here.cloud_proxy, *self.here.engine_proxies])

    async def cut_often(self, proxies):
        for _ in range(max(3, int(self.seconds / 0.15))):
            for proxy in proxies:
                proxy.cut()
            await asyncio.sleep(0.15)

    async def network_deaf(self):
        """Neither side hears of the other, and no connection ends."""
        proxies = [self.here.cloud_proxy, self.here.engine_proxies[0]]
        for proxy in proxies:
            proxy.deaf.clear()
        await asyncio.sleep(3 * self.here.scale)
        for proxy in proxies:
            proxy.deaf.set()

    async def redis_lost(self):
        """Restarted with nothing in it, then silent with its socket open."""
        await self.here.metric_is("headgate_router_sharing_live", 1)
        await self.here.redis.kill()
        await self.here.metric_is("headgate_router_sharing_live", 0)
        await self.pass_time(0.3)
        await self.here.redis.start()
        await self.here.metric_is("headgate_router_sharing_live", 1)
        self.here.redis.signal(signal.SIGSTOP)
        await self.here.metric_is("headgate_router_sharing_live", 0)
        self.here.redis.signal(signal.SIGCONT)
        await self.here.metric_is("headgate_router_sharing_live", 1)

    async def disk_full(self):
        begin = self.load.now()
        self.here.fill_disk(True)
        await self.here.metric_is("headgate_router_audit_writable", 0)
        first, from_here = len(self.load.asked), len(self.here.cloud_proxy.record)
        await self.pass_time()
        await self.load.ask("everyday", True)  # at least one
        last = len(self.load.asked)
        sent = bytes(self.here.cloud_proxy.record[from_here:])
        self.sealed += [(one, sent) for one in self.load.asked[first:last]]
        self.here.fill_disk(False)
        await self.here.metric_is("headgate_router_audit_writable", 1)
        self.unwritable.append((begin, self.load.now()))

    async def clock_stepped(self):
        for seconds in (DAY, -2 * DAY, 3600, 0):
            self.here.step_clock(seconds)
            await self.pass_time(0.3)

    async def reloaded(self):
        for _ in range(5):
            self.here.router.signal(signal.SIGHUP)
            await self.pass_time(0.2)

    async def router_stopped(self):
        """As a machine that is swapped out: the world goes on, then all that was due comes at once."""
        self.here.router.signal(signal.SIGSTOP)
        await asyncio.sleep(3 * self.here.scale)  # beyond the cloud's time-outs and the age of load reports
        self.here.router.signal(signal.SIGCONT)

    async def router_terminated(self):
        self.here.router.signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.here.router.process.wait(), 60 * self.here.scale)
        if code != 0:
            raise AssertionError(f"the router ended with {code}")
        await self.here.router.start()

    async def router_killed(self):
        await self.here.router.kill()
        await self.here.router.start()


def ends_of(everyday_stream, everyday_whole, sensitive_stream, sensitive_whole):
    return {("everyday", True): everyday_stream, ("everyday", False): everyday_whole,
            ("sensitive", True): sensitive_stream, ("sensitive", False): sensitive_whole}


ALL_WHOLE = ends_of(WHOLE, WHOLE, WHOLE, WHOLE)
STOPPED = {"whole", "error", "refused", "nobody", "cut"}
# What each fault may do to whom. Only a stream that had begun may break; a whole answer is made again elsewhere.
PHASES = {
    "calm": ALL_WHOLE,
    "engine_killed": ends_of(WHOLE, WHOLE, WHOLE | {"error"}, WHOLE),
    "engine_stopped": ALL_WHOLE,
    "engines_killed": ends_of(WHOLE, WHOLE, ANY, {"whole", "refused"}),
    "cloud_killed": ends_of(WHOLE | {"error"}, WHOLE, WHOLE, WHOLE),
    "cloud_stopped": ends_of(WHOLE | {"error"}, WHOLE, WHOLE, WHOLE),
    "cloud_cut": ends_of(WHOLE | {"error"}, WHOLE, WHOLE, WHOLE),
    "network_deaf": ends_of(WHOLE | {"error"}, WHOLE, WHOLE | {"error"}, WHOLE),
    "everything_cut": ends_of(ANY, {"whole", "refused"}, ANY, {"whole", "refused"}),
    "redis_lost": ALL_WHOLE,
    "disk_full": ALL_WHOLE,
    "clock_stepped": ALL_WHOLE,
    "reloaded": ALL_WHOLE,
    "router_stopped": ends_of(WHOLE | {"error"}, WHOLE, WHOLE, WHOLE),
    "router_terminated": ends_of(*[STOPPED] * 4),
    "router_killed": ends_of(*[STOPPED] * 4),
}


async def recover(here, load):
    """Until everyday requests go to the cloud again, and sensitive ones to engines."""
    async def well():
        everyday, sensitive = await load.ask("everyday", True), await load.ask("sensitive", True)
        return (everyday.end, everyday.route, sensitive.end) == ("whole", "cloud", "whole")
    await here.until("recovery after " + load.phase, well)
    await here.metric_is("headgate_router_cloud_breaker_open", 0)


async def run_phase(here, load, faults, name):
    load.phase = name

    async def no_older():
        return all(one.end for one in load.asked if one.phase != name)
    await here.until("the end of what began before " + name, no_older)
    await getattr(faults, name)()
    await recover(here, load)


async def check_rest(here, findings):
    """Nothing is under way, anywhere."""
    for name in ("headgate_router_http_connections", "headgate_router_cloud_transfers",
                 "headgate_router_endpoint_in_flight", "headgate_router_queue_waiting"):
        try:
            await here.metric_is(name, 0)
        except AssertionError as e:
            findings.append(f"left over: {e}")
    for engine in here.engines:
        await here.metric_is("vllm:num_requests_running", 0, engine.listening["metrics"])


def check_requests(load, faults, findings):
    for one in load.asked:
        about = f"{one.id} in {one.phase}: {one.kind} {'stream' if one.stream else 'whole'}"
        if one.wrong:
            findings.append(f"{about}: {one.wrong}")
        allowed = PHASES[one.phase][(one.kind, one.stream)]
        if one.route == "local":  # an everyday one that went there shares the fate of the sensitive ones
            allowed = allowed | PHASES[one.phase][("sensitive", one.stream)]
        if one.end not in allowed:
            findings.append(f"{about}: ended as {one.end or 'nothing'} ({one.status} {one.route} {one.reasons})")
        if one.end == "refused" and one.status not in (503, 504):
            findings.append(f"{about}: status {one.status}")
    for one, sent in faults.sealed:
        if one.marker.encode() in sent:
            findings.append(f"{one.id} left while no record could be written")


def check_cloud(here, load, findings):
    sent = bytes(here.cloud_proxy.record)
    if fault_load.RESIDENT.encode() in sent:
        findings.append("LEAK: the resident id reached the cloud")
    for one in load.asked:
        if one.kind == "sensitive" and one.marker.encode() in sent:
            findings.append(f"LEAK: {one.id} reached the cloud")
    if not any(one.kind == "everyday" and one.marker.encode() in sent for one in load.asked):
        findings.append("nothing reached the cloud: the record sees nothing")


def check_audit(here, load, faults, findings):
    outcomes, permitted = collections.defaultdict(list), set()
    for path in sorted((here.folder / "audit").glob("audit-*.jsonl")):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            if record["kind"] == "outcome":
                outcomes[record["request_id"]].append(record["status"])
            if record["kind"] == "decision" and record["route"]["target"] == "cloud":
                permitted.add(record["request_id"])
    sent = bytes(here.cloud_proxy.record)
    for one in load.asked:
        unwritable = any(begin <= one.ended and one.began <= end for begin, end in faults.unwritable)
        got = outcomes.get(one.id, [])
        excused = unwritable or one.phase == "router_killed" or one.end in ("nobody", "cut")
        if len(got) > 1 or not got and not excused:
            findings.append(f"{one.id} in {one.phase} ({one.end}): {len(got)} outcomes in the audit log")
        if one.end == "cut" and one.phase == "router_terminated" and got:
            findings.append(f"{one.id}: accepted while the router stopped (outcome {got[0]}), and cut")
        if got and (got[0] == "OK") != (one.end == "whole") and one.end not in ("cut", "nobody"):
            findings.append(f"{one.id}: ended as {one.end}, audited as {got[0]}")
        if one.marker.encode() in sent and one.id not in permitted:
            findings.append(f"{one.id} left without a record of the decision")
    done = subprocess.run([here.binaries / "headgate", "audit", "verify", here.folder / "audit", "--key-file",
                           here.folder / "audit.key"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        findings.append("headgate audit verify: " + done.stdout[-500:] + done.stderr[-500:])


def check_money(here, spent, findings):
    """Each answer of the cloud costs its tokens (one micro-unit each, in this price table), each attempt that broke off
    its prompt, nothing else anything; and what the last router says that it spent is the sum of its records."""
    cost_of, last, answers = collections.Counter(), "", 0
    for path in sorted((here.folder / "audit").glob("audit-*.jsonl"), key=lambda path: path.stat().st_mtime):
        last = path.stem.rsplit("-", 1)[0]  # the chain: one process
        for line in path.read_text().splitlines():
            record = json.loads(line)
            if record["kind"] != "outcome":
                continue
            cost, usage = int(record.get("cost", {}).get("micro_units", 0)), record.get("usage", {})
            cloud = record.get("route", {}).get("target") == "cloud"
            tokens = int(usage.get("prompt_tokens", 0)) + int(usage.get("completion_tokens", 0)) if cloud else 0
            lost = re.search(r"usage of (\d+) failed cloud attempts", record.get("detail", ""))
            tokens += int(lost.group(1)) * (int(record["text_bytes"]) // 4) if lost else 0
            if cost != tokens:
                findings.append(f"{record['request_id']}: cost {cost}, its tokens {tokens}: {record.get('detail')}")
            cost_of[last] += cost
            answers += cloud and record["status"] == "OK" and cost > 0
    if not answers:
        findings.append("no answer of the cloud was paid for: the sum says nothing")
    if cost_of[last] != spent:
        findings.append(f"the last router says that it spent {spent}, its records {cost_of[last]}")


def table(load):
    def went(one):
        why = one.reasons.split(",")[0] if one.kind == "everyday" and one.route == "local" else ""
        return f" {one.route} {why}"
    counts = collections.Counter((one.phase, one.kind, one.end, went(one)) for one in load.asked)
    for phase in dict.fromkeys(one.phase for one in load.asked):
        rows = [f"{kind} {end}{route.rstrip()}: {count}"
                for (of, kind, end, route), count in sorted(counts.items()) if of == phase]
        print(f"{phase}: " + ", ".join(rows), flush=True)


async def run(binaries, library, scale, folder):
    here = fault_world.FaultWorld(binaries, folder, library, scale)
    load = fault_load.Load(here, int(setting("CALLERS", 16)), int(setting("SEED", 1)))
    findings = []
    spent = None
    try:
        await here.start()
        faults = Faults(here, load)
        load.phase = "calm"
        await here.metric_is("headgate_router_endpoints", fault_world.ENGINES)
        await recover(here, load)
        load.start()
        for number in range(int(setting("ROUNDS", 1))):
            names = [name for name in PHASES if name in os.environ.get("HEADGATE_FAULT_ONLY", name)]
            if number > 0:
                load.random.shuffle(names)
            for name in names:
                if name == "clock_stepped" and library is None:
                    print("clock_stepped: not run, the library was not given", flush=True)
                    continue
                await run_phase(here, load, faults, name)
        load.phase = "calm"
        await load.stop()
        await check_rest(here, findings)
        spent = await here.metric("headgate_router_cost_micro_units_total")
    except AssertionError as e:
        findings.append(str(e))
    finally:
        load.stopped = True
        await here.stop()
    table(load)
    check_requests(load, faults, findings)
    check_cloud(here, load, findings)
    check_audit(here, load, faults, findings)
    if spent is not None:
        check_money(here, spent, findings)
    over_grpc = sum(one.api == "grpc" for one in load.asked)
    if fault_load.grpc and not over_grpc:
        findings.append("nobody asked over gRPC")
    print(f"over gRPC: {over_grpc if fault_load.grpc else 'none, no grpcio here'}")
    print(f"{len(load.asked)} requests, {len(findings)} findings", flush=True)
    for finding in findings[:40]:
        print("  " + finding, flush=True)
    if findings:
        print(here.log("router") + here.log("engine"), flush=True)
    return 1 if findings else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries")
    parser.add_argument("library", nargs="?")
    parser.add_argument("--scale", type=int, default=1)
    arguments = parser.parse_intermixed_args()  # the library may come after an option
    scale = arguments.scale * max(1, int(os.environ.get("HEADGATE_TEST_TIME_SCALE", "1")))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="headgate-faults-"))
    try:
        return asyncio.run(run(arguments.binaries, arguments.library, scale, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
