// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// headgate.v1.Inference and the admin plane of the running router.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/digest.h"
#include "tests/fakes/time_scale.h"
#include "tests/integration/router/router_world.h"

namespace headgate {
namespace {

using ::testing::HasSubstr;

class GrpcApiTest : public RouterWorld {
 protected:
  static std::string Header(const grpc::ClientContext& context, const std::string& name) {
    const auto& metadata = context.GetServerInitialMetadata();
    const auto it = metadata.find(name);
    return it == metadata.end() ? "(none)" : std::string(it->second.data(), it->second.size());
  }
  // A call by name and bytes; the answer's bytes, or the name of the status code.
  static std::string Unary(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                           const std::string& request) {
    std::string answer;
    const grpc::Status status = Call(channel, method, request, answer);
    return status.ok() ? answer : absl::StatusCodeToString(static_cast<absl::StatusCode>(status.error_code()));
  }
  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                           const std::string& request, std::string& answer) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    const grpc::Slice slice(request);
    const grpc::ByteBuffer sent(&slice, 1);
    grpc::ByteBuffer received;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, method, {}, &sent, &received, [&done](grpc::Status status) { done.set_value(status); });
    const grpc::Status status = done.get_future().get();
    grpc::Slice whole;
    if (status.ok() && received.DumpToSingleSlice(&whole).ok()) {
      answer.assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
    }
    return status;
  }
};

