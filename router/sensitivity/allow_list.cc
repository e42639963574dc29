// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/allow_list.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "router/detector_types.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

// Only of telephone numbers are separators without meaning: 34.118.22.9 is not 34.11.82.29.
std::string Key(std::string_view type, std::string_view canonical) {
  const bool telephone = type.substr(0, 6) == "PHONE_";
  std::string key(type);
  key += '\n';
  for (const char c : canonical) {
    if (!telephone || IsAlnum(c) || static_cast<uint8_t>(c) >= 0x80) key += LowerAscii(c);
  }
  return key;
}

}  // namespace

absl::StatusOr<AllowList> AllowList::Make(const std::vector<AllowListConfig>& lists) {
  AllowList allowed;
  for (const AllowListConfig& list : lists) {
    if (list.owner.empty())
      return absl::InvalidArgumentError(absl::StrCat("allow list `", list.name, "` has no owner"));
    for (const std::string& type : list.types) {
      if (!IsAllowable(type)) {
        return absl::InvalidArgumentError(absl::StrCat("allow list `", list.name, "`: `", type, "` cannot be allowed"));
      }
      for (const std::string& value : list.values) {
        absl::Time& expiry = allowed.expiry_[Key(type, CanonicalText::Make(value).text())];
        expiry = std::max(expiry, list.expires);
      }
    }
  }
  return allowed;
}

bool AllowList::Allows(std::string_view type, std::string_view canonical, absl::Time now) const {
  if (expiry_.empty()) return false;
  const auto found = expiry_.find(Key(type, canonical));
  return found != expiry_.end() && now < found->second;
}

}  // namespace headgate::router
