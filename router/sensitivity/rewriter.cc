// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/rewriter.h"

#include <algorithm>
#include <numeric>

namespace headgate::router {
namespace {

constexpr size_t kContextBytes = 64;      // kept around a part that was replaced,
constexpr size_t kContextBytesMax = 4096;  // and more where it would cut a token: the rest may belong to the part, and
                                           // the words around it speak of both
constexpr std::string_view kBetweenParts = "\n\n\n\n";  // more separators than a number may hold

bool Touch(const Edits::Edit& a, const Edits::Edit& b) { return a.begin <= b.end && b.begin <= a.end; }

bool IsGraphic(char c) { return c > ' ' && c < 0x7F; }

class Writer {
 public:
  Writer(std::string_view text, Keep keep) : text_(text), keep_(keep) {}
  void Replace(const Edits& edits, const Edits::Edit& edit) {
    const bool near = any_ && edit.begin - copied_ <= kContextBytes;
    const size_t context = near ? copied_ : ContextBefore(edit.begin), follow = near ? copied_ : ContextBehind(copied_);
    if (!any_) {
      whole_ = context == 0;
      Copy(context, edit.begin);
    } else if (context <= follow) {
      Copy(copied_, edit.begin);
    } else {
      Copy(copied_, follow);
      whole_ = false;
      out_.text += kBetweenParts;
      out_.origin.resize(out_.text.size(), static_cast<uint32_t>(follow));
      Copy(context, edit.begin);
    }
    out_.text.append(edits.bytes, edit.from, edit.to - edit.from);
    out_.origin.insert(out_.origin.end(), edits.origin.begin() + edit.from, edits.origin.begin() + edit.to);
    copied_ = edit.end;
    any_ = true;
  }
  Rewritten Finish() {
    const size_t end = ContextBehind(copied_);
    Copy(copied_, end);
    out_.origin.push_back(static_cast<uint32_t>(end));
    out_.whole = whole_ && end == text_.size();
    return std::move(out_);
  }

 private:
  size_t ContextBefore(size_t at) const {
    if (keep_ == Keep::kAll) return copied_;
    size_t begin = at - std::min(at, kContextBytes);
    const size_t least = std::max(copied_, at - std::min(at, kContextBytesMax));
    if (begin <= least || !IsGraphic(text_[begin]) || !IsGraphic(text_[begin - 1])) return begin;
    while (begin > least && IsGraphic(text_[begin - 1])) --begin;
    return std::max(least, begin - std::min(begin, kContextBytes));
  }
  size_t ContextBehind(size_t at) {
    if (keep_ == Keep::kAll) return text_.size();
    size_t end = std::min(text_.size(), at + kContextBytes);
    const size_t most = std::min(text_.size(), at + kContextBytesMax);
    if (end >= most || !IsGraphic(text_[end - 1]) || !IsGraphic(text_[end])) return end;
    // The same token behind many parts is gone through once.
    if (end >= token_end_) {
      token_end_ = end;
      while (token_end_ < text_.size() && IsGraphic(text_[token_end_])) ++token_end_;
    }
    return std::min(most, std::min(most, token_end_) + kContextBytes);
  }
  void Copy(size_t begin, size_t end) {
    out_.text.append(text_.substr(begin, end - begin));
    const size_t at = out_.origin.size();
    out_.origin.resize(out_.text.size());
    std::iota(out_.origin.begin() + static_cast<std::ptrdiff_t>(at), out_.origin.end(), static_cast<uint32_t>(begin));
  }

  const std::string_view text_;
  const Keep keep_;
  Rewritten out_;
  size_t copied_ = 0, token_end_ = 0;
  bool any_ = false, whole_ = false;
};

}  // namespace

void Edits::Add(size_t begin, size_t end, std::string_view by, size_t came_from) {
  const auto from = static_cast<uint32_t>(bytes.size());
  bytes += by;
  origin.resize(bytes.size(), static_cast<uint32_t>(came_from));
  list.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end), from, static_cast<uint32_t>(bytes.size())});
}

void Edits::Add(size_t begin, size_t end, std::string_view by, const std::vector<uint32_t>& came_from) {
  Add(begin, end, by, begin);
  std::copy(came_from.begin(), came_from.end(), origin.end() - static_cast<std::ptrdiff_t>(by.size()));
}

void Edits::Merge(const Edits& other) {
  if (other.empty()) return;
  std::vector<Edit> merged;
  merged.reserve(list.size() + other.list.size());
  size_t next = 0;
  for (Edit edit : other.list) {
    while (next < list.size() && list[next].end < edit.begin) merged.push_back(list[next++]);
    if (next < list.size() && Touch(list[next], edit)) continue;
    const auto from = static_cast<uint32_t>(bytes.size());
    bytes.append(other.bytes, edit.from, edit.to - edit.from);
    origin.insert(origin.end(), other.origin.begin() + edit.from, other.origin.begin() + edit.to);
    edit.to = from + (edit.to - edit.from);
    edit.from = from;
    merged.push_back(edit);
  }
  merged.insert(merged.end(), list.begin() + static_cast<std::ptrdiff_t>(next), list.end());
  list = std::move(merged);
}

Rewritten Rewrite(std::string_view text, const Edits& edits, Keep keep) {
  if (edits.empty()) return {};
  Writer writer(text, keep);
  for (const Edits::Edit& edit : edits.list) writer.Replace(edits, edit);
  return writer.Finish();
}

}  // namespace headgate::router