TEST_F(GrpcApiTest, AStreamBeginsWithItsRouteAndEndsWithItsFinish) {
  StartAll();
  const auto stub = Inference();
  const struct {
    const char* name;
    std::string text;
    const char* declared;
    v1::Route::Target target;
    const char* header;
  } rows[] = {
      {"everyday", "hello", "", v1::Route::TARGET_CLOUD, "cloud"},
      {"resident ID", kResidentId, "", v1::Route::TARGET_LOCAL, "local"},
      {"declared", "hello", "restricted", v1::Route::TARGET_LOCAL, "local"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    grpc::ClientContext context;
    if (*row.declared != '\0') context.AddMetadata("x-headgate-sensitivity", row.declared);
    context.AddMetadata("x-request-id", "abc-1");
    const auto reader = stub->GenerateStream(&context, Request(row.text));
    v1::GenerateStreamResponse event;
    std::vector<v1::GenerateStreamResponse> events;
    while (reader->Read(&event)) events.push_back(event);
    const grpc::Status status = reader->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_GE(events.size(), 3u);
    EXPECT_EQ(events.front().route().target(), row.target);
    EXPECT_EQ(events.front().route().request_id(), "abc-1");
    EXPECT_GT(events.back().finish().usage().completion_tokens(), 0);
    for (size_t i = 1; i + 1 < events.size(); ++i) EXPECT_TRUE(events[i].has_delta());
    EXPECT_EQ(Header(context, "x-headgate-route"), row.header);
    EXPECT_EQ(Header(context, "x-request-id"), "abc-1");

    grpc::ClientContext unary;
    if (*row.declared != '\0') unary.AddMetadata("x-headgate-sensitivity", row.declared);
    v1::GenerateResponse whole;
    ASSERT_TRUE(stub->Generate(&unary, Request(row.text), &whole).ok());
    EXPECT_EQ(whole.route().target(), row.target);
    EXPECT_EQ(whole.message().role(), v1::ROLE_ASSISTANT);
    EXPECT_FALSE(whole.message().content().empty());
    EXPECT_EQ(Header(unary, "x-headgate-route"), row.header);
    EXPECT_EQ(Header(unary, "x-request-id").size(), 32u);
  }
}

TEST_F(GrpcApiTest, TheOtherMethods) {
  StartAll();
  const auto stub = Inference();
  grpc::ClientContext count_context;
  v1::CountTokensRequest count;
  count.set_prompt("hello world");
  v1::CountTokensResponse counted;
  const grpc::Status status = stub->CountTokens(&count_context, count, &counted);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_GT(counted.tokens(), 0);

  grpc::ClientContext models_context;
  v1::ListModelsResponse models;
  EXPECT_TRUE(stub->ListModels(&models_context, {}, &models).ok());
  EXPECT_GE(models.models_size(), 2);

  grpc::ClientContext embed_context;
  v1::EmbedRequest embed;
  embed.add_input("x");
  v1::EmbedResponse embedded;
  const grpc::Status embed_status = stub->Embed(&embed_context, embed, &embedded);
  EXPECT_TRUE(embed_status.ok() || embed_status.error_code() == grpc::StatusCode::UNIMPLEMENTED)
      << embed_status.error_message();
}

TEST_F(GrpcApiTest, RefusalsCarryTheirDetails) {
  RouterYaml yaml;
  yaml.limits = "  drain: 1s\n  body_bytes_max: 20000\n  prompt_bytes_max: 10000\n";
  yaml.tenants = absl::StrCat("tenants:\n  - name: alpha\n    api_key_sha256: [\"", Hex(Sha256("key-a")), "\"]\n");
  StartAll(yaml);
  v1::GenerateRequest hot = Request("x");
  hot.mutable_sampling()->set_temperature(9);
  v1::GenerateRequest no_role = Request("x");
  no_role.mutable_messages(0)->set_role(v1::ROLE_UNSPECIFIED);
  const struct {
    const char* name;
    v1::GenerateRequest request;
    const char* key;
    const char* declared;
    grpc::StatusCode code;
    const char* field;
  } rows[] = {
      {"good", Request("x"), "Bearer key-a", "", grpc::StatusCode::OK, ""},
      {"no key", Request("x"), "", "", grpc::StatusCode::UNAUTHENTICATED, ""},
      {"wrong key", Request("x"), "Bearer key-b", "", grpc::StatusCode::UNAUTHENTICATED, ""},
      {"range", hot, "Bearer key-a", "", grpc::StatusCode::INVALID_ARGUMENT, "sampling.temperature"},
      {"role", no_role, "Bearer key-a", "", grpc::StatusCode::INVALID_ARGUMENT, "messages[0].role"},
      {"level", Request("x"), "Bearer key-a", "secret", grpc::StatusCode::INVALID_ARGUMENT, ""},
      {"too large", Request(std::string(30000, 'x')), "Bearer key-a", "", grpc::StatusCode::RESOURCE_EXHAUSTED, ""},
  };
  const auto stub = Inference();
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    grpc::ClientContext context;
    if (*row.key != '\0') context.AddMetadata("authorization", row.key);
    if (*row.declared != '\0') context.AddMetadata("x-headgate-sensitivity", row.declared);
    v1::GenerateResponse response;
    const grpc::Status status = stub->Generate(&context, row.request, &response);
    EXPECT_EQ(status.error_code(), row.code) << status.error_message();
    if (*row.field == '\0') continue;
    EXPECT_THAT(status.error_message(), HasSubstr(row.field));
    EXPECT_THAT(status.error_details(), HasSubstr("google.rpc.ErrorInfo"));
    EXPECT_THAT(status.error_details(), HasSubstr(row.field));
  }
}

