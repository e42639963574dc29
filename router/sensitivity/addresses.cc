// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Street addresses with a house or room number. Anchored on `88号`, `1201室` in Chinese and on the street's kind
// (Street, Ave) or unit in English; what stands around says whether somebody lives there. A company's or a museum's
// address is public.
#include <algorithm>

#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kHomeChars = 30;
constexpr size_t kCompanyChars = 16;
constexpr size_t kFictionChars = 60;

bool IsOneOf(char32_t c, std::u32string_view set) { return c != 0 && set.find(c) != std::u32string_view::npos; }

constexpr std::u32string_view kRoadEnds = U"路街道巷弄同里村组坊条线堤桥庄屯寨营队社";
constexpr std::u32string_view kEstateEnds = U"区园苑寓厦城湾府庭轩阁居舍院楼墅邸郡座期第";

// Digits, letters, '-' and Chinese numerals before `at`: where the number begins.
size_t NumberBegin(std::string_view text, size_t at) {
  constexpr size_t kNumberBytesMax = 24;
  const size_t floor = at > kNumberBytesMax ? at - kNumberBytesMax : 0;
  while (at > floor) {
    if (IsAlnum(text[at - 1]) || text[at - 1] == '-' || text[at - 1] == '#') {
      --at;
    } else if (IsOneOf(HanBefore(text, at), U"一二三四五六七八九十百零〇甲乙丙丁")) {
      at -= 3;
    } else {
      break;
    }
  }
  return at;
}

// The beginning of the address that holds `at`: back over Chinese characters and digits to a sign or a word that leads
// to it.
size_t AddressBegin(std::string_view text, size_t at) {
  constexpr size_t kBackBytesMax = 120;
  const size_t floor = at > kBackBytesMax ? at - kBackBytesMax : 0;
  while (at > floor) {
    const char32_t han = HanBefore(text, at);
    if (IsOneOf(han, U"在住址到于是为往至的")) break;
    if (han != 0) {
      at -= 3;
    } else if (IsAlnum(text[at - 1]) || text[at - 1] == '-' ||
               (text[at - 1] == ' ' && at > 3 && HanBefore(text, at - 1) != 0)) {
      --at;
    } else {
      break;
    }
  }
  while (at < text.size() && text[at] == ' ') ++at;
  return at;
}

struct Cluster {  // numbers of one address
  size_t begin = 0, end = 0;
  int roads = 0, units = 0, estates = 0;
  bool stairwell = false;  // `2单元`: only houses where people live have them
};

void ReportCluster(const Evidence& evidence, const Cluster& cluster, Report report) {
  const std::string_view text = evidence.text();
  if (cluster.roads + cluster.units == 0) return;
  const TextRange range{AddressBegin(text, cluster.begin), cluster.end};
  const bool home =
      evidence.Before(Cue::kHome, {cluster.begin, cluster.end}, kHomeChars) || evidence.Near(Cue::kHome, range, 12);
  const bool addressed = evidence.Before(Cue::kAddressWord, range, kHomeChars);
  const bool company = evidence.Near(Cue::kCompany, range, kCompanyChars);
  const bool region = evidence.Near(Cue::kRegion, range, 0);
  double score = 0.3;
  if (cluster.roads > 0 && cluster.units > 0) {
    score = 0.85;
  } else if (cluster.units >= 2 && (cluster.estates > 0 || region || home || addressed)) {
    score = 0.8;
  } else if (cluster.roads > 0) {
    score = home || addressed ? 0.8 : region ? 0.6 : 0.4;
  } else if (cluster.units == 1 && cluster.estates > 0 && (home || addressed)) {
    score = 0.7;
  }
  if (company && !home && !cluster.stairwell) score *= 0.55;
  if (evidence.Near(Cue::kFiction, range, kFictionChars)) score *= 0.55;
  report("ADDRESS", range, score);
}

