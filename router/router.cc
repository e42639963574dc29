// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The path of a request, top to bottom: read Path. Every stage is one typed call; only this file knows their order.
// A stage that says no ends the request with its Status; Conclude runs on every way out and writes the one audit
// outcome.
#include "router/router.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "router/router_exchange.h"

namespace headgate::router {
namespace {

constexpr size_t kReasoningKeptMax = 1 << 20;

}  // namespace

Task<absl::Status> Router::Generate(const RequestHead& head, const Prompt& prompt, AnswerSink& sink,
                                    Cancellation& cancellation) {
  Exchange x(head, rules_);
  const absl::Status status = co_await Path(x, prompt, sink, cancellation);
  Conclude(x, prompt, status);
  co_return status;
}

Task<absl::Status> Router::Path(Exchange& x, const Prompt& prompt, AnswerSink& sink,
                                Cancellation& cancellation) {
  const Rules& rules = *x.rules;

  // Who is it, may they, is it well formed? From here on the request has a tenant and a finite deadline.
  x.stage = "admission";
  CO_ASSIGN_OR_RETURN(Ticket ticket, admission_.Admit(x.head, prompt));
  x.ticket.emplace(std::move(ticket));
  x.cloud = ChooseCloud(rules.config, x.ticket->tenant->name, x.ticket->priority);
  const auto deadline_timer = parts_.clock.CallAt(x.ticket->deadline, [&cancellation] {
    cancellation.Cancel(absl::DeadlineExceededError("the request's deadline has passed"));
  });

  // Every string becomes canonical text, so that what is hidden from the eye is not hidden from the detectors.
  x.stage = "screening";
  auto inspected = co_await Inspect(x, prompt, cancellation);
  if (!inspected.ok()) co_return inspected.status();
  CO_RETURN_IF_ERROR(Filter(x, inspected->screened));

  // How sensitive is it? The maximum of declared level, tenant floor and detectors; any failure means sensitive.
  x.stage = "classification";
  x.sensitivity = std::move(inspected->sensitivity);
  x.classified = true;
  metrics_.Classified(x.sensitivity);

  // Was it said before, or is that not known? Once sensitive, a conversation stays local.
  x.stage = "conversation";
  const auto known = conversation_.Recall(*x.ticket->tenant, prompt, x.sensitivity);  // may raise it
  metrics_.Recalled(Name(known));

  // Opt-in: values that may be masked are; if the rest is found clean, it may leave in the request's place.
  x.stage = "masking";
  const absl::Status masked = co_await Mask(x, prompt, cancellation);
  if (!masked.ok()) co_return masked;

  // Answered before, within this tenant, and not sensitive?
  x.stage = "cache";
  auto kept = co_await cache_.FindOrLead(parts_.executor, *x.ticket, prompt, x.sensitivity, x.flight, cancellation);
  if (!kept.ok()) co_return kept.status();
  if (*kept) {
    const absl::Status replayed = co_await Replay(x, **kept, sink);
    co_return replayed;
  }

  // Cloud or local: Decide gathers rate, prices, budget and fleet; Policy::Decide itself is pure, and the only one to
  // mint a CloudPermit.
  x.stage = "policy";
  Decision decision = Decide(x, prompt);

  // The record of the decision is written before a byte can leave. For the cloud this takes place and budget there and
  // may wait for the disk; if it fails, `decision` becomes a local one (router_records.cc).
  x.stage = "audit";
  CO_RETURN_IF_ERROR(co_await RecordDecision(x, prompt, decision, cancellation));
  // For conversation: from here on its next turns are kept too, whatever becomes of this one.
  if (x.kept()) conversation_.RememberSensitive(*x.ticket->tenant, prompt, x.sensitivity.level);

  // Send it there; retry and fall back, never towards less trust, until the first content byte. The gate to the cloud
  // is here: permit and prompt become a CloudPrompt, or nothing is sent.
  x.stage = "dispatch";
  const router::ApproveHedge approve = [&](Cancellation& stop) { return ApproveHedge(x, prompt, stop); };
  const router::ApproveRetry again = [&] { return ApproveRetry(x, prompt); };
  auto answer = co_await dispatch_.Send(*x.ticket, x.outgoing(prompt), x.judged(), std::move(decision), x.attempts,
                                        cancellation, approve, again);
  if (!answer.ok()) co_return answer.status();

  // The answer flows through the output guard to the client; accounting and audit follow in Conclude.
  x.stage = "output_guard";
  const absl::Status relayed = co_await Relay(x, prompt, **answer, sink, cancellation);
  co_return relayed;
}

CloudUpstream* Router::Upstream(size_t cloud) const {
  if (cloud == 0) return parts_.cloud;
  return cloud <= parts_.clouds.size() ? parts_.clouds[cloud - 1] : nullptr;
}

FleetSnapshot Router::Fleet(const Prompt& prompt, size_t cloud) const {
  FleetSnapshot fleet;
  fleet.cloud_can_answer = CloudCanAnswer(prompt);
  fleet.cloud_configured = Upstream(cloud) != nullptr;
  fleet.cloud_available = fleet.cloud_configured && dispatch_.cloud_available(cloud);
  fleet.cloud_has_room = dispatch_.cloud_has_room(cloud);
  fleet.profile = profile_;
  fleet.audit_writable = parts_.audit.writable();
  fleet.local_ready = parts_.endpoints.ReadyCount(/*most=*/1);  // policy asks only whether there is one
  return fleet;
}

// Large ones on another thread, together with their classification, so that small ones need not wait for them.
Task<absl::StatusOr<Router::Inspected>> Router::Inspect(const Exchange& x, const Prompt& prompt,
                                                        Cancellation& cancellation) {
  const Rules& rules = *x.rules;
  const auto classify = [&](const Screened& screened) {
    return rules.classification->Classify(x.ticket->declared_sensitivity, *x.ticket->tenant, screened);
  };
  Inspected inspected;
  const auto inspect = [&] {
    inspected.screened = rules.screening.Screen(prompt);
    inspected.sensitivity = classify(inspected.screened);
  };
  const size_t messages = static_cast<size_t>(prompt.content().messages_size());
  if (parts_.inspection == nullptr || prompt.text_bytes() + messages * kInspectBytesPerMessage < kInspectAsideBytes) {
    inspect();
    co_return inspected;
  }
  const absl::Status read = co_await parts_.inspection->Run(inspect, cancellation);
  if (cancellation.cancelled()) co_return cancellation.reason();
  if (!read.ok()) {
    inspected.screened = rules.screening.Unread(prompt, absl::IsResourceExhausted(read) ? "busy" : "failed");
    inspected.sensitivity = classify(inspected.screened);
  }
  co_return inspected;
}

absl::Status Router::Filter(Exchange& x, const Screened& screened) {
  x.attacks = AttackFindings(screened);
  x.filter_keeps_local = FilterKeepsLocal(screened);
  for (const Screened::Attack& attack : screened.attacks) metrics_.Attack(attack);
  return CheckInputFilter(screened);
}

// The masked request goes through the same stages as every other; a residue, and it was for nothing.
Task<absl::Status> Router::Mask(Exchange& x, const Prompt& prompt, Cancellation& cancellation) {
  auto masked = Masking::Mask(*x.ticket->tenant, prompt, x.sensitivity);
  if (!masked) co_return absl::OkStatus();
  auto inspected = co_await Inspect(x, masked->prompt, cancellation);
  if (!inspected.ok()) co_return inspected.status();
  const bool clean = !inspected->sensitivity.sensitive() && !Masking::Remains(masked->values, inspected->screened);
  metrics_.Masked(clean);
  if (clean) x.mask.emplace(Exchange::Mask{*std::move(masked), std::move(inspected->sensitivity)});
  co_return absl::OkStatus();
}

// What policy says about the masked request counts only if that leaves; here there is nobody to mask anything from.
Decision Router::Judge(Exchange& x, const Load& load, FleetSnapshot fleet, const Budget& budget) {
  fleet.filter_keeps_local = x.filter_keeps_local;
  const auto ask = [&] {
    Decision made = x.rules->policy.Decide(x.ticket->request_id, *x.ticket->tenant, x.judged(), load, fleet, budget);
    made.cloud = x.cloud;
    return made;
  };
  Decision decision = ask();
  if (!x.mask) return decision;
  if (decision.target == Target::kCloud) {
    decision.reasons.emplace_back("masked");
    return decision;
  }
  x.mask.reset();
  return ask();
}

Decision Router::Decide(Exchange& x, const Prompt& prompt) {
  // Only requests that could go to the cloud count towards its rate.
  const bool eligible = !x.judged().sensitive() && x.ticket->tenant->cloud_allowed;
  Load load = eligible ? meter_.Arrive() : meter_.Peek();
  const std::string& tenant = x.ticket->tenant->name;
  const Offer offer = quotes_.For(tenant, AskFor(tenant, prompt, x.judged().sensitive(), x.cloud));
  load.quote = offer.quote;
  x.local_predicted_s = offer.local_predicted_seconds;
  quotes_.Arrived(tenant, eligible, offer);
  // For whoever scales the engines.
  const auto wanted = quotes_.Wanted(static_cast<int64_t>(parts_.endpoints.endpoints().size()));
  if (wanted) metrics_.Wanted(*wanted);
  const Budget budget = accounting_.BudgetFor(*x.ticket, prompt, x.cloud_config().model);
  return Judge(x, load, Fleet(prompt, x.cloud), budget);
}

Ask Router::AskFor(const std::string& tenant, const Prompt& prompt, bool sensitive, size_t cloud) {
  const Prospect prospect = dispatch_.Look(tenant, prompt, sensitive, cloud);
  Ask ask{.prompt_tokens = static_cast<double>(prompt.text_bytes()) / 4};  // a rough count is enough for a comparison
  ask.max_tokens = prompt.content().max_tokens();
  ask.local_first_token_seconds = prospect.local.first_token_seconds;
  ask.local_cached_tokens = prospect.local.cached_tokens;
  ask.cloud_cached_tokens = prospect.cloud_cached_tokens;
  ask.cloud = cloud;
  return ask;
}

Task<absl::Status> Router::Replay(Exchange& x, const Cache::Events& events, AnswerSink& sink) {
  for (v1::GenerateStreamResponse event : events) {
    if (event.has_route()) {
      event.mutable_route()->set_request_id(x.ticket->request_id);
      event.mutable_route()->clear_reasons();
      event.mutable_route()->add_reasons("cached");
      x.route = event.route();
    }
    Conversation::Collect(event.delta(), x.answer);
    const absl::Status written = co_await sink.Write(event);
    if (!written.ok()) co_return written;
  }
  x.finished = true;  // no usage: a replay costs no tokens
  co_return absl::OkStatus();
}

Task<absl::Status> Router::Relay(Exchange& x, const Prompt& prompt, Answer& answer, AnswerSink& sink,
                                 Cancellation& cancellation) {
  const bool cacheable = cache_.Cacheable(*x.ticket, prompt, x.sensitivity);
  Cache::Events events;
  x.route = answer.route();
  x.route.set_sensitivity(x.sensitivity.level);
  x.route.set_request_id(x.ticket->request_id);
  x.begun = true;
  if (!x.head.whole) x.first_token = parts_.clock.Monotonic();
  v1::GenerateStreamResponse first;
  *first.mutable_route() = x.route;
  if (cacheable) events.push_back(first);
  absl::Status written = co_await sink.Write(first);
  if (!written.ok()) co_return written;

  const auto guard = x.rules->output_guard->NewStream();
  Unmasking unmasking(x.mask ? x.mask->request.values : Masked::Values());
  while (!x.finished) {
    auto event = co_await answer.Next(cancellation);
    if (!event.ok()) co_return event.status();
    if (!event->has_value()) co_return absl::InternalError("the answer ended without a finish");
    if ((*event)->has_delta()) ++x.deltas;
    if ((*event)->has_finish()) x.usage = (*event)->finish().usage();
    std::vector<v1::GenerateStreamResponse> passed = guard->Filter(*std::move(*event));
    x.guard_flags = guard->flags();
    for (const v1::GenerateStreamResponse& out : unmasking.Filter(std::move(passed))) {
      if (out.has_finish()) x.finished = true;
      Conversation::Collect(out.delta(), x.answer);
      if (x.reasoning.size() < kReasoningKeptMax) x.reasoning += out.delta().reasoning_content();
      if (cacheable) events.push_back(out);
      written = co_await sink.Write(out);
      if (!written.ok()) co_return written;
    }
  }
  if (!guard->stopped()) cache_.Store(*x.ticket, prompt, x.sensitivity, std::move(events));
  co_return absl::OkStatus();
}

// accounting and audit on every way out, refusals included.
void Router::Conclude(Exchange& x, const Prompt& prompt, const absl::Status& status) {
  const absl::Duration took = parts_.clock.Monotonic() - x.head.received;
  // What was refused before the decision is kept too. An answer that did not come is none.
  KeepContent(x, "input", prompt.content(), &x.input_digest).IgnoreError();
  v1::AuditRecord record = NewRecord(x, prompt, v1::AuditRecord::KIND_OUTCOME);
  if (x.answer.role() != v1::ROLE_UNSPECIFIED) {
    v1::Message kept = x.answer;
    kept.set_reasoning_content(x.reasoning);
    KeepContent(x, "output", kept, record.mutable_output_digest()).IgnoreError();
  }
  record.set_status(absl::StatusCodeToString(status.code()));
  if (!status.ok()) record.set_stage(std::string(x.stage));
  *record.mutable_route() = x.route;
  record.set_cloud_attempts(x.attempts.cloud);
  record.set_duration_us(absl::ToInt64Microseconds(took));
  if (x.first_token < absl::InfiniteDuration()) {
    record.set_first_token_us(absl::ToInt64Microseconds(x.first_token - x.head.received));
  }
  if (!x.guard_flags.empty()) {
    AddDetail(absl::StrCat("output_guard matched ", absl::StrJoin(x.guard_flags, ", ")), record);
  }

  if (x.ticket) {
    conversation_.RememberAnswer(*x.ticket->tenant, prompt, x.answer, x.kept(), x.sensitivity.level);
  }
  const bool broken_off = (x.deltas > 0 || (x.begun && !x.finished)) && x.usage.completion_tokens() == 0;
  if (broken_off) {
    // The upstream's count never came: one token an event, or four bytes one; said so in the record.
    const auto answered = static_cast<int64_t>(x.answer.content().size() + x.reasoning.size());
    x.usage.set_completion_tokens(x.head.whole ? std::max(x.deltas, answered / 4) : x.deltas);
    x.usage.set_prompt_tokens(static_cast<int64_t>(prompt.text_bytes() / 4));
    AddDetail("usage estimated", record);
  }
  BookLost(x, prompt);
  AddCharge(x.lost, record);
  AddLost(x.attempts, record);
  if (x.ticket && x.usage.completion_tokens() + x.usage.prompt_tokens() > 0) {
    const Charge charge = accounting_.Settle(*x.ticket, x.route, x.usage, std::move(x.hold));
    const bool cloud = x.route.target() == v1::Route::TARGET_CLOUD;
    const absl::Duration first_token = x.first_token - x.head.received;
    // A hedge's first token is late by the time that it was not sent.
    if (x.attempts.hedge == Attempts::Hedge::kNone) {
      const auto side = cloud ? Quote::Side::kCloud : Quote::Side::kLocal;
      quotes_.Answered(x.ticket->tenant->name, side, x.usage, first_token, x.cloud);
    }
    if (!cloud && !x.judged().sensitive() && first_token < absl::InfiniteDuration()) {
      quotes_.LocalFirstToken(static_cast<double>(prompt.text_bytes()) / 4, x.local_predicted_s,
                              absl::ToDoubleSeconds(first_token));
    }
    *record.mutable_usage() = x.usage;
    if (cloud) AddCharge(charge, record);
  }
  metrics_.Ended(x.head.api, x.route, status, status.ok() ? std::string_view() : x.stage, took,
                x.first_token - x.head.received, x.usage);
  // Whoever has no key must not fill the disk.
  if (!x.ticket && absl::IsUnauthenticated(status) && !refusals_.TakeWhole(Refusal::kUnknownKey)) return;
  // When this fails Audit has raised the alarm and closed the cloud. In both cases before the answer's end leaves.
  if (x.head.whole) return parts_.audit.WriteSoon(parts_.executor, std::move(record));
  parts_.audit.Write(std::move(record)).IgnoreError();
}

template <typename Response, typename Call>
Task<absl::StatusOr<Response>> Router::AskLocal(const RequestHead& head, const Prompt& prompt,
                                                         Cancellation& cancellation, Call call) {
  Exchange x(head, rules_);
  absl::StatusOr<Response> result = absl::UnknownError("");
  if (auto ticket = admission_.Admit(head, prompt); !ticket.ok()) {
    result = ticket.status();
  } else {
    x.ticket.emplace(*std::move(ticket));
    x.stage = "dispatch";
    auto endpoint = co_await dispatch_.WaitForLocal(prompt.content().model(), x.ticket->deadline, cancellation);
    if (!endpoint.ok()) {
      result = endpoint.status();
    } else {
      x.route.set_target(v1::Route::TARGET_LOCAL);
      x.route.set_endpoint((*endpoint)->name);
      x.route.add_reasons("local_only_call");
      result = co_await call(*(*endpoint)->upstream, x.ticket->deadline);
    }
  }
  Conclude(x, prompt, result.status());
  co_return result;
}

Task<absl::StatusOr<v1::CountTokensResponse>> Router::CountTokens(const RequestHead& head,
                                                                  const v1::CountTokensRequest& request,
                                                                  Cancellation& cancellation) {
  v1::GenerateRequest content;
  *content.mutable_messages() = request.messages();
  *content.mutable_tools() = request.tools();
  content.set_prompt(request.prompt());
  content.set_model(request.model());
  const Prompt prompt(std::move(content));
  auto call = [&](LocalUpstream& engine, MonotonicTime deadline) {
    return engine.CountTokens(request, deadline, cancellation);
  };
  auto result = co_await AskLocal<v1::CountTokensResponse>(head, prompt, cancellation, call);
  co_return result;
}

Task<absl::StatusOr<v1::EmbedResponse>> Router::Embed(const RequestHead& head, const v1::EmbedRequest& request,
                                                      Cancellation& cancellation) {
  v1::GenerateRequest content;
  content.set_model(request.model());
  for (const std::string& input : request.input()) {
    v1::Message& message = *content.add_messages();
    message.set_role(v1::ROLE_USER);
    message.set_content(input);
  }
  const Prompt prompt(std::move(content));
  auto call = [&](LocalUpstream& engine, MonotonicTime deadline) {
    return engine.Embed(request, deadline, cancellation);
  };
  auto result = co_await AskLocal<v1::EmbedResponse>(head, prompt, cancellation, call);
  co_return result;
}

absl::StatusOr<std::shared_ptr<const TenantConfig>> Router::Authenticate(const RequestHead& head) {
  auto tenant = admission_.Authenticate(head);
  if (!tenant.ok()) Refused(Refusal::kUnknownKey, head.api, tenant.status().code(), head.request_id);
  return tenant;
}

absl::StatusOr<std::string> Router::TenantOf(const RequestHead& head) {
  ASSIGN_OR_RETURN(const auto tenant, Authenticate(head));
  return tenant->name;
}

namespace {

constexpr size_t kPoolsAsked = 16;

// One that reports, of a model that is not among `asked`; null when there is none.
std::shared_ptr<Endpoint> EngineOfAnotherModel(const EndpointRegistry& endpoints, const std::set<std::string>& asked) {
  for (const auto& endpoint : endpoints.endpoints()) {
    if (endpoints.Fresh(*endpoint) && !endpoint->gone && !asked.contains(endpoint->load.model())) return endpoint;
  }
  return nullptr;
}

}  // namespace

Task<absl::StatusOr<v1::ListModelsResponse>> Router::ListModels(const RequestHead& head, Cancellation& cancellation) {
  // Reading a list costs no quota, but only tenants may read it.
  CO_ASSIGN_OR_RETURN(const auto tenant, Authenticate(head));
  v1::ListModelsResponse models;
  const std::shared_ptr<const Rules> rules = rules_;
  const MonotonicTime soon = parts_.clock.Monotonic() + absl::Seconds(2);
  std::set<std::string> asked, listed;
  auto endpoint = co_await dispatch_.WaitForLocal({}, soon, cancellation);
  while (endpoint.ok() && *endpoint && asked.size() < kPoolsAsked) {  // one engine of each
    asked.insert((*endpoint)->load.model());
    auto local = co_await (*endpoint)->upstream->ListModels(soon, cancellation);
    for (int i = 0; local.ok() && i < local->models_size(); ++i) {
      if (listed.insert(local->models(i).id()).second) models.add_models()->Swap(local->mutable_models(i));
    }
    endpoint = EngineOfAnotherModel(parts_.endpoints, asked);
  }
  for (size_t cloud = 0; tenant->cloud_allowed && cloud <= rules->config.clouds.size(); ++cloud) {
    if (Upstream(cloud) == nullptr) continue;
    v1::Model& model = *models.add_models();
    model.set_id(CloudNumber(rules->config, cloud).model);
    model.set_owned_by(CloudNumber(rules->config, cloud).name);
  }
  co_return models;
}

Router::Router(RouterParts parts, std::shared_ptr<const Rules> rules)
    : parts_(std::move(parts)),
      rules_(std::move(rules)),
      metrics_(parts_.metrics),
      refusals_(parts_.clock, parts_.metrics,
                [this](v1::AuditRecord record) {
                  record.set_policy_version(rules_->config.version);
                  parts_.audit.Write(std::move(record)).IgnoreError();
                }),
      admission_(parts_.clock, rules_->config),
      meter_(parts_.clock, rules_->config.policy),
      conversation_(parts_.clock, rules_->config.conversation, HmacSha256(parts_.cache_key, "conversation"),
                    parts_.metrics),
      cache_(parts_.clock, rules_->config.cache, parts_.cache_key, parts_.metrics),
      dispatch_(parts_.executor, parts_.clock, parts_.random, rules_->config.cloud, rules_->config.local,
                parts_.endpoints, parts_.cloud, parts_.metrics),
      accounting_(parts_.clock, rules_->config.accounting, parts_.metrics),
      quotes_(parts_.clock, rules_->config) {
  accounting_.Apply(rules_->config.accounting, rules_->config.tenants);
  dispatch_.Apply(rules_->config.policy);
  for (size_t i = 0; i < rules_->config.clouds.size(); ++i) {
    dispatch_.AddCloud(rules_->config.clouds[i], Upstream(i + 1));
  }
  ShowProfile();
  cache_.SetStore(parts_.cache_store);
  WarmUp();
  if (parts_.sharing != nullptr) {
    admission_.Share(*parts_.sharing);
    meter_.Share(*parts_.sharing);
    dispatch_.Share(*parts_.sharing);
    accounting_.Share(*parts_.sharing);
  }
  RecordChain(v1::AuditRecord::KIND_CHAIN_START, "start").IgnoreError();
}

Router::~Router() {
  refusals_.Flush();
  RecordChain(v1::AuditRecord::KIND_CHAIN_END, "stop").IgnoreError();
}

void Router::Drain() {
  admission_.Drain();
  RecordAdmin("drain").IgnoreError();
}
int64_t Router::in_flight() const { return admission_.in_flight(); }

void Router::Apply(std::shared_ptr<const Rules> rules) {
  const RouterConfig& config = rules->config;
  admission_.Apply(config);
  meter_.Apply(config.policy);
  conversation_.Apply(config.conversation);
  cache_.Apply(config.cache);
  dispatch_.Apply(config.cloud, config.local);
  dispatch_.Apply(config.policy);
  accounting_.Apply(config.accounting, config.tenants);
  quotes_.Apply(config);
  parts_.endpoints.Apply(config.local);
  rules_ = std::move(rules);
  ShowProfile();
  WarmUp();
  RecordAdmin(absl::StrCat("configuration ", rules_->config.version)).IgnoreError();
}

}  // namespace headgate::router
