// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// deletion-cost: tells Kubernetes which engine pods to take first when it scales down: those with the fewest requests.
// Every round lists the pods of a selector, asks each one's metrics for its waiting and running requests, and writes
// the number into the annotation controller.kubernetes.io/pod-deletion-cost where it has changed.
//
// Needs the right to list and to patch pods of one namespace (docs/decisions/0010). A pod whose metrics do not answer
// keeps the annotation that it has. It ends with SIGTERM.
#include <curl/curl.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

constexpr char kAnnotation[] = "controller.kubernetes.io/pod-deletion-cost";
constexpr char kAccount[] = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr size_t kBytesMax = 64 << 20;  // of an answer: the list of some thousand pods, or one pod's metrics
constexpr long kTimeoutMs = 5000;
constexpr double kCostMax = 1e9;  // Kubernetes takes an int32

struct CostOptions {
  std::string api = "https://kubernetes.default.svc";
  std::string token_file = absl::StrCat(kAccount, "/token");
  std::string ca_file = absl::StrCat(kAccount, "/ca.crt");
  std::string name_space;
  std::string selector = "app.kubernetes.io/component=engine";
  int metrics_port = 50053;
  int interval_seconds = 10;
  int rounds = 0;
};

struct Pod {
  std::string name;
  std::string address;
  std::string cost;  // as it is annotated now; empty: not at all
};

std::string Contents(const std::string& file) {
  std::ifstream in(file);
  return std::string(absl::StripAsciiWhitespace(std::string(std::istreambuf_iterator<char>(in), {})));
}

// One request. No redirects and no proxy: the token goes where it was told to go.
class Call {
 public:
  explicit Call(const std::string& url) : easy_(curl_easy_init(), &curl_easy_cleanup) {
    Set(CURLOPT_URL, url.c_str());
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_TIMEOUT_MS, kTimeoutMs);
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_PROTOCOLS_STR, "http,https");
    Set(CURLOPT_WRITEFUNCTION, &Call::OnBody);
    Set(CURLOPT_WRITEDATA, this);
  }

  // As the pod's service account. The token changes while a pod runs: it is read every time.
  void Sign(const CostOptions& options) {
    if (const std::string token = Contents(options.token_file); !token.empty()) {
      Header(absl::StrCat("Authorization: Bearer ", token));
    }
    if (absl::StartsWith(options.api, "https:")) Set(CURLOPT_CAINFO, options.ca_file.c_str());
  }

  void Patch(const std::string& body) {
    Header("Content-Type: application/merge-patch+json");
    Set(CURLOPT_CUSTOMREQUEST, "PATCH");
    Set(CURLOPT_COPYPOSTFIELDS, body.c_str());
  }

  // The body of an answer with status 200; otherwise what was wrong.
  absl::StatusOr<std::string> Run() {
    Set(CURLOPT_HTTPHEADER, headers_.get());
    const CURLcode code = curl_easy_perform(easy_.get());
    if (code != CURLE_OK) return absl::UnavailableError(curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return absl::UnavailableError(absl::StrCat("HTTP ", status));
    return std::move(body_);
  }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    curl_easy_setopt(easy_.get(), option, value);
  }
  void Header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
    headers_.release();  // the list that is returned begins with it
    headers_.reset(longer);
  }
  static size_t OnBody(char* data, size_t size, size_t count, void* self) {
    auto& body = static_cast<Call*>(self)->body_;
    if (body.size() + size * count > kBytesMax) return 0;  // curl reports a write error
    body.append(data, size * count);
    return size * count;
  }

  std::unique_ptr<CURL, void (*)(CURL*)> easy_;
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers_{nullptr, &curl_slist_free_all};
  std::string body_;
};

std::string PodsUrl(const CostOptions& options, const std::string& rest) {
  return absl::StrCat(options.api, "/api/v1/namespaces/", options.name_space, "/pods", rest);
}