// gRPC itself would say UNIMPLEMENTED and no word more.
TEST_F(GrpcApiTest, WhatIsNoUtf8IsRefusedByItsField) {
  RouterYaml yaml;
  yaml.tenants = absl::StrCat("tenants:\n  - name: alpha\n    api_key_sha256: [\"", Hex(Sha256("key-a")), "\"]\n");
  StartAll(yaml);
  v1::GenerateRequest generate = Request("fine");
  generate.add_messages()->set_content("zqsecret\xff");
  v1::EmbedRequest embed;
  embed.add_input("zqsecret\xc0\xaf");
  v1::CountTokensRequest count;
  count.set_prompt("zqsecret\xed\xa0\x80");
  const struct {
    const char* method;
    std::string bytes;
    const char* message;
  } rows[] = {
      {"Generate", generate.SerializePartialAsString(), "messages[1].content: not valid UTF-8"},
      {"GenerateStream", generate.SerializePartialAsString(), "messages[1].content: not valid UTF-8"},
      {"Embed", embed.SerializePartialAsString(), "input[0]: not valid UTF-8"},
      {"CountTokens", count.SerializePartialAsString(), "prompt: not valid UTF-8"},
      {"Generate", "\x1a\x7fzqsecret", "request: is cut short or no GenerateRequest"},
  };
  const auto channel = grpc::CreateChannel(grpc_, grpc::InsecureChannelCredentials());
  for (const auto& row : rows) {
    SCOPED_TRACE(row.method);
    std::string answer;
    const grpc::Status status = Call(channel, absl::StrCat("/headgate.v1.Inference/", row.method), row.bytes, answer);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), row.message);
    EXPECT_THAT(status.error_details(), HasSubstr("google.rpc.ErrorInfo"));
  }
  v1::ExplainRequest explain;
  explain.mutable_request()->set_prompt("zqsecret\xff");
  v1::SetProfileRequest profile;
  profile.set_profile("zqsecret\xff");
  const struct {
    const char* method;
    std::string bytes;
    const char* message;
  } admin_rows[] = {
      {"Explain", explain.SerializePartialAsString(), "request.prompt: not valid UTF-8"},
      {"SetProfile", profile.SerializePartialAsString(), "profile: not valid UTF-8"},
      {"GetState", "\x0a\x7fzqsecret", "request: is cut short or no GetStateRequest"},
      {"Drain", "\x0a\x7fzqsecret", "request: is cut short or no DrainRequest"},
  };
  const auto admin = grpc::CreateChannel(admin_, grpc::InsecureChannelCredentials());
  for (const auto& row : admin_rows) {
    SCOPED_TRACE(row.method);
    std::string answer;
    const grpc::Status status = Call(admin, absl::StrCat("/headgate.v1.Router/", row.method), row.bytes, answer);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), row.message);
  }
  EXPECT_EQ(RouterMetric("headgate_router_front_door_refusals_total{reason=\"malformed\"}"), 9);
  router_->Signal(SIGTERM);
  ASSERT_EQ(router_->WaitExit().value_or(-1), 0);
  std::string audit;
  for (const auto& entry : std::filesystem::directory_iterator(Path("audit"))) {
    std::ifstream file(entry.path());
    audit.append(std::istreambuf_iterator<char>(file), {});
  }
  for (const char* api : {"grpc.Generate\"", "grpc.GenerateStream\"", "grpc.Embed\"", "grpc.CountTokens\"",
                          "admin.Explain\"", "admin.SetProfile\""}) {
    EXPECT_THAT(audit, HasSubstr(api));
  }
  EXPECT_THAT(audit, HasSubstr("\"malformed\""));
  EXPECT_THAT(audit, ::testing::Not(HasSubstr("zqsecret")));
}

TEST_F(GrpcApiTest, ACancelledCallStopsTheWorkUpstream) {
  StartAll({}, {"--reference-step-ms", "5"});
  DeepSeekPlan plan;
  plan.tokens = 100000;
  plan.token_interval = absl::Milliseconds(5);
  emulator_->SetDefaultPlan(plan);
  const auto stub = Inference();
  for (const bool local : {false, true}) {
    SCOPED_TRACE(local ? "local" : "cloud");
    grpc::ClientContext context;
    const auto reader = stub->GenerateStream(&context, Request(local ? kResidentId : "hello", 1000));
    v1::GenerateStreamResponse event;
    ASSERT_TRUE(reader->Read(&event));
    context.TryCancel();
    while (reader->Read(&event)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
    if (local) {
      WaitForIdleEngine();
    } else {
      EXPECT_TRUE(emulator_->WaitUntil([](const DeepSeekEmulator::Stats& s) { return s.chats_abandoned == 1; }));
    }
  }
  WaitFor("no request in flight", [this] { return State().in_flight() == 0; });
}

TEST_F(GrpcApiTest, ADeadlineEndsTheWorkUpstream) {
  StartAll();
  DeepSeekPlan plan;
  plan.end = DeepSeekPlan::End::kStall;
  plan.end_after = 2;
  emulator_->AddPlan(plan);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(RealTime().WallTime() + absl::Milliseconds(300)));
  const auto stub = Inference();
  const auto reader = stub->GenerateStream(&context, Request("hello"));
  v1::GenerateStreamResponse event;
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(emulator_->WaitUntil([](const DeepSeekEmulator::Stats& s) { return s.chats_active == 0; }));
}

