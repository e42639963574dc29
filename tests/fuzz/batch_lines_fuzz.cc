// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The file of a batch: what is asked is always a JSON object that asks for no stream; of a file with a mistake nothing
// is asked; otherwise every line is asked once and has one result.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/router/batches.h"
#include "services/router/openai_json.h"
#include "tests/fakes/manual_clock.h"

namespace {

using namespace headgate;
using namespace headgate::services;

Json Handled(Batches& batches, const std::string& method, const std::string& path, std::string body,
             const std::string& type = "") {
  HttpRequest request;
  request.method = method;
  request.path = path;
  request.body = std::move(body);
  if (!type.empty()) request.headers = {{"content-type", type}};
  const auto reply = batches.Handle(request, router::RequestHead(), "tenant");
  if (!reply.ok()) std::abort();
  return reply->json ? *ParseJson(reply->body) : Json(reply->body);
}

int64_t LinesOf(Batches& batches, const Json& file) {
  if (!file.is_string()) return 0;
  const Json content = Handled(batches, "GET", absl::StrCat("/v1/files/", file.get<std::string>(), "/content"), "");
  const auto text = content.get<std::string>();
  return std::count(text.begin(), text.end(), '\n');
}

Task<LineAnswer> Answer(std::string body, int* asked) {
  const auto json = ParseJson(body);
  if (!json.ok() || !json->is_object() || json->value("stream", Json()) == Json(true)) std::abort();
  ++*asked;
  co_return LineAnswer{200, "{}", std::nullopt};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  if (content.empty() || content.find("\r\n--end of it") != std::string::npos) return 0;
  boost::asio::io_context io;
  ManualClock clock(io);
  Metrics metrics;
  Calls calls;
  int asked = 0;
  Batches batches(io.get_executor(), clock, SeededRandom(1), calls, metrics,
                  [&asked](router::RequestHead, std::string, std::string body, Cancellation&) {
                    return Answer(std::move(body), &asked);
                  });
  const std::string body =
      absl::StrCat("--end of it\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--end of it\r\n",
                   "Content-Disposition: form-data; name=\"file\"\r\n\r\n", content, "\r\n--end of it--");
  const Json file = Handled(batches, "POST", "/v1/files", body, "multipart/form-data; boundary=\"end of it\"");
  const Json batch = Handled(batches, "POST", "/v1/batches",
                             absl::StrCat("{\"input_file_id\":", file["id"].dump(),
                                          ",\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"24h\"}"));
  clock.RunUntilIdle();
  const Json ended =
      Handled(batches, "GET", absl::StrCat("/v1/batches/", batch["id"].get<std::string>()), "");
  if (ended["status"] == "failed") {
    if (asked > 0) std::abort();
  } else {
    if (ended["status"] != "completed" || ended["request_counts"]["total"] != asked) std::abort();
    if (LinesOf(batches, ended["output_file_id"]) != asked) std::abort();
  }
  batches.Drain();
  clock.RunUntilIdle();
  return 0;
}
