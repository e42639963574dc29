// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// engine_client: one engine pod over gRPC (inference.proto, engine.proto): a LocalUpstream that also watches the pod's
// load. The engine's messages reach the caller only with INVALID_ARGUMENT, which names the field; every other failure
// gets a text of ours (codes: upstream_error.h).
//
// Thread-safety: executor thread only; gRPC's threads stay inside. Destroying the client cancels nothing but its load
// watch: streams live on by themselves.
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "common/digest.h"
#include "common/task.h"
#include "router/config.h"
#include "router/upstream/endpoint_registry.h"
#include "router/upstream/inference_client.h"

namespace headgate::router {

// `address` is `ip:port` or `[ip]:port`: no name is ever resolved here, no proxy used, no connection shared with
// another client; an address outside config.address_ranges is not connected to. With `config.tls` the engine must prove
// one of `config.tls_identities`, or `config.tls_server_name` (empty: its address); certificate files are read again
// when they change. Connects by itself, again and again; `on_load` is called on the executor until the client is
// destroyed. `clock` and `metrics` must outlive the client and its streams.
std::unique_ptr<LocalUpstream> ConnectEngine(Executor executor, Clock& clock, RandomBytes random,
                                             const std::string& address, const LocalConfig& config, Metrics& metrics,
                                             EndpointRegistry::OnLoad on_load);

}  // namespace headgate::router
