// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Each reader goes over a text once and says what to put in place of its parts; a round puts all of them together.
// Offsets are composed on the way down, so that a value several encodings deep still points into what the client sent.
#include "router/sensitivity/decoded_views.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "router/sensitivity/base85.h"
#include "router/sensitivity/blobs.h"
#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/disguised_numbers.h"
#include "router/sensitivity/escapes.h"
#include "router/sensitivity/even_cuts.h"
#include "router/sensitivity/gapped_runs.h"
#include "router/sensitivity/markup.h"
#include "router/sensitivity/numerals.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/rewriter.h"
#include "router/sensitivity/scattered_keys.h"
#include "router/sensitivity/scattered_numbers.h"
#include "router/sensitivity/spoken_numbers.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kGappedDigitsMin = 4;
constexpr int kCutsMax = 2;             // signs of two kinds put into one text
constexpr size_t kNumberDigitsMin = 6;    // of the shortest number that is looked for in disguise
constexpr size_t kScatteredDigitsMin = 5;  // of the shortest code
constexpr size_t kCodesDigitsMin = 14;  // of such a number's characters, each by its number

constexpr ByteSet kBase64Bytes = ByteSet::Of(IsBase64Byte);
constexpr ByteSet kVisibleBytes = ByteSet::Of([](char c) { return c > ' ' && c < 0x7F; });
constexpr ByteSet kEscapeBytes(kEscapeBegins);
constexpr ByteSet kQuoteBytes("\"'`");
// May begin a numeral in words.
constexpr ByteSet kNumeralBytes =
    ByteSet::Of([](char c) { return static_cast<uint8_t>(c) < 0xEA && MayBeginNumeral(LowerAscii(c)); });

// One look that says which readers have something to do: most texts need few.
struct Hints {
  explicit Hints(std::string_view text)
      : digits(ByteMarks(text, kDigitBytes).Count()),
        blob(!ByteMarks(text, kBase64Bytes).Runs(kBlobBytesMin).empty()),
        token(!ByteMarks(text, kVisibleBytes).Runs(kBase85BytesMin).empty()),
        escapes(HoldsAny(text, kEscapeBytes)),
        numerals(HoldsAny(text, kNumeralBytes)),
        quotes(HoldsAny(text, kQuoteBytes)),
        lines(Holds(text, '\n')),
        tags(Holds(text, '<')),
        equals(Holds(text, '=')),
        pluses(Holds(text, '+')) {}
  static bool Holds(std::string_view text, char c) { return text.find(c) != std::string_view::npos; }

  size_t digits;
  bool blob, token;  // long enough for one
  bool escapes, numerals, quotes, lines, tags, equals, pluses;
};

Edits ReadEscapes(std::string_view text) {
  Edits edits;
  const ByteMarks begins(text, kEscapeBytes);
  for (size_t at = begins.Next(0); at < text.size(); at = begins.Next(at)) {
    const Escape escape = EscapeAt(text, at);
    if (escape.length > 0) edits.Add(at, at + escape.length, escape.bytes, at);
    at += escape.length > 0 ? escape.length : escape.skip;
  }
  return edits;
}

// Digits in words as digits: runs of them, and those of codes.
struct Numerals {
  Edits runs, codes;
};
Numerals ReadNumerals(std::string_view text) {
  Numerals numerals;
  ForEachNumeralRun(text, [&](const NumeralRun& run) {
    (run.code ? numerals.codes : numerals.runs).Add(run.begin, run.end, run.text, run.origin);
  });
  return numerals;
}

// A line of a hex dump, which is read as one with the others once it stands on a line of its own.
bool IsBehindAnOffset(std::string_view text, size_t at) {
  constexpr size_t kOffsetMin = 7;
  if (at < kOffsetMin + 2 || text[at - 1] != ' ' || (text[at - 2] != ':' && text[at - 2] != ' ')) return false;
  return HexNumber(text, at - 2 - kOffsetMin, kOffsetMin) >= 0;
}

