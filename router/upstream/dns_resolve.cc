// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "boost/asio/ip/tcp.hpp"
#include "router/upstream/endpoint_registry.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);
using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, Executor>;
using Ips = std::vector<std::string>;

Task<absl::StatusOr<Ips>> ResolveByDns(Executor executor, Clock& clock, std::string host) {
  // Shared with the callback, which may come after the time-out.
  auto answer = std::make_shared<Mailbox<Ips>>(executor, 1);
  auto resolver = std::make_shared<Resolver>(executor);
  resolver->async_resolve(
      host, "", [answer, resolver](const boost::system::error_code& error, const Resolver::results_type& results) {
        if (error) {
          answer->Close(absl::NotFoundError("host does not resolve"));
          return;
        }
        Ips ips;
        for (const auto& result : results) ips.push_back(result.endpoint().address().to_string());
        (void)answer->Offer(std::move(ips));
      });
  Cancellation never;
  auto ips = co_await answer->Receive(clock, clock.Monotonic() + kTimeout, never);
  if (!ips.ok()) co_return ips.status();
  co_return **std::move(ips);
}

}  // namespace

EndpointRegistry::Resolve MakeDnsResolve(Executor executor, Clock& clock) {
  return [executor, &clock](std::string host) { return ResolveByDns(executor, clock, std::move(host)); };
}

}  // namespace headgate::router
