// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The gate. A CloudPermit says "policy decided that exactly these bytes of this request may leave"; it holds no
// content and only Policy can mint one. A CloudPrompt is the content, rebuilt from a closed list of fields, and can be
// made only from a permit plus exactly the bytes it was minted for. upstream/cloud_client accepts nothing else, so
// sending anything unclassified does not compile (tests/unit/router/compile_fail/).
//
// Thread-safety: immutable values.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "headgate/v1/inference.pb.h"
#include "router/prompt.h"

namespace headgate::router {

class CloudPermit {
 public:
  CloudPermit(CloudPermit&&) = default;
  CloudPermit& operator=(CloudPermit&&) = default;
  CloudPermit(const CloudPermit&) = delete;
  const std::string& request_id() const { return request_id_; }
  const std::string& digest() const { return digest_; }

 private:
  friend class Policy;
  CloudPermit(std::string request_id, std::string digest)
      : request_id_(std::move(request_id)), digest_(std::move(digest)) {}
  std::string request_id_;
  std::string digest_;
};

class CloudPrompt {
 public:
  // INTERNAL when the permit is for another request or the digest of `prompt`, computed anew, differs: nothing is sent.
  static absl::StatusOr<CloudPrompt> Make(CloudPermit permit, const std::string& request_id, const Prompt& prompt);
  CloudPrompt(CloudPrompt&&) = default;
  CloudPrompt(const CloudPrompt&) = delete;

  // The closed list: messages (without `name`), prompt, sampling (temperature, top_p, presence and frequency penalty),
  // max_tokens, stop, response_format, tools, tool_choice. Never model, session, user, declared level, priority or
  // anything added later.
  const v1::GenerateRequest& content() const { return content_; }

 private:
  explicit CloudPrompt(v1::GenerateRequest content) : content_(std::move(content)) {}
  v1::GenerateRequest content_;
};

}  // namespace headgate::router
