// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Files and batches without a router: lines, results, bounds, tenants, cancelling, expiry. The openai package does the
// same against the programs in tests/integration/clients/python_test.py.

#include "services/router/batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/mailbox.h"
#include "services/router/openai_answer.h"
#include "services/router/openai_json.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::services {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr char kChat[] = "/v1/chat/completions";

std::string LineOf(const std::string& id, const std::string& text, const std::string& more = "") {
  return absl::StrCat("{\"custom_id\":\"", id, "\",\"method\":\"POST\",\"url\":\"", kChat,
                      "\",\"body\":{\"messages\":\"", text, "\"", more, "}}\n");
}

class BatchesTest : public testing::Test {
 protected:
  BatchesTest() { Make({}); }
  ~BatchesTest() override {
    batches_->Drain();
    calls_.CancelAll(absl::UnavailableError("end"));
    clock_.RunUntilIdle();
  }
  void Make(BatchLimits limits) {
    batches_ = std::make_unique<Batches>(io_.get_executor(), clock_, SeededRandom(1), calls_, metrics_,
                                         [this](router::RequestHead head, std::string endpoint, std::string body,
                                                Cancellation& cancellation) {
                                           return Ask(std::move(head), std::move(endpoint), std::move(body),
                                                      cancellation);
                                         },
                                         limits);
  }
  // Answers with what `refusals_` has next, or with the body; takes `takes_`.
  Task<LineAnswer> Ask(router::RequestHead head, std::string endpoint, std::string body, Cancellation& cancellation) {
    asked_.push_back(absl::StrCat(head.api_key, " ", endpoint, " ", body));
    most_ = std::max(most_, ++running_);
    const absl::Status slept =
        co_await SleepUntil(io_.get_executor(), clock_, clock_.Monotonic() + takes_, cancellation);
    --running_;
    if (!slept.ok()) co_return LineAnswer{HttpStatus(slept), ErrorBody(slept), std::nullopt};
    if (!refusals_.empty()) {
      const LineAnswer refusal = refusals_.front();
      refusals_.pop_front();
      co_return refusal;
    }
    co_return LineAnswer{200, std::move(body), std::nullopt};
  }

  absl::StatusOr<Batches::Reply> Call(const std::string& method, const std::string& path, std::string body = "",
                                      const std::string& tenant = "alpha", const std::string& type = "") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.body = std::move(body);
    if (!type.empty()) request.headers = {{"content-type", type}};
    router::RequestHead head;
    head.api_key = absl::StrCat("key-", tenant);
    return batches_->Handle(request, head, tenant);
  }
  Json Good(const absl::StatusOr<Batches::Reply>& reply) {
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *ParseJson(reply->body) : Json();
  }
  absl::StatusOr<Batches::Reply> Upload(const std::string& content, const std::string& tenant = "alpha",
                                        const std::string& purpose = "batch") {
    const std::string body =
        absl::StrCat("--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n", purpose,
                     "\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n"
                     "Content-Type: application/octet-stream\r\n\r\n",
                     content, "\r\n--x--\r\n");
    return Call("POST", "/v1/files", body, tenant, "multipart/form-data; boundary=x");
  }
  absl::StatusOr<Batches::Reply> Create(const std::string& file, const std::string& tenant = "alpha",
                                        const std::string& more = "") {
    return Call("POST", "/v1/batches",
                absl::StrCat("{\"input_file_id\":\"", file, "\",\"endpoint\":\"", kChat,
                             "\",\"completion_window\":\"24h\"", more, "}"),
                tenant);
  }
  std::string Begin(const std::string& content, const std::string& tenant = "alpha") {
    const std::string file = Good(Upload(content, tenant))["id"];
    return Good(Create(file, tenant))["id"];
  }
  Json Look(const std::string& batch, const std::string& tenant = "alpha") {
    return Good(Call("GET", "/v1/batches/" + batch, "", tenant));
  }
  std::string Content(const Json& id, const std::string& tenant = "alpha") {
    if (!id.is_string()) return "";
    const auto reply = Call("GET", absl::StrCat("/v1/files/", id.get<std::string>(), "/content"), "", tenant);
    EXPECT_TRUE(reply.ok() && !reply->json) << reply.status();
    return reply.ok() ? reply->body : "";
  }

  boost::asio::io_context io_;
  ManualClock clock_{io_};
  Metrics metrics_;
  Calls calls_;
  std::vector<std::string> asked_;
  std::deque<LineAnswer> refusals_;
  absl::Duration takes_ = absl::Milliseconds(10);
  int running_ = 0, most_ = 0;
  std::unique_ptr<Batches> batches_;
};

