// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The two ways out of the router, as interfaces: fakes and the simulation stand behind them too. They differ in what
// they accept: a LocalUpstream takes any prompt, a CloudUpstream only a CloudPrompt.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/task.h"
#include "headgate/v1/inference.pb.h"
#include "router/cloud_prompt.h"
#include "router/prompt.h"

namespace headgate::router {

// One answer being received. Destroying it cancels the upstream's work.
class AnswerStream {
 public:
  virtual ~AnswerStream() = default;
  // The next delta or finish; nullopt after finish. A stream that ends before finish is UNAVAILABLE (truncated).
  // `until` bounds this wait: DEADLINE_EXCEEDED. Keep-alives do not end the wait but re-arm the client's idle timer.
  virtual Task<absl::StatusOr<std::optional<v1::GenerateStreamResponse>>> Next(MonotonicTime until,
                                                                               Cancellation& cancellation) = 0;
  // Of an answer that broke off before its first event, or was dropped: the output tokens that it may cost all the
  // same, estimated, beside its prompt's; nullopt: nothing was sent, or it was refused.
  virtual std::optional<int64_t> PaidFor() const { return std::nullopt; }
};

struct CallOptions {
  std::string request_id;
  MonotonicTime deadline;
  std::string tenant = {};  // whose it is: engines share prefixes and fairness within a tenant only
  bool whole = false;       // as CloudCall's
  std::string trace = {};   // RequestHead's
};

class LocalUpstream {
 public:
  virtual ~LocalUpstream() = default;
  // Starts at once; failures come from the stream's first Next.
  virtual std::unique_ptr<AnswerStream> Generate(const Prompt& prompt, const CallOptions& options) = 0;
  virtual Task<absl::StatusOr<v1::CountTokensResponse>> CountTokens(const v1::CountTokensRequest& request,
                                                                    MonotonicTime deadline,
                                                                    Cancellation& cancellation) = 0;
  virtual Task<absl::StatusOr<v1::EmbedResponse>> Embed(const v1::EmbedRequest& request, MonotonicTime deadline,
                                                        Cancellation& cancellation) = 0;
  virtual Task<absl::StatusOr<v1::ListModelsResponse>> ListModels(MonotonicTime deadline,
                                                                  Cancellation& cancellation) = 0;
};

struct CloudCall {
  CloudCall(MonotonicTime by, std::string whose = {}, bool in_one_piece = false)  // NOLINT: implicit
      : deadline(by), tenant(std::move(whose)), whole(in_one_piece) {}
  MonotonicTime deadline;
  std::string tenant;  // never leaves as it is
  // Nobody reads it piece by piece: the answer may come as one delta and the finish, when all of it is there.
  bool whole = false;
};

class CloudUpstream {
 public:
  virtual ~CloudUpstream() = default;
  // `prompt` must remain live while the stream is in use.
  virtual std::unique_ptr<AnswerStream> Generate(const CloudPrompt& prompt, const CloudCall& call) = 0;
};

}  // namespace headgate::router
