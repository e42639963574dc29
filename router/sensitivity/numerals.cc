// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/numerals.h"

#include <algorithm>
#include <array>

#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kNumeralsMin = 6;
constexpr size_t kCodeMin = 11;  // numerals and capitals

struct Numeral {
  char16_t character = 0;
  char digit = 0;
};
constexpr Numeral kNumerals[] = {{u'〇', '0'}, {u'零', '0'}, {u'洞', '0'}, {u'○', '0'},  {u'一', '1'}, {u'壹', '1'},
                                 {u'幺', '1'}, {u'二', '2'}, {u'贰', '2'}, {u'貳', '2'}, {u'两', '2'}, {u'三', '3'},
                                 {u'叁', '3'}, {u'參', '3'}, {u'参', '3'}, {u'四', '4'}, {u'肆', '4'}, {u'五', '5'},
                                 {u'伍', '5'}, {u'六', '6'}, {u'陆', '6'}, {u'陸', '6'}, {u'七', '7'}, {u'柒', '7'},
                                 {u'拐', '7'}, {u'八', '8'}, {u'捌', '8'}, {u'九', '9'}, {u'玖', '9'}, {u'勾', '9'},
                                 // Of Suzhou, and in Braille
                                 {u'〡', '1'}, {u'〢', '2'}, {u'〣', '3'}, {u'〤', '4'},  {u'〥', '5'}, {u'〦', '6'},
                                 {u'〧', '7'}, {u'〨', '8'}, {u'〩', '9'}, {u'⠚', '0'},  {u'⠁', '1'}, {u'⠃', '2'},
                                 {u'⠉', '3'}, {u'⠙', '4'}, {u'⠑', '5'}, {u'⠋', '6'},  {u'⠛', '7'}, {u'⠓', '8'},
                                 {u'⠊', '9'}};

// The numerals by the low byte of the character: nine characters in ten have none.
constexpr size_t kOfLowByteMax = 3;
constexpr std::array<std::array<Numeral, kOfLowByteMax>, 256> kNumeralsOf = [] {
  std::array<std::array<Numeral, kOfLowByteMax>, 256> of{};
  for (const Numeral& numeral : kNumerals) {
    auto& same = of[numeral.character & 0xFF];
    size_t i = 0;
    while (same[i].digit != 0) ++i;  // does not compile when there are more
    same[i] = numeral;
  }
  return of;
}();

// A bit for each character from U+2000 on: hardly any is a numeral.
constexpr size_t kNumeralsFirst = 0x2000, kNumeralsEnd = 0xA000;
constexpr std::array<uint64_t, (kNumeralsEnd - kNumeralsFirst) / 64> kIsNumeral = [] {
  std::array<uint64_t, (kNumeralsEnd - kNumeralsFirst) / 64> is{};
  for (const Numeral& numeral : kNumerals) {
    const size_t i = numeral.character - kNumeralsFirst;
    is[i / 64] |= uint64_t{1} << (i % 64);
  }
  return is;
}();

// The digit that the character at `at` stands for, or 0.
char NumeralAt(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(at) < 0xE2 || byte(at) > 0xE9 || at + 2 >= text.size()) return 0;
  const auto code_point =
      static_cast<char16_t>((byte(at) & 0x0F) << 12 | (byte(at + 1) & 0x3F) << 6 | (byte(at + 2) & 0x3F));
  const size_t i = code_point - kNumeralsFirst;
  if ((kIsNumeral[i / 64] >> (i % 64) & 1) == 0) return 0;
  for (const Numeral& numeral : kNumeralsOf[code_point & 0xFF]) {
    if (numeral.character == code_point) return numeral.digit;
  }
  return 0;
}

// The rest of an English digit after its first two letters, which tell them apart.
struct Spelled {
  std::string_view rest;
  char digit = 0;  // 0: none
};
Spelled SpelledBy(char first, char second) {
  switch (first) {
    case 'z':
      return second == 'e' ? Spelled{"ro", '0'} : Spelled{};
    case 'o':
      return second == 'h' ? Spelled{"", '0'} : second == 'n' ? Spelled{"e", '1'} : Spelled{};
    case 't':
      return second == 'w' ? Spelled{"o", '2'} : second == 'h' ? Spelled{"ree", '3'} : Spelled{};
    case 'f':
      return second == 'o' ? Spelled{"ur", '4'} : second == 'i' ? Spelled{"ve", '5'} : Spelled{};
    case 's':
      return second == 'i' ? Spelled{"x", '6'} : second == 'e' ? Spelled{"ven", '7'} : Spelled{};
    case 'e':
      return second == 'i' ? Spelled{"ght", '8'} : Spelled{};
    case 'n':
      return second == 'i' ? Spelled{"ne", '9'} : Spelled{};
    default:
      return {};
  }
}