TEST_F(BatchesTest, EveryLineIsAskedAndItsAnswerKept) {
  const Json file = Good(Upload(LineOf("a", "one") + "\n" + LineOf("b", "two")));
  EXPECT_EQ(file["object"], "file");
  EXPECT_EQ(file["filename"], "in.jsonl");
  const Json made = Good(Create(file["id"], "alpha", ",\"metadata\":{\"why\":\"nightly\"}"));
  EXPECT_EQ(made["status"], "validating");
  EXPECT_EQ(made["metadata"]["why"], "nightly");
  clock_.Advance(absl::Seconds(1));
  const Json done = Look(made["id"]);
  EXPECT_EQ(done["status"], "completed");
  EXPECT_EQ(done["request_counts"].dump(), R"({"total":2,"completed":2,"failed":0})");
  EXPECT_TRUE(done["error_file_id"].is_null());
  EXPECT_THAT(asked_, UnorderedElementsAre(R"(key-alpha /v1/chat/completions {"messages":"one"})",
                                           R"(key-alpha /v1/chat/completions {"messages":"two"})"));
  std::map<std::string, std::string> answers;
  for (const auto line : absl::StrSplit(Content(done["output_file_id"]), '\n', absl::SkipEmpty())) {
    const Json answer = *ParseJson(std::string(line));
    EXPECT_EQ(answer["response"]["status_code"], 200);
    answers[answer["custom_id"]] = answer["response"]["body"]["messages"];
  }
  EXPECT_EQ(answers, (std::map<std::string, std::string>{{"a", "one"}, {"b", "two"}}));
}

TEST_F(BatchesTest, AFileWithMistakesAsksNothing) {
  const struct {
    const char* row;
    std::string content;
    const char* code;
    int line;
  } rows[] = {
      {"no JSON", LineOf("a", "x") + "{\n", "invalid_json_line", 2},
      {"no id", "{\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{}}\n", "invalid_json_line", 1},
      {"an id twice", LineOf("a", "x") + LineOf("a", "y"), "duplicate_custom_id", 2},
      {"another endpoint", "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/files\",\"body\":{}}\n",
       "invalid_json_line", 1},
      {"a field that is not known", LineOf("a", "x").replace(1, 0, "\"no\":1,"), "invalid_json_line", 1},
      {"a stream", LineOf("a", "x", ",\"stream\":true"), "invalid_json_line", 1},
      {"nothing", " \n\n", "empty_file", 0},
  };
  for (const auto& row : rows) {
    const std::string batch = Begin(row.content);
    clock_.Advance(absl::Seconds(1));
    const Json failed = Look(batch);
    EXPECT_EQ(failed["status"], "failed") << row.row;
    EXPECT_EQ(failed["errors"]["data"][0]["code"], row.code) << row.row;
    EXPECT_EQ(failed["errors"]["data"][0]["line"], row.line == 0 ? Json() : Json(row.line)) << row.row;
    EXPECT_THAT(failed.dump(), testing::Not(HasSubstr("\"y\""))) << "no content in complaints";
  }
  EXPECT_TRUE(asked_.empty());
}

TEST_F(BatchesTest, RefusalsForAWhileAreAskedAgainAndMistakesAreNot) {
  refusals_ = {{429, "{\"error\":{}}", absl::Seconds(5)}, {503, "{\"error\":{}}", std::nullopt}};
  const std::string batch = Begin(LineOf("a", "one"));
  clock_.Advance(absl::Seconds(4));
  EXPECT_EQ(asked_.size(), 1u);
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(asked_.size(), 3u);
  EXPECT_EQ(Look(batch)["status"], "completed");
  EXPECT_EQ(Look(batch)["request_counts"]["completed"], 1);

  refusals_ = {{400, "{\"error\":{\"message\":\"no\"}}", std::nullopt}};
  const std::string bad = Begin(LineOf("a", "one"));
  clock_.Advance(absl::Seconds(1));
  const Json done = Look(bad);
  EXPECT_EQ(done["request_counts"]["failed"], 1);
  EXPECT_TRUE(done["output_file_id"].is_null());
  EXPECT_THAT(Content(done["error_file_id"]), HasSubstr("\"status_code\":400"));
  EXPECT_EQ(asked_.size(), 4u);
}

