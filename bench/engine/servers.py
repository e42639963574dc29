# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The two servers under test, and one caller of each: both stream, both report a token at a time."""

import http.client
import itertools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import grpc
import grpc.experimental

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "proto"))
pb, services = grpc.protos_and_services("headgate/v1/inference.proto")

PRIORITY = {"interactive": pb.PRIORITY_INTERACTIVE, "normal": pb.PRIORITY_NORMAL, "batch": pb.PRIORITY_BATCH}
END_TOKENS = (0, 2)  # SmolLM2's: made impossible for both, as an answer that ends early takes its prompt's time alone
CONTEXT = 32768
PARALLEL = 32
callers = itertools.count(int(time.time() * 1000) % 10**7)


def own_system():
    """In place of the template's own system message, which all prompts would share in everybody's cache."""
    return f"{str(next(callers))[::-1]} is my number. You are a helpful assistant who answers at length."


class Answer:
    """When each piece came, on the monotonic clock, and how many tokens the server counted."""

    def __init__(self):
        self.begin = time.monotonic()
        self.times = []
        self.tokens = 0
        self.error = None
        self.end = None

    def first(self):
        """Seconds to the first piece; of an answer that is empty, to its end."""
        if self.error:
            raise RuntimeError(f"no answer: {self.error}")
        return (self.times[0] if self.times else self.end) - self.begin

    def worst_gap(self, since, until):
        """The longest wait between two pieces that overlaps the time from `since` to `until`."""
        return max((b - a for a, b in zip(self.times, self.times[1:]) if b > since and a < until), default=0.0)


class Server:
    """A started program; `ask` blocks until the answer's end, `start` asks on a thread."""

    def start(self, *arguments, **more):
        answer = Answer()
        thread = threading.Thread(target=self.ask, args=arguments, kwargs=dict(more, answer=answer), daemon=True)
        thread.start()
        return answer, thread

    def together(self, requests):
        """All at once, each (text, tokens, options); returns the answers and the seconds until the last end."""
        begin = time.monotonic()
        running = [self.start(text, tokens, **options) for text, tokens, options in requests]
        for _, thread in running:
            thread.join()
        seconds = time.monotonic() - begin
        for answer, _ in running:
            answer.first()  # raises what went wrong
        return [answer for answer, _ in running], seconds

    def resident_bytes(self):
        with open(f"/proc/{self.program.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

    def stop(self):
        self.program.terminate()
        try:
            self.program.wait(30)
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Headgate(Server):
    def __init__(self, binary, model, threads, *options, context=CONTEXT):
        self.log = tempfile.TemporaryFile()
        self.program = subprocess.Popen(
            [binary, "--model", model, "--threads", str(threads), "--context-tokens", str(context), "--parallel",
             str(PARALLEL), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
             "--manifest", "off", *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.program.stdout.readline()
        if not line.startswith("listening "):
            raise RuntimeError(f"headgate-engine did not start: {line!r}")
        self.addresses = dict(item.split("=") for item in line.split()[1:])
        # Without a second thread a message, which costs the caller twice what reading llama-server's lines does.
        single = (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1)
        self.channel = grpc.insecure_channel(self.addresses["grpc"], options=[single])
        self.stub = services.InferenceStub(self.channel)

    def ask(self, text, tokens, system="", priority="normal", schema="", cancel_after=0, timeout=None, answer=None):
        answer = answer or Answer()
        request = pb.GenerateRequest(max_tokens=tokens, priority=PRIORITY[priority])
        request.sampling.temperature = 0
        for token in END_TOKENS:
            request.sampling.logit_bias[token] = -100
        request.messages.add(role=pb.ROLE_SYSTEM, content=system or own_system())
        request.messages.add(role=pb.ROLE_USER, content=text)
        if schema:
            request.response_format.type = pb.ResponseFormat.TYPE_JSON_SCHEMA
            request.response_format.json_schema = schema
        call = self.stub.GenerateStream(request, timeout=timeout)
        try:
            for message in call:
                if message.HasField("delta"):
                    answer.times.append(time.monotonic())
                if message.HasField("finish"):
                    answer.tokens = message.finish.usage.completion_tokens
                if cancel_after and len(answer.times) >= cancel_after:
                    call.cancel()
                    break
        except grpc.RpcError as error:
            answer.error = f"{error.code()} {error.details()}"
        answer.end = time.monotonic()
        return answer

    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.addresses['metrics']}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines
                   if line.startswith((name + "{", name + " ")))


class LlamaServer(Server):
    def __init__(self, binary, model, threads, *options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        self.program = subprocess.Popen(
            [binary, "-m", model, "-t", str(threads), "-c", str(CONTEXT), "-np", str(PARALLEL), "--kv-unified",
             "--host", "127.0.0.1", "--port", str(self.port), "--no-webui", *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        deadline = time.monotonic() + 120
        while not self.healthy():
            if self.program.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("llama-server did not start")
            time.sleep(0.02)

    def healthy(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def ask(self, text, tokens, system="", priority="normal", schema="", cancel_after=0, answer=None):
        del priority  # it has none
        answer = answer or Answer()
        messages = [{"role": "system", "content": system or own_system()}, {"role": "user", "content": text}]
        body = {"messages": messages, "max_tokens": tokens, "temperature": 0, "stream": True,
                "stream_options": {"include_usage": True},
                "logit_bias": {str(token): -100 for token in END_TOKENS}}
        if schema:
            body["response_format"] = {"type": "json_schema", "json_schema": {"schema": json.loads(schema)}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
            if response.status != 200:
                answer.error = f"{response.status} {response.read(1000)!r}"
            for line in response:
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[6:])
                if event.get("choices") and event["choices"][0]["delta"].get("content"):
                    answer.times.append(time.monotonic())
                if event.get("usage"):
                    answer.tokens = event["usage"]["completion_tokens"]
                if cancel_after and len(answer.times) >= cancel_after:
                    break
        except (OSError, http.client.HTTPException) as error:
            answer.error = str(error)
        connection.close()
        answer.end = time.monotonic()
        return answer
