// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Addresses of local engines: their parts, and whether they are where configuration says that local is.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

namespace headgate::router {

// Whether `ip` lies in one of `ranges` (CIDR). Unparsable = false.
bool AddressInRanges(const std::string& ip, const std::vector<std::string>& ranges);

bool IsIpAddress(const std::string& host);

// `host:port`, `[v6]:port`. False when there is no port.
bool SplitAddress(const std::string& address, std::string* host, std::string* port);

}  // namespace headgate::router
