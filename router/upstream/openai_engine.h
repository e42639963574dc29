// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// openai_engine: one vLLM or SGLang pod (or another that speaks OpenAI's chat completions) as a LocalUpstream. Its load
// is polled from /metrics, its model asked for at /v1/models when configuration names none; until both have answered it
// counts as silent and gets nothing. CountTokens by /tokenize, Embed by /v1/embeddings. What the pod says in an error
// reaches nobody: its body may quote the prompt.
//
// Thread-safety: executor thread only. Streams may outlive the client.
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "router/upstream/endpoint_registry.h"

namespace headgate::router {

// `address` as for ConnectEngine (engine_client.h), checked at every connect (local_connection.h). `on_load` is called
// on the executor until the client is destroyed. `clock` and `metrics` must outlive the client and its streams.
std::unique_ptr<LocalUpstream> ConnectOpenAiEngine(Executor executor, Clock& clock, const EndpointConfig& endpoint,
                                                   const std::string& address, const LocalConfig& config,
                                                   Metrics& metrics, EndpointRegistry::OnLoad on_load);

}  // namespace headgate::router
