// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Flags, configuration messages and exit codes of headgate-router, and the `headgate` commands against a running one.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/integration/router/router_world.h"

namespace headgate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CommandLineTest : public RouterWorld {
 protected:
  Ended Headgate(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    return Run(BinaryPath("headgate"), std::move(arguments), environment);
  }
  Ended Router(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    return Run(BinaryPath("headgate-router"), std::move(arguments), environment);
  }
};

TEST_F(CommandLineTest, RouterFlags) {
  const struct {
    const char* name;
    std::vector<std::string> arguments;
    int code;
    const char* says;
  } rows[] = {
      {"unknown flag", {"--config", "x", "--frobnicate"}, 2, "--frobnicate"},
      {"unknown flag alone", {"--frobnicate"}, 2, "--frobnicate"},
      {"unknown flag with a value", {"--config", "x", "--frobnicate", "3"}, 2, "--frobnicate 3"},
      {"nothing", {}, 2, "--config is required"},
      {"unknown level", {"--config", "x", "--log-level", "loud"}, 2, "loud"},
      {"no such file", {"--config", "/nonexistent/router.yaml"}, 1, "/nonexistent/router.yaml"},
      {"version", {"--version"}, 0, "headgate-router "},
      {"help", {"--help"}, 0, "--check-config"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const Ended ended = Router(row.arguments);
    EXPECT_EQ(ended.code, row.code);
    EXPECT_THAT(ended.out + ended.err, HasSubstr(row.says));
  }
}

TEST_F(CommandLineTest, CheckConfigSaysWhatIsWrong) {
  engine_address_ = "127.0.0.1:9";
  Write("cloud.key", "test-cloud-key\n");
  Write("a-file", "x");
  const std::string good = RouterYamlText({});
  const auto directory = [&](const char* name) {
    return absl::StrReplaceAll(good, {{"directory: audit", absl::StrCat("directory: ", name)}});
  };
  const struct {
    const char* name;
    std::string yaml;
    std::vector<std::string> environment;
    const char* complaint;  // empty: accepted
  } rows[] = {
      {"good", good, {}, ""},
      {"unknown key", good + "frobnicate: 1\n", {}, "frobnicate"},
      {"not YAML", "listen: [", {}, "router.yaml"},
      {"audit key missing", absl::StrReplaceAll(good, {{"key_file: audit.key", "key_file: none.key"}}), {}, "none.key"},
      {"open admin port", absl::StrReplaceAll(good, {{"admin: 127.0.0.1:0", "admin: 0.0.0.0:0"}}), {},
       "listen.admin_key_sha256"},
      {"real cloud in a test", absl::StrReplaceAll(good, {{"http://127.0.0.1:9", "https://cloud.example"}}),
       {"HEADGATE_LOOPBACK_CLOUD_ONLY=1"}, "loopback"},
      {"cloud key's variable not set",
       absl::StrReplaceAll(good, {{"api_key_file: cloud.key", "api_key_env: HEADGATE_NOT_SET"}}), {},
       "HEADGATE_NOT_SET"},
      {"pattern that cannot be", good + "sensitivity:\n  keyword_lists:\n    - name: empty\n      words: []\n", {},
       "words"},
      {"audit directory that would be made", directory("a-new-one/"), {}, ""},
      {"audit directory that is there", directory("."), {}, ""},
      {"audit directory is a file", directory("a-file"), {}, "audit.directory: not a directory"},
      {"audit directory in a file", directory("a-file/audit"), {}, "audit.directory: not a directory"},
      {"audit directory nowhere", directory("no/such/place"), {}, "audit.directory: cannot create"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const std::string config = Write("router.yaml", row.yaml);
    const Ended ended = Router({"--config", config, "--check-config"}, row.environment);
    EXPECT_EQ(ended.code, *row.complaint == '\0' ? 0 : 1) << ended.out << ended.err;
    EXPECT_THAT(ended.out + ended.err, HasSubstr(*row.complaint == '\0' ? "configuration OK" : row.complaint));
    EXPECT_THAT(ended.out, Not(HasSubstr("listening")));
  }
  EXPECT_FALSE(std::filesystem::exists(Path("a-new-one"))) << "a check makes nothing";
}

TEST_F(CommandLineTest, StartFailuresAreClear) {
  StartEmulator();
  StartEngine();
  StartRouter({});
  const std::string good = RouterYamlText({});
  Write("a-file", "x");
  const struct {
    const char* name;
    std::string yaml;
    std::string complaint;
  } rows[] = {
      {"http port taken", absl::StrReplaceAll(good, {{"http: 127.0.0.1:0", "http: " + http_}}), http_},
      {"grpc port taken", absl::StrReplaceAll(good, {{"grpc: 127.0.0.1:0", "grpc: " + grpc_}}), grpc_},
      {"metrics port taken", absl::StrReplaceAll(good, {{"metrics: 127.0.0.1:0", "metrics: " + metrics_}}), metrics_},
      {"audit directory is a file", absl::StrReplaceAll(good, {{"directory: audit", "directory: a-file"}}), "audit"},
      {"audit directory nowhere", absl::StrReplaceAll(good, {{"directory: audit", "directory: no/such/place"}}),
       "audit"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const Ended ended = Router({"--config", Write("other.yaml", row.yaml)});
    EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(row.complaint));
    EXPECT_THAT(ended.out, Not(HasSubstr("listening")));
  }
}

TEST_F(CommandLineTest, DrillRehearsesAndDeclares) {
  StartAll();
  const auto before = emulator_->stats().chats_total;
  const Ended rehearsed = Headgate({"drill", "--router", admin_, "--profile", "cloud_outage"});
  EXPECT_EQ(rehearsed.code, 0) << rehearsed.err;
  EXPECT_THAT(rehearsed.out, AllOf(HasSubstr("nothing goes to the cloud"), HasSubstr("profile_cloud_outage"),
                                   HasSubstr("2  cloud -> local"), HasSubstr("1  local -> local"),
                                   HasSubstr("now            profile none")));
  const Ended engines_out = Headgate({"drill", "--router", admin_, "--profile", "no_local"});
  EXPECT_THAT(engines_out.out, AllOf(HasSubstr("it never leaves"), HasSubstr("1  local -> waits")));
  const Ended declared = Headgate({"drill", "--router", admin_, "--profile", "cloud_outage", "--declare"});
  EXPECT_EQ(declared.code, 0) << declared.err;
  EXPECT_THAT(declared.out, HasSubstr("none -> cloud_outage"));
  const Ended explained = Headgate({"explain", "--router", admin_, "What is a canal?"});
  EXPECT_THAT(explained.out, HasSubstr("profile_cloud_outage"));
  EXPECT_THAT(Headgate({"state", "--router", admin_}).out, HasSubstr("profile        cloud_outage"));
  EXPECT_EQ(Headgate({"drill", "--router", admin_, "--profile", "none", "--declare"}).code, 0);
  EXPECT_EQ(emulator_->stats().chats_total, before) << "nothing was sent";
  // By configuration alone, with requests from a file.
  const std::string requests =
      Write("requests.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"My ID: 110105199003077577\"}]}\n");
  const Ended offline = Headgate({"drill", "--config", Write("drill.yaml", RouterYamlText({})), "--profile", "no_local",
                                  "--requests", requests});
  EXPECT_EQ(offline.code, 0) << offline.err;
  EXPECT_THAT(offline.out, AllOf(HasSubstr("line 1"), HasSubstr("(sensitive) -> waits (sensitive)")));
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"drill", "--router", admin_, "--profile", "storm"},
        {"drill", "--router", admin_, "--profile", "none", "--requests", "nowhere"},
        {"drill", "--config", "nowhere", "--profile", "none"}}) {
    EXPECT_EQ(Headgate(wrong).code, 1);
  }
}

