// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Router: one request's whole path. router.cc lists it top to bottom; README.md tells it as a story.
//
// Everything that waits goes through injected interfaces on one executor, so that the seeded simulation (tests/sim)
// runs this very code.
//
// Thread-safety: executor thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "common/task.h"
#include "headgate/v1/router.pb.h"
#include "router/accounting.h"
#include "router/admission.h"
#include "router/audit.h"
#include "router/cache.h"
#include "router/classification.h"
#include "router/cloud_choice.h"
#include "router/config.h"
#include "router/conversation.h"
#include "router/dispatch.h"
#include "router/inspection_pool.h"
#include "router/masking.h"
#include "router/output_guard.h"
#include "router/policy.h"
#include "router/prompt.h"
#include "router/quote.h"
#include "router/refusals.h"
#include "router/request.h"
#include "router/router_metrics.h"
#include "router/screening.h"
#include "router/traffic_meter.h"
#include "router/upstream/endpoint_registry.h"

namespace headgate::router {

// Where an answer goes: a gRPC stream, an SSE response, a buffer.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  // Suspends while the client is slower than the upstream. An error (CANCELLED) means the client has gone.
  virtual Task<absl::Status> Write(const v1::GenerateStreamResponse& event) = 0;
};

// Stages made from the configuration alone; replaced as a whole on reload, requests in flight keep theirs.
struct Rules {
  RouterConfig config;
  Screening screening;
  std::unique_ptr<Classification> classification;
  Policy policy;
  std::unique_ptr<OutputGuard> output_guard;
  // Fails when a rule cannot be compiled; the caller keeps the old Rules.
  static absl::StatusOr<std::shared_ptr<const Rules>> Make(RouterConfig config);
};

// What a Router is made of. All must outlive it.
struct RouterParts {
  Executor executor;
  Clock& clock;
  RandomBytes random;
  Metrics& metrics;
  EndpointRegistry& endpoints;
  CloudUpstream* cloud;  // null: no cloud
  Audit& audit;
  std::string cache_key; // secret for the keys of cache and conversation memory
  std::vector<CloudUpstream*> clouds = {};  // of config.clouds, in that order
  SharedLimits* sharing = nullptr;          // null: every limit is this router's own
  CacheStore* cache_store = nullptr;        // null: the cache has one level
  InspectionPool* inspection = nullptr;     // null: all is read on the executor
};

class Router {
 public:
  Router(RouterParts parts, std::shared_ptr<const Rules> rules);
  ~Router();

  // Answers one request: route, deltas and finish go to `sink`; the status is the request's outcome. Exactly one audit
  // outcome is written on every path. `cancellation` is the client's disconnect; the deadline is handled inside.
  Task<absl::Status> Generate(const RequestHead& head, const Prompt& prompt, AnswerSink& sink,
                              Cancellation& cancellation);
  // Local only, whatever the content.
  Task<absl::StatusOr<v1::CountTokensResponse>> CountTokens(const RequestHead& head,
                                                            const v1::CountTokensRequest& request,
                                                            Cancellation& cancellation);
  Task<absl::StatusOr<v1::EmbedResponse>> Embed(const RequestHead& head, const v1::EmbedRequest& request,
                                                Cancellation& cancellation);
  // Whose request it is, without counting it: UNAUTHENTICATED (which is recorded, as by ListModels).
  absl::StatusOr<std::string> TenantOf(const RequestHead& head);
  Task<absl::StatusOr<v1::ListModelsResponse>> ListModels(const RequestHead& head, Cancellation& cancellation);

  // The same stages up to the decision, sending and counting nothing. Otherwise the cancellation's reason.
  Task<absl::StatusOr<v1::ExplainResponse>> Explain(const v1::ExplainRequest& request, Cancellation& cancellation);
  v1::GetStateResponse GetState() const;
  // Takes no new requests; in_flight() falls to 0.
  void Drain();
  int64_t in_flight() const;
  // Declares a profile (router.proto), with an audit record. INVALID_ARGUMENT: no such profile; UNAVAILABLE: it cannot
  // be recorded, and nothing has changed.
  absl::StatusOr<v1::SetProfileResponse> SetProfile(const v1::SetProfileRequest& request);

