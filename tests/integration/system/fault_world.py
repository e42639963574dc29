# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Two engines, the emulator, Redis and a router that can be killed, stopped and cut off from each other, for
faults_test.py. Router and upstreams talk through proxies here, which keep every byte that the router sent to the
cloud."""

import asyncio
import pathlib
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
import world  # noqa: E402

ENGINES = 2
STEP_MS = 4  # of an engine, a token


class Proxy:
    """Forwards TCP to `target`, which may change. cut(): resets all connections. `deaf`: forwards nothing."""

    def __init__(self, records=False):
        self.target = None
        self.address = None
        self.deaf = asyncio.Event()
        self.deaf.set()  # set: not deaf
        self.writers = set()
        self.record = bytearray() if records else None
        self.server = None

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        return self

    def cut(self):
        for writer in list(self.writers):
            reset(writer)

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            await self.deaf.wait()
            host, port = self.target.split(":")
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            self.writers.discard(writer)
            reset(writer)
            return
        self.writers.add(up_writer)
        await asyncio.gather(self.pump(reader, up_writer, self.record), self.pump(up_reader, writer, None))
        self.writers -= {writer, up_writer}

    async def pump(self, reader, writer, record):
        try:
            while data := await reader.read(65536):
                await self.deaf.wait()
                if record is not None:
                    record += data
                writer.write(data)
                await writer.drain()
            if not writer.is_closing():
                writer.close()
        except OSError:
            reset(writer)


def reset(writer):
    """Ends a connection with RST, as a firewall or a crash would."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Program:
    """One program that may be ended and begun again; `listening`: its addresses."""

    def __init__(self, here, name, command, environment=None):
        self.here, self.name, self.command, self.environment = here, name, command, environment
        self.process, self.listening, self.runs = None, {}, 0

    async def start(self):
        self.runs += 1
        log = open(self.here.folder / f"{self.name}-{self.runs}.log", "wb")  # noqa: SIM115
        # Python ignores SIGXFSZ, and so shall the program: a full disk is simulated by a limit on file sizes.
        self.process = await asyncio.create_subprocess_exec(
            *[str(word) for word in self.command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            env=self.environment, preexec_fn=world.die_with_parent, restore_signals=False)
        log.close()
        ready = asyncio.get_running_loop().create_future()
        asyncio.ensure_future(self.read(self.process.stdout, ready))
        self.listening = await asyncio.wait_for(ready, world.START_SECONDS)
        return self

    async def read(self, stream, ready):
        """The line `listening NAME=ADDRESS ...`; all others are read so that the pipe never fills."""
        while line := (await stream.readline()).decode():
            if line.startswith("listening ") and not ready.done():
                ready.set_result(dict(field.split("=", 1) for field in line.split()[1:]))
        if not ready.done():
            ready.set_exception(RuntimeError(f"{self.name} ended: " + self.here.log(self.name)))

    def signal(self, number):
        self.process.send_signal(number)

    async def kill(self):
        self.signal(signal.SIGKILL)
        await self.process.wait()


class Redis(Program):
    """Forgets everything when it ends."""

    # The server's program, in the package that starts none (tools/packages): it goes by the name that it is called by.
    PROGRAM = "redis-check-rdb"

    def __init__(self, here):
        if not shutil.which(self.PROGRAM):
            raise RuntimeError(f"{self.PROGRAM} is missing (redis-tools)")
        self.socket = here.folder / "redis.sock"
        super().__init__(here, "redis", ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "",
                                         "--dir", here.folder, "--loglevel", "warning"])

    async def start(self):
        self.runs += 1
        self.process = await asyncio.create_subprocess_exec(
            *[str(word) for word in self.command], executable=shutil.which(self.PROGRAM), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=world.die_with_parent)
        return self


