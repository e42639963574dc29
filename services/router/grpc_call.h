// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One gRPC call of the callback API as a coroutine on the router's executor. gRPC's threads only post; every decision
// and all state are on the executor thread. A call keeps itself alive until gRPC says OnDone.
//
// Thread-safety: Start* from any thread; the rest as said.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/task.h"
#include "headgate/v1/inference.pb.h"
#include "router/router.h"
#include "services/grpc_message.h"
#include "services/router/calls.h"

namespace headgate::services {

// What calls are served by. All must outlive the server.
struct CallParts {
  Executor executor;
  Clock& clock;
  RandomBytes random;
  Calls& calls;
  // Told of calls whose metadata or message cannot be read, on the executor.
  std::function<void(const router::RequestHead& head, absl::StatusCode code)> on_refuse = {};
};

// Headers of the call. The views are valid until OnDone.
HeaderLookup MetadataOf(const grpc::CallbackServerContext& context);
// Key, request id, level, peer and deadline from the call; `head.request_id` is set even when the status is an error.
absl::Status ReadHead(const CallParts& parts, const grpc::CallbackServerContext& context, const char* api,
                      router::RequestHead& head);

// The work of a unary call: runs on the executor, returns the call's status. Initial metadata may be added to
// `context`. Not done when `read`, what ReadMessage said of the request, is an error.
using UnaryWork = std::function<Task<absl::Status>(const router::RequestHead& head, Cancellation& cancellation)>;
grpc::ServerUnaryReactor* StartUnary(const CallParts& parts, grpc::CallbackServerContext* context, const char* api,
                                     UnaryWork work, absl::Status read = absl::OkStatus());

// A unary call with bytes both ways (services/grpc_message.h): `answer(head, request, cancellation)` is a Task of a
// message or why there is none.
template <typename Request, typename Answer>
grpc::ServerUnaryReactor* StartUnary(const CallParts& parts, grpc::CallbackServerContext* context, const char* api,
                                     const grpc::ByteBuffer& bytes, grpc::ByteBuffer* response, Answer answer) {
  auto request = std::make_shared<Request>();
  absl::Status read = ReadMessage(bytes, *request);
  const auto work = [request = std::move(request), response, answer = std::move(answer)](
                        const router::RequestHead& head, Cancellation& cancellation) -> Task<absl::Status> {
    const auto message = co_await answer(head, *request, cancellation);
    co_return message.ok() ? WriteMessage(*message, *response) : message.status();
  };
  return StartUnary(parts, context, api, work, std::move(read));
}

// GenerateStream, whose messages are bytes (services/grpc_message.h). At most one write is with gRPC: the next waits
// for it, so a slow client slows the upstream down.
using StreamWork = std::function<Task<absl::Status>(const router::RequestHead& head, router::AnswerSink& sink,
                                                    Cancellation& cancellation)>;
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartStream(const CallParts& parts, grpc::CallbackServerContext* context,
                                                        const char* api, StreamWork work, absl::Status read);

// x-headgate-route and its companions as initial metadata. REQUIRES: initial metadata not yet sent.
void AddRouteMetadata(grpc::CallbackServerContext& context, const v1::Route& route);

}  // namespace headgate::services
