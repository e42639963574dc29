// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What happens when something fails, row by row (docs/security.md): the request is answered in the cluster or refused,
// and the cloud is not called. The control shows that without the fault the same request goes there.
#include <stdexcept>
#include <utility>

#include "absl/strings/escaping.h"
#include "router/sensitivity/decoded_views.h"
#include "tests/unit/router/path_world.h"

namespace headgate::router {
namespace {

// Useful for: a detector that fails from the scan of this number on, in its own way.
class FailingDetectors : public Detectors {
 public:
  using Fault = std::function<absl::StatusOr<std::vector<Detection>>()>;
  FailingDetectors(int scans, Fault fault) : left_(scans), fault_(std::move(fault)) {
    auto real = MakePatternDetectors({});
    if (real.ok()) real_ = *std::move(real);
  }
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText& text) const override {
    if (left_-- <= 0) return fault_();
    return real_->Scan(text);
  }

 private:
  mutable int left_;
  const Fault fault_;
  std::unique_ptr<Detectors> real_;
};

using Change = std::function<void(World&)>;

// The same rules with other detectors, as after a reload.
Change WithDetectors(int scans, FailingDetectors::Fault fault) {
  return [scans, fault = std::move(fault)](World& world) {
    auto guard = OutputGuard::Make(world.config.output_guard);
    ASSERT_TRUE(guard.ok()) << guard.status();
    auto classification =
        std::make_unique<Classification>(world.config.sensitivity, std::make_unique<FailingDetectors>(scans, fault));
    world.router->Apply(std::make_shared<const Rules>(Rules{world.config, Screening(world.config.limits),
                                                            std::move(classification), Policy(world.config.policy),
                                                            *std::move(guard)}));
  };
}

std::string Encoded(int times) {
  std::string text = "what nobody will read any more";
  for (int i = 0; i < times; ++i) text = std::string(absl::Base64Escape(text));
  return text;
}
v1::GenerateRequest After(v1::GenerateRequest request, const std::string& answer) {
  v1::Message& turn = *request.add_messages();
  turn.set_role(v1::ROLE_ASSISTANT);
  turn.set_content(answer);
  *request.add_messages() = World::Everyday().messages(0);
  return request;
}
v1::GenerateRequest InATool(const std::string& parameters) {
  v1::GenerateRequest request = World::Everyday();
  v1::Tool& tool = *request.add_tools();
  tool.set_name("lookup");
  tool.set_parameters_json(parameters);
  return request;
}

const std::string kWithPhone = "Write a text message to 13812345678 please.";

void Masks(RouterConfig& config) { config.tenants[0].masking = true; }

struct Row {
  const char* name;
  v1::GenerateRequest request;
  bool refused = false;  // otherwise answered in the cluster
  std::function<void(RouterConfig&)> config = {};
  Change world = {};
};

std::vector<Row> Rows() {
  const auto fails = [](absl::Status status) { return [status] { return status; }; };
  return {
      {"invalid_utf8", World::Everyday("caf\xE9"), true},
      {"too_long", World::Everyday(std::string(2000, 'a')), false,
       [](RouterConfig& c) { c.limits.inspect_bytes_max = 1000; }},
      {"encoded_too_deep", World::Everyday(Encoded(kDecodeRounds + 1)), false},
      {"encoded_too_deep_in_a_tool", InATool("{\"description\":\"" + Encoded(kDecodeRounds + 1) + "\"}"), false},
      {"detector_fails", World::Everyday(), false, {}, WithDetectors(0, fails(absl::InternalError("no scratch")))},
      {"detector_takes_too_long", World::Everyday(), false, {},
       WithDetectors(0, fails(absl::DeadlineExceededError("did not finish")))},
      {"detector_throws", World::Everyday(), false, {},
       WithDetectors(0, []() -> absl::StatusOr<std::vector<Detection>> { throw std::runtime_error("bad"); })},
      {"detector_runs_out_of_memory", World::Everyday(), false, {},
       WithDetectors(0, []() -> absl::StatusOr<std::vector<Detection>> { throw std::bad_alloc(); })},
      {"detector_fails_at_the_second_text", After(World::Everyday(), "Because."), false,
       [](RouterConfig& c) { c.conversation.unknown_history = ConversationConfig::UnknownHistory::kClassify; },
       WithDetectors(1, fails(absl::UnavailableError("gone")))},
      {"detector_fails_at_the_masked_request", World::Everyday(kWithPhone), false, Masks,
       WithDetectors(1, fails(absl::UnavailableError("gone")))},
      {"masked_but_something_is_left", World::Everyday(kWithPhone + " My ID is 11010519491231002X."), false, Masks},
      {"masked_twice_written", World::Everyday(kWithPhone + " (%31%33%38%31%32%33%34%35%36%37%38)"), false, Masks},
      {"audit_unwritable", World::Everyday(), false, {}, [](World& world) { world.broken = true; }},
      {"memory_of_the_conversation_is_lost", After(World::Everyday(), "The sky scatters light."), false},
      {"no_engine_for_a_sensitive_request", World::Everyday("ID 11010519491231002X"), true, {},
       [](World& world) {
         world.engine().set_answerer(
             [](const Prompt&, const CallOptions&) { return Script::Fail(absl::UnavailableError("gone")); });
       }},
      {"a_level_that_nobody_knows",
       [] {
         v1::GenerateRequest request = World::Everyday();
         request.set_declared_sensitivity(static_cast<v1::SensitivityLevel>(9));
         return request;
       }(),
       true},
  };
}

TEST(FailClosed, TheControlLeaves) {
  World world;
  EXPECT_EQ(world.Ask(World::Everyday()).text, "cloud answer");
  World masking(Masks);
  masking.Ask(World::Everyday(kWithPhone));
  EXPECT_EQ(masking.cloud.calls(), 1);
  World read;
  read.Ask(World::Everyday(Encoded(kDecodeRounds)));
  EXPECT_EQ(read.cloud.calls(), 1) << "so deep is read, and found to be nothing";
}

class FailClosedTest : public testing::TestWithParam<Row> {};

TEST_P(FailClosedTest, NothingReachesTheCloud) {
  const Row& row = GetParam();
  World world(row.config);
  if (row.world) row.world(world);
  const Client client = world.Ask(row.request);
  EXPECT_EQ(world.cloud.calls(), 0);
  EXPECT_EQ(client.status.ok(), !row.refused) << client.status;
  if (client.status.ok()) {
    EXPECT_EQ(client.text, "local answer");
    EXPECT_EQ(client.route.target(), v1::Route::TARGET_LOCAL);
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, FailClosedTest, testing::ValuesIn(Rows()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(FailClosed, NoRulesNoRouter) {
  const std::pair<const char*, std::function<void(RouterConfig&)>> rows[] = {
      {"a threshold above confidential",
       [](RouterConfig& c) { c.sensitivity.threshold = v1::SENSITIVITY_LEVEL_RESTRICTED; }},
      {"a detector's level below the threshold",
       [](RouterConfig& c) { c.sensitivity.detector_levels["EMAIL"] = v1::SENSITIVITY_LEVEL_INTERNAL; }},
      {"a detector that does not exist",
       [](RouterConfig& c) { c.sensitivity.detector_levels["NOBODY"] = v1::SENSITIVITY_LEVEL_RESTRICTED; }},
      {"an empty keyword",
       [](RouterConfig& c) { c.sensitivity.keyword_lists = {{"list", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, {""}}}; }},
  };
  for (const auto& [name, change] : rows) {
    RouterConfig config = BaseConfig();
    change(config);
    EXPECT_FALSE(Rules::Make(config).ok()) << name;
  }
}

}  // namespace
}  // namespace headgate::router