TEST_F(CommandLineTest, ExplainPrintsFindingsAndNoValues) {
  StartAll();
  const auto before = emulator_->stats().chats_total;
  const Ended everyday = Headgate({"explain", "--router", admin_, "What", "is", "a", "canal?"});
  EXPECT_EQ(everyday.code, 0) << everyday.err;
  EXPECT_THAT(everyday.out, AllOf(HasSubstr("cloud"), HasSubstr("public"), HasSubstr("none")));
  const Ended id = Headgate({"explain", "--router", admin_, absl::StrCat("Who is ", kResidentId, "?")});
  EXPECT_EQ(id.code, 0) << id.err;
  EXPECT_THAT(id.out, AllOf(HasSubstr("local"), HasSubstr("CN_RESIDENT_ID"), HasSubstr("messages[0].content [7, 25)")));
  for (const char* stage : {"admission", "screening", "classification", "cache", "policy", "dispatch"}) {
    EXPECT_THAT(id.out, HasSubstr(stage));
  }
  EXPECT_THAT(id.out + id.err, Not(HasSubstr(kResidentId)));
  const Ended declared = Headgate({"explain", "--router", admin_, "--sensitivity", "restricted", "hello"});
  EXPECT_THAT(declared.out, HasSubstr("local"));
  EXPECT_EQ(Headgate({"explain", "--router", admin_, "--tenant", "nobody", "x"}).code, 1);
  EXPECT_EQ(emulator_->stats().chats_total, before) << "explain must send nothing";
}