TEST_F(GrpcApiTest, AClientThatDoesNotReadSlowsTheUpstreamDown) {
  StartAll();
  DeepSeekPlan plan;
  plan.tokens = 2000000;
  plan.token_interval = absl::ZeroDuration();
  emulator_->SetDefaultPlan(plan);
  grpc::ClientContext context;
  const auto stub = Inference();
  const auto reader = stub->GenerateStream(&context, Request("hello", 393216));
  v1::GenerateStreamResponse event;
  ASSERT_TRUE(reader->Read(&event));
  // Everything between the emulator and this client is bounded: it must come to a stand with tokens left to send.
  int64_t sent = -1;
  int still = 0;
  WaitFor("a standstill", [&] {
    const int64_t now = emulator_->stats().bytes_sent;
    still = now == sent ? still + 1 : 0;
    sent = now;
    RouterMetric("headgate_router_in_flight");  // takes some time
    return still >= 20;
  });
  EXPECT_EQ(emulator_->stats().chats_active, 1);
  EXPECT_LT(sent, 64 << 20);
  context.TryCancel();
  while (reader->Read(&event)) {
  }
  reader->Finish();
  EXPECT_TRUE(emulator_->WaitUntil([](const DeepSeekEmulator::Stats& s) { return s.chats_active == 0; }));
}

TEST_F(GrpcApiTest, HealthIsServedAndReflectionOnlyWhenConfigured) {
  StartAll();
  const auto channel = grpc::CreateChannel(grpc_, grpc::InsecureChannelCredentials());
  EXPECT_TRUE(channel->WaitForConnected(absl::ToChronoTime(RealTime().WallTime() + absl::Seconds(10) * TimeScale())));
  // grpc.health.v1.HealthCheckRequest without a service is empty; SERVING is field 1 = 1.
  EXPECT_EQ(Unary(channel, "/grpc.health.v1.Health/Check", ""), std::string("\x08\x01"));
  EXPECT_EQ(Unary(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", ""), "UNIMPLEMENTED");
}

TEST_F(GrpcApiTest, TheAdminPlaneAsksForItsOwnKey) {
  RouterYaml yaml;
  yaml.listen = absl::StrCat("  admin_key_sha256: [\"", Hex(Sha256("admin-key")), "\"]\n");
  StartEmulator();
  StartEngine();
  StartRouter(yaml);
  const struct {
    const char* name;
    const char* key;
    grpc::StatusCode code;
  } rows[] = {
      {"none", "", grpc::StatusCode::UNAUTHENTICATED},
      {"wrong", "Bearer nope", grpc::StatusCode::UNAUTHENTICATED},
      {"right", "Bearer admin-key", grpc::StatusCode::OK},
  };
  const auto stub = Admin();
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto context = [&] {
      auto made = std::make_unique<grpc::ClientContext>();
      if (*row.key != '\0') made->AddMetadata("authorization", row.key);
      return made;
    };
    v1::GetStateResponse state;
    EXPECT_EQ(stub->GetState(context().get(), {}, &state).error_code(), row.code);
    v1::ExplainResponse explained;
    v1::ExplainRequest request;
    *request.mutable_request() = Request(kResidentId);
    EXPECT_EQ(stub->Explain(context().get(), request, &explained).error_code(), row.code);
    EXPECT_EQ(explained.findings_size() > 0, row.code == grpc::StatusCode::OK);
    EXPECT_THAT(explained.SerializeAsString(), ::testing::Not(HasSubstr(kResidentId)));
    v1::DrainResponse drained;
    EXPECT_EQ(stub->Drain(context().get(), {}, &drained).error_code(), row.code);
  }
  EXPECT_EQ(Get(http("/readyz")).status, 503);
  EXPECT_EQ(PostJson(http("/v1/chat/completions"), ChatBody("x")).status, 503);
}

}  // namespace
}  // namespace headgate
