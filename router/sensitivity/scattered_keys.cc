// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/scattered_keys.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/numerals.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/secrets.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr std::string_view kTokenPrefix = "eyJ";  // `{"` of a web token
constexpr size_t kNone = std::string_view::npos;
constexpr int kGapMax = 6;  // separators of two kinds, and a point of a token's own

// A prefix is looked for at its anchor, a character that texts have little of: a sign or a capital, not the first.
struct Prefix {
  std::string_view text;
  size_t anchor = 0;
  size_t body_min = 0;
  bool hex = false;       // of small letters
  bool capitals = false;  // no small letters
  size_t word_min = 3;    // letters of a word that is no piece of it
};
size_t AnchorOf(std::string_view prefix) {
  const auto is_sign = [](char c) { return !IsAlnum(c); };
  const auto sign = std::find_if(prefix.begin(), prefix.end(), is_sign);
  const auto anchor = sign != prefix.end() ? sign : std::find_if(prefix.begin() + 1, prefix.end(), IsUpper);
  return static_cast<size_t>((anchor != prefix.end() ? anchor : prefix.end() - 1) - prefix.begin());
}

// By their anchors.
class Prefixes {
 public:
  static const Prefixes& Get() {
    static const Prefixes prefixes;
    return prefixes;
  }
  const ByteSet& anchors() const { return anchors_; }
  const std::vector<Prefix>& At(char anchor) const { return by_anchor_[static_cast<uint8_t>(anchor)]; }

 private:
  Prefixes() {
    for (const KeyPrefix& key : KeyPrefixes()) {
      const std::string_view text = key.prefix, body = key.body;
      if (text.starts_with("EAA")) continue;  // so does much that is encoded
      Add({text, 0, static_cast<size_t>(key.body_bytes_min), body == "[a-f0-9]", body.find('a') == kNone});
    }
    Add({kTokenPrefix, 0, /*body_min=*/48, false, false, /*word_min=*/6});  // and shows by itself what it is
    Add({"0x", 0, /*body_min=*/40, /*hex=*/true});                          // of wallets
    Add({"bc1", 0, /*body_min=*/38});
  }
  void Add(Prefix prefix) {
    prefix.anchor = AnchorOf(prefix.text);
    const auto anchor = static_cast<uint8_t>(prefix.text[prefix.anchor]);
    by_anchor_[anchor].push_back(prefix);
    anchors_.Add(anchor);
  }
  ByteSet anchors_;
  std::array<std::vector<Prefix>, 256> by_anchor_;
};

// The last letter or digit before `at`, over a few separators; kNone: there is none.
size_t AlnumBefore(std::string_view text, size_t at) {
  for (int signs = 0; at > 0; ++signs) {
    size_t character = at - 1;
    if (IsAlnum(text[character])) return character;
    while (character > 0 && (static_cast<uint8_t>(text[character]) & 0xC0) == 0x80) --character;
    if (signs == kGapMax || SeparatorLength(text, character) == 0) break;
    at = character;
  }
  return kNone;
}

// What comes behind a few separators.
size_t BehindGap(std::string_view text, size_t at) {
  for (int signs = 0; signs < kGapMax && at < text.size() && !IsAlnum(text[at]); ++signs) {
    at += SeparatorLength(text, at);
  }
  return at;
}

// Past the character `c` of a prefix, which stands at `at` or behind a few separators, a digit perhaps as a numeral; 0:
// another stands there.
size_t Behind(std::string_view text, size_t at, char c) {
  for (int signs = 0; at < text.size(); ++signs) {
    char digit = 0;
    if (text[at] == c) return at + 1;
    if (IsDigit(c) && MayBeginNumeral(text[at])) {
      const size_t length = CutNumeralAt(text, at, &digit);
      if (length > 0) return digit == c ? at + length : 0;
    }
    const size_t gap = signs < kGapMax && !IsAlnum(text[at]) ? SeparatorLength(text, at) : 0;
    if (gap == 0) return 0;
    at += gap;
  }
  return 0;
}

// A body in one piece, and how it is written.
struct Body {
  std::string characters;
  std::vector<uint32_t> origin;
  size_t end = 0;
  size_t pieces = 0, words = 0;  // tokens between separators; those of small letters only, perhaps after a capital
  size_t even = 0;               // as long as the one before, as words hardly are
  size_t plain_end = 0;          // of a first piece without gaps or digits in words; 0: it has some
  bool cut = false;              // by a separator, or its digits are in words
};

