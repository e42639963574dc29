// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// endpoint_watch: follows the EndpointSlices of a Service at the Kubernetes API server: lists them, then watches from
// that version on, over one connection that the server ends now and then. A watch that ends is begun again where it
// was; one that is too old (410) is replaced by a new list; after a failure it waits, jittered, 250 ms doubling to
// 30 s. While the API server cannot be reached the last known addresses stay: dispatch notices dead pods by itself.
//
// The pod's own token (read again for every request: it is renewed) over verified TLS. What is asked for: get, list,
// watch of endpointslices in the Service's namespace; nothing is ever written.
//
// Thread-safety: executor thread only. A ServiceWatch must be destroyed before its io_context.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/upstream/endpoint_registry.h"

namespace headgate::router {

// `config.api`, or the address that every pod's environment names. FAILED_PRECONDITION: neither.
absl::StatusOr<std::string> KubernetesApi(const KubernetesConfig& config);

// `clock` and `metrics` must outlive what it makes.
EndpointRegistry::Watch MakeServiceWatch(Executor executor, Clock& clock, RandomBytes random,
                                         const KubernetesConfig& config, std::string api, Metrics& metrics);

}  // namespace headgate::router
