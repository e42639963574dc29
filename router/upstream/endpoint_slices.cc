// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/endpoint_slices.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"

namespace headgate::router {
namespace {

using nlohmann::json;

const json* Find(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::string Text(const json& object, const char* key) {
  const json* value = Find(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

std::string Version(const json& object) {
  const json* metadata = Find(object, "metadata");
  return metadata == nullptr ? "" : Text(*metadata, "resourceVersion");
}

bool Condition(const json& endpoint, const char* name, bool absent) {
  const json* conditions = Find(endpoint, "conditions");
  const json* value = conditions == nullptr ? nullptr : Find(*conditions, name);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : absent;
}

// The number of the wanted port in this slice; nullopt: it has none, or several and nobody said which.
std::optional<int64_t> PortOf(const json& slice, const std::string& wanted) {
  const json* ports = Find(slice, "ports");
  if (ports == nullptr || !ports->is_array()) return std::nullopt;
  std::optional<int64_t> found;
  for (const json& port : *ports) {
    const json* number = Find(port, "port");
    if (number == nullptr || !number->is_number_integer()) continue;
    const auto value = number->get<int64_t>();
    if (value < 1 || value > 65535) continue;
    if (wanted.empty() && found) return std::nullopt;
    if (wanted.empty() || Text(port, "name") == wanted || absl::StrCat(value) == wanted) found = value;
  }
  return found;
}

std::vector<std::string> AddressesOf(const json& slice, const std::string& wanted_port) {
  std::vector<std::string> addresses;
  const auto port = PortOf(slice, wanted_port);
  const json* endpoints = Find(slice, "endpoints");
  if (!port || endpoints == nullptr || !endpoints->is_array()) return addresses;
  for (const json& endpoint : *endpoints) {
    if (!Condition(endpoint, "ready", true) || !Condition(endpoint, "serving", true) ||
        Condition(endpoint, "terminating", false)) {
      continue;
    }
    const json* ips = Find(endpoint, "addresses");
    // All addresses of one endpoint are the same pod.
    if (ips == nullptr || !ips->is_array() || ips->empty() || !ips->front().is_string()) continue;
    const auto ip = ips->front().get<std::string>();
    addresses.push_back(ip.find(':') == std::string::npos ? absl::StrCat(ip, ":", *port)
                                                          : absl::StrCat("[", ip, "]:", *port));
    if (addresses.size() == EndpointSlices::kSliceAddressesMax) break;
  }
  return addresses;
}

std::string NameOf(const json& slice) {
  const json* metadata = Find(slice, "metadata");
  return metadata == nullptr ? "" : Text(*metadata, "name");
}

}  // namespace

absl::Status EndpointSlices::TakeList(std::string_view body) {
  const json list = json::parse(body, nullptr, /*allow_exceptions=*/false);
  const json* items = Find(list, "items");
  const std::string version = Version(list);
  if (items == nullptr || !items->is_array() || version.empty()) {
    return absl::UnavailableError("no list of EndpointSlices");
  }
  if (items->size() > kSlicesMax) return absl::UnavailableError("too many EndpointSlices");
  slices_.clear();
  for (const json& slice : *items) slices_[NameOf(slice)] = AddressesOf(slice, port_);
  resource_version_ = version;
  return absl::OkStatus();
}

absl::Status EndpointSlices::TakeEvent(std::string_view line) {
  const json event = json::parse(line, nullptr, /*allow_exceptions=*/false);
  const std::string type = Text(event, "type");
  const json* object = Find(event, "object");
  if (type.empty() || object == nullptr) return absl::UnavailableError("no watch event");
  if (type == "ERROR") {
    const json* code = Find(*object, "code");
    const bool gone = code != nullptr && code->is_number_integer() && code->get<int64_t>() == 410;
    return gone ? absl::OutOfRangeError("the watch is too old") : absl::UnavailableError("the watch reports an error");
  }
  const std::string version = Version(*object);
  if (version.empty()) return absl::UnavailableError("a watch event without a version");
  if (type == "DELETED") {
    slices_.erase(NameOf(*object));
  } else if (type == "ADDED" || type == "MODIFIED") {
    const std::string name = NameOf(*object);
    const bool fits = slices_.size() < kSlicesMax || slices_.contains(name);
    if (!fits) return absl::UnavailableError("too many EndpointSlices");
    slices_[name] = AddressesOf(*object, port_);
  } else if (type != "BOOKMARK") {
    return absl::UnavailableError("a watch event of an unknown type");
  }
  resource_version_ = version;
  return absl::OkStatus();
}

std::vector<std::string> EndpointSlices::Addresses() const {
  std::vector<std::string> addresses;
  for (const auto& [name, slice] : slices_) addresses.insert(addresses.end(), slice.begin(), slice.end());
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

}  // namespace headgate::router
