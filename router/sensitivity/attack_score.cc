// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Clues belong to groups; of each group the heaviest clue of a window counts, so that repeating one proves nothing. The
// weights are set so that one clue alone stays below kAttackScoreMin unless hardly anyone writes it in good faith.
// docs/security.md has the figures.
#include "router/sensitivity/attack_score.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "router/sensitivity/attack_clues.h"
#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/pattern_database.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kSignSteps = 80;         // of one that may be a clue
constexpr size_t kGroupsMax = 10;         // of each kind
constexpr size_t kSentenceBytesMax = 400; // one without an end is cut here
constexpr size_t kOrderBytesMax = 96;     // `ignore ... previous ... instructions` lie this close together

constexpr AttackKind S = AttackKind::kSqlInjection, X = AttackKind::kXss, C = AttackKind::kCommandInjection,
                     P = AttackKind::kPromptInjection;

// Null when it could not be compiled: then nothing is known about any text.
const PatternDatabase* Phrases() {
  static const absl::StatusOr<PatternDatabase> database = [] {
    std::vector<PatternDatabase::Pattern> patterns;
    for (const Clue& clue : AttackClues()) patterns.push_back({RE2::QuoteMeta(clue.phrase), true});
    return PatternDatabase::Compile(patterns);
  }();
  return database.ok() ? &*database : nullptr;
}

bool IsWordByte(char c) { return IsAlnum(c) || c == '_'; }

// Spaces of all kinds as one, SQL's inline comments as one too; letters as they are. In blocks, as EveryByte.
bool NeedsCollapsing(std::string_view text) {
  constexpr size_t kBlock = 32;
  const auto any_of = [](const char* bytes, size_t count) {
    uint8_t any = 0;
    for (size_t i = 0; i < count; ++i) {
      const char c = bytes[i], next = bytes[i + 1];
      any |= static_cast<uint8_t>((c == '\t') | (c == '\r'));
      any |= static_cast<uint8_t>(((c == ' ') & (next == ' ')) | ((c == '/') & (next == '*')));
    }
    return any != 0;
  };
  for (; text.size() > kBlock; text.remove_prefix(kBlock)) {
    if (any_of(text.data(), kBlock)) return true;
  }
  return !text.empty() && any_of(text.data(), text.size() - 1);
}
std::string Collapse(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t copied = 0;  // what lies before is in `out`
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool comment = c == '/' && text.substr(i, 4) == "/**/";
    if (!comment && c != ' ' && c != '\t' && c != '\r') continue;
    out.append(text.substr(copied, i - copied));
    if (out.empty() || out.back() != ' ') out += ' ';
    if (comment) i += 3;
    copied = i + 1;
  }
  out.append(text.substr(copied));
  return out;
}

// A sentence ends after `text[at]`.
bool EndsSentence(std::string_view text, size_t at) {
  switch (text[at]) {
    case '\n':
      return true;
    case '.':
    case '!':
    case '?':
      return at + 1 == text.size() || text[at + 1] == ' ';
    case '\x82':
      return at >= 2 && text.substr(at - 2, 3) == "。";
    default:
      return false;  // full-width ！ and ？ are plain ones in canonical text
  }
}

// Bytes at which there is more to look at than phrases; those of the second set only where a connective may follow.
constexpr ByteSet kInteresting("\n.!?\x82=;|&`$"), kBeforeConnective(" '\")"), kBeginsConnective("oOaAwW|&");

ByteMarks MarkInteresting(std::string_view text) {
  const ByteMarks interesting(text, kInteresting), before(text, kBeforeConnective), begins(text, kBeginsConnective);
  return ByteMarks::Combine(text.size(), [&](size_t i) {
    return interesting.Word(i) | (before.Word(i) & begins.WordBehind(i, 1));
  });
}

struct Window {
  double weights[kAttackNames.size()][kGroupsMax] = {};
  bool any = false;

  void Add(AttackKind kind, uint8_t group, double weight) {
    any = any || weight > 0;
    double& held = weights[static_cast<size_t>(kind)][group];
    held = std::max(held, weight);
  }
  void Add(const Window& other) {
    for (size_t kind = 0; kind < kAttackNames.size(); ++kind) {
      for (size_t group = 0; group < kGroupsMax; ++group) {
        weights[kind][group] = std::max(weights[kind][group], other.weights[kind][group]);
      }
    }
  }
  double Score(size_t kind) const {
    double doubt = 1;
    for (const double weight : weights[kind]) doubt *= 1 - weight;
    return 1 - doubt;
  }
};

// ---- Clues that are more than a phrase. ----

// One side of a comparison that begins at `at`: letters, digits and quotes; without the quotes. Moves `at` behind it.
std::string_view Operand(std::string_view text, size_t& at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '(' || text[at] == '\'' || text[at] == '"')) ++at;
  const size_t begin = at;
  while (at < text.size() && at - begin < 24 && IsWordByte(text[at])) ++at;
  const std::string_view operand = text.substr(begin, at - begin);
  while (at < text.size() && (text[at] == ' ' || text[at] == ')' || text[at] == '\'' || text[at] == '"')) ++at;
  return operand;
}