// Characters that were set apart evenly (`s k - a b c`, `GB82 WEST 1234`), put together again. Digits alone are what
// CanonicalText::joined is for.
Edits CloseGaps(std::string_view text) {
  Edits edits;
  ForEachGappedRun(text, [&](size_t at, const GappedRun& run) {
    if (!IsBehindAnOffset(text, at)) edits.Add(at, run.end, run.closed, run.origin);
  });
  return edits;
}

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Those of `blobs` that stand in no token with an escape: without it the token may be something else, such as a JWT, of
// which a blob is a part.
Edits WithoutTokensOf(const Edits& escapes, Edits blobs, std::string_view text) {
  if (escapes.empty()) return blobs;
  size_t next = 0, token = 0, token_end = 0;
  const auto stays = [&](const Edits::Edit& blob) {
    if (blob.begin >= token_end) {
      token = blob.begin;
      while (token > token_end && !IsSpace(text[token - 1])) --token;
      token_end = blob.end;
      while (token_end < text.size() && !IsSpace(text[token_end])) ++token_end;
    }
    while (next < escapes.list.size() && escapes.list[next].end <= token) ++next;
    return next == escapes.list.size() || escapes.list[next].begin >= token_end;
  };
  blobs.list.erase(std::remove_if(blobs.list.begin(), blobs.list.end(), [&](const auto& blob) { return !stays(blob); }),
                   blobs.list.end());
  return blobs;
}

// Goes over `edits`, which stand in order, along with another list of the same.
class Along {
 public:
  explicit Along(const Edits& edits) : edits_(edits) {}
  // The bytes of those within `edit` or across its ends; `first` is the first of them. REQUIRES: behind the last one
  // asked for.
  size_t BytesWithin(const Edits::Edit& edit, const Edits::Edit** first) {
    const auto& list = edits_.list;
    while (next_ < list.size() && list[next_].end <= edit.begin) ++next_;
    *first = next_ < list.size() && list[next_].begin < edit.end ? &list[next_] : nullptr;
    size_t bytes = 0;
    for (size_t i = next_; i < list.size() && list[i].begin < edit.end; ++i) bytes += list[i].end - list[i].begin;
    return bytes;
  }

 private:
  const Edits& edits_;
  size_t next_ = 0;
};

// Those of `edits` that touch none of `others`: several numerals in a row are no part of anything encoded.
Edits Without(Edits edits, const Edits& others) {
  Along along(others);
  const auto touches = [&](const Edits::Edit& edit) {
    const Edits::Edit* first = nullptr;
    return along.BytesWithin(edit, &first) > 0;
  };
  edits.list.erase(std::remove_if(edits.list.begin(), edits.list.end(), touches), edits.list.end());
  return edits;
}

// Those of `coded` that are not made of escapes, and are not read as a blob that says more of a number, or fewer signs.
Edits WithoutAccidents(Edits coded, const Edits& escapes, const Edits& blobs) {
  const auto number_then_letters = [](const Edits& edits, const Edits::Edit& edit) {
    const std::string_view bytes = std::string_view(edits.bytes).substr(edit.from, edit.to - edit.from);
    return std::pair(std::count_if(bytes.begin(), bytes.end(), IsDigit),
                     -std::count_if(bytes.begin(), bytes.end(), [](char c) { return !IsAlnum(c); }));
  };
  Along along_escapes(escapes), along_blobs(blobs);
  const auto is_accident = [&](const Edits::Edit& edit) {
    const Edits::Edit* first = nullptr;
    const auto most = [&](size_t bytes) { return bytes * 4 >= (edit.end - edit.begin) * 3; };
    if (most(along_escapes.BytesWithin(edit, &first))) return true;
    return most(along_blobs.BytesWithin(edit, &first)) &&
           number_then_letters(blobs, *first) > number_then_letters(coded, edit);
  };
  coded.list.erase(std::remove_if(coded.list.begin(), coded.list.end(), is_accident), coded.list.end());
  return coded;
}

