// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Scripted upstreams: FakeCloud behind CloudUpstream, FakeEngine (with FakeFleet to find it) behind LocalUpstream.
// Every call asks a function for its Script, so a test can answer by content, by count or by time. They count streams
// that are alive (leaks) and keep what they were given (FakeCloud's is what left the cluster).
//
// Useful for: dispatch, the router's path, tests/sim. Not for the wire: see the DeepSeek emulator.
//
// Thread-safety: executor thread only. Fakes must outlive the streams they made.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/task.h"
#include "headgate/v1/engine.pb.h"
#include "router/upstream/endpoint_registry.h"
#include "router/upstream/inference_client.h"

namespace headgate::router {

// What one call does. Event k comes at start + first_delay + k * piece_delay. After the last event: `end`.
struct Script {
  enum class End {
    kFinish,  // the events' own finish, or one that is added
    kFail,    // `failure`; OK: the stream just ends, without its finish
    kStall,   // nothing, ever: the caller's timer has to end it
  };
  std::vector<v1::GenerateStreamResponse> events;
  End end = End::kFinish;
  absl::Status failure;
  absl::Duration first_delay;
  absl::Duration piece_delay;
  std::optional<int64_t> paid_for = std::nullopt;  // AnswerStream::PaidFor

  // One delta a piece, then a finish (STOP, usage: one token a piece).
  static Script Answer(const std::vector<std::string>& pieces);
  static Script Fail(absl::Status failure) { return FailAfter({}, std::move(failure)); }
  static Script FailAfter(const std::vector<std::string>& pieces, absl::Status failure);
  static Script StallAfter(const std::vector<std::string>& pieces);
  Script After(absl::Duration first) && {
    first_delay = first;
    return std::move(*this);
  }
  Script Every(absl::Duration piece) && {
    piece_delay = piece;
    return std::move(*this);
  }
};
v1::GenerateStreamResponse ContentEvent(const std::string& text);
v1::GenerateStreamResponse FinishEvent(int64_t completion_tokens);

class FakeCloud : public CloudUpstream {
 public:
  using Answerer = std::function<Script(const CloudPrompt& prompt)>;
  FakeCloud(
      Executor executor, Clock& clock, Answerer answerer = [](const CloudPrompt&) {
        return Script::Answer({"cloud ", "answer"});
      });
  std::unique_ptr<AnswerStream> Generate(const CloudPrompt& prompt, const CloudCall& call) override;

  void set_answerer(Answerer answerer) { answerer_ = std::move(answerer); }
  int calls() const { return static_cast<int>(prompts_.size()); }
  int live_streams() const { return *live_; }
  // The serialised CloudPrompt::content of every call, in order: every byte that left.
  const std::vector<std::string>& prompts() const { return prompts_; }
  const std::vector<MonotonicTime>& call_times() const { return call_times_; }

 private:
  Executor executor_;
  Clock& clock_;
  Answerer answerer_;
  std::shared_ptr<int> live_ = std::make_shared<int>(0);
  std::vector<std::string> prompts_;
  std::vector<MonotonicTime> call_times_;
};

// One engine pod. Connect makes the client side that EndpointRegistry owns; an engine may be connected to many times.
class FakeEngine {
 public:
  using Answerer = std::function<Script(const Prompt& prompt, const CallOptions& options)>;
  FakeEngine(
      Executor executor, Clock& clock, Answerer answerer = [](const Prompt&, const CallOptions&) {
        return Script::Answer({"local ", "answer"});
      });
  ~FakeEngine();
  std::unique_ptr<LocalUpstream> Connect(EndpointRegistry::OnLoad on_load);

  void set_answerer(Answerer answerer) { answerer_ = std::move(answerer); }
  // Sequences at a time; above it, RESOURCE_EXHAUSTED. Default 64. Also reported as running_max.
  void set_running_max(int running_max) { running_max_ = running_max; }
  // Reports running = live streams, running_max and sequence_number now, and then every `interval` (zero: just once).
  void ReportLoad(absl::Duration interval = absl::ZeroDuration());
  void ReportLoad(v1::Load load);  // exactly this, once
  void StopReporting() { timer_.reset(); }
  // Load reports go through it: it calls what it is given at once, later, twice or not at all.
  void set_courier(std::function<void(std::function<void()> deliver)> courier) { courier_ = std::move(courier); }
  // All streams fail with UNAVAILABLE at once, as do new ones, and no more load is reported; until Start.
  void Kill();
  void Start() { dead_ = false; }

  int calls() const { return static_cast<int>(request_ids_.size()); }
  int live_streams() const { return *live_; }
  int connections() const { return static_cast<int>(clients_.size()); }
  const std::vector<std::string>& request_ids() const { return request_ids_; }
  const std::vector<v1::GenerateRequest>& requests() const { return requests_; }

 private:
  class Client;
  Executor executor_;
  Clock& clock_;
  Answerer answerer_;
  int running_max_ = 64;
  bool dead_ = false;
  uint64_t load_sequence_ = 0;
  std::shared_ptr<Cancellation> death_ = std::make_shared<Cancellation>();  // of the streams; a new one after each Kill
  std::shared_ptr<int> live_ = std::make_shared<int>(0);
  std::function<void(std::function<void()> deliver)> courier_ = [](const std::function<void()>& deliver) { deliver(); };
  std::vector<Client*> clients_;
  std::vector<std::string> request_ids_;
  std::vector<v1::GenerateRequest> requests_;
  std::unique_ptr<Timer> timer_;
};

// Engines by `ip:port`, names by host: what EndpointRegistry needs to find them.
class FakeFleet {
 public:
  FakeFleet(Executor executor, Clock& clock) : executor_(executor), clock_(clock) {}
  // Makes the engine on first use.
  FakeEngine& engine(const std::string& address);
  EndpointRegistry::Connect connect();
  EndpointRegistry::Resolve resolve();
  void SetName(const std::string& host, absl::StatusOr<std::vector<std::string>> ips) {
    names_.insert_or_assign(host, std::move(ips));
  }
  int live_streams() const;

 private:
  Executor executor_;
  Clock& clock_;
  std::map<std::string, std::unique_ptr<FakeEngine>> engines_;
  std::map<std::string, absl::StatusOr<std::vector<std::string>>> names_;
};

}  // namespace headgate::router
