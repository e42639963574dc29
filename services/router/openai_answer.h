// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Our answers -> OpenAI's bodies: whole answers, SSE chunks, model lists, embeddings, errors. Chunks are assembled by
// hand from a prefix made once a stream, because one is written for every token.
//
// Thread-safety: an AnswerEncoder belongs to one request; the rest are pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::services {

// Encodes one stream's events, and collects them for the whole form.
class AnswerEncoder {
 public:
  // `created`: seconds since the epoch, the same in all chunks.
  AnswerEncoder(bool chat, bool include_usage, int64_t created);

  // The SSE bytes (`data: {...}\n\n`, one or two events) for a delta or finish; empty for the route, which must come
  // first. The caller ends a complete stream with kDone.
  std::string Chunk(const v1::GenerateStreamResponse& event);
  static constexpr char kDone[] = "data: [DONE]\n\n";

  // For the answer as a whole: every event, then Body.
  void Collect(const v1::GenerateStreamResponse& event);
  std::string Body() const;

 private:
  std::string Head(const char* object) const;
  void AppendUsage(std::string& out, const v1::Usage& usage) const;
  std::string FinishChunk(const v1::Finish& finish);

  const bool chat_;
  const bool include_usage_;
  const int64_t created_;
  v1::Route route_;
  std::string prefix_;  // of every chunk, up to the choice's delta
  bool role_sent_ = false;
  bool tool_calls_ = false;
  v1::Message message_;
  v1::Finish finish_;
};

// `event` (or `delta`'s parts) put together: what Collect and the unary RPC do.
void AppendDelta(const v1::Delta& delta, v1::Message& message);

std::string ModelsBody(const v1::ListModelsResponse& models);
std::string ModelBody(const v1::Model& model);
std::string EmbedBody(const v1::EmbedResponse& response, bool base64);

// {"error": {...}} in OpenAI's shape. The message is the status's, so statuses must not carry content (they do not).
std::string ErrorBody(const absl::Status& status);
// The HTTP status of an error: 400, 401, 403, 404, 409, 413 (OUT_OF_RANGE: body too large), 429, 499, 500, 501, 503,
// 504.
int HttpStatus(const absl::Status& status);

}  // namespace headgate::services
