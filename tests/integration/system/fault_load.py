# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Callers for faults_test.py: each asks again and again and notes how every request ended, exactly."""

import asyncio
import dataclasses
import hashlib
import json
import random

# Of nobody.
RESIDENT = "11010519491231002X"
KINDS = ("everyday", "everyday", "sensitive")
TOKENS = 12


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
        self.tasks = [asyncio.ensure_future(self.call()) for _ in range(self.callers)]

    async def call(self):
        while not self.stopped:
            one = await self.ask(self.random.choice(KINDS), self.random.random() < 0.6)
            await asyncio.sleep(self.random.random() * (0.5 if one.end == "nobody" else 0.02))

    async def stop(self):
        self.stopped = True
        await asyncio.gather(*self.tasks)

    async def ask(self, kind, stream, seconds=0):
        """One request; `seconds`: cancelled by its caller's own fault when it takes longer (0: never)."""
        number = len(self.asked)
        # Letters, so that it looks like no number.
        marker = "mark" + "".join("bcdfghjklmnpqrstvwxz"[number // 20 ** k % 20] for k in range(5))
        one = Asked(f"ask-{number}", kind, stream, marker, self.phase, self.now())
        self.asked.append(one)
        text = f"Tell me about {marker}" + (f" and {RESIDENT}" if kind == "sensitive" else "")
        limit = seconds or 200 * self.here.scale
        try:
            await asyncio.wait_for(self.talk(one, text), limit)
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

    @staticmethod
    def judge(one, text, body):
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
        if finishes != (one.end == "whole"):
            one.wrong = f"{finishes} finishes"
        digest = "[sha8:" + hashlib.sha256(text.encode()).hexdigest()[:8] + "]"
        its_own = content.startswith(digest) or one.end == "error" and digest.startswith(content)
        if one.route == "cloud" and not its_own:
            one.wrong = f"another request's answer: {content[:40]}"
        if one.kind == "sensitive" and one.route != "local" or one.route == "local" and "[sha8:" in content:
            one.wrong = "from the cloud"