bool AllDigits(std::string_view text) { return std::all_of(text.begin(), text.end(), IsDigit); }

// or, and, where: behind it stands a condition.
bool AtConnective(std::string_view text, size_t at) {
  for (const std::string_view word : {"or", "and", "where", "as", "union"}) {
    if (at + word.size() >= text.size() || IsWordByte(text[at + word.size()])) continue;
    bool same = true;
    for (size_t i = 0; i < word.size(); ++i) same = same && LowerAscii(text[at + i]) == word[i];
    if (same) return true;
  }
  return false;
}

// `or 1=1`, `and 'a'='a'`, `|| 7=7`: the two sides of an equality after a connective are the same.
bool IsTautology(std::string_view text, size_t at) {
  const std::string_view left = Operand(text, at);
  if (left.empty() || at >= text.size()) return false;
  if (text[at] == '=') {
    ++at;
    if (at < text.size() && text[at] == '=') ++at;
  } else if (text.substr(at, 4) == "like" || text.substr(at, 4) == "LIKE") {
    at += 4;
  } else {
    return false;
  }
  const std::string_view right = Operand(text, at);
  // 1224=5119 is false on purpose: nobody compares two numbers otherwise.
  return right == left || (left.size() > 2 && right.size() > 2 && AllDigits(left) && AllDigits(right));
}

// `1' `, `-3963"`, `1%') where`: a short value whose quote or bracket is closed for it, and more behind.
bool LeavesLiteral(std::string_view sentence) {
  constexpr size_t kValueBytesMax = 12;
  size_t at = 0;
  while (at < sentence.size() && at < kValueBytesMax &&
         (IsWordByte(sentence[at]) || sentence[at] == '-' || sentence[at] == '%')) {
    ++at;
  }
  if (at == 0 || !IsDigit(sentence[at > 1 && sentence[at - 1] == '%' ? at - 2 : at - 1])) return false;
  const size_t closing = at;
  while (at < sentence.size() && (sentence[at] == '\'' || sentence[at] == '"' || sentence[at] == ')')) ++at;
  if (at == closing || at == sentence.size()) return false;
  // `1) Write ...` numbers a list.
  return at - closing > 1 || sentence[closing] != ')' || sentence[at] != ' ' || AtConnective(sentence, at + 1);
}

bool IsHandler(std::string_view text, size_t equals) {
  size_t at = equals;
  while (at > 0 && text[at - 1] == ' ') --at;
  size_t letters = 0;
  while (at > 0 && IsLetter(text[at - 1]) && letters < 24) {
    --at;
    ++letters;
  }
  const auto lower = [&](size_t i) { return LowerAscii(text[i]); };
  return letters >= 5 && lower(at) == 'o' && lower(at + 1) == 'n' && at > 0 && !IsWordByte(text[at - 1]) &&
         text[at - 1] != '.';
}

