#!/usr/bin/env python3
# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Asks one question over gRPC and prints the answer as it comes: grpc_chat.py QUESTION [public|...|restricted]."""

import os
import pathlib
import sys

import grpc

# Generates the client from the contract when this starts. A program of your own would do it once, with
#   python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. headgate/v1/inference.proto
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "proto"))
pb, services = grpc.protos_and_services("headgate/v1/inference.proto")


def main(question="What is a canal?", level=""):
    request = pb.GenerateRequest(messages=[pb.Message(role=pb.ROLE_USER, content=question)], max_tokens=64)
    if level:  # can only raise the level that the router finds itself
        request.declared_sensitivity = pb.SensitivityLevel.Value("SENSITIVITY_LEVEL_" + level.upper())

    # Plain text for a router on this machine; with TLS it is grpc.secure_channel.
    with grpc.insecure_channel(os.environ.get("HEADGATE_GRPC", "localhost:8081")) as channel:
        router = services.InferenceStub(channel)
        key = os.environ.get("HEADGATE_API_KEY", "headgate-demo")
        # The deadline is passed on: past it, the router stops the work too.
        events = router.GenerateStream(request, timeout=60, metadata=[("authorization", "Bearer " + key)])
        for event in events:
            if event.HasField("route"):  # first: where the answer comes from, and why
                route = event.route
                print("route:", pb.Route.Target.Name(route.target), route.endpoint, list(route.reasons))
            elif event.HasField("delta"):
                print(event.delta.content, end="", flush=True)
            elif event.HasField("finish"):
                finish = event.finish
                print("\nfinish:", pb.FinishReason.Name(finish.reason), finish.usage.completion_tokens, "tokens")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        sys.exit(f"error: {error.code().name}: {error.details()}")