// The English digit that begins at `at`, whatever follows; its length, or 0.
size_t WordAt(std::string_view text, size_t at, char* digit) {
  if (at + 1 >= text.size()) return 0;
  const Spelled spelled = SpelledBy(LowerAscii(text[at]), LowerAscii(text[at + 1]));
  const size_t size = 2 + spelled.rest.size();
  if (spelled.digit == 0 || text.size() - at < size) return 0;
  for (size_t i = 2; i < size; ++i) {
    if (LowerAscii(text[at + i]) != spelled.rest[i - 2]) return 0;
  }
  *digit = spelled.digit;
  return size;
}

// A sign between numerals that no number is written with: one of ASCII, or an emoji; its length, or 0.
size_t OddSignLength(std::string_view text, size_t at) {
  if (std::string_view("#:;~+=^!?@$").find(text[at]) != std::string_view::npos) return 1;
  return static_cast<uint8_t>(text[at]) >= 0xF0 && at + 4 <= text.size() ? 4 : 0;
}

// The same with a sign or a blank between any two of its letters, which are of one case.
size_t CutWordAt(std::string_view text, size_t at, char* digit) {
  const auto next = [text](size_t i) {
    if (i >= text.size() || IsLetter(text[i])) return i;  // most
    const size_t separator = SeparatorLength(text, i);
    return i + (separator > 0 ? separator : OddSignLength(text, i));
  };
  const size_t second = next(at + 1);
  if (second >= text.size()) return 0;
  const Spelled spelled = SpelledBy(LowerAscii(text[at]), LowerAscii(text[second]));
  const bool small = IsLower(text[second]);
  if (spelled.rest.empty() || (IsLower(text[at]) && !small)) return 0;  // `oh` is two letters as well
  size_t end = second + 1;
  for (const char c : spelled.rest) {
    end = next(end);
    if (end >= text.size() || text[end] != (small ? c : UpperAscii(c))) return 0;
    ++end;
  }
  *digit = spelled.digit;
  return end - at;
}

// As WordAt, where a word ends behind it or the next digit begins. Whoever asks has seen to what stands before.
size_t SpelledAt(std::string_view text, size_t at, char* digit) {
  const size_t size = WordAt(text, at, digit);
  if (size == 0 || at + size >= text.size() || !IsLetter(text[at + size])) return size;
  if (IsUpper(text[at + size]) && IsLower(text[at + size - 1])) return size;
  char next = 0;
  return WordAt(text, at + size, &next) > 0 ? size : 0;
}

// The numeral at `at`, Chinese or English; its length in bytes, or 0.
size_t NumeralLength(std::string_view text, size_t at, char* digit) {
  if (static_cast<uint8_t>(text[at]) >= 0x80) {
    *digit = NumeralAt(text, at);
    return *digit != 0 ? 3 : 0;
  }
  return SpelledAt(text, at, digit);
}

// False: the letters at `at` begin no English digit, whole or cut. Most words are settled here.
bool MayBeSpelled(std::string_view text, size_t at) {
  if (at + 2 >= text.size() || !IsLetter(text[at + 1])) return true;
  const Spelled spelled = SpelledBy(LowerAscii(text[at]), LowerAscii(text[at + 1]));
  if (spelled.digit == 0) return false;
  return spelled.rest.empty() || !IsLetter(text[at + 2]) || LowerAscii(text[at + 2]) == spelled.rest[0];
}

// The same as NumeralLength, perhaps cut by signs.
size_t CutLength(std::string_view text, size_t at, char* digit) {
  if (static_cast<uint8_t>(text[at]) < 0x80 && !MayBeSpelled(text, at)) return 0;
  const size_t length = NumeralLength(text, at, digit);
  if (length > 0 || static_cast<uint8_t>(text[at]) >= 0x80) return length;
  const size_t end = at + CutWordAt(text, at, digit);
  char next = 0;
  return end < text.size() && IsLetter(text[end]) && CutWordAt(text, end, &next) == 0 ? 0 : end - at;
}