void ReadChineseAddresses(const Evidence& evidence, Report report) {
  if (!evidence.Has(Cue::kHouseNumber)) return;
  constexpr size_t kGapBytesMax = 40;
  const std::string_view text = evidence.text();
  Cluster cluster;
  for (const Evidence::Hit& hit : evidence.hits()) {
    if (hit.cue != Cue::kHouseNumber) continue;
    const size_t digit = static_cast<uint8_t>(text[hit.begin]) < 0x80 ? 1 : 3;  // `8号`, `八号`
    const size_t number = NumberBegin(text, hit.begin + digit);
    if (cluster.end > 0 &&
        (number > cluster.end + kGapBytesMax ||
         text.substr(cluster.end, number > cluster.end ? number - cluster.end : 0).find_first_of("\n;") !=
             std::string_view::npos)) {
      ReportCluster(evidence, cluster, report);
      cluster = {};
    }
    if (cluster.end == 0) cluster.begin = number;
    size_t before = number;
    while (before > 0 && text[before - 1] == ' ') --before;
    const char32_t suffix = HanBefore(text, before);
    std::string_view unit = text.substr(hit.begin + digit, hit.end - hit.begin - digit);
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    const bool road_unit = unit == "号" || unit == "弄";
    if (road_unit && IsOneOf(suffix, kRoadEnds)) {
      ++cluster.roads;
    } else if (IsOneOf(suffix, kEstateEnds) || !road_unit) {
      ++cluster.units;
    }
    cluster.estates += IsOneOf(suffix, kEstateEnds);
    cluster.stairwell |= unit == "单元";
    cluster.end = hit.end;
    // `...号301`: a room without its word.
    size_t room = hit.end;
    while (room < text.size() && (IsDigit(text[room]) || text[room] == '-') && room - hit.end < 8) ++room;
    if (room - hit.end >= 3) cluster.end = room, ++cluster.units;
  }
  ReportCluster(evidence, cluster, report);
}

// `科苑小区4-112`, `房号2-1801`: building and room behind the estate's name.
void ReadEstateRoom(const Evidence& evidence, const Evidence::Hit& room, Report report) {
  const std::string_view text = evidence.text();
  size_t end = room.end;
  while (end < text.size() && IsDigit(text[end])) ++end;
  const TextRange range{AddressBegin(text, room.begin), end};
  if (end - room.end > 1 || evidence.Near(Cue::kFiction, range, kFictionChars)) return;
  report("ADDRESS", range, kScoreLikely);
}

// ---- Latin ----

struct LatinAddress {
  TextRange range;
  bool capitals = true;
};

// Backwards over up to four words of a street's name to a house number.
bool HouseNumberBefore(std::string_view text, size_t street, LatinAddress& address) {
  size_t at = street;
  for (int words = 0; words <= 5; ++words) {
    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '.')) --at;
    const size_t end = at;
    while (at > 0 && (IsAlnum(text[at - 1]) || text[at - 1] == '\'' || text[at - 1] == '-') && end - at < 24) --at;
    if (at == end) return false;
    const std::string_view word = text.substr(at, end - at);
    const auto digits = static_cast<size_t>(std::count_if(word.begin(), word.end(), IsDigit));
    const bool ordinal = digits > 0 && word.size() > digits && IsLetter(word.back()) && word.size() - digits == 2;
    if (digits > 0 && !ordinal) {
      if (words == 0 || digits > 6 || word.size() > digits + 1) return false;
      if (at > 0 && (text[at - 1] == '.' || text[at - 1] == ',' || text[at - 1] == '$') && at > 1 &&
          IsDigit(text[at - 2]))
        return false;
      // `the 1854 Broad Street pump`: a year.
      const bool the = at >= 4 && text[at - 1] == ' ' && text.substr(at - 4, 3) == "the";
      if (the && digits == 4 && (word.starts_with("1") || word.starts_with("20"))) return false;
      address.range.begin = at;
      return true;
    }
    if (IsLower(word[0])) address.capitals = false;
  }
  return false;
}

// A postal code within the bytes after an address: five digits, or the British form.
bool PostalCodeAfter(std::string_view text, size_t at, size_t* end) {
  const size_t limit = std::min(text.size(), at + 60);
  for (; at < limit; ++at) {
    if (text[at] == '\n' && at + 1 < limit && text[at + 1] == '\n') return false;
    if (IsDigit(text[at])) {
      size_t stop = at;
      while (stop < text.size() && IsDigit(text[stop])) ++stop;
      if (stop - at == 5 && (at == 0 || !IsAlnum(text[at - 1]))) return *end = stop, true;
      if (stop - at == 1 && at > 0 && IsUpper(text[at - 1]) && stop + 3 < text.size()) {
        const size_t inward = text[stop] == ' ' ? stop + 1 : stop + 2;
        if (inward + 2 < text.size() && text[inward - 1] == ' ' && IsDigit(text[inward]) && IsUpper(text[inward + 1]) &&
            IsUpper(text[inward + 2])) {
          return *end = inward + 3, true;
        }
      }
      at = stop;
    }
  }
  return false;
}

bool IsFamousAddress(std::string_view address) {
  for (const std::string_view famous :
       {"1600 Pennsylvania", "10 Downing", "221B Baker", "350 Fifth", "11 Wall", "4 Privet", "742 Evergreen",
        "123 Main", "1 Infinite", "42 Wallaby", "12 Grimmauld"}) {
    if (address.substr(0, famous.size()) == famous) return true;
  }
  return false;
}

