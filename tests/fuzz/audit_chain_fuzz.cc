// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The audit log's reader on arbitrary lines, and on a good chain in which one byte was changed, one line taken away or
// two exchanged: it must notice. The first byte chooses.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "boost/asio/io_context.hpp"
#include "router/audit.h"

namespace {

using namespace headgate;
using namespace headgate::router;

const std::string kKey(32, 'k');

void Check(bool holds) {
  if (!holds) std::abort();
}

class Lines : public AuditStore {
 public:
  explicit Lines(std::vector<std::string>& lines) : lines_(lines) {}
  absl::Status Append(const std::string& line) override {
    lines_.push_back(line);
    return absl::OkStatus();
  }

 private:
  std::vector<std::string>& lines_;
};

std::vector<std::string> GoodChain() {
  std::vector<std::string> lines;
  boost::asio::io_context io;
  const auto clock = MakeRealClock(io);
  Metrics metrics;
  Audit audit(*clock, kKey, std::make_unique<Lines>(lines), "chain", metrics);
  for (int i = 0; i < 6; ++i) {
    v1::AuditRecord record;
    record.set_kind(i == 0   ? v1::AuditRecord::KIND_CHAIN_START
                    : i == 5 ? v1::AuditRecord::KIND_CHAIN_END
                             : v1::AuditRecord::KIND_OUTCOME);
    record.set_request_id(absl::StrCat("request-", i));
    record.mutable_route()->set_target(v1::Route::TARGET_CLOUD);
    record.mutable_usage()->set_prompt_tokens(10 + i);
    Check(audit.Write(std::move(record)).ok());
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::string> good = GoodChain();
  if (size < 4) return 0;
  const uint8_t choice = data[0] % 4;
  if (choice == 0) {
    const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
    Check(lines.empty() || !VerifyAuditChain(kKey, lines).ok());
    return 0;
  }
  Check(VerifyAuditChain(kKey, good).ok());
  std::vector<std::string> bad = good;
  const size_t at = data[1] % bad.size();
  if (choice == 1) {
    std::string& line = bad[at];
    char& changed = line[(data[2] << 8 | data[3]) % line.size()];
    changed = static_cast<char>(changed ^ (1 << data[1] % 8));
  } else if (choice == 2) {
    if (at + 1 == bad.size()) return 0;  // shows as a missing end only
    bad.erase(bad.begin() + static_cast<long>(at));
  } else {
    std::swap(bad[at], bad[(at + 1) % bad.size()]);
  }
  Check(!VerifyAuditChain(kKey, bad).ok());
  return 0;
}
