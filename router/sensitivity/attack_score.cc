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
#include "router/sensitivity/pattern_database.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kGroupsMax = 10;         // of each kind
constexpr size_t kSentenceBytesMax = 400; // one without an end is cut here
constexpr size_t kOrderBytesMax = 96;     // `ignore ... previous ... instructions` lie this close together

// Groups of each kind.
enum Sql : uint8_t { kSqlBreakout, kSqlTautology, kSqlComment, kSqlUnion, kSqlDelay, kSqlCatalogue, kSqlStacked,
                     kSqlCondition, kSqlLeading };
enum Xss : uint8_t { kXssScript, kXssHandler, kXssCode, kXssUri, kXssTag, kXssBreakout };
enum Command : uint8_t { kShellChain, kShellFile, kShellFetch, kShellTraversal };
enum Instructions : uint8_t { kOverride, kReveal, kPersona, kUnbound, kFakeTurn, kNewTask,
                              // Parts of the ordered clues: without weight of their own.
                              kVerb, kEarlier, kRules };

struct Clue {
  const char* phrase;  // lower case; runs of spaces are one
  AttackKind kind;
  uint8_t group;
  double weight;
};

constexpr AttackKind S = AttackKind::kSqlInjection, X = AttackKind::kXss, C = AttackKind::kCommandInjection,
                     P = AttackKind::kPromptInjection;