class KeyReader {
 public:
  explicit KeyReader(std::string_view text) : text_(text) {}
  Edits Read() {
    const Prefixes& prefixes = Prefixes::Get();
    const ByteMarks anchors(text_, prefixes.anchors());
    for (size_t at = anchors.Next(1); at < text_.size() && ReadingWork::Spend(kAnchorSteps);
         at = anchors.Next(at + 1)) {
      if (in_vain_ > kInVainMax && at < last_in_vain_ + kInVainBytes) continue;
      const size_t before = AlnumBefore(text_, at);
      if (before == kNone) continue;
      for (const Prefix& prefix : prefixes.At(text_[at])) {
        if (text_[before] != prefix.text[prefix.anchor - 1]) continue;
        if (const size_t end = ReadAt(prefix, at); end > 0) {
          at = end - 1;
          break;
        }
      }
    }
    return std::move(edits_);
  }

 private:
  static constexpr size_t kAnchorSteps = 15, kKeySteps = 100, kByteSteps = 16;
  static constexpr size_t kBodyMax = 512, kBodyJudged = 64;
  // Of a text that is full of prefixes fewer are looked at, and less of what follows.
  static constexpr size_t kInVainMax = 16, kInVainBytes = 16;
  static constexpr size_t kPieceMax = 1024, kPieceJudged = 128;  // of a longer piece the beginning is read

  // The key with the anchor of its prefix at `at`; where it ends, 0 when there is none.
  size_t ReadAt(const Prefix& prefix, size_t at) {
    size_t begin = at, behind = at + 1;
    for (size_t i = prefix.anchor; i-- > 0;) {
      begin = AlnumBefore(text_, begin);
      if (begin == kNone || text_[begin] != prefix.text[i]) return 0;
    }
    if (!edits_.empty() && begin < edits_.list.back().end) return 0;
    // `convert_hf_to_gguf`: a part of a name.
    const bool sign = begin > 1 && (text_[begin - 1] == '_' || text_[begin - 1] == '-');
    if ((sign && IsAlnum(text_[begin - 2])) || EndsWord(text_.substr(0, begin), prefix.text)) return 0;
    for (const char c : prefix.text.substr(prefix.anchor + 1)) {
      behind = Behind(text_, behind, c);
      if (behind == 0) return 0;
    }
    const bool token = prefix.text == kTokenPrefix;
    // Glued to its prefix and in one piece: none of ours.
    const bool glued = behind - begin == prefix.text.size();
    if (glued && behind >= plain_begin_ && behind + kBodyJudged <= plain_end_) return 0;
    const bool few = in_vain_ <= kInVainMax;
    const size_t piece_max = few ? kPieceMax : token ? kBodyMax : kPieceJudged;
    Body body = BodyAt(behind, prefix, token && few ? kBodyMax : kBodyJudged, piece_max);
    ReadingWork::Spend(kKeySteps + kByteSteps * body.characters.size());
    if (body.plain_end > plain_end_) plain_begin_ = behind, plain_end_ = body.plain_end;
    if (body.characters.size() < prefix.body_min || !(body.cut || !glued)) return 0;
    std::string key(prefix.text);
    if (token ? !AppendToken(body.characters, key) : !IsBody(prefix, body)) return InVain(at);
    if (!token) {
      body = BodyAt(behind, prefix, kBodyMax, kPieceMax);
      key += body.characters;
    }
    if (text_.substr(begin, key.size()) == key) return 0;  // one already
    std::vector<uint32_t> origin(prefix.text.size(), static_cast<uint32_t>(begin));
    if (sign) {  // is no part of it
      key.insert(0, 1, ' ');
      origin.insert(origin.begin(), static_cast<uint32_t>(begin));
    }
    origin.insert(origin.end(), body.origin.begin(), body.origin.end());
    origin.resize(key.size(), static_cast<uint32_t>(body.end));  // behind the points of a token
    edits_.Add(begin, body.end, key, origin);
    return body.end;
  }

  size_t InVain(size_t at) {
    ++in_vain_;
    last_in_vain_ = at;
    return 0;
  }

