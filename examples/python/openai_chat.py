#!/usr/bin/env python3
# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Asks one question with the unmodified OpenAI package, whole and streamed: openai_chat.py QUESTION [LEVEL]."""

import os
import sys

import openai

# Only the address is Headgate's.
router = openai.OpenAI(base_url=os.environ.get("HEADGATE_URL", "http://localhost:8080/v1"),
                       api_key=os.environ.get("HEADGATE_API_KEY", "headgate-demo"), max_retries=2)


def main(question="What is a canal?", level=""):
    # public, internal, confidential or restricted: can only raise the level that the router finds itself.
    headers = {"x-headgate-sensitivity": level} if level else {}
    model = router.models.list().data[0].id
    messages = [{"role": "user", "content": question}]

    # with_raw_response shows the headers: where the answer comes from, and why.
    response = router.chat.completions.with_raw_response.create(model=model, messages=messages, max_tokens=64,
                                                                extra_headers=headers)
    print("route:", response.headers["x-headgate-route"], response.headers["x-headgate-reasons"])
    completion = response.parse()
    print(completion.choices[0].message.content)
    print("finish:", completion.choices[0].finish_reason, completion.usage.completion_tokens, "tokens")

    stream = router.chat.completions.create(model=model, messages=messages, max_tokens=64, extra_headers=headers,
                                            stream=True, stream_options={"include_usage": True})
    print("streamed route:", stream.response.headers["x-headgate-route"])
    for chunk in stream:
        if chunk.choices:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
        if chunk.usage:
            print("\nstreamed:", chunk.usage.completion_tokens, "tokens")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except openai.APIStatusError as error:
        sys.exit(f"error: {error.status_code}: {error.message}")