TEST_F(CommandLineTest, ChatPrintsTheRouteFirst) {
  StartAll();
  const Ended cloud = Headgate({"chat", "--router", grpc_, "hello"});
  EXPECT_EQ(cloud.code, 0) << cloud.err;
  EXPECT_TRUE(absl::StartsWith(cloud.out, "[cloud ")) << cloud.out;
  const Ended local =
      Headgate({"chat", "--router", grpc_, "--sensitivity", "restricted", "--max-tokens", "4", "hello"});
  EXPECT_TRUE(absl::StartsWith(local.out, "[local engine")) << local.out;
  EXPECT_THAT(local.out, HasSubstr(" tokens"));
}

TEST_F(CommandLineTest, StateAndDrain) {
  StartAll();
  const Ended state = Headgate({"state", "--router", admin_});
  EXPECT_EQ(state.code, 0) << state.err;
  EXPECT_THAT(state.out, Not(HasSubstr("profile"))) << "nothing was declared";
  EXPECT_THAT(state.out, AllOf(HasSubstr("overflow"), HasSubstr("breaker closed"), HasSubstr("audit          writable"),
                               HasSubstr(engine_address_)));
  EXPECT_EQ(Headgate({"drain", "--router", admin_}).code, 0);
  EXPECT_THAT(Headgate({"state", "--router", admin_}).out, HasSubstr("draining       yes"));
  EXPECT_THAT(Headgate({"chat", "--router", grpc_, "hello"}).err, HasSubstr("UNAVAILABLE"));
}

