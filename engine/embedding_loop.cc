// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/embedding_loop.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace headgate::engine {
namespace {

absl::Status Check(const v1::EmbedRequest& request) {
  if (request.input().empty()) return absl::InvalidArgumentError("input: is empty");
  if (request.input_size() > EmbeddingLoop::kInputsMax) {
    return absl::InvalidArgumentError(absl::StrCat("input: has ", request.input_size(), " texts; at most ",
                                                   EmbeddingLoop::kInputsMax, " are allowed"));
  }
  for (int i = 0; i < request.input_size(); ++i) {
    const size_t bytes = request.input(i).size();
    if (bytes > 0 && bytes <= EmbeddingLoop::kInputBytesMax) continue;
    return absl::InvalidArgumentError(absl::StrCat("input[", i, "]: has ", bytes, " bytes; allowed are 1 to ",
                                                   EmbeddingLoop::kInputBytesMax));
  }
  return absl::OkStatus();
}

void Normalise(std::vector<double>& vector) {
  double square = 0;
  for (const double value : vector) square += value * value;
  const double length = std::sqrt(square);
  if (length == 0) return;
  for (double& value : vector) value /= length;
}

}  // namespace

EmbeddingLoop::EmbeddingLoop(Backend& backend, const Clock& clock) : backend_(backend), clock_(clock) {
  thread_ = std::thread([this] { Run(); });
}

EmbeddingLoop::~EmbeddingLoop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  for (Job& job : waiting_) job.done(absl::UnavailableError("the engine is stopping"));
}

void EmbeddingLoop::Embed(uint64_t id, v1::EmbedRequest request, MonotonicTime deadline, Done done) {
  if (backend_.info().embedding_tokens_max == 0) {
    return done(absl::UnimplementedError("this engine offers no embeddings"));
  }
  if (absl::Status status = Check(request); !status.ok()) return done(std::move(status));
  {
    std::lock_guard lock(mutex_);
    if (!stopping_ && waiting_.size() < kWaitingMax) {
      waiting_.push_back({id, std::move(request), deadline, std::move(done)});
      wake_.notify_one();
      return;
    }
  }
  done(absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", kWaitingMax, " embedding requests wait")));
}

void EmbeddingLoop::Cancel(uint64_t id) {
  std::list<Job> cancelled;
  {
    std::lock_guard lock(mutex_);
    const auto at = std::find_if(waiting_.begin(), waiting_.end(), [id](const Job& job) { return job.id == id; });
    if (at != waiting_.end()) cancelled.splice(cancelled.end(), waiting_, at);
    if (running_ == id) running_cancelled_ = true;
  }
  for (Job& job : cancelled) job.done(absl::CancelledError("cancelled"));
}

void EmbeddingLoop::Run() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
      running_ = job.id;
      running_cancelled_ = false;
    }
    auto made = Work(job);
    {
      std::lock_guard lock(mutex_);
      running_ = 0;
    }
    job.done(std::move(made));
  }
}

absl::StatusOr<v1::EmbedResponse> EmbeddingLoop::Work(const Job& job) {
  v1::EmbedResponse response;
  response.set_model(backend_.info().model);
  int64_t tokens = 0;
  for (const std::string& text : job.request.input()) {
    ASSIGN_OR_RETURN(*response.add_embeddings(), EmbedText(text, job, tokens));
  }
  response.mutable_usage()->set_prompt_tokens(tokens);
  return response;
}

absl::StatusOr<v1::Embedding> EmbeddingLoop::EmbedText(const std::string& text, const Job& job, int64_t& tokens) {
  const auto all = backend_.Tokenize(text, /*add_special=*/true, /*parse_special=*/false);
  const auto window = static_cast<size_t>(backend_.info().embedding_tokens_max);
  std::vector<double> sum;
  for (size_t from = 0; from < all.size(); from += window) {
    if (running_cancelled_) return absl::CancelledError("cancelled");
    if (job.deadline <= clock_.Monotonic()) return absl::DeadlineExceededError("the deadline passed");
    const auto part = absl::MakeConstSpan(all).subspan(from, window);
    ASSIGN_OR_RETURN(const std::vector<float> vector, backend_.Embed(part));
    sum.resize(vector.size(), 0);
    for (size_t i = 0; i < vector.size(); ++i) sum[i] += vector[i] * static_cast<double>(part.size());
  }
  tokens += static_cast<int64_t>(all.size());
  Normalise(sum);
  v1::Embedding embedding;
  for (const double value : sum) embedding.add_values(static_cast<float>(value));
  return embedding;
}

}  // namespace headgate::engine
