// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/admission.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "boost/asio/io_context.hpp"
#include "common/digest.h"
#include "gtest/gtest.h"
#include "router/upstream/upstream_error.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

RouterConfig Config() {
  RouterConfig config;
  TenantConfig plain;
  plain.name = "plain";
  plain.api_key_sha256 = {Hex(Sha256("key-a")), Hex(Sha256("key-b"))};
  TenantConfig limited;
  limited.name = "limited";
  limited.api_key_sha256 = {Hex(Sha256("key-limited"))};
  limited.peer_identities = {"CN=limited"};
  limited.requests_per_second = 2;
  limited.burst = 3;
  config.tenants = {plain, limited};
  return config;
}

class AdmissionTest : public testing::Test {
 protected:
  static Prompt Hello() {
    v1::GenerateRequest request;
    request.set_prompt("hello");
    return Prompt(request);
  }
  RequestHead Head(const std::string& key) const {
    RequestHead head;
    head.request_id = "r";
    head.api = "grpc.Generate";
    head.api_key = key;
    head.received = clock_.Monotonic();
    return head;
  }
  absl::StatusCode Admit(const std::string& key) { return admission_.Admit(Head(key), Hello()).status().code(); }

  boost::asio::io_context io_;
  ManualClock clock_{io_};
  Admission admission_{clock_, Config()};
};

TEST_F(AdmissionTest, WhoIsIt) {
  const struct {
    const char* name;
    const char *key, *peer;
    bool anonymous;
    const char* tenant;  // empty = UNAUTHENTICATED
  } rows[] = {
      {"first key", "key-a", "", false, "plain"},
      {"second key", "key-b", "", false, "plain"},
      {"unknown key", "key-c", "", false, ""},
      {"the hash is not the key", "HASH", "", false, ""},
      {"no key", "", "", false, ""},
      {"certificate", "", "CN=limited", false, "limited"},
      {"unknown certificate", "", "CN=other", false, ""},
      {"the key goes before the certificate", "key-a", "CN=limited", false, "plain"},
      {"a wrong key is not saved by a certificate", "key-c", "CN=limited", false, ""},
      {"anonymous", "", "", true, "default"},
      {"anonymous with an unknown certificate", "", "CN=other", true, "default"},
      {"a wrong key is not anonymous", "key-c", "", true, ""},
  };
  for (const auto& row : rows) {
    RouterConfig config = Config();
    config.anonymous = row.anonymous;
    TenantConfig anyone;
    anyone.name = "default";
    if (row.anonymous) config.tenants.push_back(anyone);
    admission_.Apply(config);
    RequestHead head = Head(row.key == std::string("HASH") ? Hex(Sha256("key-a")) : row.key);
    head.peer_identity = row.peer;
    const auto tenant = admission_.Authenticate(head);
    if (*row.tenant == '\0') {
      EXPECT_EQ(tenant.status().code(), absl::StatusCode::kUnauthenticated) << row.name;
      EXPECT_EQ(std::string(tenant.status().message()).find("key-"), std::string::npos) << row.name;
    } else {
      ASSERT_TRUE(tenant.ok()) << row.name << tenant.status();
      EXPECT_EQ((*tenant)->name, row.tenant) << row.name;
    }
  }
}

