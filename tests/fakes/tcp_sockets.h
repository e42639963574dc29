// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// HeldBack: how many TCP connections of this process at a port hold small writes back until the other side has
// acknowledged earlier ones (Nagle; with delayed acknowledgements that costs 40 ms an event). -1: there is none.
// Useful for: a test that fails when TCP_NODELAY is forgotten.
//
// Thread-safety: from any thread while connections stay as they are.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <filesystem>
#include <string>

namespace headgate {

// kAccepted: the server's side of connections at `port`; kMade: the client's.
enum class TcpSide { kAccepted, kMade };

inline int HeldBack(int port, TcpSide side) {
  const auto is_at = [port](const sockaddr_storage& address) {
    return address.ss_family == AF_INET && ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port) == port;
  };
  int connections = 0, held_back = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename().string());
    sockaddr_storage here{}, there{};
    socklen_t here_size = sizeof(here), there_size = sizeof(there);
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&here), &here_size) != 0) continue;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&there), &there_size) != 0) continue;  // it listens
    if (!is_at(side == TcpSide::kAccepted ? here : there)) continue;
    int no_delay = 0;
    socklen_t size = sizeof(no_delay);
    if (getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size) != 0) continue;
    ++connections;
    held_back += no_delay == 0 ? 1 : 0;
  }
  return connections == 0 ? -1 : held_back;
}

}  // namespace headgate
