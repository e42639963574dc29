// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/gbnf_literals.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace headgate::engine {
namespace {

TEST(GbnfLiteralsTest, ListsBecomeTrees) {
  const std::string eight = R"("a1" | "a2" | "b" | "c" | "d" | "e" | "f" | "g")";
  const struct {
    const char* name;
    std::string gbnf;
    std::string factored;
  } rows[] = {
      {"nothing", "", ""},
      {"short", R"(root ::= ("a1" | "a2"))", R"(root ::= ("a1" | "a2"))"},
      {"long", absl::StrCat("root ::= (", eight, ") space"),
       R"(root ::= (("a" ("1" | "2") | "b" | "c" | "d" | "e" | "f" | "g")) space)"},
      {"in a text", absl::StrCat("root ::= \"(\" [(] # (", eight, ")\n"),
       absl::StrCat("root ::= \"(\" [(] # (", eight, ")\n")},
      {"with a rule", absl::StrCat("root ::= (", eight, " | other)"), absl::StrCat("root ::= (", eight, " | other)")},
      {"sequences", absl::StrCat("root ::= (", eight, " \"h\")"), absl::StrCat("root ::= (", eight, " \"h\")")},
      {"unclosed", absl::StrCat("root ::= (", eight), absl::StrCat("root ::= (", eight)},
      {"unclosed text", absl::StrCat("root ::= (", eight, " | \"x"), absl::StrCat("root ::= (", eight, " | \"x")},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(FactorLiterals(row.gbnf), row.factored);
  }
}

// All texts of groups, alternatives, literals and `?`, by trying every way.
class Language {
 public:
  explicit Language(std::string_view text) : text_(text) {}
  std::set<std::string> Alternatives() {
    std::set<std::string> all = Sequence();
    while (Next() == '|') {
      ++at_;
      all.merge(Sequence());
    }
    return all;
  }

 private:
  char Next() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : ')';
  }
  std::set<std::string> Sequence() {
    std::set<std::string> all = {""};
    for (char next = Next(); next == '"' || next == '('; next = Next()) {
      ++at_;
      std::set<std::string> item;
      if (next == '(') {
        item = Alternatives();
        ++at_;
        if (at_ < text_.size() && text_[at_] == '?') {
          ++at_;
          item.insert("");
        }
      } else {
        std::string literal;
        for (; text_[at_] != '"'; ++at_) {
          if (text_[at_] == '\\') literal += text_[at_++];
          literal += text_[at_];
        }
        ++at_;
        item.insert(literal);
      }
      std::set<std::string> longer;
      for (const auto& head : all) {
        for (const auto& tail : item) longer.insert(head + tail);
      }
      all = std::move(longer);
    }
    return all;
  }

  std::string_view text_;
  size_t at_ = 0;
};

TEST(GbnfLiteralsTest, TheLanguageStays) {
  const char* const units[] = {"a", "b", "\\\"", "\\\\", "\\x4a", "\\u00e9", "中", "国", " ", "|", ")"};
  std::mt19937 random(20261123);
  const auto below = [&](size_t end) { return random() % end; };
  for (int round = 0; round < 300; ++round) {
    std::set<std::string> literals;
    std::string gbnf;
    for (size_t i = 0, count = 8 + below(30); i < count; ++i) {
      std::string literal;
      for (size_t j = below(6); j > 0; --j) literal += units[below(std::size(units))];
      absl::StrAppend(&gbnf, gbnf.empty() ? "(" : " | ", "\"", literal, "\"");
      literals.insert(literal);
    }
    gbnf += ")";
    const std::string factored = FactorLiterals(gbnf);
    EXPECT_NE(factored, gbnf);
    EXPECT_EQ(Language(factored).Alternatives(), literals) << gbnf << "\n" << factored;
  }
}

}  // namespace
}  // namespace headgate::engine
