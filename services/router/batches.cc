// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Tested by tests/unit/services/batches_test.cc and, with the openai package, tests/integration/clients/python_test.py.

#include "services/router/batches.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "boost/asio/co_spawn.hpp"
#include "common/mailbox.h"
#include "common/status_macros.h"
#include "services/router/multipart.h"
#include "services/router/openai_answer.h"
#include "services/router/openai_json.h"

namespace headgate::services {
namespace {

constexpr char kFiles[] = "/v1/files";
constexpr char kBatches[] = "/v1/batches";
constexpr absl::Duration kLookEvery = absl::Minutes(1);
constexpr absl::Duration kAgainMax = absl::Minutes(1);
constexpr int kAttemptsMax = 20;          // of a line that is refused for a while
constexpr size_t kYieldBytes = 64 << 10;  // validated at a time: others wait meanwhile
constexpr size_t kIdBytesMax = 64;
constexpr size_t kMetadataMax = 16;
constexpr size_t kMetadataBytesMax = 512;
constexpr size_t kFilenameBytesMax = 256;
constexpr size_t kMistakesMax = 20;

struct Line {
  std::string custom_id;
  std::string body;
};

// `{"custom_id": ..., "method": "POST", "url": ENDPOINT, "body": {...}}`
absl::StatusOr<Line> ReadLine(std::string_view text, const std::string& endpoint) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  absl::Status status;
  JsonFields fields(json, "", status);
  Line line;
  std::string method;
  std::string url;
  if (!fields.Get("custom_id", &line.custom_id) || line.custom_id.empty() || line.custom_id.size() > kIdBytesMax) {
    fields.Complain("custom_id", absl::StrCat("must be 1 to ", kIdBytesMax, " bytes"));
  }
  if (!fields.Get("method", &method) || method != "POST") fields.Complain("method", "must be POST");
  if (!fields.Get("url", &url) || url != endpoint) fields.Complain("url", "must be the batch's endpoint");
  const Json* const body = fields.Find("body");
  if (body == nullptr || !body->is_object()) {
    fields.Complain("body", "must be an object");
  } else if (body->contains("stream") && (*body)["stream"] != Json(false) && !(*body)["stream"].is_null()) {
    fields.Complain("body.stream", "a batch has no streams");
  } else {
    line.body = body->dump();
  }
  fields.Finish();
  if (!status.ok()) return status;
  return line;
}

absl::Status ReadMetadata(const Json& json, Batch& batch) {
  if (!json.is_object() || json.size() > kMetadataMax) {
    return FieldError("metadata", absl::StrCat("must be an object of at most ", kMetadataMax, " texts"));
  }
  for (const auto& [key, value] : json.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : std::string(kMetadataBytesMax + 1, ' ');
    if (key.size() > kIdBytesMax || text.size() > kMetadataBytesMax) {
      return FieldError("metadata", absl::StrCat("must have keys of at most ", kIdBytesMax,
                                                 " bytes and texts of at most ", kMetadataBytesMax));
    }
    batch.metadata.emplace_back(key, text);
  }
  return absl::OkStatus();
}

template <typename Items>
std::string List(const Items& items) {
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (const auto& item : items) absl::StrAppend(&out, &item == &items.front() ? "" : ",", item->Json());
  out.append("],\"has_more\":false}");
  return out;
}

bool RefusedForAWhile(const LineAnswer& answer) { return answer.http_status == 429 || answer.http_status == 503; }

void AbortOnException(std::exception_ptr error) {
  if (error) std::abort();
}

}  // namespace

Batches::Batches(Executor executor, Clock& clock, RandomBytes random, Calls& calls, Metrics& metrics, AskLine ask,
                 BatchLimits limits)
    : executor_(executor),
      clock_(clock),
      random_(random),
      calls_(calls),
      ask_(std::move(ask)),
      store_(clock, random, limits, metrics),
      completed_(metrics.GetCounter("headgate_router_batch_lines_total", "Lines of batches that ended",
                                    {{"result", "completed"}})),
      failed_(metrics.GetCounter("headgate_router_batch_lines_total", "Lines of batches that ended",
                                 {{"result", "failed"}})) {
  Look();
}

Batches::~Batches() = default;

bool Batches::Serves(const std::string& path) {
  for (const std::string prefix : {kFiles, kBatches}) {
    if (path == prefix || path.compare(0, prefix.size() + 1, prefix + "/") == 0) return true;
  }
  return false;
}