// `Miss K Doyle, The Old Forge, Station Rd, Nether Stowey TA5 1LN`: no number, but a postal code of few houses, and
// something is sent there or somebody is named.
void ReadNamedHouse(const Evidence& evidence, const Evidence::Hit& street, Report report) {
  constexpr size_t kBeforeChars = 48;
  const std::string_view text = evidence.text();
  const TextRange range{street.begin, street.end};
  size_t end = street.end;
  if (!IsUpper(text[street.begin]) || !PostalCodeAfter(text, street.end, &end) || !IsUpper(text[end - 1])) return;
  if (evidence.Near(Cue::kFiction, range, 100)) return;
  const bool titled = evidence.Before(Cue::kTitleBefore, range, kBeforeChars);
  const bool sent =
      evidence.Before(Cue::kHome, range, kBeforeChars) || evidence.Before(Cue::kAddressWord, range, kBeforeChars);
  // `Station Rd` is no station where somebody is named.
  if (titled || (sent && !evidence.Near(Cue::kCompany, range, kBeforeChars)))
    report("ADDRESS", {street.begin, end}, kScoreLikely);
}

void ReadStreet(const Evidence& evidence, const Evidence::Hit& street, Report report) {
  const std::string_view text = evidence.text();
  LatinAddress address;
  if (!HouseNumberBefore(text, street.begin, address)) {
    ReadNamedHouse(evidence, street, report);
    return;
  }
  address.range.end = street.end;
  const std::string_view kind = text.substr(street.begin, street.end - street.begin);
  address.capitals &= IsUpper(kind[0]);
  const TextRange range = address.range;
  if (IsFamousAddress(text.substr(range.begin, range.end - range.begin))) return;
  const bool unit = evidence.After(Cue::kUnitWord, range, 6);
  size_t end = range.end;
  const bool postal = PostalCodeAfter(text, range.end, &end);
  const bool home = evidence.Before(Cue::kHome, range, address.capitals ? kHomeChars : 6);
  const bool addressed = evidence.Before(Cue::kAddressWord, range, address.capitals ? kHomeChars : 6);
  const bool office = evidence.After(Cue::kOfficeUnit, range, 6);
  const bool company = evidence.Before(Cue::kCompany, range, kHomeChars) || evidence.After(Cue::kCompany, range, 60);
  double score = address.capitals ? 0.6 : 0.3;
  if (unit || office || postal || home || addressed) score = 0.85;
  if (company && !unit && !home) score *= 0.55;
  if (evidence.Near(Cue::kFiction, range, 100)) score *= 0.55;
  report("ADDRESS", {range.begin, end}, score);
}

// `Apt. 864`, `P.O. Box 12` with a number or a postal code beside it.
void ReadUnit(const Evidence& evidence, const Evidence::Hit& unit, Report report) {
  const std::string_view text = evidence.text();
  size_t at = unit.end;
  while (at < text.size() && (text[at] == '.' || text[at] == ' ' || text[at] == '#')) ++at;
  size_t end = at;
  while (end < text.size() && IsAlnum(text[end]) && end - at < 6) ++end;
  if (end == at || std::none_of(text.begin() + static_cast<std::ptrdiff_t>(at),
                                text.begin() + static_cast<std::ptrdiff_t>(end), IsDigit))
    return;
  const std::string_view word = text.substr(unit.begin, unit.end - unit.begin);
  const bool box = word.find("ox") != std::string_view::npos || word.find("OX") != std::string_view::npos;
  if (!box && word[0] != 'A' && word[0] != 'a' && word[0] != 'S' && word[0] != 'U' && word[0] != 'F') return;
  const TextRange range{unit.begin, end};
  size_t postal_end = end;
  const bool postal = PostalCodeAfter(text, end, &postal_end);
  const bool home = evidence.Before(Cue::kHome, range, 60) || evidence.Before(Cue::kAddressWord, range, 60);
  if (box ? !(postal || home) : !(postal && home)) return;
  report("ADDRESS", {unit.begin, postal_end}, kScoreLikely);
}

}  // namespace

void ReadAddresses(const Evidence& evidence, Report report) {
  ReadChineseAddresses(evidence, report);
  if (evidence.Has(Cue::kEstateRoom)) {
    for (const Evidence::Hit& hit : evidence.hits()) {
      if (hit.cue == Cue::kEstateRoom) ReadEstateRoom(evidence, hit, report);
    }
  }
  if (!evidence.Has(Cue::kStreetWord) && !evidence.Has(Cue::kUnitWord) && !evidence.Has(Cue::kOfficeUnit)) return;
  for (const Evidence::Hit& hit : evidence.hits()) {
    if (hit.cue == Cue::kStreetWord) ReadStreet(evidence, hit, report);
    if (hit.cue == Cue::kUnitWord || hit.cue == Cue::kOfficeUnit) ReadUnit(evidence, hit, report);
  }
}

}  // namespace headgate::router
