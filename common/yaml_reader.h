// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Strict YAML: every key must be known and of the right type, and every complaint names file, line and key path, as in
// `router.yaml:14: policy.mode: unknown value "burst"; use one of overflow, switch`. All complaints are collected, so
// one run shows them all.
//
//   YamlReader reader("router.yaml", text);
//   YamlReader::Map root = reader.Root();
//   root.Get("listen", &config.listen);                       // optional: keeps the default
//   if (auto policy = root.GetMap("policy")) policy->Get("qps", &config.qps, 0.0, 1e6);
//   root.Finish();                                            // complains about unknown keys
//   return reader.status();
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace YAML {
class Node;
}

namespace headgate {

class YamlReader {
 public:
  class Map {
   public:
    Map(Map&&) noexcept;
    ~Map();
    bool Has(const std::string& key) const;
    std::vector<std::string> Keys() const;
    // Each returns true when the key is present and good. Absent keys leave `*out` alone. Ranges are inclusive.
    bool Get(const std::string& key, std::string* out);
    bool Get(const std::string& key, bool* out);
    bool Get(const std::string& key, int64_t* out, int64_t low, int64_t high);
    bool Get(const std::string& key, double* out, double low, double high);
    bool Get(const std::string& key, absl::Duration* out, absl::Duration low, absl::Duration high);  // "250ms", "10s"
    bool Get(const std::string& key, std::vector<std::string>* out);
    std::optional<Map> GetMap(const std::string& key);
    // A list of maps.
    std::vector<Map> GetList(const std::string& key);
    // Complains: `<file>:<line of key>: <path of key>: <message>`. `key` may name an element, `words[3]`, or be empty
    // for the map itself.
    void Complain(const std::string& key, const std::string& message);
    void Require(const std::string& key);
    // Complains about every key that no Get asked for.
    void Finish();

   private:
    friend class YamlReader;
    struct State;
    explicit Map(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };

  YamlReader(std::string file_name, const std::string& text);
  ~YamlReader();
  Map Root();
  // OK, or INVALID_ARGUMENT with all complaints, a line each.
  absl::Status status() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace headgate
