// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Segment files of the audit chain. Lines are written with one write(2) to an O_APPEND file before Append returns: they
// survive the process being killed. A thread of its own flushes what was written to the medium at most sync_interval
// later, many records at a time (measured in docs/decisions/0009-audit-durability.md).
//
// When the medium refuses a flush, or takes longer than kStalled, nothing more is accepted until a new segment could be
// created and flushed: what the kernel held back then may be gone, and a disk that hangs must not hang the router.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "router/audit.h"
#include "router/audit_disk_sync.h"
#include "router/audit_record.h"
#include "router/audit_segments.h"

namespace headgate::router {
namespace {

// A flush that takes longer than this is a disk that hangs. Counted in ticks of a timer: a process that was stopped and
// goes on has missed the time, not the disk.
constexpr absl::Duration kStallTick = absl::Milliseconds(500);
constexpr int kStallTicks = 5;  // the first may come at once
constexpr absl::Duration kRetryEvery = absl::Seconds(1);
constexpr size_t kPredecessorsMax = 32;

absl::Status FileError(const std::string& what, const std::string& path) {
  return absl::UnavailableError(absl::StrCat(what, " ", path, ": ", std::strerror(errno)));
}

// One file that only grows.
class AppendFile {
 public:
  ~AppendFile() { Close(); }
  bool open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  int64_t size() const { return size_; }

  absl::Status Create(const std::string& path) {
    path_ = path;
    size_ = 0;
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    return fd_ < 0 ? FileError("cannot create", path) : absl::OkStatus();
  }
  // All or nothing. After FAILED_PRECONDITION the file is gone, or holds a half line, and is closed.
  absl::Status Append(std::string_view bytes) {
    struct stat info {};
    if (::fstat(fd_, &info) != 0 || info.st_nlink == 0) {
      // The kernel would go on writing to a file that has no name any more.
      Close();
      return absl::FailedPreconditionError(absl::StrCat(path_, " was deleted"));
    }
    size_t written = 0;
    while (written < bytes.size()) {
      const ssize_t n = ::write(fd_, bytes.data() + written, bytes.size() - written);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        absl::Status status = FileError("cannot write", path_);
        // A half line would break the chain for a verifier; if even this fails the segment is given up.
        if (written > 0 && ::ftruncate(fd_, size_) != 0) {
          Close();
          status = absl::FailedPreconditionError(status.message());
        }
        return status;
      }
      written += static_cast<size_t>(n);
    }
    size_ += static_cast<int64_t>(bytes.size());
    return absl::OkStatus();
  }
  void Close() {
    if (fd_ >= 0) ::close(Release());
  }
  int Release() { return std::exchange(fd_, -1); }

 private:
  std::string path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

class AuditFiles : public AuditStore {
 public:
  AuditFiles(AuditConfig config, std::string chain_id, std::string key, Executor executor, Clock& clock)
      : config_(std::move(config)),
        chain_id_(std::move(chain_id)),
        key_(std::move(key)),
        clock_(clock),
        disk_(executor) {}
  ~AuditFiles() override {
    if (records_.open() && failed_.ok()) {
      WriteManifestFile().IgnoreError();
      // The end of the process is the one place that waits for the medium.
      for (const int fd : {records_.Release(), payloads_.Release()}) finished_.push_back(fd);
      for (const int fd : finished_) ::fdatasync(fd);
    }
    CloseFinished();
  }

  absl::Status Append(const std::string& line) override {
    size_t stored;
    return AppendAll({line}, &stored);
  }

  // All of them or none.
  absl::Status AppendAll(const std::vector<std::string>& lines, size_t* stored) override {
    *stored = 0;
    RETURN_IF_ERROR(CheckMedium());
    std::string text;
    for (const std::string& line : lines) text.append(line).push_back('\n');
    const auto bytes = static_cast<int64_t>(text.size());
    const bool full = records_.size() + bytes > config_.segment_bytes_max;
    const bool old = clock_.Monotonic() - opened_ >= config_.segment_age_max;
    if (records_.open() && manifest_.records > 0 && (full || old)) {
      RETURN_IF_ERROR(WriteManifestFile());
      finished_.push_back(records_.Release());
    }
    if (!records_.open()) RETURN_IF_ERROR(OpenSegment());
    RETURN_IF_ERROR(Written(records_.Append(text)));
    digest_->Add(text);
    manifest_.records += lines.size();
    manifest_.bytes = records_.size();
    sequence_ += lines.size();
    last_line_ = lines.back();
    *stored = lines.size();
    return absl::OkStatus();
  }

