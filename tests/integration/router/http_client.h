// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A blocking HTTP client for tests (libcurl), with what curl -v would show.
//
// Thread-safety: functions from any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace headgate {

struct HttpCall {
  std::string method = "POST";
  std::string url;
  std::string body;
  std::vector<std::string> headers = {"content-type: application/json"};
  std::string ca_file, cert_file, key_file;  // https
  // Called with each piece of the body; false closes the connection.
  std::function<bool(std::string_view piece)> on_data;
};

struct HttpResult {
  bool transport_ok = false;  // the answer came whole
  long status = 0;
  std::map<std::string, std::string> headers;  // lower-case names
  std::string body;
};

HttpResult Fetch(const HttpCall& call);
HttpResult Get(const std::string& url);
HttpResult PostJson(const std::string& url, const std::string& body, std::vector<std::string> headers = {});

}  // namespace headgate
