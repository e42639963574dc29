// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/fakes/fake_upstreams.h"

#include <algorithm>
#include <utility>

#include "common/mailbox.h"

namespace headgate::router {
namespace {

// Counts itself as alive until destroyed.
class ScriptedStream : public AnswerStream {
 public:
  ScriptedStream(Executor executor, Clock& clock, Script script, std::shared_ptr<int> live,
                 std::shared_ptr<Cancellation> death)
      : executor_(executor),
        clock_(clock),
        script_(std::move(script)),
        live_(std::move(live)),
        death_(std::move(death)),
        start_(clock.Monotonic()) {
    ++*live_;
  }
  ~ScriptedStream() override { --*live_; }

  Task<absl::StatusOr<std::optional<v1::GenerateStreamResponse>>> Next(MonotonicTime until,
                                                                       Cancellation& cancellation) override {
    if (finished_) co_return std::nullopt;
    const bool stalls = next_ == script_.events.size() && script_.end == Script::End::kStall;
    const MonotonicTime at = stalls ? absl::InfiniteDuration()
                                    : start_ + script_.first_delay + script_.piece_delay * static_cast<double>(next_);
    if (clock_.Monotonic() < at && !death_->cancelled()) {
      Mailbox<bool> alarm(executor_, 1);
      auto on_death = death_->OnCancel([&alarm] { alarm.Close(absl::OkStatus()); });
      auto woken = co_await alarm.Receive(clock_, std::min(at, until), cancellation);
    }
    if (cancellation.cancelled()) co_return cancellation.reason();
    if (death_->cancelled()) co_return death_->reason();
    if (clock_.Monotonic() < at) co_return absl::DeadlineExceededError("no event in time");
    if (next_ == script_.events.size()) {
      if (script_.failure.ok()) co_return std::nullopt;
      co_return script_.failure;
    }
    auto event = script_.events[next_++];
    finished_ = event.has_finish();
    co_return event;
  }
  std::optional<int64_t> PaidFor() const override { return script_.paid_for; }

 private:
  Executor executor_;
  Clock& clock_;
  const Script script_;
  const std::shared_ptr<int> live_;
  const std::shared_ptr<Cancellation> death_;  // of the engine
  const MonotonicTime start_;
  size_t next_ = 0;
  bool finished_ = false;
};

Script WithFinish(Script script) {
  if (script.end == Script::End::kFinish && (script.events.empty() || !script.events.back().has_finish())) {
    script.events.push_back(FinishEvent(static_cast<int64_t>(script.events.size())));
  }
  return script;
}

}  // namespace

v1::GenerateStreamResponse ContentEvent(const std::string& text) {
  v1::GenerateStreamResponse event;
  event.mutable_delta()->set_content(text);
  return event;
}

v1::GenerateStreamResponse FinishEvent(int64_t completion_tokens) {
  v1::GenerateStreamResponse event;
  event.mutable_finish()->set_reason(v1::FINISH_REASON_STOP);
  event.mutable_finish()->mutable_usage()->set_prompt_tokens(10);
  event.mutable_finish()->mutable_usage()->set_completion_tokens(completion_tokens);
  return event;
}

Script Script::Answer(const std::vector<std::string>& pieces) {
  Script script;
  for (const auto& piece : pieces) script.events.push_back(ContentEvent(piece));
  return WithFinish(std::move(script));
}

Script Script::FailAfter(const std::vector<std::string>& pieces, absl::Status failure) {
  Script script;
  for (const auto& piece : pieces) script.events.push_back(ContentEvent(piece));
  script.end = End::kFail;
  script.failure = std::move(failure);
  return script;
}

Script Script::StallAfter(const std::vector<std::string>& pieces) {
  Script script = FailAfter(pieces, absl::OkStatus());
  script.end = End::kStall;
  return script;
}

FakeCloud::FakeCloud(Executor executor, Clock& clock, Answerer answerer)
    : executor_(executor), clock_(clock), answerer_(std::move(answerer)) {}

std::unique_ptr<AnswerStream> FakeCloud::Generate(const CloudPrompt& prompt, const CloudCall&) {
  prompts_.push_back(prompt.content().SerializeAsString());
  call_times_.push_back(clock_.Monotonic());
  return std::make_unique<ScriptedStream>(executor_, clock_, WithFinish(answerer_(prompt)), live_,
                                          std::make_shared<Cancellation>());
}

class FakeEngine::Client : public LocalUpstream {
 public:
  Client(FakeEngine& engine, EndpointRegistry::OnLoad on_load) : engine_(engine), on_load_(std::move(on_load)) {
    engine_.clients_.push_back(this);
  }
  ~Client() override { std::erase(engine_.clients_, this); }
  void OnLoad(const v1::Load& load) {
    model_ = load.model();
    on_load_(load);
  }

