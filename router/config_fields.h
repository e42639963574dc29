// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Kinds of configuration values on top of YamlReader: levels, names, paths, addresses, key hashes, word lists. Private
// to the config_*.cc files. Each function complains through the map (file, line, key) and returns whether the value is
// present and good.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/yaml_reader.h"
#include "router/config.h"

namespace headgate::router {

using YamlMap = YamlReader::Map;

// One of `names`, e.g. {{"overflow", Mode::kOverflow}, ...}.
template <typename E>
bool GetEnum(YamlMap& map, const std::string& key, const std::vector<std::pair<std::string, E>>& names, E* out) {
  std::string text;
  if (!map.Get(key, &text)) return false;
  std::string known;
  for (const auto& [name, value] : names) {
    if (name == text) {
      *out = value;
      return true;
    }
    absl::StrAppend(&known, known.empty() ? "" : ", ", name);
  }
  map.Complain(key, absl::StrCat("unknown value \"", text, "\"; use one of ", known));
  return false;
}

// public | internal | confidential | restricted.
bool GetLevel(YamlMap& map, const std::string& key, v1::SensitivityLevel* out);
std::string LevelName(v1::SensitivityLevel level);

// 1..64 of [A-Za-z0-9_.-]: names become metric labels and audit fields.
bool GetName(YamlMap& map, const std::string& key, std::string* out);
// As GetName, required, and not yet in `*taken`.
bool GetUniqueName(YamlMap& map, const std::string& key, std::set<std::string>* taken, std::string* out);

// A path; a relative one is relative to `base` (the directory of the configuration file).
bool GetPath(YamlMap& map, const std::string& key, const std::string& base, std::string* out);

struct HostPort {
  std::string host;
  int port = 0;
};
// `host:port` or `[v6]:port`; false when it is neither. Port 0..65535.
bool ParseHostPort(const std::string& text, HostPort* out);
bool IsIpLiteral(const std::string& host);
// 127.0.0.0/8, ::1 or localhost (curl never asks DNS for it).
bool IsLoopbackHost(const std::string& host);
// Whether `range` is a CIDR range without host bits; the message says what is wrong, empty = good.
std::string WrongRange(const std::string& range);
// What is wrong with an identity that an engine may prove (engine_identity.h); empty = nothing.
std::string WrongIdentity(const std::string& identity);
// REQUIRES: IsIpLiteral(ip), every range good.
bool IpInRanges(const std::string& ip, const std::vector<std::string>& ranges);

// Hex SHA-256 digests of keys, lower case afterwards, each new in `*taken`. The values are not quoted in complaints: a
// reader who mistakes the field puts the key itself there.
bool GetKeyHashes(YamlMap& map, const std::string& key, std::set<std::string>* taken, std::vector<std::string>* out);

// At least one word, each 1..256 bytes, none twice.
void GetWords(YamlMap& map, const std::string& key, std::vector<std::string>* out);

// certificate_file, key_file, ca_file, allow_tls12; the files are read and must fit together.
enum class TlsSide { kServer, kClient };
void GetTls(YamlMap& parent, const std::string& key, const std::string& base, TlsSide side, TlsConfig* out);

}  // namespace headgate::router
