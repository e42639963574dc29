// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/fakes/deepseek_emulator.h"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/redirect_error.hpp"
#include "common/clock.h"
#include "tests/fakes/deepseek_chat.h"
#include "tests/fakes/deepseek_connection.h"
#include "tests/fakes/deepseek_state.h"
#include "tests/fakes/time_scale.h"

namespace headgate {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr char kJson[] = "application/json";

}  // namespace

struct DeepSeekEmulator::Server {
  explicit Server(const DeepSeekEmulatorOptions& options)
      : state(options), clock(MakeRealClock(io)), acceptor(io.get_executor()) {}

  absl::Status Listen() {
    const DeepSeekEmulatorOptions& options = state.options;
    try {
      if (!options.tls_cert.empty()) {
        tls.emplace(asio::ssl::context::tls_server);
        tls->use_certificate_chain_file(options.tls_cert);
        tls->use_private_key_file(options.tls_key, asio::ssl::context::pem);
      }
      const tcp::endpoint endpoint(asio::ip::make_address(options.address), options.port);
      acceptor.open(endpoint.protocol());
      acceptor.set_option(tcp::acceptor::reuse_address(true));
      acceptor.bind(endpoint);
      acceptor.listen(4096);
      port = acceptor.local_endpoint().port();
    } catch (const std::exception& error) {
      return absl::UnavailableError(absl::StrCat("cannot listen: ", error.what()));
    }
    asio::co_spawn(io.get_executor(), Accept(), asio::detached);
    thread = std::thread([this] { io.run(); });
    return absl::OkStatus();
  }

  void Stop() {
    asio::post(io.get_executor(), [this] {
      stopping = true;
      error_code ignored;
      acceptor.close(ignored);
      for (const auto& weak : connections)
        if (auto connection = weak.second.lock()) connection->Abort();
    });
    if (thread.joinable()) thread.join();  // ends when every coroutine has
  }

  Task<void> Accept() {
    while (!stopping) {
      error_code error;
      TcpSocket socket(io.get_executor());
      co_await acceptor.async_accept(socket,
                                     asio::redirect_error(asio::use_awaitable_t<Executor>{}, error));
      if (error == asio::error::operation_aborted || stopping) break;
      if (error) continue;
      auto connection =
          DeepSeekConnection::Make(io.get_executor(), *clock, state, std::move(socket), tls ? &*tls : nullptr);
      connections[connection->id] = connection;
      asio::co_spawn(io.get_executor(), Serve(std::move(connection)), asio::detached);
    }
  }

  Task<void> Serve(std::shared_ptr<DeepSeekConnection> connection) {
    bool ok = co_await connection->Open();
    while (ok && connection->open()) {
      std::optional<HttpRequest> request = co_await connection->ReadRequest();
      if (!request) break;
      co_await Handle(*connection, *request);
    }
    // Abort ends the reader, which holds the connection too.
    connection->Abort();
    connections.erase(connection->id);
  }

  bool Authorized(const HttpRequest& request) const {
    constexpr char kBearer[] = "Bearer ";
    if (!absl::StartsWith(request.authorization, kBearer)) return false;
    const std::string key = request.authorization.substr(sizeof(kBearer) - 1);
    const auto& keys = state.options.api_keys;
    return !key.empty() && (keys.empty() || std::find(keys.begin(), keys.end(), key) != keys.end());
  }

  Task<void> Handle(DeepSeekConnection& connection, const HttpRequest& request) {
    std::string target = request.target;
    int status = 200;
    std::string body;
    if (absl::StartsWith(target, "/__")) {
      state.Forget(connection.id);
      body = Own(request, status);
      co_await connection.Respond(status, "", kJson, std::move(body));
      co_return;
    }
    if (absl::StartsWith(target, "/v1/")) target.erase(0, 3);
    if (!Authorized(request)) {
      status = 401;
      body = DeepSeekErrorJson({401, "Authentication Fails (auth header format should be Bearer sk-...)",
                                "invalid_request_error"});
    } else if (request.method == "POST" && target == "/chat/completions") {
      co_await AnswerChat(connection, *clock, state, request.body);
      co_return;
    } else if (request.method == "GET" && target == "/models") {
      body = state.With([](DeepSeekAccount& account, auto&, auto&) { return account.ModelsJson(); });
    } else if (request.method == "GET" && target == "/user/balance") {
      body = state.With([](DeepSeekAccount& account, auto&, auto&) { return account.BalanceJson(); });
    } else {
      status = 404;
      body = DeepSeekErrorJson({404, "Not Found", "invalid_request_error"});
    }
    co_await connection.Respond(status, "", kJson, std::move(body));
  }