  std::unique_ptr<AnswerStream> Generate(const Prompt& prompt, const CallOptions& options) override {
    engine_.request_ids_.push_back(options.request_id);
    engine_.requests_.push_back(prompt.content());
    Script script;
    if (engine_.dead_) {
      script = Script::Fail(absl::UnavailableError("engine is gone"));
    } else if (*engine_.live_ >= engine_.running_max_) {
      script = Script::Fail(absl::ResourceExhaustedError("queue full"));
    } else {
      script = WithFinish(engine_.answerer_(prompt, options));
    }
    return std::make_unique<ScriptedStream>(engine_.executor_, engine_.clock_, std::move(script), engine_.live_,
                                            engine_.death_);
  }
  Task<absl::StatusOr<v1::CountTokensResponse>> CountTokens(const v1::CountTokensRequest&, MonotonicTime,
                                                            Cancellation&) override {
    if (engine_.dead_) co_return absl::UnavailableError("engine is gone");
    v1::CountTokensResponse response;
    response.set_tokens(7);
    response.set_model("fake");
    co_return response;
  }
  Task<absl::StatusOr<v1::EmbedResponse>> Embed(const v1::EmbedRequest&, MonotonicTime, Cancellation&) override {
    if (engine_.dead_) co_return absl::UnavailableError("engine is gone");
    v1::EmbedResponse response;
    response.add_embeddings()->add_values(1);
    response.set_model("fake");
    co_return response;
  }
  Task<absl::StatusOr<v1::ListModelsResponse>> ListModels(MonotonicTime, Cancellation&) override {
    if (engine_.dead_) co_return absl::UnavailableError("engine is gone");
    v1::ListModelsResponse response;
    response.add_models()->set_id(model_);
    co_return response;
  }

 private:
  FakeEngine& engine_;
  const EndpointRegistry::OnLoad on_load_;
  std::string model_;  // as reported last
};

FakeEngine::FakeEngine(Executor executor, Clock& clock, Answerer answerer)
    : executor_(executor), clock_(clock), answerer_(std::move(answerer)) {}
FakeEngine::~FakeEngine() = default;

std::unique_ptr<LocalUpstream> FakeEngine::Connect(EndpointRegistry::OnLoad on_load) {
  return std::make_unique<Client>(*this, std::move(on_load));
}

void FakeEngine::ReportLoad(absl::Duration interval) {
  v1::Load load;
  load.set_model("fake");
  load.set_running(std::min(*live_, running_max_));
  load.set_running_max(running_max_);
  load.set_kv_cells_total(1'000'000);
  load.set_kv_cells_free(1'000'000);
  ReportLoad(std::move(load));
  if (interval <= absl::ZeroDuration()) return;
  timer_ = clock_.CallAt(clock_.Monotonic() + interval, [this, interval] { ReportLoad(interval); });
}

void FakeEngine::ReportLoad(v1::Load load) {
  if (dead_) return;
  load.set_sequence_number(++load_sequence_);
  courier_([this, load] {
    const std::vector<Client*> clients = clients_;  // a report may connect or disconnect
    for (Client* client : clients) client->OnLoad(load);
  });
}

void FakeEngine::Kill() {
  dead_ = true;
  // A stream that ends on this may bring the engine up again: let go of it first.
  const auto death = std::exchange(death_, std::make_shared<Cancellation>());
  death->Cancel(absl::UnavailableError("engine is gone"));
}

FakeEngine& FakeFleet::engine(const std::string& address) {
  auto& engine = engines_[address];
  if (!engine) engine = std::make_unique<FakeEngine>(executor_, clock_);
  return *engine;
}

EndpointRegistry::Connect FakeFleet::connect() {
  return [this](const EndpointConfig&, const std::string& address, EndpointRegistry::OnLoad on_load) {
    return engine(address).Connect(std::move(on_load));
  };
}

EndpointRegistry::Resolve FakeFleet::resolve() {
  return [this](std::string host) -> Task<absl::StatusOr<std::vector<std::string>>> {
    const auto found = names_.find(host);
    if (found == names_.end()) co_return absl::NotFoundError("no such host");
    co_return found->second;
  };
}

int FakeFleet::live_streams() const {
  int live = 0;
  for (const auto& [address, engine] : engines_) live += engine->live_streams();
  return live;
}

}  // namespace headgate::router
