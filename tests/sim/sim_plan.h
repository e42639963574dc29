// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SimPlan: everything a simulated run is given from outside, made from one number: the requests, who sends them, when
// they leave, and how often things break. The same seed gives the same plan.
//
// Thread-safety: plain values.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "headgate/v1/inference.pb.h"
#include "router/config.h"

namespace headgate::router {

// Seeded choices. Not std::uniform_*: its results differ between libraries, and a seed must mean the same run anywhere.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  uint64_t Below(uint64_t n) { return engine_() % n; }
  bool Chance(double p) { return static_cast<double>(Below(1'000'000)) < p * 1e6; }
  // Whole milliseconds, both ends included.
  absl::Duration Between(absl::Duration a, absl::Duration b) {
    const int64_t choices = (b - a) / absl::Milliseconds(1) + 1;
    return a + absl::Milliseconds(static_cast<int64_t>(Below(static_cast<uint64_t>(choices))));
  }
  template <typename T>
  const T& Of(const std::vector<T>& choices) {
    return choices[Below(choices.size())];
  }

 private:
  std::mt19937_64 engine_;
};

struct SimRequest {
  enum class Api { kGenerate, kCountTokens, kEmbed };
  std::string id;
  Api api = Api::kGenerate;
  std::string kind;    // for messages
  std::string marker;  // only here and in requests with the very same content; answers must carry it
  v1::GenerateRequest content;
  std::string api_key;
  v1::SensitivityLevel declared_in_head = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
  bool may_leave = true;  // by construction: nothing sensitive, and a tenant that may use the cloud
  std::string masked;     // a value in it: with a placeholder in its place the rest may leave, it never
  absl::Duration arrives;
  absl::Duration deadline = absl::InfiniteDuration();  // from its arrival
  absl::Duration leaves = absl::InfiniteDuration();    // from its arrival
  absl::Duration write_delay;                          // of its sink, every event
  int router = 0;                                      // that it is sent to
};

struct SimPlan {
  uint64_t seed = 0;
  int engines = 1;
  std::vector<SimRequest> requests;
  RouterConfig config;
  RouterConfig reloaded;             // takes over in mid-flight
  absl::Duration reload_at, drain_at;
  double engine_faults = 0, cloud_faults = 0;  // of calls
  bool cloud_rejects = false;                  // key refused, balance spent: closes the cloud for a minute
  struct Spell {
    absl::Duration begin, end;
  };
  std::vector<Spell> audit_fails;
  std::vector<Spell> cloud_storms;  // every call is turned away
  struct Step {
    absl::Duration at, by;  // of the wall clock
  };
  std::vector<Step> clock_steps;
  struct EngineSpell : Spell {
    int engine = 0;
    enum class Fault { kDead, kSilent, kStalled };  // silent: reports no load; stalled: reports, and gives nothing
    Fault fault = Fault::kDead;
  };
  std::vector<EngineSpell> engine_fails;
  // Engines that go out of the name that they are found by, and come back.
  bool found_by_name = false;
  std::vector<EngineSpell> engine_away;
  double reports_disordered = 0;  // share of load reports that come late, twice or after a later one
  // A router ends in the middle of everything and begins again with the audit log that it left.
  struct Crash : Spell {
    int router = 0;
  };
  std::vector<Crash> crashes;
  struct Declared {
    absl::Duration at;
    std::string profile;  // contingency.h
  };
  std::vector<Declared> profiles;
  // kSimRouters share their limits through Redis; `routers` of them get requests.
  bool shares = false;
  int routers = 1;
  struct StoreSpell : Spell {
    enum class Fault { kDown, kSlow, kRepliesLost, kForgets };
    Fault fault = Fault::kDown;
  };
  std::vector<StoreSpell> store_fails;
};

SimPlan MakeSimPlan(uint64_t seed, int requests);
inline constexpr char kSimCurrency[] = "CNY";
inline constexpr int kSimRouters = 3;
inline constexpr char kSimEngineName[] = "engines.sim";
std::string SimEngineAddress(int engine);  // without its port, 8090

// The whole answer of `side` (`cloud` or `local`) to a request with this marker, in pieces.
std::vector<std::string> SimAnswer(const std::string& marker, const std::string& side);
// What the client gets of that answer: all, or what comes before the output guard's stop word.
std::string SimExpected(const std::string& marker, const std::string& side);
// What the cloud says behind its answer to a masked request; the client gets the value in its place.
inline constexpr char kSimPlaceholder[] = "<EMAIL_1>";
std::string SimExpected(const SimRequest& request, bool cloud);
// The marker in a request's texts; empty when there is none.
std::string FindMarker(const std::string& text);

}  // namespace headgate::router
