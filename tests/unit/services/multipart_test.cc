// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/multipart.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/router/openai_json.h"

namespace headgate::services {
namespace {

constexpr char kType[] = "multipart/form-data; boundary=\"a b\"";

TEST(ParseForm, PartsWithNamesAndBytesAsTheyAre) {
  const std::string content("\r\n--a\0\r\n--a", 11);
  const std::string body = absl::StrCat(
      "--a b\r\nContent-Disposition: form-data; name=purpose\r\n\r\nbatch\r\n--a b\r\nX: y\r\n"
      "content-disposition: form-data; name=\"file\"; filename=\"a;\\\"b.jsonl\"\r\n\r\n",
      content, "\r\n--a b--\r\nepilogue");
  const auto parts = ParseForm(kType, body);
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_EQ(parts->size(), 2u);
  EXPECT_EQ((*parts)[0].name, "purpose");
  EXPECT_EQ((*parts)[0].content, "batch");
  EXPECT_EQ((*parts)[1].filename, "a;\"b.jsonl");
  EXPECT_EQ((*parts)[1].content, content);
}

TEST(ParseForm, RefusesTheRest) {
  const std::string head = "--a b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n";
  std::string many;
  for (size_t i = 0; i <= kFormPartsMax; ++i) absl::StrAppend(&many, head, "v\r\n");
  const struct {
    const char* row;
    std::string type;
    std::string body;
    const char* field;
  } rows[] = {
      {"another type", "application/json", "", "content-type"},
      {"no boundary", "multipart/form-data", "", "content-type"},
      {"an empty boundary", "multipart/form-data; boundary=", "", "content-type"},
      {"a long boundary", "multipart/form-data; boundary=" + std::string(71, 'x'), "", "content-type"},
      {"two boundaries", "multipart/form-data; boundary=a; boundary=b", "", "content-type"},
      {"no body", kType, "", "body"},
      {"no end", kType, head + "v", "body"},
      {"no blank line", kType, "--a b\r\nContent-Disposition: form-data; name=x\r\n", "body"},
      {"no name", kType, "--a b\r\nContent-Disposition: form-data\r\n\r\nv\r\n--a b--", "body"},
      {"no disposition", kType, "--a b\r\nX: y\r\n\r\nv\r\n--a b--", "body"},
      {"no colon", kType, "--a b\r\nX\r\n\r\nv\r\n--a b--", "body"},
      {"an open quote", kType, "--a b\r\nContent-Disposition: form-data; name=\"x\r\n\r\nv\r\n--a b--", "body"},
      {"bytes after a boundary", kType, head + "v\r\n--a bc\r\n", "body"},
      {"many parts", kType, many + "--a b--", "body"},
  };
  for (const auto& row : rows) EXPECT_EQ(ParamOf(ParseForm(row.type, row.body).status()), row.field) << row.row;
}

}  // namespace
}  // namespace headgate::services