  absl::Status AppendPayload(const std::string& line) override {
    RETURN_IF_ERROR(CheckMedium());
    const int64_t bytes = static_cast<int64_t>(line.size()) + 1;
    if (payloads_.open() && payloads_.size() > 0 && payloads_.size() + bytes > config_.segment_bytes_max) {
      finished_.push_back(payloads_.Release());
    }
    if (!payloads_.open()) {
      const SegmentName name{SegmentName::Kind::kPayload, chain_id_, payload_number_};
      RETURN_IF_ERROR(payloads_.Create(absl::StrCat(config_.directory, "/", FileName(name))));
      ++payload_number_;
      new_file_ = true;
    }
    return Written(payloads_.Append(line + "\n"));
  }

  void Sync(std::function<void(absl::Status)> done) override {
    if (!failed_.ok()) return done(failed_);
    if (!dirty_ && !disk_.busy()) return done(absl::OkStatus());
    if (!dirty_) {
      joined_.push_back(std::move(done));  // what runs covers everything
      return;
    }
    waiting_.push_back(std::move(done));
    if (!disk_.busy()) StartSync();
  }

  std::vector<v1::ChainHead> Predecessors() const override;

 private:
  // Whether the medium has said no, or nothing for too long.
  absl::Status CheckMedium() const {
    if (!failed_.ok()) return failed_;
    if (disk_.busy() && stall_ticks_ >= kStallTicks) {
      return absl::UnavailableError(absl::StrCat(config_.directory, ": the disk does not answer"));
    }
    return absl::OkStatus();
  }

  absl::Status Written(const absl::Status& status) {
    if (status.ok()) {
      dirty_ = true;
      if (!disk_.busy() && !sync_timer_) {
        sync_timer_ = clock_.CallAt(clock_.Monotonic() + config_.sync_interval, [this] { StartSync(); });
      }
    }
    return absl::IsFailedPrecondition(status) ? absl::UnavailableError(status.message()) : status;
  }

  absl::Status OpenSegment() {
    const SegmentName name{SegmentName::Kind::kRecords, chain_id_, segment_};
    RETURN_IF_ERROR(records_.Create(absl::StrCat(config_.directory, "/", FileName(name))));
    manifest_ = {};
    manifest_.chain_id = chain_id_;
    manifest_.number = segment_;
    manifest_.first_sequence = sequence_;
    digest_ = std::make_unique<RunningSha256>();
    ++segment_;
    opened_ = clock_.Monotonic();
    new_file_ = true;
    return absl::OkStatus();
  }

  absl::Status WriteManifestFile() {
    const auto last = ReadAuditLine(last_line_);
    manifest_.sha256 = digest_->Hex();
    manifest_.last_mac = last.ok() ? last->mac() : "";
    manifest_.last_time = last.ok() ? last->time() : "";
    manifest_.final = last.ok() && last->kind() == v1::AuditRecord::KIND_CHAIN_END;
    const SegmentName name{SegmentName::Kind::kManifest, chain_id_, manifest_.number};
    const std::string path = absl::StrCat(config_.directory, "/", FileName(name));
    AppendFile file;
    RETURN_IF_ERROR(file.Create(path));
    // The segment goes on when there is no room for it; the next record tries again.
    if (const absl::Status written = file.Append(WriteManifest(key_, manifest_)); !written.ok()) {
      ::unlink(path.c_str());
      return absl::UnavailableError(written.message());
    }
    finished_.push_back(file.Release());
    new_file_ = true;
    return absl::OkStatus();
  }
  void CloseFinished() {
    for (const int fd : std::exchange(finished_, {})) {
      if (fd >= 0) ::close(fd);
    }
  }

  void StartSync() {
    sync_timer_.reset();
    if (disk_.busy()) return;
    std::vector<int> descriptors = finished_;
    for (const AppendFile* file : {&records_, &payloads_}) {
      if (file->open()) descriptors.push_back(file->fd());
    }
    // A file that is new is on the medium when its name is.
    const int directory = new_file_ ? ::open(config_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory >= 0) descriptors.push_back(directory);
    dirty_ = new_file_ = false;
    joined_ = std::exchange(waiting_, {});
    stall_ticks_ = 0;
    if (!stall_timer_) TickStall();
    disk_.Start(descriptors, [this](const absl::Status& status) { Synced(status); });
    if (directory >= 0) ::close(directory);
    CloseFinished();  // the flush has its own
  }

  void TickStall() {
    stall_timer_ = clock_.CallAt(clock_.Monotonic() + kStallTick, [this] {
      stall_timer_.reset();
      if (!disk_.busy()) return;
      ++stall_ticks_;
      TickStall();
    });
  }