  // From now on, for new requests.
  void Apply(std::shared_ptr<const Rules> rules);
  // What a router that has just begun must know of earlier ones: money spent (Accounting::Restore), calls of today.
  void RestoreSpending(const std::string& audit_directory) {
    accounting_.Restore(audit_directory);
    dispatch_.RestoreCalls(audit_directory);
  }
  // One audit record about the process itself (a refused configuration, say). UNAVAILABLE when it cannot be written.
  absl::Status RecordAdmin(const std::string& detail);
  // A front door turned something away before it was a request: recorded, or counted (router/refusals.h).
  void Refused(Refusal reason, const std::string& api, absl::StatusCode code, const std::string& request_id) {
    refusals_.Add(reason, api, code, request_id);
  }

 private:
  // Who may not is recorded.
  absl::StatusOr<std::shared_ptr<const TenantConfig>> Authenticate(const RequestHead& head);
  struct Exchange;  // one request on its way (router_exchange.h)

  Task<absl::Status> Path(Exchange& x, const Prompt& prompt, AnswerSink& sink, Cancellation& cancellation);
  // Screening and classification of one prompt.
  struct Inspected {
    Screened screened;
    Sensitivity sensitivity;
  };
  Task<absl::StatusOr<Inspected>> Inspect(const Exchange& x, const Prompt& prompt, Cancellation& cancellation);
  absl::Status Filter(Exchange& x, const Screened& screened);
  // Of the masked request, when it is clean; for Explain.
  Task<absl::StatusOr<std::optional<Sensitivity>>> CleanRest(const Exchange& x, const Prompt& prompt,
                                                             const Sensitivity& sensitivity,
                                                             Cancellation& cancellation);
  Task<absl::Status> Mask(Exchange& x, const Prompt& prompt, Cancellation& cancellation);
  Decision Decide(Exchange& x, const Prompt& prompt);
  Decision Judge(Exchange& x, const Load& load, FleetSnapshot fleet, const Budget& budget);
  Ask AskFor(const std::string& tenant, const Prompt& prompt, bool sensitive, size_t cloud);
  Task<absl::Status> RecordDecision(Exchange& x, const Prompt& prompt, Decision& decision, Cancellation& cancellation);
  Task<absl::Status> ApproveHedge(Exchange& x, const Prompt& prompt, Cancellation& cancellation);
  bool ApproveRetry(Exchange& x, const Prompt& prompt);
  void BookLost(Exchange& x, const Prompt& prompt);
  Task<absl::Status> WriteDecision(Exchange& x, const Prompt& prompt, const Decision& decision);
  absl::Status KeepContent(const Exchange& x, const std::string& part, const google::protobuf::Message& content,
                           std::string* digest);
  Task<absl::Status> Replay(Exchange& x, const Cache::Events& events, AnswerSink& sink);
  Task<absl::Status> Relay(Exchange& x, const Prompt& prompt, Answer& answer, AnswerSink& sink,
                           Cancellation& cancellation);
  void Conclude(Exchange& x, const Prompt& prompt, const absl::Status& status);
  // Calls that only the cluster answers: admission, a ready engine, audit.
  template <typename Response, typename Call>
  Task<absl::StatusOr<Response>> AskLocal(const RequestHead& head, const Prompt& prompt, Cancellation& cancellation,
                                          Call call);
  FleetSnapshot Fleet(const Prompt& prompt, size_t cloud) const;
  CloudUpstream* Upstream(size_t cloud) const;
  PolicyConfig::Profile Profile() const { return profile_.value_or(rules_->config.policy.profile); }
  void ShowProfile();
  // The warm-up list of the cache is judged in slices: on the inspection threads when no request needs them, without
  // these between requests. A newer list ends an older one.
  struct WarmUpList;
  void WarmUp();
  void WarmUpNext();
  void TakeWarmed(const std::shared_ptr<WarmUpList>& list);
  v1::AuditRecord NewRecord(const Exchange& x, const Prompt& prompt, v1::AuditRecord::Kind kind) const;
  absl::Status RecordChain(v1::AuditRecord::Kind kind, const std::string& detail);

  RouterParts parts_;
  std::shared_ptr<const Rules> rules_;
  RouterMetrics metrics_;
  Refusals refusals_;
  Admission admission_;
  TrafficMeter meter_;
  Conversation conversation_;
  Cache cache_;
  Dispatch dispatch_;
  Accounting accounting_;
  QuoteBook quotes_;
  std::optional<PolicyConfig::Profile> profile_;  // declared at run time
  std::shared_ptr<WarmUpList> warm_up_;           // null: none, or done
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace headgate::router