constexpr ByteSet kBegins =
    ByteSet::Of([](char c) { return static_cast<uint8_t>(c) < 0xEA && MayBeginNumeral(LowerAscii(c)); });
// The second bytes of those of kNumerals.
constexpr ByteSet kSeconds = [] {
  ByteSet seconds;
  for (const Numeral& numeral : kNumerals) seconds.Add(static_cast<uint8_t>(0x80 | (numeral.character >> 6 & 0x3F)));
  return seconds;
}();

// Where a numeral may begin: not within a word, which ends where a capital follows, and begins behind one.
ByteMarks MarkBegins(std::string_view text) {
  const ByteMarks begins(text, kBegins), letters(text, kLetterBytes), capitals(text, kCapitalBytes),
      seconds(text, kSeconds);
  return ByteMarks::Combine(text.size(), [&](size_t i) {
    const uint64_t small = letters.Word(i) & ~capitals.Word(i);
    const uint64_t chinese = ~letters.Word(i) & seconds.WordBehind(i, 1);
    const uint64_t english = letters.Word(i) & (~letters.WordBefore(i, 1) | (small & capitals.WordBefore(i, 1)));
    return begins.Word(i) & (chinese | english);
  });
}

// Letters of a code such as `GB82 WEST 1234`: one, or a few capitals. 0 when it is another word.
size_t CodeLettersAt(std::string_view text, size_t at) {
  constexpr size_t kCapitalsMax = 18;
  if (!IsLetter(text[at])) return 0;
  size_t end = at;
  while (end < text.size() && IsUpper(text[end]) && end - at <= kCapitalsMax) ++end;
  if (end == at) ++end;
  char digit = 0;
  const bool goes_on = end < text.size() && IsLetter(text[end]) && WordAt(text, end, &digit) == 0;
  return end - at > kCapitalsMax || goes_on ? 0 : end - at;
}

// Between two ways to read one run.
constexpr std::string_view kOrGlued = "\nor\n";

// `four nine, five one`: of numbers with other signs between them the digits stand together.
void CloseWordGaps(const std::vector<size_t>& gaps, NumeralRun& run) {
  for (size_t i = gaps.size(); i-- > 0;) {
    run.text.erase(gaps[i], 1);
    run.origin.erase(run.origin.begin() + static_cast<std::ptrdiff_t>(gaps[i]));
  }
}

// Letters of a code before the run at `begin`, with their gaps: `D E ` of `D E three seven`.
std::string_view LettersBefore(std::string_view text, size_t begin) {
  constexpr size_t kLettersMax = 4;
  size_t from = begin;
  for (size_t letters = 0; letters < kLettersMax && from >= 2; ++letters, from -= 2) {
    if (SeparatorLength(text, from - 1) != 1 || !IsUpper(text[from - 2])) break;
  }
  return text.substr(from, begin - from);
}

// What stands beside a run, glued to letters on its outer side: a numeral (`noone one ... seven sevenok`) or the last
// letter of a code (`Qok`). It belongs to the run, or does not (`phone one three eight`).
struct Glued {
  char lead = 0, trail = 0;
  std::string_view letters;  // of a code, between `lead` and the run
  size_t size() const { return letters.size() / 2 + (lead != 0) + (trail != 0); }
};
Glued GluedTo(std::string_view text, size_t begin, size_t end) {
  constexpr size_t kWordMin = 3, kWordMax = 5, kGlueMax = 3;
  Glued glued;
  glued.letters = LettersBefore(text, begin);
  const size_t first = begin - glued.letters.size();
  size_t before = first;
  while (before > 0 && first - before < 2 && SeparatorLength(text, before - 1) == 1) --before;
  char digit = 0;
  for (size_t size = kWordMin; size <= kWordMax && size < before; ++size) {
    if (WordAt(text, before - size, &digit) == size && IsLetter(text[before - size - 1])) glued.lead = digit;
  }
  if (end < text.size() && text[end] == ' ') ++end;
  if (end >= text.size() || !IsLetter(text[end])) return glued;
  size_t small = end + 1;
  while (small < text.size() && IsLower(text[small]) && small - end <= kGlueMax) ++small;
  if (WordAt(text, end, &digit) > 0) {
    glued.trail = digit;
  } else if (IsUpper(text[end]) && small - end > 1 && small - end <= kGlueMax + 1) {
    glued.trail = text[end];
  }
  return glued;
}