  void Synced(const absl::Status& status) {
    auto joined = std::exchange(joined_, {});
    if (!status.ok()) {
      failed_ = status;
      records_.Close();
      payloads_.Close();
      for (auto& done : std::exchange(waiting_, {})) joined.push_back(std::move(done));
      retry_timer_ = clock_.CallAt(clock_.Monotonic() + kRetryEvery, [this] { Retry(); });
    } else if (!waiting_.empty()) {
      StartSync();
    } else if (dirty_) {
      sync_timer_ = clock_.CallAt(clock_.Monotonic() + config_.sync_interval, [this] { StartSync(); });
    }
    for (const auto& done : joined) done(status);
  }

  // A new segment that can be created and flushed ends the failure.
  void Retry() {
    retry_timer_.reset();
    if (!records_.open() && !OpenSegment().ok()) {
      retry_timer_ = clock_.CallAt(clock_.Monotonic() + kRetryEvery, [this] { Retry(); });
      return;
    }
    disk_.Start({records_.fd()}, [this](const absl::Status& status) {
      if (status.ok()) {
        failed_ = absl::OkStatus();
      } else {
        retry_timer_ = clock_.CallAt(clock_.Monotonic() + kRetryEvery, [this] { Retry(); });
      }
    });
  }

  const AuditConfig config_;
  const std::string chain_id_;
  const std::string key_;
  Clock& clock_;
  AppendFile records_, payloads_;
  int64_t segment_ = 0, payload_number_ = 0;
  uint64_t sequence_ = 0;
  SegmentManifest manifest_;  // of the open segment, so far
  std::unique_ptr<RunningSha256> digest_;
  std::string last_line_;
  MonotonicTime opened_;
  bool dirty_ = false;     // written since the last flush began
  bool new_file_ = false;  // created since
  std::vector<int> finished_;  // complete files that the next flush covers
  absl::Status failed_;
  int stall_ticks_ = 0;  // of the flush that runs
  std::unique_ptr<Timer> stall_timer_;
  // Who waits for the flush that runs, and for the next. Bounded by the requests in flight.
  std::vector<std::function<void(absl::Status)>> joined_, waiting_;
  std::unique_ptr<Timer> sync_timer_, retry_timer_;
  DiskSync disk_;
};

// Heads are believed as they are found: the point is that they are the same later.
std::vector<v1::ChainHead> AuditFiles::Predecessors() const {
  std::map<std::string, SegmentName> last;
  std::error_code error;
  for (std::filesystem::directory_iterator it(config_.directory, error), end; !error && it != end;
       it.increment(error)) {
    const auto name = ParseFileName(it->path().filename().string());
    if (!name || name->kind != SegmentName::Kind::kRecords || name->chain_id == chain_id_) continue;
    SegmentName& newest = last[name->chain_id];
    if (newest.chain_id.empty() || newest.number < name->number) newest = *name;
  }
  std::vector<std::pair<std::string, v1::ChainHead>> heads;  // by time
  for (const auto& [chain_id, name] : last) {
    const auto record =
        ReadAuditLine(LastLine(absl::StrCat(config_.directory, "/", FileName(name)), kAuditLineBytesMax));
    if (!record.ok() || record->chain_id() != chain_id) continue;
    v1::ChainHead head;
    head.set_chain_id(chain_id);
    head.set_sequence(record->sequence());
    head.set_mac(record->mac());
    heads.emplace_back(record->time(), std::move(head));
  }
  std::sort(heads.begin(), heads.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<v1::ChainHead> out;
  for (auto& [time, head] : heads) {
    if (out.size() < kPredecessorsMax) out.push_back(std::move(head));
  }
  return out;
}

absl::Status CheckWritable(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("audit.directory: not a directory: ", directory));
  }
  if (::access(directory.c_str(), W_OK | X_OK) != 0) return FileError("audit.directory: not writable", directory);
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAuditDirectory(const AuditConfig& config) {
  std::filesystem::path place = std::filesystem::path(config.directory) / "";  // with one slash at its end
  if (::access(place.c_str(), F_OK) == 0 || errno != ENOENT) return CheckWritable(config.directory);
  place = place.parent_path().parent_path();  // where a start makes it
  if (place.empty()) place = ".";
  if (::access(place.c_str(), W_OK | X_OK) != 0) return FileError("audit.directory: cannot create", config.directory);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AuditStore>> OpenAuditFiles(const AuditConfig& config, const std::string& chain_id,
                                                           const std::string& key, Executor executor, Clock& clock) {
  if (::mkdir(config.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return FileError("audit.directory: cannot create", config.directory);
  }
  RETURN_IF_ERROR(CheckWritable(config.directory));
  return std::make_unique<AuditFiles>(config, chain_id, key, executor, clock);
}

}  // namespace headgate::router
