// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/config_fields.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <filesystem>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/digest.h"

namespace headgate::router {
namespace {

namespace ip = boost::asio::ip;

constexpr size_t kNameBytesMax = 64;
constexpr size_t kWordBytesMax = 256;
// Wider ranges would call a good part of the Internet "local".
constexpr int kPrefixLengthMinV4 = 8;
constexpr int kPrefixLengthMinV6 = 7;

std::optional<ip::address> ParseIp(const std::string& text) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(text, error);
  if (error) return std::nullopt;
  // ::ffff:10.0.0.1 is 10.0.0.1: one address must not be inside and outside a range by its spelling.
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::address(ip::make_address_v4(ip::v4_mapped, address.to_v6()));
  }
  return address;
}

template <typename Network>
bool Contains(const Network& network, const typename std::decay_t<decltype(network.address())>& address) {
  return Network(address, network.prefix_length()).canonical() == network.canonical();
}

// The characters of host names and of names in labels.
bool IsPlainName(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  });
}

}  // namespace

bool GetLevel(YamlMap& map, const std::string& key, v1::SensitivityLevel* out) {
  static const std::vector<std::pair<std::string, v1::SensitivityLevel>> names = {
      {"public", v1::SENSITIVITY_LEVEL_PUBLIC},
      {"internal", v1::SENSITIVITY_LEVEL_INTERNAL},
      {"confidential", v1::SENSITIVITY_LEVEL_CONFIDENTIAL},
      {"restricted", v1::SENSITIVITY_LEVEL_RESTRICTED}};
  return GetEnum(map, key, names, out);
}

std::string LevelName(v1::SensitivityLevel level) {
  switch (level) {
    case v1::SENSITIVITY_LEVEL_PUBLIC: return "public";
    case v1::SENSITIVITY_LEVEL_INTERNAL: return "internal";
    case v1::SENSITIVITY_LEVEL_CONFIDENTIAL: return "confidential";
    case v1::SENSITIVITY_LEVEL_RESTRICTED: return "restricted";
    default: return "unspecified";
  }
}

bool GetName(YamlMap& map, const std::string& key, std::string* out) {
  std::string text;
  if (!map.Get(key, &text)) return false;
  if (!IsPlainName(text) || text.size() > kNameBytesMax) {
    map.Complain(key, "must be 1 to 64 characters of A-Z, a-z, 0-9, _ . -");
    return false;
  }
  *out = std::move(text);
  return true;
}

bool GetUniqueName(YamlMap& map, const std::string& key, std::set<std::string>* taken, std::string* out) {
  map.Require(key);
  if (!GetName(map, key, out)) return false;
  if (taken->insert(*out).second) return true;
  map.Complain(key, absl::StrCat("\"", *out, "\" is there already"));
  return false;
}

bool GetPath(YamlMap& map, const std::string& key, const std::string& base, std::string* out) {
  std::string text;
  if (!map.Get(key, &text)) return false;
  if (text.empty()) {
    map.Complain(key, "must not be empty");
    return false;
  }
  *out = (std::filesystem::path(base) / text).lexically_normal().string();
  return true;
}

bool ParseHostPort(const std::string& text, HostPort* out) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  std::string host = text.substr(0, colon);
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return false;
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string::npos) return false;
  } else if (!IsPlainName(host)) {
    return false;
  }
  const std::string port = text.substr(colon + 1);
  if (port.empty() || port.find_first_not_of("0123456789") != std::string::npos) return false;
  if (!absl::SimpleAtoi(port, &out->port) || out->port > 65535) return false;
  out->host = std::move(host);
  return true;
}

bool IsIpLiteral(const std::string& host) { return ParseIp(host).has_value(); }

bool IsLoopbackHost(const std::string& host) {
  const auto address = ParseIp(host);
  return host == "localhost" || (address && address->is_loopback());
}

std::string WrongRange(const std::string& range) {
  boost::system::error_code error;
  if (range.find(':') == std::string::npos) {
    const ip::network_v4 network = ip::make_network_v4(range, error);
    if (error) return "is not an address range such as 10.0.0.0/8";
    if (network != network.canonical()) {
      return absl::StrCat("has bits beyond its prefix; write ", network.canonical().to_string());
    }
    return network.prefix_length() < kPrefixLengthMinV4 ? "is too wide to be called local; use /8 or narrower" : "";
  }
  const ip::network_v6 network = ip::make_network_v6(range, error);
  if (error) return "is not an address range such as fc00::/7";
  if (network.canonical().address() != network.address()) {
    return absl::StrCat("has bits beyond its prefix; write ", network.canonical().to_string());
  }
  return network.prefix_length() < kPrefixLengthMinV6 ? "is too wide to be called local; use /7 or narrower" : "";
}

