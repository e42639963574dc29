// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The health of a person who is pointed at, not named: `my stepdad was put on methotrexate`, 表哥得了尿毒症, `I'm HIV
// positive`. An illness alone is a question anybody may ask; who writes about it or works with it is not ill.
#include <algorithm>
#include <string>

#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kLatinBytes = 72, kHanBytes = 36;  // from a person to the illness
constexpr size_t kFictionChars = 120;

bool Holds(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

template <size_t N>
bool HoldsAny(std::string_view text, const std::string_view (&words)[N]) {
  return std::any_of(std::begin(words), std::end(words), [&](std::string_view word) { return Holds(text, word); });
}

// Where the sentence begins that `at` stands in; at most `bytes_max` before it.
size_t SentenceBegin(std::string_view text, size_t at, size_t bytes_max) {
  const size_t floor = at > bytes_max ? at - bytes_max : 0;
  size_t begin = at;
  while (begin > floor) {
    const char c = text[begin - 1];
    if (c == '\n' || c == '!' || c == '?' || c == ';' || (c == '.' && begin < text.size() && text[begin] == ' ')) break;
    if (begin >= 3 && text.substr(begin - 3, 3) == "。") break;
    --begin;
  }
  return begin;
}

std::string Lower(std::string_view text) {
  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(), LowerAscii);
  return low;
}

// ---- Latin ----

constexpr std::string_view kKin[] = {
    "aunt", "auntie", "baby", "babysitter", "boss", "boy", "boyfriend", "bro", "brother", "carer", "child",
    "cleaner", "client", "coach", "colleague", "cousin", "coworker", "dad", "daddy", "daughter", "driver",
    "employee", "ex", "father", "fiance", "fiancee", "flatmate", "foreman", "friend", "girl", "girlfriend",
    "gran", "grandad", "granddad", "grandfather", "grandma", "grandmother", "grandpa", "grandson", "granny",
    "hubby", "husband", "intern", "kid", "landlady", "landlord", "lodger", "manager", "mate", "mom", "mother",
    "mum", "mummy", "nan", "nana", "nanny", "neighbor", "neighbour", "nephew", "niece", "nurse", "old",
    "parent", "partner", "pastor", "patient", "player", "pupil", "receptionist", "roommate", "secretary", "sis",
    "sister", "son", "spouse", "stepdad", "stepdaughter", "stepmum", "stepson", "student", "supervisor",
    "teacher", "teammate", "teen", "tenant", "toddler", "trainee", "uncle", "wife"};
// Plainly one's own also without `my`, at the beginning of a sentence.
constexpr std::string_view kOwn[] = {
    "dad", "grandad", "grandma", "grandpa", "gran", "granny", "hubby", "husband", "mom", "mum", "nan", "nana",
    "wife"};
// What a person does with an illness that is not theirs, and animals.
constexpr std::string_view kElse[] = {
    " about ", "essay", " paper", "study", "studies", "studying", " read ", " reads ", " book ",
    " books", "write", "writing", "wrote", "article", "research", " works as", " works at", " works in",
    " works on", " work on", "working on", "working in", " sells", " sell ", " runs ", "volunteer", "charity",
    "poster", "report", "lecture", "topic", "thesis", " dog", " cat ", " cat's", " pet", " horse",
    "rabbit", "puppy", "kitten", "hamster", "project", " app ", "fundrais",
    "awareness", "presentation", "talk on", "documentary", " movie", " film", "afraid of", "risk of",
    "scared of", "prevent", "homework", "lesson", " class "};
constexpr std::string_view kTopic[] = {
    " research", " awareness", " ward", " unit", " charit", " nurse", " special", "-friendly", " friendly",
    " essay", " cent", " tech", " of luck", " of genius", " transistor", " junction", " course", " book",
    " article", " prevention", " confer", " poster", " podcast", " clinic", " app"};
constexpr std::string_view kSelf[] = {
    "i have ", "i've got ", "i've had ", "i had ", "i'm ", "i am ", "i take ", "i got ", "i was ", "i suffer",
    "i live with", "i tested ", "i have been ", "i've been ", "i've just ", "my own "};

static_assert(std::is_sorted(std::begin(kKin), std::end(kKin)));

bool IsKin(std::string_view word) { return std::binary_search(std::begin(kKin), std::end(kKin), word); }