const Clue kClues[] = {
    // SQL: leaving a literal, what is true for every row, the rest cut off, another query, delays, catalogues.
    {"' or ", S, kSqlBreakout, .4}, {"\" or ", S, kSqlBreakout, .35}, {"' and ", S, kSqlBreakout, .3},
    {"\" and ", S, kSqlBreakout, .25}, {"' union", S, kSqlBreakout, .5}, {"';", S, kSqlBreakout, .3},
    {"')", S, kSqlBreakout, .2}, {"'))", S, kSqlBreakout, .35}, {"'--", S, kSqlBreakout, .6},
    {"' --", S, kSqlBreakout, .55}, {"'#", S, kSqlBreakout, .4}, {"'/*", S, kSqlBreakout, .5},
    {"'||", S, kSqlBreakout, .4}, {"'+(", S, kSqlBreakout, .45}, {"%' ", S, kSqlBreakout, .3},
    {"'or'", S, kSqlBreakout, .6}, {"'='", S, kSqlBreakout, .45}, {"') or ", S, kSqlBreakout, .5},
    {"union select", S, kSqlUnion, .5}, {"union all select", S, kSqlUnion, .5},
    {"union distinct select", S, kSqlUnion, .5}, {"union(select", S, kSqlUnion, .65},
    {"select null,null", S, kSqlUnion, .5}, {"select 1,2,3", S, kSqlUnion, .4},
    {"sleep(", S, kSqlDelay, .2}, {"pg_sleep(", S, kSqlDelay, .5}, {"benchmark(", S, kSqlDelay, .4},
    {"waitfor delay", S, kSqlDelay, .6}, {"dbms_pipe.receive_message", S, kSqlDelay, .65},
    {"dbms_lock.sleep", S, kSqlDelay, .6}, {"generate_series(1,5", S, kSqlDelay, .45},
    {"randomblob(", S, kSqlDelay, .55}, {"regexp_substring(repeat(", S, kSqlDelay, .65},
    {"information_schema", S, kSqlCatalogue, .35}, {"sysobjects", S, kSqlCatalogue, .35},
    {"sysusers as", S, kSqlCatalogue, .6}, {"sysibm.systables", S, kSqlCatalogue, .5},
    {"all_users t1", S, kSqlCatalogue, .6}, {"@@version", S, kSqlCatalogue, .35},
    {"xp_cmdshell", S, kSqlCatalogue, .5}, {"load_file(", S, kSqlCatalogue, .5},
    {"into outfile", S, kSqlCatalogue, .4}, {"into dumpfile", S, kSqlCatalogue, .5},
    {"extractvalue(", S, kSqlCatalogue, .5}, {"updatexml(", S, kSqlCatalogue, .5},
    {"concat(0x", S, kSqlCatalogue, .65}, {"char(65)", S, kSqlCatalogue, .4}, {"chr(1", S, kSqlCatalogue, .4},
    {"utl_inaddr", S, kSqlCatalogue, .6}, {"procedure analyse(", S, kSqlCatalogue, .65},
    {"; drop table", S, kSqlStacked, .4}, {";drop table", S, kSqlStacked, .4}, {"; drop ", S, kSqlStacked, .35},
    {";select ", S, kSqlStacked, .35}, {"; exec", S, kSqlStacked, .35}, {";exec", S, kSqlStacked, .4},
    {"; shutdown", S, kSqlStacked, .4}, {"; insert into", S, kSqlStacked, .3}, {"; delete from", S, kSqlStacked, .35},
    {"; update ", S, kSqlStacked, .3}, {"declare @", S, kSqlStacked, .35}, {");call ", S, kSqlStacked, .45},
    {";begin ", S, kSqlStacked, .4}, {" as varchar", S, kSqlStacked, .2},
    {"and (select", S, kSqlCondition, .3}, {"or (select", S, kSqlCondition, .4}, {"=(select", S, kSqlCondition, .4},
    {"case when (", S, kSqlCondition, .3}, {"rlike (select", S, kSqlCondition, .5}, {"having min(0)", S,
    kSqlCondition, .65}, {" like '%", S, kSqlCondition, .1}, {"make_set(", S, kSqlCondition, .5},
    {"elt(", S, kSqlCondition, .35}, {"case when", S, kSqlCondition, .2}, {"*(select ", S, kSqlCondition, .5},
    {"+(select ", S, kSqlCondition, .5}, {"select count(*) from", S, kSqlCondition, .2},
    {"order by 1--", S, kSqlCondition, .65}, {"iif(", S, kSqlCondition, .3},
    // HTML that runs: elements, handlers, script addresses and what such scripts call.
    {"<script", X, kXssScript, .4}, {"</script", X, kXssScript, .3}, {"alert(", X, kXssCode, .35},
    {"prompt(", X, kXssCode, .25}, {"confirm(", X, kXssCode, .25}, {"eval(", X, kXssCode, .25},
    {"alert`", X, kXssCode, .5}, {"document.cookie", X, kXssCode, .4}, {"document.location", X, kXssCode, .3},
    {"document.write", X, kXssCode, .25}, {"fromcharcode", X, kXssCode, .35}, {"expression(", X, kXssCode, .35},
    {"javascript:", X, kXssUri, .45}, {"vbscript:", X, kXssUri, .5}, {"data:text/html", X, kXssUri, .5},
    {"<img", X, kXssTag, .2}, {"<svg", X, kXssTag, .25}, {"<iframe", X, kXssTag, .25}, {"<body", X, kXssTag, .15},
    {"<object", X, kXssTag, .2}, {"<embed", X, kXssTag, .2}, {"<meta", X, kXssTag, .15}, {"<style", X, kXssTag, .15},
    {"<input", X, kXssTag, .15}, {"<video", X, kXssTag, .15}, {"<a ", X, kXssTag, .1}, {"<div", X, kXssTag, .1},
    {"<base ", X, kXssTag, .25}, {"<xml", X, kXssTag, .1}, {"<!--#exec", X, kXssTag, .7},
    {"\"><", X, kXssBreakout, .15}, {"'><", X, kXssBreakout, .2}, {"\"/><", X, kXssBreakout, .1},
    {"</title><", X, kXssBreakout, .3}, {"</textarea><", X, kXssBreakout, .35}, {"ha.ckers.org", X, kXssBreakout, .4},
    // A shell: what only an attacker looks for, and how it is brought out. Chains are found by code below.
    {"/etc/passwd", C, kShellFile, .35}, {"/etc/shadow", C, kShellFile, .4}, {"boot.ini", C, kShellFile, .35},
    {"win.ini", C, kShellFile, .3}, {"/dev/tcp/", C, kShellFile, .5}, {"cmd.exe", C, kShellFile, .3},
    {"web-inf/web.xml", C, kShellFile, .35}, {"system32", C, kShellFile, .2}, {"/bin/sh", C, kShellFile, .2},
    {"{file}", C, kShellFile, .3}, {"..0x5c", C, kShellTraversal, .6}, {"/../../", C, kShellTraversal, .4},
    {"/./.././", C, kShellTraversal, .6},
    {"../..//", C, kShellTraversal, .6}, {"system('", C, kShellFetch, .3}, {"etcpasswd", C, kShellFile, .6},
    {"nc -e", C, kShellFetch, .5}, {"bash -i", C, kShellFetch, .35},
    {"curl http", C, kShellFetch, .15}, {"wget http", C, kShellFetch, .15}, {"| sh", C, kShellFetch, .3},
    {"|sh", C, kShellFetch, .35}, {"| bash", C, kShellFetch, .3}, {"rm -rf /", C, kShellFetch, .35},
    {"../../", C, kShellTraversal, .35}, {"../../../../", C, kShellTraversal, .5},
    {"..\\..\\", C, kShellTraversal, .4}, {"....//", C, kShellTraversal, .5}, {"%2e%2e", C, kShellTraversal, .5},
    {"0x2e0x2e", C, kShellTraversal, .6}, {"..%2f", C, kShellTraversal, .55}, {"..0x2f", C, kShellTraversal, .6},
    // The model's instructions. kVerb, kEarlier and kRules make kOverride when they come in this order.
    {"ignore", P, kVerb, 0}, {"disregard", P, kVerb, 0}, {"forget", P, kVerb, 0}, {"override", P, kVerb, 0},
    {"bypass", P, kVerb, 0}, {"do not follow", P, kVerb, 0}, {"don't follow", P, kVerb, 0}, {"neglect", P, kVerb, 0},
    {"pay no attention", P, kVerb, 0}, {"stop following", P, kVerb, 0}, {"vergiss", P, kVerb, 0},
    {"vergessen sie", P, kVerb, 0}, {"ignoriere", P, kVerb, 0}, {"missachte", P, kVerb, 0}, {"忽略", P, kVerb, 0},
    {"忽視", P, kVerb, 0}, {"忽视", P, kVerb, 0}, {"无视", P, kVerb, 0}, {"無視", P, kVerb, 0}, {"忘记", P, kVerb, 0},
    {"忘掉", P, kVerb, 0}, {"忘記", P, kVerb, 0}, {"不要遵守", P, kVerb, 0}, {"不再遵守", P, kVerb, 0},
    {"不要理会", P, kVerb, 0}, {"绕过", P, kVerb, 0}, {"抛开", P, kVerb, 0},
    {"previous", P, kEarlier, 0}, {"prior", P, kEarlier, 0}, {"above", P, kEarlier, 0}, {"earlier", P, kEarlier, 0},
    {"preceding", P, kEarlier, 0}, {"all ", P, kEarlier, 0}, {"any ", P, kEarlier, 0}, {"your ", P, kEarlier, 0},
    {"the system", P, kEarlier, 0}, {"vorherigen", P, kEarlier, 0}, {"bisherigen", P, kEarlier, 0},
    {"alle", P, kEarlier, 0}, {"之前", P, kEarlier, 0}, {"以上", P, kEarlier, 0}, {"上面", P, kEarlier, 0},
    {"先前", P, kEarlier, 0}, {"此前", P, kEarlier, 0}, {"前面", P, kEarlier, 0}, {"所有", P, kEarlier, 0},
    {"一切", P, kEarlier, 0}, {"全部", P, kEarlier, 0}, {"你的", P, kEarlier, 0}, {"系统", P, kEarlier, 0},
    {"instruction", P, kRules, 0}, {"prompt", P, kRules, 0}, {"guideline", P, kRules, 0},
    {"directive", P, kRules, 0}, {"system message", P, kRules, 0}, {"assignments", P, kRules, 0},
    {"tasks", P, kRules, 0}, {"restrictions", P, kRules, 0}, {"programming", P, kRules, 0}, {"rules", P, kRules, 0},
    {"commands", P, kRules, 0}, {"information", P, kRules, 0}, {"anweisung", P, kRules, 0}, {"aufgaben", P, kRules, 0},
    {"befehle", P, kRules, 0}, {"regeln", P, kRules, 0}, {"指令", P, kRules, 0}, {"提示词", P, kRules, 0},
    {"提示", P, kRules, 0}, {"规则", P, kRules, 0}, {"規則", P, kRules, 0}, {"指示", P, kRules, 0},
    {"设定", P, kRules, 0}, {"限制", P, kRules, 0}, {"约束", P, kRules, 0}, {"安全准则", P, kRules, 0},
    {"forget what i", P, kOverride, .5}, {"ignore all", P, kOverride, .4}, {"forget all", P, kOverride, .5},
    {"forget about all", P, kOverride, .6}, {"by your own knowledge and not", P, kOverride, .6},
    {"start over with a new", P, kNewTask, .4}, {"now focus on your", P, kNewTask, .5},
    {"now focus on a", P, kNewTask, .35}, {"concentrate on your new", P, kNewTask, .5},
    {"i need your help with another task", P, kNewTask, .6}, {"ich brauche deine hilfe bei", P, kNewTask, .35},
    {"vergiss", P, kNewTask, .2}, {"stay in their roles", P, kPersona, .3},
    {"show me all your", P, kReveal, .4}, {"all your prompts", P, kReveal, .6}, {"text above", P, kReveal, .2},
    {"forget everything", P, kOverride, .65}, {"forget about everything", P, kOverride, .65},
    {"ignore everything above", P, kOverride, .8}, {"ignore everything before", P, kOverride, .8},
    {"ignore the above", P, kOverride, .7}, {"disregard the above", P, kOverride, .7},
    {"vergiss alles", P, kOverride, .65}, {"忘记一切", P, kOverride, .65}, {"忽略以上", P, kOverride, .7},
    {"忽略上面", P, kOverride, .7}, {"忽略之前", P, kOverride, .7},
    {"system prompt", P, kReveal, .3}, {"your initial prompt", P, kReveal, .6}, {"your prompt", P, kReveal, .35},
    {"your instructions", P, kReveal, .35}, {"hidden instructions", P, kReveal, .5}, {"系统提示词", P, kReveal, .4},
    {"your prompt texts", P, kReveal, .65}, {"beginning of this prompt", P, kReveal, .65},
    {"你的提示词", P, kReveal, .5}, {"你的初始指令", P, kReveal, .65}, {"repeat the words above", P, kReveal, .7},
    {"you are now", P, kPersona, .25}, {"from now on you", P, kPersona, .3}, {"from now on, you", P, kPersona, .3},
    {"你现在是", P, kPersona, .2}, {"从现在开始你", P, kPersona, .25}, {"从现在起你", P, kPersona, .25},
    {"do anything now", P, kPersona, .6}, {"dan mode", P, kPersona, .6}, {"developer mode", P, kPersona, .3},
    {"开发者模式", P, kPersona, .3}, {"jailbreak", P, kPersona, .3}, {"越狱模式", P, kPersona, .5},
    {"no restrictions", P, kUnbound, .35}, {"without any restrictions", P, kUnbound, .4},
    {"without restrictions", P, kUnbound, .35}, {"unfiltered", P, kUnbound, .35}, {"uncensored", P, kUnbound, .35},
    {"completely immoral", P, kUnbound, .6}, {"no ethical", P, kUnbound, .4}, {"programming guidelines", P, kUnbound,
    .35}, {"without any censorship", P, kUnbound, .4}, {"不受任何限制", P, kUnbound, .4},
    {"没有任何限制", P, kUnbound, .4}, {"不受限制地", P, kUnbound, .3}, {"不要拒绝", P, kUnbound, .3},
    {"<|im_start|>", P, kFakeTurn, .6}, {"</system>", P, kFakeTurn, .5}, {"[/inst]", P, kFakeTurn, .5},
    {"[system]", P, kFakeTurn, .4}, {"### system", P, kFakeTurn, .4}, {"end of prompt", P, kFakeTurn, .4},
    {"human: human:", P, kFakeTurn, .4}, {"new instructions", P, kNewTask, .45}, {"new tasks follow", P, kNewTask, .6},
    {"new task:", P, kNewTask, .4}, {"your new task", P, kNewTask, .45}, {"neue aufgabe", P, kNewTask, .35},
    {"neue anweisungen", P, kNewTask, .5}, {"新的指令", P, kNewTask, .4}, {"新任务", P, kNewTask, .3},
};