absl::StatusOr<Batches::Reply> Batches::Handle(const HttpRequest& request, const router::RequestHead& head,
                                               const std::string& tenant) {
  store_.Sweep();
  if (draining_ && request.method == "POST") return absl::UnavailableError("the router is draining");
  absl::string_view rest = request.path;
  if (absl::ConsumePrefix(&rest, kFiles)) return Files(request, tenant, std::string(absl::StripPrefix(rest, "/")));
  absl::ConsumePrefix(&rest, kBatches);
  return OfBatches(request, head, tenant, std::string(absl::StripPrefix(rest, "/")));
}

absl::StatusOr<Batches::Reply> Batches::Files(const HttpRequest& request, const std::string& tenant,
                                              std::string rest) {
  if (rest.empty()) {
    if (request.method == "POST") return Upload(request, tenant);
    if (request.Reads()) return Reply{List(store_.Files(tenant))};
    return FieldError("method", "use GET or POST");
  }
  const bool content = absl::EndsWith(rest, "/content");
  if (content) rest.resize(rest.size() - 8);
  if (request.method == "DELETE" && !content) {
    RETURN_IF_ERROR(store_.DeleteFile(tenant, rest));
    return Reply{Json({{"id", rest}, {"object", "file"}, {"deleted", true}}).dump()};
  }
  if (!request.Reads()) return FieldError("method", content ? "use GET" : "use GET or DELETE");
  ASSIGN_OR_RETURN(const auto file, store_.File(tenant, rest));
  return content ? Reply{file->content, false} : Reply{file->Json()};
}

absl::StatusOr<Batches::Reply> Batches::Upload(const HttpRequest& request, const std::string& tenant) {
  const auto types = request.Values("content-type");
  if (types.size() != 1) return FieldError("content-type", "must be multipart/form-data");
  ASSIGN_OR_RETURN(const auto parts, ParseForm(types[0], request.body));
  const FormPart* file = nullptr;
  std::string_view purpose;
  for (const FormPart& part : parts) {
    if (part.name == "file" && file == nullptr) {
      file = &part;
    } else if (part.name == "purpose" && purpose.empty()) {
      purpose = part.content;
    } else {
      return FieldError("body", "parts are one file and one purpose");
    }
  }
  if (purpose != "batch") return FieldError("purpose", "must be batch");
  if (file == nullptr || file->content.empty()) return FieldError("file", "is missing or empty");
  if (file->filename.size() > kFilenameBytesMax) return FieldError("file", "has too long a name");
  ASSIGN_OR_RETURN(const auto added,
                   store_.AddFile(tenant, file->filename, "batch", std::string(file->content)));
  return Reply{added->Json()};
}

absl::StatusOr<Batches::Reply> Batches::OfBatches(const HttpRequest& request, const router::RequestHead& head,
                                                  const std::string& tenant, std::string rest) {
  if (rest.empty()) {
    if (request.method == "POST") return Create(request, head, tenant);
    if (request.Reads()) return Reply{List(store_.Batches(tenant))};
    return FieldError("method", "use GET or POST");
  }
  const bool cancel = absl::EndsWith(rest, "/cancel");
  if (cancel) rest.resize(rest.size() - 7);
  if (cancel ? request.method != "POST" : !request.Reads()) {
    return FieldError("method", cancel ? "use POST" : "use GET");
  }
  ASSIGN_OR_RETURN(const Found batch, store_.Find(tenant, rest));
  if (cancel) Cancel(*batch);
  return Reply{batch->Json()};
}

absl::StatusOr<Batches::Reply> Batches::Create(const HttpRequest& request, const router::RequestHead& head,
                                               const std::string& tenant) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(request.body));
  absl::Status status;
  JsonFields fields(json, "", status);
  std::string file, endpoint, window;
  if (!fields.Get("input_file_id", &file)) fields.Complain("input_file_id", "is missing");
  fields.Get("endpoint", &endpoint);
  if (endpoint != "/v1/chat/completions" && endpoint != "/v1/completions" && endpoint != "/v1/embeddings") {
    fields.Complain("endpoint", "must be /v1/chat/completions, /v1/completions or /v1/embeddings");
  }
  if (!fields.Get("completion_window", &window) || window != "24h") fields.Complain("completion_window", "must be 24h");
  const Json* const metadata = fields.Find("metadata");
  fields.Finish();
  RETURN_IF_ERROR(status);
  Batch checked;
  if (metadata != nullptr) RETURN_IF_ERROR(ReadMetadata(*metadata, checked));
  auto input = store_.File(tenant, file);
  if (!input.ok()) return FieldError("input_file_id", "there is no such file");
  if ((*input)->purpose != "batch") return FieldError("input_file_id", "is not a file for batches");
  ASSIGN_OR_RETURN(const Found batch, store_.AddBatch(tenant, *std::move(input)));
  batch->endpoint = endpoint;
  batch->head = head;
  batch->metadata = std::move(checked.metadata);
  boost::asio::co_spawn(executor_, Validate(batch), &AbortOnException);
  return Reply{batch->Json()};
}