// The surest first: what touches what another has read waits for the next round. An escape beside a run of codes or of
// digits would tear it, so those are read once no escape is left.
Edits ReadAll(std::string_view text, const Hints& hints, bool& dump) {
  Edits edits;
  if (hints.digits >= kCodesDigitsMin) edits = ReadHexDumps(text);
  dump = !edits.empty();
  edits.Merge(ReadScatteredKeys(text));
  // Without its digits a code may read as something else.
  const Numerals numerals = hints.numerals ? ReadNumerals(text) : Numerals();
  constexpr size_t kNumeralSteps = 20;
  ReadingWork::Spend(kNumeralSteps * (numerals.runs.bytes.size() + numerals.codes.bytes.size()));
  edits.Merge(numerals.codes);
  // Its signs may look like an escape, and what decodes to nothing but text is no accident, unless it is short.
  const Edits escaped = hints.escapes ? ReadEscapes(text) : Edits();
  const Edits blobs = hints.blob ? Without(ReadBlobs(text), numerals.runs) : Edits();
  Edits coded = hints.token || hints.lines ? ReadBase85(text) : Edits();
  coded = WithoutAccidents(Without(std::move(coded), numerals.runs), escaped, blobs);
  edits.Merge(coded);
  edits.Merge(escaped);
  const bool escapes = !coded.empty() || !escaped.empty(), digits = hints.digits >= kNumberDigitsMin;
  if (!escapes && hints.digits >= kCodesDigitsMin) edits.Merge(ReadCharacterCodes(text));
  if (!escapes && hints.equals) edits.Merge(ReadQuotedPrintable(text));
  if (!blobs.empty()) edits.Merge(WithoutTokensOf(edits, blobs, text));
  const bool numbers = digits || hints.numerals;
  if (!escapes && numbers && hints.quotes) edits.Merge(ReadConcatenations(text));
  if (!escapes && numbers && hints.tags) edits.Merge(ReadTags(text));
  if (!escapes && hints.numerals) edits.Merge(ReadSpokenNumbers(text));
  edits.Merge(numerals.runs);
  if (escapes) return edits;
  if (digits && hints.equals && hints.pluses) edits.Merge(ReadPlusBlanks(text));
  if (hints.digits >= kScatteredDigitsMin) edits.Merge(ReadScatteredNumbers(text));
  if (digits) edits.Merge(ReadDisguisedNumbers(text));
  if (hints.digits >= kGappedDigitsMin) edits.Merge(CloseGaps(text));
  return edits;
}

bool IsTokenByte(char c) {
  constexpr ByteSet kSigns("=#;.:@()");
  return IsBase64Byte(c) || kEscapeBytes.Has(c) || kSigns.Has(c);
}

// A piece at the end of a line or at the beginning of one: half of a key or of something encoded, or a word.
struct Token {
  static constexpr size_t kNoVowelsMin = 4;  // of what is no word
  std::string text;  // what came together so far, at most kTokenBytesMax of its end
  bool digit = false, letter = false, sign = false, vowel = false;
  bool word = true;  // of small letters, perhaps after a capital
  bool capitals = true;
  int lines = 1;

  bool number() const { return digit && !letter && !sign; }
  bool mixed() const {
    const bool no_word = !word || (!vowel && text.size() >= kNoVowelsMin);
    return (sign && digit) || (letter && (digit || no_word)) || text.ends_with("==");
  }
  void Append(std::string_view more);
};
constexpr size_t kTokenBytesMax = 4096;

void Token::Append(std::string_view more) {
  for (const char c : more) {
    digit |= IsDigit(c);
    letter |= IsLetter(c);
    vowel |= std::string_view("aeiouyAEIOUY").find(c) != std::string_view::npos;
    sign |= c == '=' || kEscapeBytes.Has(c);
    word &= !IsDigit(c) && c != '-' && c != '_' && !(IsUpper(c) && !text.empty());
    capitals &= IsUpper(c);
    text += c;
  }
}