absl::StatusOr<std::vector<Pod>> ListPods(const CostOptions& options) {
  std::unique_ptr<char, void (*)(void*)> selector(
      curl_easy_escape(nullptr, options.selector.data(), static_cast<int>(options.selector.size())), &curl_free);
  Call call(PodsUrl(options, absl::StrCat("?fieldSelector=status.phase%3DRunning&labelSelector=", selector.get())));
  call.Sign(options);
  auto body = call.Run();
  if (!body.ok()) return absl::UnavailableError(absl::StrCat("listing pods: ", body.status().message()));
  const nlohmann::json list = nlohmann::json::parse(*body, nullptr, /*allow_exceptions=*/false);
  if (!list.is_object() || !list.contains("items")) return absl::InternalError("listing pods: not a list");
  std::vector<Pod> pods;
  for (const nlohmann::json& item : list["items"]) {
    const nlohmann::json& metadata = item.value("metadata", nlohmann::json::object());
    if (metadata.contains("deletionTimestamp")) continue;
    Pod pod{metadata.value("name", ""), item.value("/status/podIP"_json_pointer, ""), ""};
    const nlohmann::json& annotations = metadata.value("annotations", nlohmann::json::object());
    pod.cost = annotations.value(kAnnotation, "");
    if (!pod.name.empty() && !pod.address.empty()) pods.push_back(std::move(pod));
  }
  return pods;
}

// Waiting and running requests, from an engine's metrics; nullopt: there are no such series.
std::optional<double> InFlight(const std::string& metrics) {
  std::optional<double> sum;
  for (absl::string_view line : absl::StrSplit(metrics, '\n')) {
    if (!absl::StartsWith(line, "vllm:num_requests_running") && !absl::StartsWith(line, "vllm:num_requests_waiting")) {
      continue;
    }
    double value = 0;
    const size_t space = line.rfind(' ');
    if (space != line.npos && absl::SimpleAtod(line.substr(space + 1), &value)) sum = sum.value_or(0) + value;
  }
  return sum;
}

absl::Status Annotate(const CostOptions& options, const Pod& pod, const std::string& cost) {
  Call call(PodsUrl(options, absl::StrCat("/", pod.name)));
  call.Sign(options);
  call.Patch(nlohmann::json{{"metadata", {{"annotations", {{kAnnotation, cost}}}}}}.dump());
  return call.Run().status();
}

// What was wrong with single pods is said and does not end the round.
absl::Status Round(const CostOptions& options) {
  auto pods = ListPods(options);
  if (!pods.ok()) return pods.status();
  for (const Pod& pod : *pods) {
    const std::string host = absl::StrContains(pod.address, ':') ? absl::StrCat("[", pod.address, "]") : pod.address;
    auto metrics = Call(absl::StrCat("http://", host, ":", options.metrics_port, "/metrics")).Run();
    const auto requests = metrics.ok() ? InFlight(*metrics) : std::nullopt;
    if (!requests.has_value()) {
      std::cerr << pod.name << ": no metrics: " << metrics.status().message() << std::endl;
      continue;
    }
    const std::string cost = absl::StrCat(static_cast<int64_t>(std::min(std::max(*requests, 0.0), kCostMax)));
    if (cost == (pod.cost.empty() ? "0" : pod.cost)) continue;
    if (const absl::Status patched = Annotate(options, pod, cost); !patched.ok()) {
      std::cerr << pod.name << ": not annotated: " << patched.message() << std::endl;
    }
  }
  return absl::OkStatus();
}

int Run(const CostOptions& options) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const timespec pause{options.interval_seconds, 0};
  for (int done = 1;; ++done) {
    absl::Status round;
    try {
      round = Round(options);
    } catch (const nlohmann::json::exception& error) {  // a field of another type than Kubernetes has
      round = absl::InternalError(error.what());
    }
    if (!round.ok()) std::cerr << round.message() << std::endl;
    if (done == options.rounds) return round.ok() ? 0 : 1;
    if (sigtimedwait(&signals, nullptr, &pause) > 0) return 0;
  }
}

}  // namespace

void AddDeletionCostCommand(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CostOptions>();
  CLI::App* command = app.add_subcommand("deletion-cost", "Annotate engine pods: idle ones go first (Kubernetes)");
  command->add_option("--namespace", options->name_space, "Of the pods")->required();
  command->add_option("--selector", options->selector, "Labels of the pods")->capture_default_str();
  command->add_option("--metrics-port", options->metrics_port, "Of the pods")->check(CLI::Range(1, 65535));
  command->add_option("--interval", options->interval_seconds, "Seconds between rounds")->check(CLI::Range(1, 3600));
  command->add_option("--rounds", options->rounds, "End after so many; 0: never")->check(CLI::NonNegativeNumber);
  command->add_option("--api", options->api, "Kubernetes")->capture_default_str();
  command->add_option("--token-file", options->token_file, "Of the service account")->capture_default_str();
  command->add_option("--ca-file", options->ca_file, "Trust anchor of the API")->capture_default_str();
  command->callback([options, &exit_code] { exit_code = Run(*options); });
}

}  // namespace headgate::services
