// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/address_ranges.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "boost/asio/ip/address.hpp"

namespace headgate::router {
namespace {

namespace ip = boost::asio::ip;

ip::address Unmapped(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

template <typename Bytes>
bool SamePrefix(const Bytes& a, const Bytes& b, size_t bits) {
  for (size_t i = 0; i < a.size() && bits > 0; ++i) {
    const size_t here = std::min<size_t>(bits, 8);
    const unsigned mask = (0xff00u >> here) & 0xffu;
    if ((a[i] & mask) != (b[i] & mask)) return false;
    bits -= here;
  }
  return true;
}

bool AddressInRange(const ip::address& address, const std::string& range) {
  const size_t slash = range.find('/');
  boost::system::error_code error;
  ip::address network = ip::make_address(range.substr(0, slash), error);
  if (error) return false;
  uint32_t bits = network.is_v4() ? 32 : 128;
  const uint32_t bits_max = bits;
  if (slash != std::string::npos && (!absl::SimpleAtoi(range.substr(slash + 1), &bits) || bits > bits_max))
    return false;
  if (network.is_v6() && network.to_v6().is_v4_mapped() && bits >= 96) {
    network = Unmapped(network);
    bits -= 96;
  }
  if (network.is_v4() != address.is_v4()) return false;
  return network.is_v4() ? SamePrefix(network.to_v4().to_bytes(), address.to_v4().to_bytes(), bits)
                         : SamePrefix(network.to_v6().to_bytes(), address.to_v6().to_bytes(), bits);
}

}  // namespace

bool AddressInRanges(const std::string& ip_text, const std::vector<std::string>& ranges) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(ip_text, error);
  if (error) return false;
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const std::string& range) { return AddressInRange(Unmapped(address), range); });
}

bool IsIpAddress(const std::string& host) {
  boost::system::error_code error;
  ip::make_address(host, error);
  return !error;
}

bool SplitAddress(const std::string& address, std::string* host, std::string* port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) return false;
  *host = address.substr(0, colon);
  *port = address.substr(colon + 1);
  if (host->size() > 2 && host->front() == '[' && host->back() == ']') *host = host->substr(1, host->size() - 2);
  return !host->empty();
}

}  // namespace headgate::router
