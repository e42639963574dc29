// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The cloud's wire format (DeepSeek's OpenAI dialect), without any I/O: the request body, an answer as a stream of
// events or as a whole, and what an HTTP status means.
//
// Thread-safety: pure functions; an SseReader belongs to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "headgate/v1/inference.pb.h"
#include "router/upstream/cloud_chunk.h"

namespace headgate::router {

// What a body holds beside the content: from configuration and from how the caller wants its answer.
struct CloudBody {
  std::string model;
  bool thinking = false;
  std::string user_id = {};  // left out when empty
  bool whole = false;        // one JSON object (ReadWholeAnswer) instead of a stream of events (SseReader)
  // kOpenAi: any other cloud: no `thinking`, the tenant's hash is `user`. kLocalEngine: a pod of our own, which also
  // gets what only local engines offer, and what the cloud thought in earlier turns.
  enum class Dialect { kDeepSeek, kOpenAi, kLocalEngine };
  Dialect dialect = Dialect::kDeepSeek;
  std::string members = {};  // of a JSON object, without its braces: added to every body
};

// As in `messages`.
const char* ChatRoleName(v1::Role role);

// The JSON body for `content`, field by field from a closed list: a field that is not named in cloud_wire.cc cannot
// leave. A raw prompt is sent as a single user message: the cloud's raw completion exists only on its beta base.
// INVALID_ARGUMENT when a tool's schema is not a JSON object or nests too deep, or when the format is one that only
// local engines offer.
absl::StatusOr<std::string> CloudRequestBody(const v1::GenerateRequest& content, const CloudBody& about);

// The limit that a 429's body names ("exceeds your concurrency limit of 39"); nullopt: none. Pure.
std::optional<int64_t> NamedConcurrencyLimit(std::string_view body);

// What a response status means (table in upstream_error.h). The message is made from the number alone, never from the
// body, which may quote the prompt. REQUIRES: `http_status` is not 200.
absl::Status CloudStatus(long http_status, std::optional<absl::Duration> retry_after);

// `Retry-After` as seconds or an HTTP date; nullopt when it is neither. Never negative, at most an hour.
std::optional<absl::Duration> ParseRetryAfter(std::string_view value, absl::Time now);

// A whole answer's body as events: one delta, unless it is empty, and the finish. Blank lines before it say that the
// peer is at work. UNAVAILABLE: it is broken, cut, or an error; then there are no events.
absl::Status ReadWholeAnswer(std::string_view body, std::vector<v1::GenerateStreamResponse>& events);

// Turns the bytes of an answer, cut anywhere, into events. Held back: the finish, until the stream's clean end, because
// usage may come on a later chunk than the finish reason.
class SseReader {
 public:
  static constexpr size_t kLineBytesMax = 1 << 20;

  // Appends the events that `bytes` complete to `events`. UNAVAILABLE: the stream is broken; nothing may be read after.
  // Bytes after the clean end are ignored.
  absl::Status Read(std::string_view bytes, std::vector<v1::GenerateStreamResponse>& events);
  // The connection has ended. OK after `[DONE]`, UNAVAILABLE (truncated) without it.
  absl::Status End(std::vector<v1::GenerateStreamResponse>& events);

  bool done() const { return done_; }

 private:
  absl::Status ReadLine(std::string_view line, std::vector<v1::GenerateStreamResponse>& events);
  absl::Status ReadChunk(std::string_view json, std::vector<v1::GenerateStreamResponse>& events);
  absl::Status TakeReason(const std::string& reason);

  std::string line_;  // the beginning of a line whose end has not arrived
  ChunkReader chunks_;
  v1::Finish finish_;
  bool done_ = false;
};

}  // namespace headgate::router