TEST_F(CommandLineTest, WrongUseIsSaid) {
  const struct {
    const char* name;
    std::vector<std::string> arguments;
    int code;
    const char* says;
  } rows[] = {
      {"nothing", {}, 2, "subcommand"},
      {"unknown command", {"frobnicate"}, 2, "frobnicate"},
      {"unknown flag", {"chat", "--frobnicate", "x"}, 2, "--frobnicate"},
      {"unknown flag alone", {"--frobnicate"}, 2, "--frobnicate"},
      {"unknown flag where others are required", {"audit", "verify", "--frobnicate"}, 2, "--frobnicate"},
      {"required", {"audit", "verify"}, 2, "directory is required"},
      {"bad level", {"chat", "--sensitivity", "secret", "x"}, 1, "restricted"},
      {"bad number", {"chat", "--max-tokens", "0", "x"}, 2, "--max-tokens"},
      {"nobody there", {"state", "--router", "127.0.0.1:9"}, 1, "UNAVAILABLE"},
      {"verify without key", {"audit", "verify", "."}, 1, "--key-file"},
      {"verify without directory", {"audit", "verify", "/nonexistent", "--key-file", "/nonexistent/key"}, 1,
       "/nonexistent"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const Ended ended = Headgate(row.arguments);
    EXPECT_EQ(ended.code, row.code);
    EXPECT_THAT(ended.out + ended.err, HasSubstr(row.says));
  }
}

TEST_F(CommandLineTest, AuditVerifyFindsEveryKindOfChange) {
  StartAll();
  for (const char* text : {"hello", kResidentId, "again"}) {
    ASSERT_EQ(PostJson(http("/v1/chat/completions"), ChatBody(text, "\"max_tokens\":2")).status, 200);
  }
  router_->Signal(SIGTERM);
  ASSERT_EQ(router_->WaitExit().value_or(-1), 0);
  const std::string key = Path("audit.key");
  const Ended good = Headgate({"audit", "verify", Path("audit"), "--key-file", key});
  EXPECT_EQ(good.code, 0) << good.out << good.err;
  EXPECT_THAT(good.out, AllOf(HasSubstr("OK"), Not(HasSubstr("not ended"))));
  const std::string wrong_key = Write("wrong.key", std::string(32, 'w'));
  EXPECT_EQ(Headgate({"audit", "verify", Path("audit"), "--key-file", wrong_key}).code, 1);

  std::string file;
  for (const auto& entry : std::filesystem::directory_iterator(Path("audit"))) {
    if (absl::EndsWith(entry.path().string(), ".jsonl")) file = entry.path().string();
  }
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(text, Not(HasSubstr(kResidentId)));
  const size_t first = text.find('\n') + 1, second = text.find('\n', first) + 1, third = text.find('\n', second) + 1;
  const struct {
    const char* name;
    std::string text;
  } rows[] = {
      {"changed", absl::StrReplaceAll(text, {{"restricted", "internal"}, {"RESTRICTED", "INTERNAL"}})},
      {"dropped", text.substr(0, first) + text.substr(second)},
      {"reordered", text.substr(0, first) + text.substr(second, third - second) + text.substr(first, second - first) +
                        text.substr(third)},
      {"cut in a record", text.substr(0, text.size() - 20)},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    ASSERT_NE(row.text, text);
    std::ofstream(file, std::ios::binary) << row.text;
    const Ended bad = Headgate({"audit", "verify", Path("audit"), "--key-file", key});
    EXPECT_EQ(bad.code, 1);
    EXPECT_THAT(bad.out, HasSubstr("BAD"));
    EXPECT_EQ(Headgate({"audit", "report", Path("audit"), "--key-file", key, "--out", Path("bad")}).code, 1);
  }
}

// With everything on: a flush before anything leaves, kept content, anchors on standard output.
TEST_F(CommandLineTest, AuditKeepsContentAndAnchors) {
  StartEmulator();
  StartEngine();
  Write("payload.key", std::string(32, 'p'));
  RouterYaml yaml;
  yaml.audit = "  durability: before_egress\n  payload: {key_file: payload.key}\n";
  StartRouter(yaml);
  for (const char* text : {"hello there", kResidentId}) {
    ASSERT_EQ(PostJson(http("/v1/chat/completions"), ChatBody(text, "\"max_tokens\":2")).status, 200);
  }
  EXPECT_EQ(emulator_->stats().chats_total, 1);
  router_->Signal(SIGTERM);
  ASSERT_EQ(router_->WaitExit().value_or(-1), 0);
  const std::string directory = Path("audit"), key = Path("audit.key");
  const Ended records = Headgate({"audit", "export", directory, "--key-file", key, "--kind", "outcome"});
  EXPECT_EQ(records.code, 0) << records.err;
  EXPECT_THAT(records.out, AllOf(HasSubstr("input_digest"), HasSubstr("output_digest"), Not(HasSubstr("hello there"))));
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    EXPECT_THAT(bytes, AllOf(Not(HasSubstr("hello there")), Not(HasSubstr(kResidentId)))) << entry.path();
  }
  const size_t at = records.out.find("\"request_id\":\"") + 14;
  const std::string request = records.out.substr(at, records.out.find('"', at) - at);
  const Ended shown = Headgate(
      {"audit", "payload", directory, "--payload-key-file", Path("payload.key"), "--request", request});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr("input {"), HasSubstr("hello there"), HasSubstr("output {")));
  EXPECT_EQ(Headgate({"audit", "payload", directory, "--payload-key-file", key, "--request", request}).code, 1);
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(CommandLineTest, AuditExportAndReport) {
  StartAll();
  for (const char* text : {"hello", kResidentId, "again"}) {
    ASSERT_EQ(PostJson(http("/v1/chat/completions"), ChatBody(text, "\"max_tokens\":2")).status, 200);
  }
  // None of these is a request; what they say is nobody's business.
  EXPECT_EQ(PostJson(http("/v1/chat/completions"), "{secretword").status, 400);
  EXPECT_EQ(PostJson(http("/v1/secretword"), ChatBody("hello")).status, 404);
  EXPECT_EQ(PostJson(http("/v1/chat/completions"), std::string(5 << 20, ' ')).status, 413);
  const std::vector<std::string> stranger = {"authorization: Bearer secretword"};
  EXPECT_EQ(PostJson(http("/v1/chat/completions"), ChatBody("hello"), stranger).status, 401);
  EXPECT_EQ(Get(http("/v1/chat/completions")).status, 405);
  grpc::ClientContext context;
  v1::GetStateResponse state;
  const auto elsewhere = grpc::CreateChannel(grpc_, grpc::InsecureChannelCredentials());
  EXPECT_EQ(v1::Router::NewStub(elsewhere)->GetState(&context, {}, &state).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  WaitFor("the record", [&] {
    return RouterMetric("headgate_router_front_door_refusals_total{reason=\"unknown_path\"}") == 2;
  });
  router_->Signal(SIGTERM);
  ASSERT_EQ(router_->WaitExit().value_or(-1), 0);
  const std::string directory = Path("audit"), key = Path("audit.key"), out = Path("report");
  const Ended refused = Headgate({"audit", "export", directory, "--key-file", key, "--kind", "refusal"});
  EXPECT_THAT(refused.out, AllOf(HasSubstr("\"malformed\""), HasSubstr("\"unknown_path\""),
                                 HasSubstr("\"body_too_large\""), HasSubstr("\"method\""), HasSubstr("\"grpc\""),
                                 Not(HasSubstr("secretword"))));
  EXPECT_EQ(Headgate({"audit", "verify", directory, "--key-file", key}).code, 0);

  const Ended cloud = Headgate({"audit", "export", directory, "--key-file", key, "--format", "csv", "--target", "cloud",
                                "--kind", "outcome"});
  EXPECT_EQ(cloud.code, 0) << cloud.err;
  EXPECT_THAT(cloud.err, HasSubstr("2 records"));
  EXPECT_THAT(cloud.out, AllOf(HasSubstr("time,chain_id,sequence,kind"), HasSubstr(",cloud,")));
  const Ended sensitive = Headgate({"audit", "export", directory, "--key-file", key, "--level", "confidential"});
  EXPECT_THAT(sensitive.out, AllOf(HasSubstr("CN_RESIDENT_ID"), Not(HasSubstr(kResidentId)), Not(HasSubstr("public"))));
  EXPECT_THAT(Headgate({"audit", "export", directory, "--key-file", key, "--from", "2999-01-01"}).err,
              HasSubstr("0 records"));

  const Ended report = Headgate({"audit", "report", directory, "--key-file", key, "--out", out});
  EXPECT_EQ(report.code, 0) << report.out << report.err;
  EXPECT_THAT(report.out, HasSubstr("4 requests, 2 left, 0 sensitive and unmasked; the log is whole"));
  EXPECT_THAT(ReadText(out + "/report.html"),
              AllOf(HasSubstr("The log is whole, and nothing sensitive left."), HasSubstr("GB/T 22239-2019")));
  EXPECT_THAT(ReadText(out + "/matrix.csv"), AllOf(HasSubstr(",restricted,stayed,1,"), HasSubstr(",public,left,2,")));
  EXPECT_THAT(ReadText(out + "/events.csv"), HasSubstr("turned away at the door,malformed,1"));
  EXPECT_THAT(ReadText(out + "/egress.csv"), AllOf(HasSubstr("everyday"), HasSubstr("127.0.0.1")));
  EXPECT_THAT(ReadText(out + "/controls.csv"), AllOf(HasSubstr("PIPL"), HasSubstr("EU AI Act"), HasSubstr("shown")));

  const struct {
    const char* name;
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    const char* says;
  } rows[] = {
      {"no key", {"audit", "verify", directory}, {}, "HEADGATE_AUDIT_KEY"},
      {"key file missing", {"audit", "verify", directory, "--key-file", Path("none")}, {}, "--key-file"},
      {"anchors without one", {"audit", "verify", directory, "--key-file", key, "--anchors", key}, {}, "no anchor"},
      {"bad time", {"audit", "export", directory, "--key-file", key, "--from", "soon"}, {}, "--from"},
      {"bad recipient", {"audit", "report", directory, "--key-file", key, "--recipient", "x"}, {}, "--recipient"},
      {"no payloads", {"audit", "payload", directory, "--payload-key-file", key, "--request", "x"}, {}, "no content"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const Ended ended = Headgate(row.arguments, row.environment);
    EXPECT_EQ(ended.code, 1);
    EXPECT_THAT(ended.out + ended.err, HasSubstr(row.says));
  }
  EXPECT_EQ(Headgate({"audit", "verify", directory}, {"HEADGATE_AUDIT_KEY=" + std::string(32, 'k')}).code, 0);
}

}  // namespace
}  // namespace headgate
