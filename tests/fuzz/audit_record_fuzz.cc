// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The readers of audit folders on files that anybody may have written: record lines, manifests, payload lines, anchors,
// and a whole folder. They must end, never throw, and call nothing good that was not made with the key.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "router/audit_payload.h"
#include "router/audit_record.h"
#include "router/audit_segments.h"
#include "router/audit_verify.h"

namespace {

using namespace headgate;
using namespace headgate::router;

const std::string kKey(32, 'k');

void Check(bool holds) {
  if (!holds) std::abort();
}

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "headgate-audit-fuzz-XXXXXX").string();
    Check(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary | std::ios::trunc) << bytes;
  }

 private:
  std::string path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder folder;
  if (size < 1) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 5) {
    case 0: {
      // What is read is written again, and read as the same.
      const auto record = ReadAuditLine(text);
      if (!record.ok()) break;
      std::string mac;
      const std::string line = WriteAuditLine(kKey, *record, &mac);
      Check(line.size() <= kAuditLineBytesMax && CheckAuditLine(kKey, line).ok());
      Check(ReadAuditLine(line).ok() || record->findings_size() > kAuditFindingsMax);
      Check(!CheckAuditLine(kKey, text).ok() || text == line);
      break;
    }
    case 1: Check(!ReadManifest(kKey, text).ok()); break;
    case 2: Check(!OpenPayload(kKey, text).ok()); break;
    case 3: {
      const auto anchors = ReadAuditAnchors(text);
      if (anchors.ok()) Check(!anchors->empty());
      break;
    }
    default: {
      folder.Write("audit-c-000000.jsonl", text);
      folder.Write("payload-c-000000.jsonl", text);
      folder.Write("audit-c-000000.manifest.json", text);
      VerifyOptions options;
      options.keys = {kKey};
      const auto verdict = VerifyAuditFolder(folder.path(), options);
      Check(verdict.ok() && !verdict->good());
    }
  }
  return 0;
}