// The run is read both ways.
void AddGlued(const Glued& by, NumeralRun& run) {
  if (by.lead == 0 && by.trail == 0) return;
  std::string glued(kOrGlued);
  if (by.lead != 0) glued.append(1, by.lead).append(" ");
  glued.append(by.letters).append(run.text);
  if (by.trail != 0) glued.append(1, by.trail).append("\n");
  run.text += glued;
  run.origin.resize(run.text.size(), static_cast<uint32_t>(run.end));
}

// A part of something encoded that has no digits left.
bool IsCodePart(char c) { return c > ' ' && c < 0x7F && !IsDigit(c); }
bool IsLetterAt(std::string_view text, size_t at) { return at < text.size() && IsLetter(text[at]); }

// An element of HTML between two parts of a number, which ends neither like a code's own sign.
bool IsElement(std::string_view text, size_t at) {
  const size_t name = at + (text.substr(at + 1, 1) == "/" ? 2 : 1);
  for (const std::string_view of : {"br", "td", "th", "tr", "li", "p", "b", "i", "span", "div"}) {
    const std::string_view behind = text.substr(std::min(name + of.size(), text.size()), 1);
    if (text.substr(std::min(name, text.size()), of.size()) == of && !behind.empty() &&
        std::string_view(" />").find(behind) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

// The one that the `>` at `at` closes.
bool IsAfterElement(std::string_view text, size_t at) {
  constexpr size_t kElementMax = 16;
  size_t open = at;
  while (open > 0 && at - open < kElementMax && text[open] != '<') --open;
  return text[open] == '<' && IsElement(text, open);
}

// The numeral at `at` in one of the two ways; its length, or 0.
size_t NumeralOf(bool english, std::string_view text, size_t at, char* digit) {
  return english == (static_cast<uint8_t>(text[at]) < 0x80) ? NumeralLength(text, at, digit) : 0;
}

// The stretch around the numeral at `at` and not before `floor` that may be something encoded with its digits in words:
// signs, numerals and, with Chinese numerals, letters; with English ones only single letters and blanks too.
TextRange CodeAround(std::string_view text, size_t at, size_t floor, bool english) {
  constexpr size_t kBytesMax = 4096;
  TextRange range{at, at};
  const size_t least = std::max(floor, at - std::min(at, kBytesMax)), most = std::min(text.size(), at + kBytesMax);
  while (range.begin > least) {
    size_t before = range.begin - 1;
    if (english && text[before] == ' ' && before > least) --before;
    if (!IsCodePart(text[before]) || (text[before] == '>' && IsAfterElement(text, before))) break;
    const bool alone = !IsLetterAt(text, before + 1) && (before == 0 || !IsLetter(text[before - 1]));
    if (english && IsLetter(text[before]) && !alone) break;
    range.begin = before;
  }
  char digit = 0;
  while (range.end < most) {
    size_t next = range.end;
    if (english && range.end > at && text[next] == ' ' && next + 1 < most) ++next;
    if (const size_t length = NumeralOf(english, text, next, &digit); length > 0) {
      range.end = next + length;
    } else if (IsCodePart(text[next]) && !(text[next] == '<' && IsElement(text, next)) &&
               !(english && IsLetter(text[next]) && IsLetterAt(text, next + 1))) {
      range.end = next + 1;
    } else {
      break;
    }
  }
  return range;
}

// `%三一%三零`, `M T E w one`: digits for the numerals, no blanks. Without text: there is none around `at`; `end` is where
// to look on.
NumeralRun CodeRunAt(std::string_view text, size_t at, size_t floor) {
  constexpr size_t kCharactersMin = 11, kOthersMin = 4, kBlockMax = 3, kPlainMin = 8;
  const bool english = static_cast<uint8_t>(text[at]) < 0x80;
  const TextRange range = CodeAround(text, at, floor, english);
  NumeralRun run;
  run.begin = range.begin, run.end = range.end, run.code = true;
  size_t others = 0, numerals = 0, blocks = 0;
  bool short_words = false;  // `oh`
  bool plain = true;         // like an identifier's letters (`W E S T nine`)
  for (size_t i = range.begin; i < range.end;) {
    char digit = 0;
    const size_t length = NumeralOf(english, text, i, &digit);
    if (length > 0) {
      ++numerals;
      short_words |= length == 2;
      blocks += run.text.empty() || !IsDigit(run.text.back());
    } else {
      digit = text[i];
      const bool part = IsCodePart(digit) && SeparatorLength(text, i) == 0;
      others += part;
      plain = plain && (IsUpper(digit) || !part);
    }
    if (digit != ' ') {
      run.text += digit;
      run.origin.push_back(static_cast<uint32_t>(i));
    }
    i += std::max<size_t>(length, 1);
  }
  // Several numerals in one place are a number within a frame.
  const bool mixed = (blocks > 1 || numerals <= kBlockMax) && !short_words;
  if (others < kOthersMin || run.text.size() < kCharactersMin || !mixed || (plain && others < kPlainMin)) {
    run.text.clear();
  }
  return run;
}

}  // namespace

size_t CutNumeralAt(std::string_view text, size_t at, char* digit) {
  const auto first = static_cast<uint8_t>(text[at]);
  if (first < 0x80) return kBegins.Has(text[at]) ? CutWordAt(text, at, digit) : 0;
  *digit = NumeralAt(text, at);
  return *digit != 0 ? 3 : 0;
}

size_t CountNumerals(std::string_view text, size_t most) {
  char digit = 0;
  size_t count = 0;
  for (size_t at = 0; at < text.size() && count < most;) {
    const bool may =
        kBegins.Has(text[at]) && !(at > 0 && IsLetter(text[at - 1]) && IsLetter(text[at]));
    const size_t length = may ? NumeralLength(text, at, &digit) : 0;
    count += length > 0;
    at += std::max<size_t>(length, 1);
  }
  return count;
}

bool IsSpelledNumeral(std::string_view token) {
  char digit = 0;
  size_t at = 0;
  while (const size_t size = WordAt(token, at, &digit)) at += size;
  return at > 0 && at == token.size();
}

void ForEachNumeralRun(std::string_view text, absl::FunctionRef<void(const NumeralRun&)> visit) {
  size_t code_end = 0;  // looked through for code up to there
  const ByteMarks begins = MarkBegins(text);
  for (size_t at = begins.Next(0); at < text.size(); at = begins.Next(at)) {
    char digit = 0;
    if (CutLength(text, at, &digit) == 0) {
      ++at;
      continue;
    }
    if (at >= code_end && NumeralLength(text, at, &digit) > 0) {
      NumeralRun code = CodeRunAt(text, at, code_end);
      code_end = code.end;
      if (!code.text.empty()) {
        AddGlued(GluedTo(text, code.begin, code.end), code);
        visit(code);
        at = code.end;
        continue;
      }
    }
    NumeralRun run;
    run.begin = at;
    size_t numerals = 0, capitals = 0;
    std::vector<size_t> word_gaps;
    bool other_gaps = false;
    const auto append = [&](std::string_view bytes) {
      run.text += bytes;
      run.origin.resize(run.text.size(), static_cast<uint32_t>(at));
    };
    while (at < text.size()) {
      if (const size_t length = CutLength(text, at, &digit); length > 0) {
        append({&digit, 1});
        at += length;
        ++numerals;
      } else if (IsDigit(text[at])) {
        append(text.substr(at, 1));
        ++at;
      } else if (const size_t letters = CodeLettersAt(text, at); letters > 0) {
        capitals += IsUpper(text[at]) ? letters : 0;
        for (size_t i = 0; i < letters; ++i, ++at) append(text.substr(at, 1));
      } else if (const size_t gap = SeparatorLength(text, at); gap > 0) {
        // Between words a gap is a gap, whatever it is; between digits it may mean something.
        char next = 0;
        const bool between_words = IsLetter(text[at - 1]) && !run.text.empty() && IsDigit(run.text.back()) &&
                                   WordAt(text, at + gap, &next) > 0;
        if (between_words) word_gaps.push_back(run.text.size());
        other_gaps |= !between_words && text[at] != ' ';
        append(between_words ? " " : text.substr(at, gap));
        at += gap;
      } else if (const size_t sign = OddSignLength(text, at); sign > 0) {
        const size_t next = at + sign + SeparatorLength(text, at + sign);
        if (next >= text.size() || !(CutLength(text, next, &digit) > 0 || CodeLettersAt(text, next) > 0)) break;
        append(" ");
        at = next;
      } else {
        break;
      }
    }
    run.end = at;
    const Glued glued = GluedTo(text, run.begin, run.end);
    if (numerals < kNumeralsMin && numerals + capitals + glued.size() < kCodeMin) continue;
    if (other_gaps) CloseWordGaps(word_gaps, run);
    AddGlued(glued, run);
    visit(run);
    code_end = std::max(code_end, run.end);
  }
}

}  // namespace headgate::router