TEST_F(BatchesTest, TenantsDoNotMeet) {
  const std::string file = Good(Upload(LineOf("a", "secret")))["id"];
  const std::string batch = Good(Create(file))["id"];
  clock_.Advance(absl::Seconds(1));
  const std::string output = Look(batch)["output_file_id"];
  for (const auto& [method, path] : std::vector<std::pair<std::string, std::string>>{
           {"GET", "/v1/files/" + file}, {"GET", "/v1/files/" + file + "/content"}, {"DELETE", "/v1/files/" + file},
           {"GET", "/v1/files/" + output + "/content"}, {"GET", "/v1/batches/" + batch},
           {"POST", "/v1/batches/" + batch + "/cancel"}}) {
    EXPECT_EQ(Call(method, path, "", "beta").status().code(), absl::StatusCode::kNotFound) << method << " " << path;
  }
  EXPECT_EQ(ParamOf(Create(file, "beta").status()), "input_file_id");
  EXPECT_EQ(Good(Call("GET", "/v1/files", "", "beta"))["data"].size(), 0u);
  EXPECT_EQ(Good(Call("GET", "/v1/batches", "", "beta"))["data"].size(), 0u);
  EXPECT_EQ(Good(Call("GET", "/v1/files"))["data"].size(), 2u);
  EXPECT_EQ(Good(Call("GET", "/v1/batches"))["data"].size(), 1u);
}

TEST_F(BatchesTest, LinesAreBoundedAndTenantsTakeTurns) {
  Make({.at_a_time = 2});
  std::string many;
  for (int i = 0; i < 20; ++i) many += LineOf(absl::StrCat("n", i), "many");
  const std::string large = Begin(many);
  const std::string small = Begin(LineOf("a", "few"), "beta");
  clock_.Advance(absl::Milliseconds(25));  // two or three turns
  EXPECT_EQ(Look(small, "beta")["status"], "completed");
  EXPECT_EQ(Look(large)["status"], "in_progress");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Look(large)["request_counts"]["completed"], 20);
  EXPECT_EQ(most_, 2);
}

TEST_F(BatchesTest, EverythingHasABound) {
  const std::string line = LineOf("a", std::string(400, 'x'));
  Make({.bytes_max = 4096, .tenant_bytes_max = 2048, .tenant_files_max = 3, .tenant_batches_max = 1, .lines_max = 2});
  EXPECT_EQ(Upload(std::string(2049, 'x')).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Upload(std::string(2048, 'x'), "beta").ok());
  EXPECT_TRUE(Upload(std::string(1500, 'x'), "gamma").ok());
  EXPECT_EQ(Upload(std::string(600, 'x')).status().code(), absl::StatusCode::kResourceExhausted) << "of all";
  const std::string three = LineOf("a", "x") + LineOf("b", "x") + LineOf("c", "x");
  const std::string batch = Begin(three);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Look(batch)["errors"]["data"][0]["code"], "too_many_tasks");
  EXPECT_TRUE(Upload("1").ok());
  EXPECT_TRUE(Upload("2").ok());
  EXPECT_THAT(std::string(Upload("3").status().message()), HasSubstr("3 files"));
  const std::string file = Good(Call("GET", "/v1/files"))["data"][0]["id"];
  EXPECT_THAT(std::string(Create(file).status().message()), HasSubstr("1 batches"));
}

TEST_F(BatchesTest, AnAnswerWithoutRoomIsSaidToBeLost) {
  Make({.tenant_bytes_max = 1500});
  const std::string batch = Begin(LineOf("a", std::string(500, 'x')) + LineOf("b", std::string(500, 'x')));
  clock_.Advance(absl::Seconds(1));
  const Json done = Look(batch);
  EXPECT_EQ(done["status"], "completed");
  EXPECT_EQ(done["request_counts"]["failed"], 2);
  EXPECT_EQ(done["errors"]["data"][0]["code"], "no_room");
}

