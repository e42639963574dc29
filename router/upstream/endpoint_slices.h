// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The EndpointSlices of one Kubernetes Service (discovery.k8s.io/v1): a list and then a watch of changes
// (kubernetes.io, API concepts: efficient detection of changes). Pure: bytes in, addresses out.
//
// Which pods take requests: `ready` (a condition that is absent counts as true, as the API says) and not `terminating`.
// A pod that terminates gets nothing new from the moment the API server says so; what it has, it finishes.
//
// Thread-safety: none.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace headgate::router {

class EndpointSlices {
 public:
  static constexpr size_t kSlicesMax = 1024;
  static constexpr size_t kSliceAddressesMax = 4096;  // Kubernetes puts at most 1,000 into one

  // `port`: name or number; empty = the only one. A slice without it has no addresses.
  explicit EndpointSlices(std::string port) : port_(std::move(port)) {}

  // A whole list replaces everything. UNAVAILABLE: no such list; nothing has changed then.
  absl::Status TakeList(std::string_view body);
  // One event of a watch. OUT_OF_RANGE: too old (410), list again; UNAVAILABLE: no event that can be understood, or
  // another error.
  absl::Status TakeEvent(std::string_view line);

  // Where the next watch begins.
  const std::string& resource_version() const { return resource_version_; }
  // ip:port, sorted, each once.
  std::vector<std::string> Addresses() const;

 private:
  struct Parts;
  const std::string port_;
  std::string resource_version_;
  std::map<std::string, std::vector<std::string>> slices_;  // by name
};

}  // namespace headgate::router