// A number with a check digit over two or three lines, or text in hex.
bool IsOneNumber(const std::string& digits, int lines) {
  constexpr size_t kHexMin = 16;
  constexpr int kLinesMax = 3;
  if (lines <= kLinesMax && IsLongIdentifier(digits)) return true;
  if (digits.size() < kHexMin || digits.size() % 2 != 0) return false;
  for (size_t i = 0; i < digits.size(); i += 2) {
    if (digits[i] < '2' || digits[i] > '7') return false;
  }
  return true;
}

bool MayBeOne(const Token& before, const Token& after) {
  constexpr size_t kPrefixMax = 4;
  if (before.text.empty() || after.text.empty()) return false;
  if (before.mixed() && after.mixed()) return true;
  if (!before.mixed() && !after.mixed()) {
    return before.capitals && before.text.size() <= kPrefixMax && after.number();
  }
  constexpr size_t kMixedMin = 6;  // half of a key; of an identifier's letters and digits there may be fewer
  const Token& other = before.mixed() ? after : before;
  const bool identifier = other.number() || (other.capitals && other.text.size() <= kPrefixMax);
  if ((before.mixed() ? before : after).text.size() < kMixedMin && !identifier && !other.mixed()) return false;
  return !other.word || other.text.size() <= kPrefixMax;
}

// Newlines inside of what may be one value. Most numbers alone are what CanonicalText::joined is for.
Edits Unwrap(std::string_view text) {
  constexpr size_t kDocumentLineMin = 40, kLineSteps = 60, kByteSteps = 4;
  constexpr int kKeyLinesMax = 8;
  Edits edits;
  int lines = 0;  // long ones, one after the other
  Token joined;   // up to `joined_end`
  Token numbers;  // lines of digits only, one after the other
  std::vector<size_t> between;
  size_t joined_end = std::string_view::npos;
  const auto end_numbers = [&] {
    if (!between.empty() && IsOneNumber(numbers.text, numbers.lines)) {
      for (const size_t newline : between) edits.Add(newline, newline + 1, "", newline);
    }
    between.clear();
  };
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    size_t left = at, right = at + 1;
    if (left == 0 || right == text.size() || !IsTokenByte(text[left - 1]) || !IsTokenByte(text[right])) {
      end_numbers();
      continue;
    }
    while (left > 0 && at - left < kTokenBytesMax && IsTokenByte(text[left - 1])) --left;
    while (right < text.size() && right - at <= kTokenBytesMax && IsTokenByte(text[right])) ++right;
    // Many long lines are a document in base64, which blobs.h reads, and no key.
    ReadingWork::Spend(kLineSteps + kByteSteps * (right - left));
    const bool document = at - left >= kDocumentLineMin && right - at > kDocumentLineMin;
    lines = document ? lines + 1 : 0;
    if (lines > kKeyLinesMax) continue;
    Token before, after;
    before.Append(text.substr(left, at - left));
    after.Append(text.substr(at + 1, right - at - 1));
    if (left == joined_end + 1) {
      joined.Append(before.text);
      before = std::move(joined);
      if (before.text.size() > kTokenBytesMax) before.text.erase(0, before.text.size() - kTokenBytesMax);
    }
    if (before.number() && after.number()) {
      if (between.empty() || between.back() + 1 != left) {
        end_numbers();
        numbers = before;
      }
      numbers.Append(after.text);
      ++numbers.lines;
      between.push_back(at);
      continue;
    }
    end_numbers();
    if (!MayBeOne(before, after)) continue;
    edits.Add(at, at + 1, "", at);
    joined = std::move(before);
    joined_end = at;
  }
  end_numbers();
  return edits;
}

class Decoder {
 public:
  Decoder(DecodeBudget& budget, std::vector<DecodedView>& views) : budget_(budget), views_(views) {}
  using OriginalOf = absl::FunctionRef<uint32_t(size_t)>;  // original offset of canonical byte i, the end included

  // How a text came about: line ends taken out of it, and how often even cuts.
  struct Branch {
    bool unwrapped = false;
    int cuts = 0;
    bool rules_only() const { return unwrapped || cuts > 0; }
  };