TEST_F(AdmissionTest, TenantByName) {
  EXPECT_EQ((*admission_.TenantByName("limited"))->name, "limited");
  EXPECT_EQ(admission_.TenantByName("none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(admission_.TenantByName("").status().code(), absl::StatusCode::kNotFound);  // there is no `default` here
}

TEST_F(AdmissionTest, TheTicketSaysWhatWasDecided) {
  v1::GenerateRequest request;
  request.set_prompt("hello");
  request.set_declared_sensitivity(v1::SENSITIVITY_LEVEL_INTERNAL);
  RequestHead head = Head("key-a");
  head.declared_sensitivity = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  const auto ticket = admission_.Admit(head, Prompt(request));
  ASSERT_TRUE(ticket.ok());
  EXPECT_EQ(ticket->request_id, "r");
  EXPECT_EQ(ticket->api, "grpc.Generate");
  EXPECT_EQ(ticket->tenant->name, "plain");
  EXPECT_EQ(ticket->priority, v1::PRIORITY_NORMAL);
  EXPECT_EQ(ticket->declared_sensitivity, v1::SENSITIVITY_LEVEL_CONFIDENTIAL);
}

TEST_F(AdmissionTest, TheHigherDeclaredLevelCounts) {
  for (int header = 0; header <= 5; ++header) {
    for (int field = 0; field <= 4; ++field) {
      v1::GenerateRequest request;
      request.set_prompt("hello");
      request.set_declared_sensitivity(static_cast<v1::SensitivityLevel>(field));
      RequestHead head = Head("key-a");
      head.declared_sensitivity = static_cast<v1::SensitivityLevel>(header);
      const auto ticket = admission_.Admit(head, Prompt(request));
      ASSERT_TRUE(ticket.ok());
      EXPECT_EQ(ticket->declared_sensitivity, std::max(std::min(header, 4), field)) << header << " " << field;
    }
  }
}

TEST_F(AdmissionTest, Deadlines) {
  const struct {
    const char* name;
    absl::Duration clients, expected;  // after arrival; zero = refused
  } rows[] = {
      {"none: the default", absl::InfiniteDuration(), absl::Minutes(10)},
      {"the client's", absl::Seconds(5), absl::Seconds(5)},
      {"longer than the default", absl::Minutes(30), absl::Minutes(30)},
      {"longer than the maximum", absl::Hours(5), absl::Hours(1)},
      {"just passed", absl::ZeroDuration(), absl::ZeroDuration()},
      {"long passed", -absl::Seconds(5), absl::ZeroDuration()},
  };
  for (const auto& row : rows) {
    RequestHead head = Head("key-a");
    head.deadline = head.received + row.clients;
    const auto ticket = admission_.Admit(head, Hello());
    if (row.expected == absl::ZeroDuration()) {
      EXPECT_EQ(ticket.status().code(), absl::StatusCode::kDeadlineExceeded) << row.name;
    } else {
      ASSERT_TRUE(ticket.ok()) << row.name;
      EXPECT_EQ(ticket->deadline - head.received, row.expected) << row.name;
    }
  }
}

TEST_F(AdmissionTest, TheBucketEmptiesAndRefills) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kOk) << i;
  const auto refused = admission_.Admit(Head("key-limited"), Hello());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfter(refused.status()), absl::Milliseconds(500));  // the next token at 2 per second
  EXPECT_EQ(Admit("key-a"), absl::StatusCode::kOk);  // each tenant has its own
  clock_.Advance(absl::Milliseconds(499));
  EXPECT_EQ(RetryAfter(admission_.Admit(Head("key-limited"), Hello()).status()), absl::Milliseconds(1));
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kOk);
  EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kResourceExhausted);
  clock_.Advance(absl::Hours(1));  // no more than the burst is saved up
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kOk) << i;
  EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kResourceExhausted);
}

// Whoever comes back when told to is admitted, whatever the rate.
TEST_F(AdmissionTest, RetryAfterIsTrue) {
  for (const double rate : {0.01, 0.3, 1.0, 3.0, 7.7, 333.3}) {
    RouterConfig config = Config();
    config.tenants[1].requests_per_second = rate;
    config.tenants[1].burst = 1;
    config.tenants[1].name = "rate-" + std::to_string(rate);
    admission_.Apply(config);
    EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kOk);
    for (int i = 0; i < 100; ++i) {
      const auto refused = admission_.Admit(Head("key-limited"), Hello());
      ASSERT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << rate << " " << i;
      clock_.Advance(*RetryAfter(refused.status()));
      ASSERT_EQ(Admit("key-limited"), absl::StatusCode::kOk) << rate << " " << i;
    }
  }
}

TEST_F(AdmissionTest, OverAnHourTheRateIsKept) {
  const RandomBytes random = SeededRandom(1);
  int admitted = 0;
  const MonotonicTime begin = clock_.Monotonic();
  while (clock_.Monotonic() - begin < absl::Hours(1)) {
    clock_.Advance(absl::Seconds(0.2 * RandomUnit(random)));
    admitted += Admit("key-limited") == absl::StatusCode::kOk ? 1 : 0;
  }
  EXPECT_LE(admitted, 2 * 3600 + 3);
  EXPECT_GE(admitted, 2 * 3600 - 3);
}

