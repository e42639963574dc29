// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Strict JSON for untrusted bodies, and the reader that turns its objects into typed fields with errors that name the
// field. Stricter than RFC 8259 on purpose: what two parsers could read differently (duplicate keys, invalid UTF-8,
// lone surrogates) is refused, so that what was screened is what is meant.
//
// Thread-safety: functions from any thread; a JsonFields belongs to one thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace headgate::services {

// Keeps the order of keys: a tool's schema reaches the model as its author wrote it.
using Json = nlohmann::ordered_json;

constexpr int kJsonDepthMax = 64;
constexpr size_t kJsonKeysMax = 1024;  // in one object

// INVALID_ARGUMENT without a byte of the content: bad syntax with its offset, a duplicate key, too deep, too many keys.
absl::StatusOr<Json> ParseJson(std::string_view text);

// Appends `text` as a JSON string with its quotes. REQUIRES: `text` is valid UTF-8.
void AppendJsonString(std::string& out, std::string_view text);

// INVALID_ARGUMENT about one field, `<field>: <message>`. ParamOf gives the field back (`messages[0].content`), also
// from statuses of the router, which have the same form; empty for other statuses.
absl::Status FieldError(std::string_view field, std::string_view message);
std::string ParamOf(const absl::Status& status);

// Reads one object. The first complaint is kept in `status`, later ones are dropped. A null value counts as absent.
class JsonFields {
 public:
  // `object` must remain live. Complains when it is not an object. `path` names it in complaints; empty at the root.
  JsonFields(const Json& object, std::string path, absl::Status& status);

  // The value, or null when absent. Marks the name as known.
  const Json* Find(std::string_view name);
  // Each returns true when the field is present and good.
  bool Get(std::string_view name, std::string* out);
  bool Get(std::string_view name, bool* out);
  bool Get(std::string_view name, float* out);
  bool Get(std::string_view name, int32_t* out);
  bool Get(std::string_view name, int64_t* out);
  // Known and without effect, whatever its value: it goes nowhere.
  void Ignore(std::initializer_list<std::string_view> names);
  // Known and refused unless absent, null, false, zero or empty.
  void Refuse(std::string_view name, std::string_view why);
  // Complains about names that were not asked for.
  void Finish();

  void Complain(std::string_view name, std::string_view message);
  std::string Path(std::string_view name) const;
  bool ok() const { return status_.ok(); }

 private:
  const Json* const object_;  // null when the value is no object
  const std::string path_;
  absl::Status& status_;
  std::vector<std::string_view> known_;
};

}  // namespace headgate::services