std::string WrongIdentity(const std::string& identity) {
  static constexpr char kWrong[] =
      "is neither a SPIFFE URI such as spiffe://cluster.local/ns/a/sa/engine nor a DNS name";
  constexpr absl::string_view kScheme = "spiffe://";
  absl::string_view text = identity;
  if (identity.size() > 2048) return kWrong;
  if (absl::ConsumePrefix(&text, kScheme)) {
    absl::ConsumeSuffix(&text, "/*");
    const size_t slash = text.find('/');
    if (text.empty() || slash == 0 || (slash != absl::string_view::npos && slash + 1 == text.size())) return kWrong;
  }
  const bool uri = text.size() != identity.size();
  const auto fits = [uri](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' || (uri && c == '/');
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), fits) ? "" : kWrong;
}

bool IpInRanges(const std::string& text, const std::vector<std::string>& ranges) {
  const auto address = ParseIp(text);
  if (!address) return false;
  for (const std::string& range : ranges) {
    boost::system::error_code error;
    if (address->is_v4()) {
      const ip::network_v4 network = ip::make_network_v4(range, error);
      if (!error && Contains(network, address->to_v4())) return true;
    } else {
      const ip::network_v6 network = ip::make_network_v6(range, error);
      if (!error && Contains(network, address->to_v6())) return true;
    }
  }
  return false;
}

bool GetKeyHashes(YamlMap& map, const std::string& key, std::set<std::string>* taken, std::vector<std::string>* out) {
  static const std::string empty_key = Hex(Sha256(""));
  std::vector<std::string> hashes;
  if (!map.Get(key, &hashes)) return false;
  bool good = true;
  for (size_t i = 0; i < hashes.size(); ++i) {
    absl::AsciiStrToLower(&hashes[i]);
    std::string wrong;
    if (hashes[i].size() != 64 || hashes[i].find_first_not_of("0123456789abcdef") != std::string::npos) {
      wrong = "must be the SHA-256 of a key, 64 hex digits (printf %s \"$KEY\" | sha256sum)";
    } else if (hashes[i] == empty_key) {
      wrong = "is the SHA-256 of nothing; the key was empty when it was hashed";
    } else if (!taken->insert(hashes[i]).second) {
      wrong = "belongs to someone already; every key has one owner and one role";
    }
    if (wrong.empty()) continue;
    map.Complain(absl::StrCat(key, "[", i, "]"), wrong);
    good = false;
  }
  *out = std::move(hashes);
  return good;
}

void GetWords(YamlMap& map, const std::string& key, std::vector<std::string>* out) {
  map.Require(key);
  if (!map.Get(key, out)) return;
  if (out->empty()) map.Complain(key, "needs at least one word");
  std::set<std::string> seen;
  for (size_t i = 0; i < out->size(); ++i) {
    const std::string& word = (*out)[i];
    const std::string path = absl::StrCat(key, "[", i, "]");
    if (absl::StripAsciiWhitespace(word).empty() || word.size() > kWordBytesMax) {
      map.Complain(path, absl::StrCat("must be 1 to ", kWordBytesMax, " bytes and not only spaces"));
    } else if (!seen.insert(word).second) {
      map.Complain(path, "is there already");
    }
  }
}

void GetTls(YamlMap& parent, const std::string& key, const std::string& base, TlsSide side, TlsConfig* out) {
  auto map = parent.GetMap(key);
  if (!map) return;
  GetPath(*map, "certificate_file", base, &out->certificate_file);
  GetPath(*map, "key_file", base, &out->key_file);
  GetPath(*map, "ca_file", base, &out->ca_file);
  map->Get("allow_tls12", &out->allow_tls12);
  map->Finish();
  if (side == TlsSide::kServer && out->enabled() && out->certificate_file.empty()) {
    parent.Complain(key, "a server needs certificate_file and key_file");
    return;
  }
  if (side == TlsSide::kClient && out->enabled() && out->ca_file.empty()) {
    parent.Complain(key, "needs ca_file: without it the other side proves nothing");
    return;
  }
  if (const absl::Status status = CheckTls(*out); !status.ok()) parent.Complain(key, std::string(status.message()));
}

}  // namespace headgate::router