  // A piece of a body, from `begin` to where it ends.
  struct Piece {
    size_t end = 0, digits = 0, upper = 0, lower = 0;
    bool words = false, capital = false;  // some digits are in words; begins with a capital
    bool vowel = false;
    // Letters of one case, or a capital and small ones.
    bool MayBeWord() const { return vowel && digits == 0 && (upper == 0 || lower == 0 || (upper == 1 && capital)); }
  };
  // `capitals`: not beyond a small letter.
  Piece PieceAt(size_t begin, size_t most, bool capitals, Body& body) const {
    Piece piece;
    size_t at = begin;
    const size_t limit = body.characters.size() + most;
    while (at < text_.size() && body.characters.size() < limit && !(capitals && piece.lower > 0)) {
      char character = 0;
      const size_t length = MayBeginNumeral(text_[at]) ? CutNumeralAt(text_, at, &character) : 0;
      if (length == 0 && !IsAlnum(text_[at])) break;
      if (length == 0) character = text_[at];
      piece.words |= length > 0;
      piece.digits += IsDigit(character), piece.upper += IsUpper(character), piece.lower += IsLower(character);
      piece.capital |= at == begin && IsUpper(character);
      piece.vowel |= std::string_view("aeiou").find(LowerAscii(character)) != kNone;
      body.characters += character;
      body.origin.push_back(static_cast<uint32_t>(at));
      at += std::max<size_t>(length, 1);
    }
    piece.end = at;
    return piece;
  }
  // The first `size` characters are a key.
  static bool IsWhole(const Prefix& prefix, const Body& body, size_t size) {
    return size >= prefix.body_min && LooksRandomBehind(prefix.text, std::string_view(body.characters).substr(0, size));
  }
  // `most` characters and the rest of their piece.
  Body BodyAt(size_t at, const Prefix& prefix, size_t most, size_t piece_max) const {
    constexpr size_t kFirstWordMin = 5;
    Body body;
    body.end = at;
    size_t last_size = 0;
    while (at < text_.size() && body.characters.size() < most) {
      const size_t begin = BehindGap(text_, at), before = body.characters.size();
      const Piece piece = PieceAt(begin, piece_max, prefix.capitals, body);
      if (piece.end == begin) break;
      if (before == 0 && begin == at && !piece.words) body.plain_end = piece.end;
      const bool word = piece.MayBeWord() && piece.upper + piece.lower >= prefix.word_min && !prefix.capitals;
      const size_t size = body.characters.size() - before;
      body.even += size == last_size;
      last_size = size;
      // Prose, or what comes behind the key; the longer its prefix the surer it is one.
      const size_t others = body.pieces + 2 * body.even + prefix.text.size() / 2;
      const bool prose = (body.words + 1) * 3 > others + 2 || (before == 0 && piece.lower >= kFirstWordMin);
      const bool ends = prefix.capitals && piece.lower > 0;
      if ((word && (prose || IsWhole(prefix, body, before))) || ends) {
        // Small letters glued to the last piece of a key that has none.
        const size_t kept = body.characters.size() - 1;
        const bool glue = ends && before < prefix.body_min && kept >= prefix.body_min;
        body.characters.resize(glue ? kept : before);
        body.origin.resize(body.characters.size());
        if (glue) body.end = piece.end - 1, body.cut |= begin > at;
        break;
      }
      body.cut |= piece.words || (begin > at && before > 0 && before < prefix.body_min);  // later gaps are behind it
      ++body.pieces;
      body.words += word;
      body.end = at = piece.end;
    }
    return body;
  }

  static bool IsBody(const Prefix& prefix, const Body& body) {
    const std::string_view characters = body.characters;
    const auto is_hex = [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); };
    if (prefix.hex) {
      const std::string_view least = characters.substr(0, prefix.body_min);
      return std::all_of(least.begin(), least.end(), is_hex);
    }
    // Capitals alone with hardly a digit are the name of a constant.
    const auto count = [&](bool (*is)(char)) { return std::count_if(characters.begin(), characters.end(), is); };
    const bool no_name = prefix.capitals || count(IsLower) > 1 || count(IsDigit) * 5 > std::ssize(characters);
    return no_name && (LooksGenerated(characters) || prefix.capitals) && LooksRandomBehind(prefix.text, characters);
  }

  // Its parts with points between them: where the header ends it says itself, the other two are not told apart.
  static bool AppendToken(std::string_view body, std::string& token) {
    constexpr size_t kBehindMin = 24;
    const std::string all = token + std::string(body);
    const std::optional<std::string> decoded = DecodeBase64(std::string_view(all).substr(0, all.size() / 4 * 4));
    const size_t close = decoded ? decoded->find('}') : kNone;
    if (close == kNone || decoded->substr(0, close).find("\"alg\"") == std::string::npos) return false;
    const size_t header = (close + 1) * 8 / 6 + ((close + 1) * 8 % 6 > 0 ? 1 : 0);
    if (header + kBehindMin > all.size()) return false;
    constexpr size_t kPayload = 5;
    token = all.substr(0, header) + "." + all.substr(header, kPayload) + "." + all.substr(header + kPayload);
    return true;
  }

  const std::string_view text_;
  Edits edits_;
  size_t in_vain_ = 0, last_in_vain_ = 0;
  size_t plain_begin_ = 0, plain_end_ = 0;  // the last stretch of letters and digits in which no digit is a word
};

}  // namespace

Edits ReadScatteredKeys(std::string_view text) { return KeyReader(text).Read(); }

}  // namespace headgate::router