// Null when it could not be compiled: then nothing is known about any text.
const PatternDatabase* Phrases() {
  static const absl::StatusOr<PatternDatabase> database = [] {
    std::vector<PatternDatabase::Pattern> patterns;
    for (const Clue& clue : kClues) patterns.push_back({RE2::QuoteMeta(clue.phrase), true});
    return PatternDatabase::Compile(patterns);
  }();
  return database.ok() ? &*database : nullptr;
}

bool IsWordByte(char c) { return IsAlnum(c) || c == '_'; }

// Spaces of all kinds as one, SQL's inline comments as one too; letters as they are.
bool NeedsCollapsing(std::string_view text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    const char c = text[i];
    if (c == '\t' || c == '\r' || (c == ' ' && text[i + 1] == ' ') || (c == '/' && text[i + 1] == '*')) return true;
  }
  return false;
}
std::string Collapse(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool comment = text[i] == '/' && text.substr(i, 4) == "/**/";
    if (comment) i += 3;
    const bool space = comment || text[i] == ' ' || text[i] == '\t' || text[i] == '\r';
    if (!space) {
      out += text[i];
    } else if (out.empty() || out.back() != ' ') {
      out += ' ';
    }
  }
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

// Bytes at which there is more to look at than phrases.
constexpr std::array<bool, 256> kInteresting = [] {
  std::array<bool, 256> set{};
  for (const char c : {'\n', '.', '!', '?', '\x82', '=', ' ', '\'', '"', ')', ';', '|', '&', '`', '$'}) {
    set[static_cast<uint8_t>(c)] = true;
  }
  return set;
}();

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
  explicit Reader(std::string_view text) : text_(text) {}

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
      for (; next < seen.size() && seen[next].end == at + 1; ++next) See(kClues[seen[next].clue], at + 1);
      const bool interesting = kInteresting[static_cast<uint8_t>(text_[at])];
      if (interesting) Look(at);
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
