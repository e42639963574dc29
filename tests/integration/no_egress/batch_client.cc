// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/batch_client.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "tests/fakes/time_scale.h"

namespace headgate::router {
namespace {

using Json = nlohmann::json;

constexpr char kBoundary[] = "----between-the-parts";
constexpr char kOwnLine[] = "mine";

std::string TextOf(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Only the key, the level and what must not leave: a file has no more.
std::vector<std::pair<std::string, std::string>> HeadersOf(const WireRequest& line, const char* type) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const auto& header : line.headers) {
    if (header.first != "content-type") headers.push_back(header);
  }
  headers.emplace_back("content-type", type);
  return headers;
}

// Every other one has a line before it that is nobody's.
WireRequest UploadOf(const WireRequest& line, bool two) {
  const auto row = [&](const char* id, const std::string& body) {
    return absl::StrCat("{\"custom_id\":\"", id, "\",\"method\":\"POST\",\"url\":\"", line.path, "\",\"body\":", body,
                        "}\n");
  };
  const bool chat = line.path == "/v1/chat/completions";
  const char* const other = chat ? R"({"messages":[{"role":"user","content":"Hello."}],"max_tokens":2})"
                                 : R"({"prompt":"Hello.","max_tokens":2})";
  WireRequest upload;
  upload.path = "/v1/files";
  upload.headers = HeadersOf(line, "multipart/form-data; boundary=----between-the-parts");
  upload.body = absl::StrCat("--", kBoundary, "\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--",
                             kBoundary,
                             "\r\ncontent-disposition: form-data; name=\"file\"; filename=\"lines.jsonl\"\r\n"
                             "content-type: application/jsonl\r\n\r\n",
                             two ? row("other", other) : "", row(kOwnLine, line.body), "\r\n--", kBoundary, "--\r\n");
  return upload;
}

void SeeLine(const std::string& text, Ended& ended) {
  const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (TextOf(line, "custom_id") != kOwnLine) return;
  const auto response = line.find("response");
  if (response == line.end() || !response->is_object()) return;
  ended.request_id = TextOf(*response, "request_id");
  const int code = response->value("status_code", 0);
  if (code == 200) {
    ended.status = absl::OkStatus();
    ended.routes = ended.finishes = 1;
    return;
  }
  absl::StrAppend(&ended.said, response->value("body", Json()).dump(), "\n");
  ended.status = code == 400 || code == 401 ? absl::InvalidArgumentError("refused") : absl::UnavailableError("refused");
}

bool Over(const std::string& status) {
  static const std::set<std::string> kOver = {"completed", "failed", "expired", "cancelled"};
  return kOver.contains(status);
}

}  // namespace

Task<void> AskInBatch(WireCall call, Executor executor, Clock& clock, const CanaryRequest& made,
                      std::string request_id, Patience patience, Ended& ended) {
  const WireRequest line = ToHttp(made, request_id);
  ended.status = absl::UnavailableError("cut");
  const auto plain = [&line](std::string path) {
    return WireRequest{std::move(path), HeadersOf(line, "application/json"), ""};
  };
  WireRequest upload = UploadOf(line, made.canary.back() % 2 == 0);
  WireAnswer answer = co_await call("POST", std::move(upload));
  const std::string file = TextOf(Json::parse(answer.body, nullptr, false), "id");
  if (answer.code != 200) {
    absl::StrAppend(&ended.said, answer.body, "\n");
    ended.status = answer.code == 401 ? absl::InvalidArgumentError("refused") : absl::UnavailableError("refused");
    co_return;
  }
  WireRequest create = plain("/v1/batches");
  create.body =
      Json({{"input_file_id", file}, {"endpoint", line.path}, {"completion_window", "24h"}}).dump();
  answer = co_await call("POST", std::move(create));
  Json batch = Json::parse(answer.body, nullptr, false);
  const std::string id = TextOf(batch, "id");
  if (answer.code != 200) {
    absl::StrAppend(&ended.said, answer.body, "\n");
    co_return;
  }
  // A line that is refused for a while is asked again, after seconds: not for as long as that takes.
  const MonotonicTime patient = clock.Monotonic() + absl::Milliseconds(500) + absl::Milliseconds(200) * TimeScale();
  const MonotonicTime leave = std::min({patience.deadline, clock.Monotonic() + patience.leave_at, patient});
  Cancellation never;
  bool cancelled = false;
  absl::Duration pause = absl::Milliseconds(2);
  while (!Over(TextOf(batch, "status"))) {
    const absl::Status slept = co_await SleepUntil(executor, clock, clock.Monotonic() + pause, never);
    if (!slept.ok()) co_return;
    pause = std::min(2 * pause, absl::Milliseconds(50));
    const bool stop = !cancelled && clock.Monotonic() >= leave;
    WireRequest ask = plain(absl::StrCat("/v1/batches/", id, stop ? "/cancel" : ""));
    const char* const method = stop ? "POST" : "GET";
    answer = co_await call(method, std::move(ask));
    if (answer.code == 404) co_return;  // over, and forgotten: nobody asked for as long as that is kept
    if (answer.code != 200) continue;
    cancelled |= stop;
    batch = Json::parse(answer.body, nullptr, false);
  }
  absl::StrAppend(&ended.said, batch.dump(), "\n");
  if (TextOf(batch, "status") == "failed") ended.status = absl::InvalidArgumentError("no batch");
  for (const char* const kind : {"output_file_id", "error_file_id"}) {
    const std::string results = TextOf(batch, kind);
    if (results.empty()) continue;
    WireRequest read = plain(absl::StrCat("/v1/files/", results, "/content"));
    answer = co_await call("GET", std::move(read));
    for (const auto& text : absl::StrSplit(answer.body, '\n')) SeeLine(std::string(text), ended);
    WireRequest forget = plain(absl::StrCat("/v1/files/", results));
    answer = co_await call("DELETE", std::move(forget));
  }
  WireRequest forget = plain(absl::StrCat("/v1/files/", file));
  answer = co_await call("DELETE", std::move(forget));
}

}  // namespace headgate::router
