// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// engine_channel: the connection to one engine, and who may be at its other end. Local is a fact, not a label: only a
// literal address inside the configured ranges is ever connected to, and with TLS the engine must prove a name that
// configuration allows. Whoever proves another, or has a certificate of an unknown authority, is refused; the caller
// counts and reports it (RefusedForCertificate).
//
// Thread-safety: functions from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/metrics.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"
#include "router/config.h"

namespace headgate::router {

// Whether a certificate with these names may belong to an engine. `allowed`: SPIFFE URIs, `/*` at the end for every
// path below, and DNS names (compared without case; a wildcard in the certificate proves nothing). A certificate with
// several URIs is no SPIFFE identity (SPIFFE X.509-SVID, section 2). Pure.
bool IdentityAllowed(const std::vector<std::string>& uris, const std::vector<std::string>& dns_names,
                     const std::vector<std::string>& allowed);

// Counts connections to local pods whose certificate was not accepted; shown from the first call on.
Counter& RefusedIdentities(Metrics& metrics);
// Whether a call failed because the engine's certificate was not accepted. gRPC tells it in words only. Pure.
bool RefusedForCertificate(const grpc::Status& status);

// Null when `address` (`ip:port`, `[ip]:port`) is no literal inside config.address_ranges or when the TLS files cannot
// be used: never plaintext instead.
std::shared_ptr<grpc::Channel> MakeEngineChannel(const std::string& address, const LocalConfig& config);

}  // namespace headgate::router