TEST_F(AdmissionTest, ApplyKeepsTheLevelOfTenantsThatRemain) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kOk);
  admission_.Apply(Config());
  EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kResourceExhausted);
  RouterConfig without = Config();
  without.tenants.pop_back();
  admission_.Apply(without);
  EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kUnauthenticated);
}

TEST_F(AdmissionTest, InFlightIsCountedUntilTheTicketGoes) {
  RouterConfig config = Config();
  config.limits.in_flight_max = 2;
  admission_.Apply(config);
  auto first = std::make_optional(admission_.Admit(Head("key-a"), Hello()));
  const auto second = admission_.Admit(Head("key-a"), Hello());
  ASSERT_TRUE(first->ok() && second.ok());
  EXPECT_EQ(admission_.in_flight(), 2);
  const auto refused = admission_.Admit(Head("key-a"), Hello());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryAfter(refused.status()).has_value());
  first.reset();
  EXPECT_EQ(admission_.in_flight(), 1);
  Ticket moved = *admission_.Admit(Head("key-a"), Hello());
  Ticket again = std::move(moved);
  EXPECT_EQ(admission_.in_flight(), 2);
}

TEST_F(AdmissionTest, BatchWorkIsTurnedAwayFirst) {
  struct Row {
    const char* name;
    int64_t in_flight_max;
    v1::Priority priority;
    int admitted;
  };
  const Row rows[] = {
      {"normal", 20, v1::PRIORITY_NORMAL, 20},     {"nothing said", 20, v1::PRIORITY_UNSPECIFIED, 20},
      {"interactive", 20, v1::PRIORITY_INTERACTIVE, 20}, {"batch", 20, v1::PRIORITY_BATCH, 18},
      {"batch, where there is one place", 1, v1::PRIORITY_BATCH, 1},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    RouterConfig config = Config();
    config.limits.in_flight_max = row.in_flight_max;
    admission_.Apply(config);
    v1::GenerateRequest request = Hello().content();
    request.set_priority(row.priority);
    std::vector<Ticket> held;
    absl::StatusOr<Ticket> ticket = admission_.Admit(Head("key-a"), Prompt(request));
    while (ticket.ok()) {
      held.push_back(*std::move(ticket));
      ticket = admission_.Admit(Head("key-a"), Prompt(request));
    }
    EXPECT_EQ(ticket.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(static_cast<int>(held.size()), row.admitted);
  }
}

TEST_F(AdmissionTest, WhoIsTurnedAwayComesBackSpread) {
  RouterConfig config = Config();
  config.limits.in_flight_max = 1;
  admission_.Apply(config);
  const auto held = admission_.Admit(Head("key-a"), Hello());
  std::map<int64_t, int> by_half_second;
  for (int i = 0; i < 60; ++i) {
    const auto after = RetryAfter(admission_.Admit(Head("key-a"), Hello()).status());
    ASSERT_TRUE(after.has_value());
    EXPECT_GE(*after, absl::Seconds(1));
    ++by_half_second[absl::ToInt64Milliseconds(*after) / 500];
  }
  ASSERT_EQ(by_half_second.size(), 6u) << "of 1 to 4 seconds";
  for (const auto& [when, count] : by_half_second) EXPECT_NEAR(count, 10, 1) << when;
}

TEST_F(AdmissionTest, RefusedRequestsAreNotInFlight) {
  v1::GenerateRequest bad;
  EXPECT_EQ(admission_.Admit(Head("key-a"), Prompt(bad)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(admission_.in_flight(), 0);
}

TEST_F(AdmissionTest, ARequestThatIsTooLateTakesNoToken) {
  RequestHead late = Head("key-limited");
  late.deadline = late.received;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(admission_.Admit(late, Hello()).ok());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kOk);
}

TEST_F(AdmissionTest, AuthenticateTakesNoToken) {
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(admission_.Authenticate(Head("key-limited")).ok());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Admit("key-limited"), absl::StatusCode::kOk);
}

TEST_F(AdmissionTest, Draining) {
  admission_.Drain();
  EXPECT_TRUE(admission_.draining());
  const auto refused = admission_.Admit(Head("key-a"), Hello());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(RetryAfter(refused.status()).has_value());
}

}  // namespace
}  // namespace headgate::router