  // The test's own calls.
  std::string Own(const HttpRequest& request, int& status) {
    if (request.target == "/__records") return state.RecordsJson();
    if (request.target == "/__stats") return state.StatsJson();
    if (request.target == "/__control" && request.method == "POST") {
      const absl::Status result = state.Control(request.body);
      if (result.ok()) return "{}";
      status = 400;
      return DeepSeekErrorJson({400, std::string(result.message()), "control_error"});
    }
    status = 404;
    return "{}";
  }

  asio::io_context io{1};
  DeepSeekState state;
  std::unique_ptr<Clock> clock;
  std::optional<asio::ssl::context> tls;
  asio::basic_socket_acceptor<tcp, Executor> acceptor;
  std::map<int64_t, std::weak_ptr<DeepSeekConnection>> connections;
  uint16_t port = 0;
  bool stopping = false;
  std::thread thread;
};

DeepSeekEmulator::DeepSeekEmulator(std::unique_ptr<Server> server) : server_(std::move(server)) {}
DeepSeekEmulator::~DeepSeekEmulator() { server_->Stop(); }

absl::StatusOr<std::unique_ptr<DeepSeekEmulator>> DeepSeekEmulator::Start(const DeepSeekEmulatorOptions& options) {
  auto server = std::make_unique<Server>(options);
  const absl::Status status = server->Listen();
  if (!status.ok()) return status;
  return std::unique_ptr<DeepSeekEmulator>(new DeepSeekEmulator(std::move(server)));
}

uint16_t DeepSeekEmulator::port() const { return server_->port; }
std::string DeepSeekEmulator::base_url() const {
  return absl::StrCat(server_->tls ? "https://" : "http://", server_->state.options.address, ":", port());
}
void DeepSeekEmulator::AddRule(DeepSeekRule rule) {
  server_->state.With([&](auto&, DeepSeekRules& rules, auto&) { rules.Add(std::move(rule)); });
}
void DeepSeekEmulator::ClearRules() {
  server_->state.With([](auto&, DeepSeekRules& rules, auto&) { rules.Clear(); });
}
void DeepSeekEmulator::SetDefaultPlan(DeepSeekPlan plan) {
  server_->state.With([&](auto&, DeepSeekRules& rules, auto&) { rules.SetDefault(std::move(plan)); });
}
void DeepSeekEmulator::SetLimits(DeepSeekAccount::Limits limits) {
  server_->state.With([&](DeepSeekAccount& account, auto&, auto&) { account.SetLimits(limits); });
}
void DeepSeekEmulator::SetBalance(int64_t granted_nano_cny, int64_t topped_up_nano_cny) {
  server_->state.With(
      [&](DeepSeekAccount& account, auto&, auto&) { account.SetBalance(granted_nano_cny, topped_up_nano_cny); });
}
absl::Status DeepSeekEmulator::Control(const std::string& json) { return server_->state.Control(json); }
std::vector<std::string> DeepSeekEmulator::Records() const { return server_->state.Records(); }
void DeepSeekEmulator::ClearRecords() { server_->state.ClearRecords(); }
DeepSeekEmulator::Stats DeepSeekEmulator::stats() const { return server_->state.stats(); }
bool DeepSeekEmulator::WaitUntil(const std::function<bool(const Stats&)>& done, absl::Duration limit) const {
  return server_->state.WaitUntil(done, limit * TimeScale());
}

}  // namespace headgate
