// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Prompt: what a client sent, in one place. Holds content, so it has no stream operator and no string conversion and
// never meets a log call; tools/tidy bans protobuf's DebugString family.
//
// Thread-safety: immutable after construction.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headgate/v1/inference.pb.h"

namespace headgate::router {

class Prompt {
 public:
  explicit Prompt(v1::GenerateRequest content);
  Prompt(Prompt&& other);
  Prompt(const Prompt&) = delete;

  const v1::GenerateRequest& content() const { return content_; }
  // SHA-256 of the content's deterministic serialisation: what a CloudPermit is bound to.
  const std::string& digest() const { return digest_; }
  // The same of content without unknown fields, made anew.
  static std::string DigestOf(const v1::GenerateRequest& content);
  // Sum of the bytes of all strings.
  size_t text_bytes() const { return text_bytes_; }

  // Calls `visit(field, text)` for every non-empty string of the request, whatever its field (found by reflection, so a
  // field added to the proto later is covered without a change here). `field` is a path such as `messages[2].content`.
  void ForEachText(const std::function<void(const std::string& field, std::string_view text)>& visit) const;

 private:
  void Collect();

  v1::GenerateRequest content_;
  std::string digest_;
  // Every string of content_ that is not empty, by its path: reflection is slow, and they are gone through again and
  // again.
  std::vector<std::pair<std::string, const std::string*>> texts_;
  size_t text_bytes_ = 0;
};

}  // namespace headgate::router