// All lines are looked at before the first is asked, as OpenAI does: a file with a mistake costs nothing.
Task<void> Batches::Validate(Found batch) {
  std::set<std::string> ids;
  std::string_view left = batch->input->content;
  size_t looked_at = 0;
  const auto complain = [&](const char* code, std::string message, size_t line) {
    if (batch->mistakes.size() < kMistakesMax) batch->mistakes.push_back({code, std::move(message), line});
  };
  for (size_t number = 1; !left.empty() && batch->status == BatchStatus::kValidating; ++number) {
    const std::string_view text = left.substr(0, left.find('\n'));
    left.remove_prefix(std::min(left.size(), text.size() + 1));
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (batch->lines.size() == store_.limits().lines_max) {
      complain("too_many_tasks", absl::StrCat("has more than ", store_.limits().lines_max, " lines"), number);
      break;
    }
    batch->lines.push_back(text);
    ++batch->total;
    const auto line = ReadLine(text, batch->endpoint);
    if (!line.ok()) {
      complain("invalid_json_line", std::string(line.status().message()), number);
    } else if (!ids.insert(line->custom_id).second) {
      complain("duplicate_custom_id", "custom_id: was used by an earlier line", number);
    }
    looked_at += text.size();
    if (looked_at < kYieldBytes) continue;
    looked_at = 0;
    const absl::Status woken = co_await SleepUntil(executor_, clock_, clock_.Monotonic(), drained_);
    if (!woken.ok()) co_return;
  }
  if (batch->status == BatchStatus::kValidating) {
    if (batch->lines.empty()) complain("empty_file", "has no lines", 0);
    if (!batch->mistakes.empty()) {
      store_.End(*batch, BatchStatus::kFailed);
      co_return;
    }
    batch->status = BatchStatus::kInProgress;
    batch->times["in_progress_at"] = clock_.WallTime();
  }
  EndIfDue(*batch);
  Pump();
}

// The oldest batch of the tenant that follows the one served last.
Batches::Found Batches::Next() {
  Found first;
  Found next;
  const auto before = [](const Found& a, const Found& b) {
    return b == nullptr || std::tie(a->tenant, a->created, a->id) < std::tie(b->tenant, b->created, b->id);
  };
  for (const auto& [id, batch] : store_.batches()) {
    if (batch->status != BatchStatus::kInProgress || batch->next == batch->lines.size()) continue;
    if (before(batch, first)) first = batch;
    if (batch->tenant > last_tenant_ && before(batch, next)) next = batch;
  }
  return next ? next : first;
}

void Batches::Pump() {
  while (!draining_ && running_ < store_.limits().at_a_time) {
    const Found batch = Next();
    if (batch == nullptr) return;
    last_tenant_ = batch->tenant;
    const size_t line = batch->next++;
    ++running_;
    ++batch->running;
    boost::asio::co_spawn(executor_, RunLine(batch, line), &AbortOnException);
  }
}

Task<void> Batches::RunLine(Found batch, size_t number) {
  auto line = ReadLine(batch->lines[number], batch->endpoint);
  if (line.ok()) {  // it was when it was looked at
    Cancellation stop;
    const Calls::Entry entry(calls_, stop);
    batch->stops.insert(&stop);
    const std::string request_id = Hex(random_(16));
    batch->head.request_id = request_id;
    std::string body = std::move(line->body);
    const LineAnswer answer = co_await AskUntilTaken(*batch, std::move(body), stop);
    batch->stops.erase(&stop);
    if (!draining_ || answer.http_status == 200) Keep(*batch, line->custom_id, request_id, answer);
  }
  --running_;
  --batch->running;
  EndIfDue(*batch);
  Pump();
}

