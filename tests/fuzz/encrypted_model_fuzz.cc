// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Encrypted containers. The input is tried as a container, and as changes to a good one: a container that differs from
// what was written never opens and verifies, wherever and however it differs.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/encrypted_model.h"

namespace {

using namespace headgate;
using namespace headgate::engine;

void Check(bool holds) {
  if (!holds) std::abort();
}

// A file in memory.
class File {
 public:
  explicit File(const std::string& bytes) : fd_(memfd_create("container", MFD_CLOEXEC)) {
    Check(fd_ >= 0 && write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string path() const { return absl::StrCat("/proc/self/fd/", fd_); }

 private:
  const int fd_;
};

const std::string& Good() {
  static const std::string good = [] {
    const File plain(std::string(10000, 'w'));
    const std::string to = absl::StrCat("/tmp/headgate_encrypted_fuzz_", getpid());
    Check(EncryptModel(plain.path(), to, ModelKey({1}), SystemRandom(), 4096).ok());
    std::ifstream in(to, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    unlink(to.c_str());
    return bytes;
  }();
  return good;
}

bool Verifies(const std::string& bytes) {
  const File file(bytes);
  const auto model = EncryptedModel::Open(file.path(), ModelKey({1}));
  Check(model.ok() || model.status().message().size() <= 512);
  return model.ok() && (*model)->VerifyAll().ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  static const bool good_verifies = Verifies(Good());
  Check(good_verifies && !Verifies(input));
  Check(!Verifies("HGMODEL1" + input));
  // Three bytes a change: where, and what is xored there. An odd rest cuts the end off.
  std::string changed = Good();
  for (size_t i = 0; i + 2 < input.size(); i += 3) {
    const size_t at = (data[i] * 256U + data[i + 1]) % changed.size();
    changed[at] = static_cast<char>(changed[at] ^ data[i + 2]);
  }
  if (size % 3 != 0) changed.resize(changed.size() - size % 3);
  Check(Verifies(changed) == (changed == Good()));
  return 0;
}