TEST_F(BatchesTest, CancelStopsLinesAndKeepsWhatIsThere) {
  Make({.at_a_time = 1});
  const std::string batch = Begin(LineOf("a", "one") + LineOf("b", "two") + LineOf("c", "three"));
  clock_.Advance(absl::Milliseconds(15));  // the first has ended, the second is asked
  const std::string file = Look(batch)["input_file_id"];
  EXPECT_EQ(Call("DELETE", "/v1/files/" + file).status().code(), absl::StatusCode::kAborted) << "in use";
  EXPECT_EQ(Good(Call("POST", "/v1/batches/" + batch + "/cancel"))["status"], "cancelling");
  clock_.RunUntilIdle();
  const Json cancelled = Look(batch);
  EXPECT_EQ(cancelled["status"], "cancelled");
  EXPECT_EQ(asked_.size(), 2u);
  EXPECT_THAT(Content(cancelled["output_file_id"]), HasSubstr("\"custom_id\":\"a\""));
  EXPECT_TRUE(Call("DELETE", "/v1/files/" + file).ok());
}

TEST_F(BatchesTest, ADayIsAllABatchHasAndAllAResultIsKept) {
  Make({.at_a_time = 1});
  takes_ = absl::Hours(13);
  const std::string batch = Begin(LineOf("a", "one") + LineOf("b", "two") + LineOf("c", "three"));
  clock_.Advance(absl::Hours(24) + absl::Minutes(2));
  const Json expired = Look(batch);
  EXPECT_EQ(expired["status"], "expired");
  EXPECT_EQ(expired["request_counts"].dump(), R"({"total":3,"completed":1,"failed":2})");
  EXPECT_THAT(Content(expired["error_file_id"]), HasSubstr("batch_expired"));
  clock_.Advance(absl::Hours(24));
  EXPECT_EQ(Call("GET", "/v1/batches/" + batch).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Good(Call("GET", "/v1/files"))["data"].size(), 0u);
  EXPECT_THAT(metrics_.Text(), HasSubstr("headgate_router_batch_bytes 0\n"));
}

TEST_F(BatchesTest, ADrainBeginsNoMoreLines) {
  Make({.at_a_time = 1});
  Begin(LineOf("a", "one") + LineOf("b", "two"));
  clock_.Advance(absl::Milliseconds(5));
  EXPECT_EQ(calls_.size(), 1u) << "a drain waits for it";
  batches_->Drain();
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(asked_.size(), 1u);
  EXPECT_EQ(calls_.size(), 0u);
  EXPECT_EQ(Upload("x").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(BatchesTest, RefusalsNameTheField) {
  const std::string file = Good(Upload(LineOf("a", "x")))["id"];
  const auto create = [&](const std::string& body) { return ParamOf(Call("POST", "/v1/batches", body).status()); };
  EXPECT_EQ(ParamOf(Upload("x", "alpha", "fine-tune").status()), "purpose");
  EXPECT_EQ(ParamOf(Upload("").status()), "file");
  EXPECT_EQ(ParamOf(Call("POST", "/v1/files", "x", "alpha", "application/json").status()), "content-type");
  EXPECT_EQ(create("{}"), "input_file_id");
  EXPECT_EQ(create(R"({"input_file_id":"f","endpoint":"/v1/models","completion_window":"24h"})"), "endpoint");
  EXPECT_EQ(create(R"({"input_file_id":"f","endpoint":"/v1/embeddings","completion_window":"1h"})"),
            "completion_window");
  EXPECT_EQ(create(R"({"input_file_id":"f","endpoint":"/v1/embeddings","completion_window":"24h"})"), "input_file_id");
  EXPECT_EQ(create(absl::StrCat(R"({"input_file_id":")", file,
                                R"(","endpoint":"/v1/embeddings","completion_window":"24h","metadata":{"a":1}})")),
            "metadata");
  for (const auto& [method, path] : std::vector<std::pair<std::string, std::string>>{
           {"PUT", "/v1/files"}, {"PUT", "/v1/files/x"}, {"DELETE", "/v1/files/x/content"}, {"PUT", "/v1/batches"},
           {"DELETE", "/v1/batches/x"}, {"GET", "/v1/batches/x/cancel"}, {"HEAD", "/v1/batches/x/cancel"}}) {
    EXPECT_EQ(ParamOf(Call(method, path).status()), "method") << method << " " << path;
  }
}

}  // namespace
}  // namespace headgate::services