// A router that is full, or a tenant's rate: later there is room. The line's own mistakes are not asked twice.
Task<LineAnswer> Batches::AskUntilTaken(Batch& batch, std::string body, Cancellation& stop) {
  router::RequestHead head = batch.head;
  absl::Duration wait = absl::Seconds(1);
  for (int attempt = 1;; ++attempt) {
    head.received = clock_.Monotonic();
    LineAnswer answer = co_await ask_(head, batch.endpoint, body, stop);
    if (!RefusedForAWhile(answer) || attempt == kAttemptsMax || draining_ || stop.cancelled()) co_return answer;
    const absl::Duration until = std::min(std::max(wait, answer.retry_after.value_or(wait)), kAgainMax);
    wait = std::min(2 * wait, kAgainMax);
    sleeping_.insert(&stop);
    const absl::Status slept = co_await SleepUntil(executor_, clock_, clock_.Monotonic() + until, stop);
    sleeping_.erase(&stop);
    if (!slept.ok()) co_return answer;
  }
}

void Batches::Keep(Batch& batch, const std::string& custom_id, const std::string& request_id,
                   const LineAnswer& answer) {
  const bool good = answer.http_status == 200;
  std::string out = absl::StrCat("{\"id\":\"batch_req_", request_id, "\",\"custom_id\":");
  AppendJsonString(out, custom_id);
  absl::StrAppend(&out, ",\"response\":{\"status_code\":", answer.http_status, ",\"request_id\":\"", request_id,
                  "\",\"body\":", answer.body, "},\"error\":null}\n");
  const bool kept = store_.Append(batch, good, out);
  if (!kept && (batch.mistakes.empty() || batch.mistakes.back().code != "no_room")) {
    batch.mistakes.push_back({"no_room", "the tenant's files and results have no room for every answer", 0});
  }
  ++(good && kept ? batch.completed : batch.failed);
  (good && kept ? completed_ : failed_).Increment();
}

void Batches::Lose(Batch& batch, const std::string& custom_id, const char* code, const char* message) {
  std::string out = absl::StrCat("{\"id\":\"batch_req_", Hex(random_(16)), "\",\"custom_id\":");
  AppendJsonString(out, custom_id);
  absl::StrAppend(&out, ",\"response\":null,\"error\":{\"code\":\"", code, "\",\"message\":\"", message, "\"}}\n");
  store_.Append(batch, false, out);
  ++batch.failed;
  failed_.Increment();
}

void Batches::EndIfDue(Batch& batch) {
  if (batch.over() || batch.running > 0) return;
  const bool all = batch.next == batch.lines.size() && batch.status != BatchStatus::kValidating;
  if (batch.status == BatchStatus::kInProgress && !all && clock_.WallTime() >= batch.expires) {
    for (; batch.next < batch.lines.size(); ++batch.next) {
      const auto line = ReadLine(batch.lines[batch.next], batch.endpoint);
      if (line.ok()) Lose(batch, line->custom_id, "batch_expired", "was not asked within 24 hours");
    }
    store_.End(batch, BatchStatus::kExpired);
  } else if (batch.status == BatchStatus::kInProgress && all) {
    store_.End(batch, BatchStatus::kCompleted);
  } else if (batch.status == BatchStatus::kCancelling) {
    store_.End(batch, BatchStatus::kCancelled);
  }
}

void Batches::Cancel(Batch& batch) {
  if (batch.over()) return;
  if (batch.status != BatchStatus::kCancelling) batch.times["cancelling_at"] = clock_.WallTime();
  batch.status = BatchStatus::kCancelling;
  const std::set<Cancellation*> stops = batch.stops;
  for (Cancellation* const stop : stops) stop->Cancel(absl::CancelledError("the batch was cancelled"));
  EndIfDue(batch);
}

void Batches::Drain() {
  draining_ = true;
  drained_.Cancel(absl::UnavailableError("the router is draining"));
  const std::set<Cancellation*> sleeping = sleeping_;
  for (Cancellation* const stop : sleeping) stop->Cancel(absl::UnavailableError("the router is draining"));
}

void Batches::Look() {
  for (const auto& [id, batch] : store_.batches()) {
    if (batch->over() || clock_.WallTime() < batch->expires) continue;
    const std::set<Cancellation*> stops = batch->stops;
    for (Cancellation* const stop : stops) stop->Cancel(absl::DeadlineExceededError("the batch's time is over"));
    EndIfDue(*batch);
  }
  store_.Sweep();
  timer_ = clock_.CallAt(clock_.Monotonic() + kLookEvery, [this] { Look(); });
}

}  // namespace headgate::services
