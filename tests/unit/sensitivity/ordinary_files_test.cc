// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What stands in ordinary files (tables, logs, drawings, source code, lock files) and looks like a value by chance; and
// that real values in such files are still found.
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/sensitivity/detectors.h"
#include "router/sensitivity/figures.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

using testing::Contains;
using testing::IsEmpty;

// `TYPE value` of what the rules find in `text` from the default threshold on.
std::vector<std::string> Found(const std::string& text) {
  static const auto detectors = MakePatternDetectors({});
  EXPECT_TRUE(detectors.ok()) << detectors.status();
  const auto detections = (*detectors)->Scan(CanonicalText::Make(text));
  EXPECT_TRUE(detections.ok()) << detections.status();
  std::vector<std::string> found;
  for (const Detection& detection : *detections) {
    if (detection.level < v1::SENSITIVITY_LEVEL_CONFIDENTIAL) continue;
    const auto begin = static_cast<size_t>(detection.span.begin);
    found.push_back(
        absl::StrCat(detection.type, " ", text.substr(begin, static_cast<size_t>(detection.span.end) - begin)));
  }
  return found;
}

// Sixteen digits from `first` on, `step` apart; of `cards` each has its check digit, of others only one in ten.
std::vector<std::string> LongNumbers(uint64_t first, uint64_t step, size_t count, bool cards) {
  std::vector<std::string> numbers;
  for (uint64_t number = first; numbers.size() < count; number += step) {
    uint64_t last = number;
    while (cards && !IsBankCard(absl::StrCat(last))) ++last;
    numbers.push_back(absl::StrCat(last));
  }
  return numbers;
}

std::string Lines(std::string_view head, const std::vector<std::string>& values, std::string_view tail) {
  std::string text;
  for (size_t i = 0; i < values.size(); ++i) {
    absl::StrAppend(&text, i % 7 + 3, std::string(head), values[i], std::string(tail), "\n");
  }
  return text;
}

struct Row {
  const char* name;
  std::string text;
};

