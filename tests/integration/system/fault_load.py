# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Callers for faults_test.py, over HTTP and gRPC: each asks again and again and notes how every request ended, exactly.
gRPC's need grpcio and grpcio-tools (HEADGATE_TEST_PYTHON); without them all are HTTP's."""

import asyncio
import dataclasses
import hashlib
import json
import os
import pathlib
import random
import sys

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # programs are started beside it
try:
    import grpc
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "proto"))
    pb = grpc.protos("headgate/v1/inference.proto")
except (ImportError, NotImplementedError):
    grpc = None

# Of nobody.
RESIDENT = "11010519491231002X"
KINDS = ("everyday", "everyday", "sensitive")
TOKENS = 12
GRPC_SHARE = 4  # every so many callers
# What gRPC's library says of a connection that ended; a status with other words came from the router.
CONNECTION_ENDED = ("Socket closed", "reset by peer", "GOAWAY", "Broken pipe", "recvmsg", "RST_STREAM", "connect")


@dataclasses.dataclass
class Asked:
    """`end`: whole (an answer, complete), error (an error event in a stream), refused (a status), cut (the connection
    ended before the answer), nobody (no connection). `wrong`: what no fault excuses."""
    id: str
    kind: str
    stream: bool
    marker: str
    phase: str
    began: float
    api: str = "http"
    ended: float = 0
    end: str = ""
    status: int = 0
    route: str = ""
    reasons: str = ""
    wrong: str = ""


class Load:
    def __init__(self, here, callers, seed):
        self.here, self.callers = here, callers
        self.random = random.Random(seed)
        self.asked = []
        self.phase = "start"
        self.stopped = False
        self.tasks = []

    def start(self):
        self.tasks = [asyncio.ensure_future(self.call("grpc" if grpc and number % GRPC_SHARE == 0 else "http"))
                      for number in range(self.callers)]

    async def call(self, api):
        while not self.stopped:
            one = await self.ask(self.random.choice(KINDS), self.random.random() < 0.6, api=api)
            await asyncio.sleep(self.random.random() * (0.5 if one.end == "nobody" else 0.02))

    async def stop(self):
        self.stopped = True
        await asyncio.gather(*self.tasks)

    async def ask(self, kind, stream, seconds=0, api="http"):
        """One request; `seconds`: cancelled by its caller's own fault when it takes longer (0: never)."""
        number = len(self.asked)
        # Letters, so that it looks like no number.
        marker = "mark" + "".join("bcdfghjklmnpqrstvwxz"[number // 20 ** k % 20] for k in range(5))
        one = Asked(f"ask-{number}", kind, stream, marker, self.phase, self.now(), api)
        self.asked.append(one)
        text = f"Tell me about {marker}" + (f" and {RESIDENT}" if kind == "sensitive" else "")
        limit = seconds or 200 * self.here.scale
        try:
            await asyncio.wait_for((self.talk_grpc if api == "grpc" else self.talk)(one, text), limit)
        except asyncio.TimeoutError:
            one.end, one.wrong = "hung", f"no end after {limit} s"
        one.ended = self.now()
        return one

    @staticmethod
    def now():
        return asyncio.get_running_loop().time()

    async def talk(self, one, text):
        body = json.dumps({"messages": [{"role": "user", "content": text}], "max_tokens": TOKENS, "stream": one.stream})
        host, port = self.here.router.listening["http"].split(":")
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            one.end = "nobody"
            return
        try:
            writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
                         f"x-request-id: {one.id}\r\ncontent-type: application/json\r\n"
                         f"content-length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
            await self.answer(one, text, reader)
        except (OSError, asyncio.IncompleteReadError):
            one.end = "cut"
        finally:
            writer.close()

    async def talk_grpc(self, one, text):
        request = pb.GenerateRequest(messages=[pb.Message(role=pb.ROLE_USER, content=text)], max_tokens=TOKENS)
        metadata, content, finishes = [("x-request-id", one.id)], "", 0
        # A connection of its own, as over HTTP; no waiting for one that has failed before.
        channel = grpc.aio.insecure_channel(self.here.router.listening["grpc"], [("grpc.use_local_subchannel_pool", 1)])
        async with channel:
            kind = channel.unary_stream if one.stream else channel.unary_unary
            call = kind("/headgate.v1.Inference/" + ("GenerateStream" if one.stream else "Generate"),
                        request_serializer=pb.GenerateRequest.SerializeToString,
                        response_deserializer=(pb.GenerateStreamResponse if one.stream else pb.GenerateResponse)
                        .FromString)(request, metadata=metadata)
            try:
                if one.stream:
                    async for event in call:
                        if event.HasField("route"):
                            self.went(one, event.route)
                        content += event.delta.content
                        finishes += event.HasField("finish")
                else:
                    whole = await call
                    self.went(one, whole.route)
                    content, finishes = whole.message.content, whole.finish_reason != 0
                one.end = "whole"
            except grpc.RpcError as error:
                self.failed(one, error, dict(error.initial_metadata() or ()), bool(content or one.route))
        self.belongs(one, text, content, finishes)

    @staticmethod
    def went(one, route):
        one.route = "cloud" if route.target == pb.Route.TARGET_CLOUD else "local"
        one.reasons = ",".join(route.reasons)

    @staticmethod
    def failed(one, error, initial, begun):
        by_router = initial.get("x-request-id") == one.id
        if any(words in (error.details() or "") for words in CONNECTION_ENDED):
            one.end = "cut" if begun or by_router else "nobody"
        else:
            one.end = "error" if begun else "refused"
        unavailable, late = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED
        one.status = {unavailable: 503, late: 504}.get(error.code(), 500)
        if one.status == 500:
            print(f"{one.id}: gRPC {error.code().name}, {one.end}", flush=True)

    async def answer(self, one, text, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        one.status = int(head[0].split()[1])
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        one.route, one.reasons = headers.get("x-headgate-route", ""), headers.get("x-headgate-reasons", "")
        if headers.get("x-request-id") != one.id:
            one.wrong = "the answer of another request"
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            try:
                while size := int(await reader.readuntil(b"\r\n"), 16):
                    body += (await reader.readexactly(size + 2))[:-2]
                await reader.readexactly(2)
            except asyncio.IncompleteReadError:
                if b'"error"' not in body:
                    raise
        else:
            body = await reader.readexactly(int(headers["content-length"]))
        if await reader.read():
            one.wrong = "bytes after the end"
        self.judge(one, text, body.decode())

    @classmethod
    def judge(cls, one, text, body):
        content, finishes = "", 0
        if one.status != 200:
            one.end = "refused"
            if not json.loads(body).get("error"):
                one.wrong = "a refusal that does not say why"
            return
        if not one.stream:
            choice = json.loads(body)["choices"][0]
            content, finishes, one.end = choice["message"]["content"], bool(choice["finish_reason"]), "whole"
        else:
            events = [event[6:] for event in body.split("\n\n") if event.startswith("data: ")]
            one.end = "whole" if events[-1:] == ["[DONE]"] else "error"
            if events.count("[DONE]") != (one.end == "whole"):
                one.wrong = "[DONE] in the middle"
            chunks = [json.loads(event) for event in events if event != "[DONE]"]
            if [bool(chunk.get("error")) for chunk in chunks].count(True) != (one.end == "error"):
                one.wrong = "an error and an end"
            for chunk in chunks:
                for choice in chunk.get("choices", []):
                    content += choice.get("delta", {}).get("content") or ""
                    finishes += bool(choice.get("finish_reason"))
        cls.belongs(one, text, content, finishes)

    @staticmethod
    def belongs(one, text, content, finishes):
        if one.end in ("refused", "cut", "nobody"):
            return
        if finishes != (one.end == "whole"):
            one.wrong = f"{finishes} finishes"
        digest = "[sha8:" + hashlib.sha256(text.encode()).hexdigest()[:8] + "]"
        its_own = content.startswith(digest) or one.end == "error" and digest.startswith(content)
        if one.route == "cloud" and not its_own:
            one.wrong = f"another request's answer: {content[:40]}"
        if one.kind == "sensitive" and one.route != "local" or one.route == "local" and "[sha8:" in content:
            one.wrong = "from the cloud"