  void Decode(std::string_view canonical, OriginalOf original_of, int round, Branch branch) {
    if (settled()) return;
    const Hints hints(canonical);
    if (!ReadingWork::Spend(StepsOf(canonical, hints))) {
      budget_.exhausted = true;
      return;
    }
    bool dump = false;  // its columns are even, and read already
    const Edits read = ReadAll(canonical, hints, dump);
    GoOn(canonical, read, original_of, round, branch);
    budget_.exhausted |= ReadingWork::Spent();
    if (settled()) return;
    if (!branch.rules_only() && hints.lines) GoOn(canonical, Unwrap(canonical), original_of, round, {true});
    if (settled() || dump || branch.unwrapped || branch.cuts == kCutsMax || round == kDecodeRounds) return;
    const EvenCuts cuts = ReadEvenCuts(canonical, read);
    for (const Edits& edits : {std::cref(cuts.all), std::cref(cuts.inner)}) {
      GoOn(canonical, edits, original_of, round, {false, branch.cuts + 1});
    }
  }

 private:
  static constexpr size_t kEditSteps = 40;
  // Of one look at a text by all readers, beside what they say themselves.
  static size_t StepsOf(std::string_view text, const Hints& hints) {
    constexpr size_t kLook = 1500, kPlain = 5, kNumerals = 3, kDigits = 4;
    const size_t each = kPlain + (hints.numerals ? kNumerals : 0) + (hints.digits >= kScatteredDigitsMin ? kDigits : 0);
    return kLook + each * text.size();
  }

  // Nothing more is read: the request is sensitive for what is not.
  bool settled() const { return budget_.exhausted || budget_.too_deep; }

  // What rules alone read counts half: line ends that were taken out, and a text that its view says all of.
  static size_t CostOf(size_t bytes, size_t superseded, bool unwrapped) {
    return unwrapped ? bytes / 2 : bytes - std::min(bytes, superseded / 2);
  }

  void GoOn(std::string_view canonical, const Edits& edits, OriginalOf original_of, int round, Branch branch) {
    if (edits.empty() || settled()) return;
    if (round == kDecodeRounds) {
      budget_.too_deep = true;
      return;
    }
    // The whole text where it is short, and where little would be left out.
    constexpr int kWholeRounds = 2;
    constexpr size_t kShort[kWholeRounds] = {16 << 10, 4 << 10};
    const bool rules_only = branch.rules_only(), may_be_whole = !rules_only && round < kWholeRounds;
    bool whole = may_be_whole && canonical.size() <= kShort[round];
    ReadingWork::Spend(kEditSteps * edits.list.size());
    Rewritten rewritten = Rewrite(canonical, edits, whole ? Keep::kAll : Keep::kNear);
    whole = whole || (may_be_whole && rewritten.whole);
    if (!whole && may_be_whole && rewritten.text.size() >= canonical.size() - canonical.size() / 4) {
      rewritten = Rewrite(canonical, edits, Keep::kAll);
      whole = true;
    }
    if (!budget_.Take(CostOf(rewritten.text.size(), whole ? canonical.size() : 0, rules_only))) return;
    const size_t index = views_.size();
    views_.push_back(
        {rules_only ? "unwrapped" : "decoded", std::move(rewritten.text), std::move(rewritten.origin), whole});
    std::vector<uint32_t> origin = std::move(views_[index].origin);
    for (uint32_t& offset : origin) offset = original_of(offset);
    CanonicalText inner = CanonicalText::Make(views_[index].text);
    Decode(
        inner.text(), [&](size_t i) { return origin[static_cast<size_t>(inner.Original(i, i).begin)]; }, round + 1,
        branch);
    views_[index].origin = std::move(origin);
    views_[index].canonical = std::move(inner);
  }

  DecodeBudget& budget_;
  std::vector<DecodedView>& views_;
};

}  // namespace

std::vector<DecodedView> DecodeViews(const CanonicalText& text, DecodeBudget& budget) {
  std::vector<DecodedView> views;
  Decoder(budget, views)
      .Decode(
          text.text(), [&](size_t i) { return static_cast<uint32_t>(text.Original(i, i).begin); }, 0, {});
  return views;
}

}  // namespace headgate::router