TEST(OrdinaryFiles, NumbersByChanceAreNone) {
  const Row rows[] = {
      {"card over two points of a drawing",
       "<polyline points=\"342.0,160.0 346.9,160.0 351.7,160.0 356.6,100.9 361.4,160.0 366.3,160.0 371.1,160.0 "
       "376.0,160.0 380.9,160.0 385.7,160.0\"/>"},
      {"card out of lines of code points",
       "2208\n2250\n2308\n2362\n2365\n2366\n2384\n2385\n2392\n2402\n2404\n2433\n2436\n2492\n2493\n2494\n2501\n2503\n"
       "2505\n2507\n2510\n2519\n2520\n2530\n"},
      {"mobile over two columns of thousands",
       "7 872\t669 432\t97 793\t37 515 970\t746 987 080\n6 447\t87 945\t53 199\t277 702\t45 080 598\t265 680 468\n"
       "6 560\t34 789\t362 510\t9 914 231\n"},
      {"resident id over cells of a table",
       "0.6,63,0.701,39,0.24,88,0.2,87,0.576,30,0.82,82\n0.9,81,0.137,20,0.49,55,0.3,31,0.087,88,0.80,88\n"},
      {"mobile over decimals in columns", "-68.8161    -44.8296    -25.0676     98.7586   -137.1860\n -122.1818   "
                                          "-118.5446    -74.4539   -132.7012     59.2101\n 11.2 13.5 1.25 77.02\n"},
      {"card among order numbers", Lines(",A-17,", LongNumbers(4000'0000'0000'0010, 1, 16, false), ",2.50")},
      {"card among order numbers behind their name",
       Lines(" \"id\": ", LongNumbers(4000'0000'0000'0010, 1, 16, false), ", \"size\": 4")},
      {"mobile among byte counts",
       Lines(" GET /a bytes=",
             {"13522903411", "90417725", "8204417", "77190385544", "19002214", "55520113", "6604418820", "401882017",
              "99120334", "20418830155", "7310045"},
             " took=12ms")},
      {"corners of a mesh", "f 2990/5504/8562 431/685/8678 5354/6853/6227\nf 472/285/3191 9834/6644/9665 11/12/13\n"},
      {"places by degrees", "CA\t+5017-10750\tAmerica/Swift_Current\nTC\t+2128-07108\tAmerica/Grand_Turk\n"},
      {"colours", "--ring: oklch(0.556 0 0); --chart-1: oklch(0.488 0.243 264.376);"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_THAT(Found(row.text), IsEmpty());
  }
}

TEST(OrdinaryFiles, CodeAndLockFilesAreNone) {
  const Row rows[] = {
      {"wx in base64", "golang.org/x/y v0.3.8/go.mod h1:xYoytBv1sV0aL3CavoDuJIQNURXkkfPA/wxQ1pL1fAU="},
      {"vx in a name", "vint8m1_t q3 = __riscv_vsub_vx_i8m1_mu(vmask_3, q3_3);"},
      {"swift of a build", "CMAKE_Swift_COMPILER CMAKE_Swift_LANGUAGE_VERSION SWIFT_COMPILATION_MODE"},
      {"snap in a name", "const uint state_size_per_snap = state_size_a * H_v * n_seqs;"},
      {"type of a secret", "def f(private_key: PrivateKeyTypes | None, authorization: Optional[str] = None)"},
      {"name behind a token", "const token = options.identityToken;\nout_token = Generic.Output"},
      {"file named for a key", "openai/types/__pycache__/api_key_delete_response.cpython-311.pyc,,\n"},
      {"link behind a word", "for HTTP authorization ([#4716](https://github.com/kedacore/keda/issues/4716))"},
      {"names of fields", "| **Default** | Credential | `username`, `password`, `domain` |"},
      {"format behind credentials", "credentials = '{0}:{1}'.format(user, passwd)"},
      {"test of a compiler", "* testsuite/libgomp.c/pr46032-2.c: Likewise. * libgomp.c/pr86416-1.c: Likewise."},
      {"bug in brackets", "used to achieve the same effect (PR101940)\n\nC family: new warnings"},
      {"letters that begin an IBAN", "alibopengl0:amd64 1.6.0-1; sta|ge-864,47.318581,-110.627702"},
      {"an IBAN's check in a hash", "cc356deb5ad61ac5e3aa3f74aec6b1f1dcc16cccc"},
      {"browser's version", "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.165.116 Safari/537.36"},
      {"part's number like a MAC", "BN-2207 bracket rev C 48-45-28-01-33-27 qty 12"},
      {"version and date near routing", "## routing\n\nv1.18.0...v1.19.0) (2020-07-09)"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_THAT(Found(row.text), IsEmpty());
  }
}

TEST(OrdinaryFiles, RealValuesAreFoundAmongFigures) {
  const std::vector<std::string> cards = LongNumbers(4000'0012'3456'0000, 7'654'321, 16, true);
  std::vector<std::string> grouped;
  for (const std::string& card : cards) {
    grouped.push_back(absl::StrCat(card.substr(0, 4), " ", card.substr(4, 4), " ", card.substr(8, 4), " ",
                                   card.substr(12)));
  }
  const std::vector<std::string> mobiles = {"13922034117", "18604417725", "15720441718", "13771903855", "19900221434",
                                            "13555201139", "18660441882", "15940188201", "13699120334", "17720418830"};
  struct FoundRow {
    const char* name;
    std::string text;
    std::string found;
  };
  const FoundRow rows[] = {
      {"column of cards", Lines(",77,", cards, ",12.50"), absl::StrCat("BANK_CARD ", cards[8])},
      {"column of cards in groups", Lines(",77,", grouped, ",12.50,3,4"), absl::StrCat("BANK_CARD ", grouped[8])},
      {"cards beside order numbers",
       Lines(absl::StrCat(",", LongNumbers(4000'0000'0000'0010, 1, 1, false)[0], ","), cards, ",1"),
       absl::StrCat("BANK_CARD ", cards[8])},
      {"named card among order numbers",
       absl::StrCat(Lines(" id=", LongNumbers(4000'0000'0000'0010, 1, 16, false), ""), "card number: ", cards[0]),
       absl::StrCat("BANK_CARD ", cards[0])},
      {"order numbers far away",
       absl::StrCat("17,", cards[0], ",1\n", std::string(310, '.'), "\n",
                    Lines(",", LongNumbers(4000'0000'0000'0010, 1, 30, false), ",1")),
       absl::StrCat("BANK_CARD ", cards[0])},
      {"few numbers", absl::StrCat("12, 17, 4.5 and ", cards[0]), absl::StrCat("BANK_CARD ", cards[0])},
      {"column of mobiles", Lines(",100234,", mobiles, ",2.50"), absl::StrCat("PHONE_CN_MOBILE ", mobiles[5])},
      {"mobiles between blanks", Lines(" 20260104 ", mobiles, " 100234 7"),
       absl::StrCat("PHONE_CN_MOBILE ", mobiles[5])},
      {"mobile in groups in a row", "11,22,33,44,55,138-2203-4117,66,77,88,99,10,11",
       "PHONE_CN_MOBILE 138-2203-4117"},
      {"resident id in a row of figures", "11,22,33,44,55,11010519491231002X,66,77,88,99,10,11",
       "CN_RESIDENT_ID 11010519491231002X"},
      {"American number with slashes beside its word", "phone 415/226/9013", "PHONE_US 415/226/9013"},
      {"address behind a host's name", "db-1/52.71.70.9:5432 refused the connection", "IP_ADDRESS 52.71.70.9"},
      {"an IBAN that was invented", "IBAN: IE82 WEST 1234 5698 7654 3A", ""},
  };
  for (const FoundRow& row : rows) {
    SCOPED_TRACE(row.name);
    if (!row.found.empty()) EXPECT_THAT(Found(row.text), Contains(row.found));
  }
}

}  // namespace
}  // namespace headgate::router