// A shell operator with a command right behind it. A pipe into `sort` is everyday; into `id` it is not.
double ChainWeight(std::string_view text, size_t at) {
  static constexpr std::string_view kCommands[] = {"id", "whoami", "uname", "ifconfig", "nslookup", "netcat", "nc",
                                                   "ping", "sleep", "cat", "ls", "dir", "wget", "curl", "rm", "true",
                                                   "false", "type", "net", "powershell", "env", "echo"};
  size_t from = at + 1;
  while (from < text.size() && from - at < 4 &&
         (text[from] == ' ' || text[from] == '+' || text[from] == '|' || text[from] == '&' || text[from] == '(')) {
    ++from;
  }
  const bool tight = from == at + 1;
  for (const std::string_view folder : {"/usr/bin/", "/bin/"}) {
    if (text.substr(from, folder.size()) == folder) {
      from += folder.size();
      break;
    }
  }
  size_t end = from;
  while (end < text.size() && end - from < 12 && IsLetter(text[end])) ++end;
  const std::string_view word = text.substr(from, end - from);
  if (end < text.size() && IsWordByte(text[end])) return 0;
  if (std::find(std::begin(kCommands), std::end(kCommands), word) == std::end(kCommands)) return 0;
  // Close to nothing before the operator: the value of a parameter, not a shell line.
  const bool leading = at < 4;
  const bool closed = end == text.size() || text[end] == ';' || text[end] == '|' || text[end] == '`';
  return leading ? .65 : tight && closed ? .45 : .3;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text), interesting_(MarkInteresting(text)) {}

  AttackScores Read() {
    struct Seen {
      uint32_t clue;
      size_t end;
    };
    std::vector<Seen> seen;
    const PatternDatabase* phrases = Phrases();
    const bool read = phrases != nullptr && phrases->Scan(text_, [&](size_t clue, size_t, size_t end) {
      if (seen.empty() || seen.back().clue != clue || seen.back().end != end) {
        seen.push_back({static_cast<uint32_t>(clue), end});
      }
    }).ok();
    if (!read) {
      scores_.fill(1);  // what could not be read is not called harmless
      return scores_;
    }
    size_t next = 0;
    for (size_t at = 0; at < text_.size(); ++at) {
      // On to the next byte that says anything.
      size_t stop = std::min(text_.size() - 1, begin_ + kSentenceBytesMax);
      if (next < seen.size()) stop = std::min(stop, seen[next].end - 1);
      if (at < stop) at = std::min(stop, interesting_.Next(at));
      for (; next < seen.size() && seen[next].end == at + 1; ++next) See(AttackClues()[seen[next].clue], at + 1);
      const bool interesting = interesting_.Has(at);
      if (interesting) {
        ReadingWork::Spend(kSignSteps);
        Look(at);
      }
      if (at - begin_ >= kSentenceBytesMax || (interesting && EndsSentence(text_, at))) Close(at + 1);
    }
    Close(text_.size());
    return scores_;
  }

 private:
  void See(const Clue& clue, size_t end) {
    const size_t begin = end - std::string_view(clue.phrase).size();
    if (IsLetter(clue.phrase[0]) && begin > 0 && IsWordByte(text_[begin - 1])) return;
    if (clue.kind != P || clue.group < kVerb) {
      now_.Add(clue.kind, clue.group, clue.weight);
      return;
    }
    if (clue.group == kVerb) {
      // `Don't forget` asks for the opposite.
      const std::string_view before = text_.substr(begin > 18 ? begin - 18 : 0, std::min<size_t>(begin, 18));
      for (const std::string_view no : {"n't ", "not ", "never ", "别", "不要", "nicht "}) {
        if (before.ends_with(no)) return;
      }
      verb_ = end;
    } else if (clue.group == kEarlier && verb_ > 0 && end - verb_ < kOrderBytesMax) {
      earlier_ = end;
    } else if (clue.group == kRules && earlier_ > verb_ && verb_ > 0 && end - verb_ < kOrderBytesMax) {
      now_.Add(P, kOverride, .85);
    }
  }

  void Look(size_t at) {
    switch (text_[at]) {
      case '=':
        if (IsHandler(text_, at)) now_.Add(X, kXssHandler, .45);
        break;
      case ' ':
      case '\'':
      case '"':
      case ')':
        if (const size_t after = AfterConnective(at + 1); after > 0 && IsTautology(text_, after)) {
          now_.Add(S, kSqlTautology, text_[at] == ' ' && after - at > 4 ? .5 : .6);
        }
        break;
      case ';':
      case '|':
      case '&':
      case '`':
      case '$':
        now_.Add(C, kShellChain, ChainWeight(text_, at));
        break;
      default:
        break;
    }
  }
  // Behind `or`, `and`, `||`, `&&` at `at`; 0 when there is none.
  size_t AfterConnective(size_t at) const {
    if (at + 3 >= text_.size()) return 0;
    switch (text_[at]) {  // most bytes are settled here
      case 'o':
      case 'O':
      case 'a':
      case 'A':
      case 'w':
      case 'W':
      case '|':
      case '&':
        break;
      default:
        return 0;
    }
    const auto is = [&](std::string_view word) {
      for (size_t i = 0; i < word.size(); ++i) {
        if (LowerAscii(text_[at + i]) != word[i]) return false;
      }
      return !IsWordByte(text_[at + word.size()]) ||
             !IsLetter(word[0]);  // `||1=1` needs no space
    };
    if (is("or") || is("||") || is("&&")) return at + 2;
    if (is("and")) return at + 3;
    return at + 5 < text_.size() && is("where") ? at + 5 : 0;
  }

  void Close(size_t end) {
    std::string_view sentence = text_.substr(begin_, end - begin_);
    while (!sentence.empty() && (sentence.back() == ' ' || sentence.back() == '\n')) sentence.remove_suffix(1);
    if (LeavesLiteral(sentence)) now_.Add(S, kSqlLeading, .4);
    if (sentence.ends_with("--") || sentence.ends_with("--+") || sentence.ends_with("#") || sentence.ends_with("/*")) {
      now_.Add(S, kSqlComment, .35);
    }
    if (!now_.any) {  // nothing new
      before_ = Window();
      begin_ = end;
      return;
    }
    Window both = now_;
    both.Add(before_);
    for (size_t kind = 0; kind < scores_.size(); ++kind) scores_[kind] = std::max(scores_[kind], both.Score(kind));
    before_ = now_;
    now_ = Window();
    begin_ = end;
  }

  const std::string_view text_;
  const ByteMarks interesting_;
  size_t begin_ = 0;  // of the sentence
  size_t verb_ = 0, earlier_ = 0;  // ends of the last ones; 0: none
  Window now_, before_;
  AttackScores scores_ = {};
};

}  // namespace

AttackScores ScoreAttacks(std::string_view text) {
  if (!NeedsCollapsing(text)) return Reader(text).Read();
  const std::string collapsed = Collapse(text);
  return Reader(collapsed).Read();
}

}  // namespace headgate::router