class FaultWorld:
    """`clock_step`: the library that moves the router's wall clock (None: it stays); `scale`: of all waits."""

    def __init__(self, binaries, folder, clock_step, scale):
        self.binaries, self.folder, self.scale = pathlib.Path(binaries), folder, scale
        self.clock_step = clock_step
        self.clock_file = folder / "clock"
        self.clock_file.write_bytes(bytes(8))
        self.engines, self.engine_proxies = [], []
        self.redis = Redis(self)

    def log(self, name):
        return "".join(f"{path.name}: {path.read_text(errors='replace')[-1500:]}\n"
                       for path in sorted(self.folder.glob(f"{name}*.log")))

    async def start(self):
        for number in range(ENGINES):
            engine = Program(self, f"engine{number}", [
                self.binaries / "headgate-engine", "--reference", f"--reference-step-ms={STEP_MS}", "--parallel", "16",
                "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            self.engines.append(engine)
            self.engine_proxies.append(await Proxy().start())
            await self.start_engine(number)
        self.emulator = Program(self, "emulator", [
            self.binaries / "deepseek-emulator", "--listen", "127.0.0.1:0", "--token-ms", str(STEP_MS)])
        self.cloud_proxy = await Proxy(records=True).start()
        await self.start_emulator()
        await self.redis.start()
        self.write_configuration()
        environment = None
        if self.clock_step:
            environment = {"LD_PRELOAD": self.clock_step, "HEADGATE_CLOCK_STEP": str(self.clock_file)}
        self.router = Program(self, "router", [self.binaries / "headgate-router", "--config",
                                               self.folder / "router.yaml", "--log-level", "warning"], environment)
        await self.router.start()

    async def start_engine(self, number):
        await self.engines[number].start()
        self.engine_proxies[number].target = self.engines[number].listening["grpc"]

    async def start_emulator(self):
        await self.emulator.start()
        self.cloud_proxy.target = self.emulator.listening["http"]

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)

    def write_configuration(self):
        self.write("audit.key", "k" * 32)
        self.write("cloud.key", "test-cloud-key\n")
        engines = "".join(f"    - {{name: engine{number}, address: \"{proxy.address}\"}}\n"
                          for number, proxy in enumerate(self.engine_proxies))
        self.write("router.yaml", f"""\
listen: {{grpc: "127.0.0.1:0", http: "127.0.0.1:0", admin: "127.0.0.1:0", metrics: "127.0.0.1:0"}}
anonymous: true
limits: {{deadline_default: {60 * self.scale}s, deadline_max: {60 * self.scale}s, drain: {20 * self.scale}s}}
policy: {{cloud_qps_threshold: 100000}}
local:
  endpoints:
{engines}cloud:
  enabled: true
  base_url: http://{self.cloud_proxy.address}
  api_key_file: cloud.key
  first_token_timeout: {self.scale}s
  idle_timeout: {2 * self.scale}s
  backoff_base: 10ms
  breaker_open: 500ms
  balance_interval: 0s
accounting:
  prices:
    - {{version: test, model: deepseek-flash, currency: CNY, valid_from: "2020-01-01T00:00:00Z", cache_hit: 1000000,
       cache_miss: 1000000, output: 1000000, peak_cache_hit: 1000000, peak_cache_miss: 1000000, peak_output: 1000000}}
audit: {{directory: audit, key_file: audit.key}}
sharing: {{redis: "unix:{self.redis.socket}", routers: 2}}
""")

    def fill_disk(self, full):
        """Nothing can be written to any file, as on a full disk."""
        limit = 0 if full else resource.RLIM_INFINITY
        resource.prlimit(self.router.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def step_clock(self, seconds):
        with open(self.clock_file, "r+b") as file:
            file.write(struct.pack("<q", seconds))

    async def metric(self, name, address=None):
        """The sum over all labels; -1 when absent."""
        host, port = (address or self.router.listening["metrics"]).split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
        found = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                 if line.startswith((name + " ", name + "{"))]
        return sum(found) if found else -1

    async def until(self, what, true_now):
        """Asks `true_now` again and again."""
        loop = asyncio.get_running_loop()
        end = loop.time() + 30 * self.scale
        while not await true_now():
            if loop.time() > end:
                raise AssertionError("did not come about: " + what)
            await asyncio.sleep(0.02)

    async def metric_is(self, name, value, address=None):
        async def now():
            return await self.metric(name, address) == value
        await self.until(f"{name} = {value}", now)

    async def stop(self):
        for program in [self.router, self.emulator, *self.engines, self.redis]:
            if program.process is None or program.process.returncode is not None:
                continue
            program.signal(signal.SIGCONT)
            program.signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(program.process.wait(), 20 * self.scale)
            except asyncio.TimeoutError:
                await program.kill()