// `my` or `our` and a person within the next four words: `my 4 year old`, `one of our players`.
bool HoldsKin(std::string_view low) {
  size_t at = 0;
  int since_owner = 9;
  bool first = true;
  while (at < low.size()) {
    size_t end = at;
    while (end < low.size() && (IsAlnum(low[end]) || low[end] == '-')) ++end;
    std::string_view word = low.substr(at, end - at);
    if (!word.empty()) {
      if (word == "my" || word == "our") {
        since_owner = 0;
      } else if (++since_owner <= 4) {
        if (IsKin(word) || (word.back() == 's' && IsKin(word.substr(0, word.size() - 1)))) return true;
      }
      if (first && std::find(std::begin(kOwn), std::end(kOwn), word) != std::end(kOwn)) return true;
      first = false;
    } else if (low[at] != ' ' && low[at] != '\'') {
      since_owner = 9;  // a sign: what follows belongs to something else
    }
    at = std::max(end, at + 1);
  }
  return false;
}

bool IsTheirsLatin(std::string_view text, TextRange illness) {
  const size_t begin = SentenceBegin(text, illness.begin, kLatinBytes);
  std::string low = Lower(text.substr(begin, illness.begin - begin));
  if (HoldsAny(low, kElse) || HoldsAny(Lower(text.substr(illness.end, 16)), kTopic)) return false;
  if (begin > 0 && IsLetter(text[begin - 1])) low.erase(0, std::min(low.find(' '), low.size()));  // a word cut
  if (HoldsKin(low)) return true;
  constexpr size_t kSelfBytes = 30;
  const std::string_view near = std::string_view(low).substr(low.size() > kSelfBytes ? low.size() - kSelfBytes : 0);
  return std::any_of(std::begin(kSelf), std::end(kSelf), [&](std::string_view self) {
    const size_t at = near.find(self);
    return at != std::string_view::npos && (at == 0 || !IsLetter(near[at - 1]));
  });
}

// ---- Han ----

constexpr std::string_view kHanElse[] = {
    "关于", "论文", "作文", "研究", "科普", "讲座", "海报", "宣传", "知识", "预防", "写", "卖", "推销", "公益",
    "志愿", "专业", "采访", "如果", "万一", "担心", "会不会", "怕", "狗", "猫", "学的", "讲"};
constexpr std::string_view kHanTopic[] = {
    "科医", "专家", "医生", "护士", "宣传", "科普", "知识", "防治", "论文", "研究", "讲座", "食谱", "网站",
    "小程序", "公众号", "患者", "病人", "人群", "量表", "疫苗", "研发", "日活动", "展板", "能吃的", "广告",
    "当", "方向", "的书"};
// Said of oneself right before the illness: 我得了, 我确诊.
constexpr std::string_view kHanHas[] = {
    "得了", "得的", "患", "查出", "确诊", "诊断", "检出", "有", "是", "做了", "做完", "吃", "吃了", "吃着",
    "刚做", "的", "得", "流产", "打了", "查了"};

bool IsTheirsHan(const Evidence& evidence, size_t hit) {
  const std::string_view text = evidence.text();
  const Evidence::Hit& illness = evidence.hits()[hit];
  const size_t begin = SentenceBegin(text, illness.begin, kHanBytes);
  if (HoldsAny(text.substr(illness.end, 18), kHanTopic)) return false;
  constexpr size_t kHitsMax = 12;
  for (size_t i = hit; i-- > 0 && hit - i <= kHitsMax;) {
    const Evidence::Hit& person = evidence.hits()[i];
    if (person.cue != Cue::kRelative || person.begin < begin || person.end > illness.begin) continue;
    if (!HoldsAny(text.substr(person.end, illness.begin - person.end), kHanElse)) return true;
  }
  const std::string_view before = text.substr(begin, illness.begin - begin);
  const size_t self = before.rfind("我");
  if (self == std::string_view::npos || before.substr(self + 3).starts_with("们") || HoldsAny(before, kHanElse))
    return false;
  const std::string_view between = before.substr(self + 3);
  if (between.starts_with("想")) return false;  // 我想问糖尿病...
  constexpr size_t kSelfBytes = 18;
  return between.size() <= kSelfBytes && (between.empty() || HoldsAny(between, kHanHas));
}

}  // namespace

void ReadPatients(const Evidence& evidence, Report report) {
  if (!evidence.Has(Cue::kIllness)) return;
  const std::string_view text = evidence.text();
  for (size_t i = 0; i < evidence.hits().size(); ++i) {
    const Evidence::Hit& hit = evidence.hits()[i];
    if (hit.cue != Cue::kIllness) continue;
    constexpr size_t kSteps = 5000;
    if (!ReadingWork::Spend(kSteps)) break;
    const TextRange range{hit.begin, hit.end};
    const bool theirs = IsTheirsHan(evidence, i) || IsTheirsLatin(text, range);
    if (theirs && !evidence.Near(Cue::kFiction, range, kFictionChars)) report("HEALTH_RECORD", range, kScoreLikely);
  }
}

}  // namespace headgate::router
