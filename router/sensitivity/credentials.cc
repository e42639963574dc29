// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Credentials after their label: passwords, secrets by their randomness, cookies, bearer tokens, tokens in URLs.
#include <algorithm>

#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/labels.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/rule.h"
#include "router/sensitivity/secrets.h"

namespace headgate::router {
namespace {

constexpr size_t kTokenBytesMax = 1024;
constexpr size_t kPasswordSteps = 800;
constexpr size_t kJudgedBytes = 128;  // a longer value is no password, and of a token these tell

// What ends a value without spaces, and what closes one but is no part of it.
constexpr ByteSet StopsOf(std::string_view signs) {
  ByteSet stops(signs);
  for (size_t byte = 0; byte < 256; ++byte) {
    if (byte <= ' ' || byte >= 0x80) stops.Add(static_cast<uint8_t>(byte));
  }
  return stops;
}
constexpr ByteSet kValueStops = StopsOf("\"'`<|,;&"), kProseStops = StopsOf("\"'`<|,;"),
                  kCommandStops = StopsOf("\"'`<|;&"), kParameterStops = StopsOf("\"'`<|&#");
constexpr ByteSet kClosing(".,;:)]}");

// To the end of a value without spaces: a quote, a space, or a sign that closes it. One that is longer than `enough`
// may end anywhere behind that.
size_t EndOfValue(std::string_view text, size_t begin, const ByteSet& stops, size_t enough = kTokenBytesMax) {
  size_t kept = begin;
  const size_t limit = std::min(text.size(), begin + std::min(kTokenBytesMax, text.size()));
  for (size_t end = begin; end < limit && kept - begin <= enough && !stops.Has(text[end]); ++end) {
    if (!kClosing.Has(text[end])) kept = end + 1;
  }
  return kept;
}

// `password is required` and `password = request.form[...]` are no passwords.
void ReadPassword(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  const std::string_view text = evidence.text();
  const Connector connector = SkipConnector(text, label.end);
  const size_t begin = connector.value_begin;
  if (begin >= text.size() || static_cast<uint8_t>(text[begin]) >= 0x80) return;
  const bool latin = label.begin < text.size() && IsLetter(text[label.begin]);
  const std::string_view word = text.substr(label.begin, label.end - label.begin);
  const auto is = [word](std::string_view other) {
    return word.size() == other.size() &&
           std::equal(word.begin(), word.end(), other.begin(), [](char a, char b) { return LowerAscii(a) == b; });
  };
  // `passcode 0907`, `PIN码 4821`: names of nothing but a short number.
  const bool coded = is("passcode") || is("unlock code") || is("pin code") || is("pin number") ||
                     (is("pin") && text.substr(label.end, 3) == "码");
  // `--password S3cret`, `--db-password S3cret`
  size_t option = label.begin;
  while (option > 0 && label.begin - option < 24 && (IsLetter(text[option - 1]) || text[option - 1] == '-')) --option;
  const bool flag = text.substr(option, 2) == "--" && connector.value_begin == label.end + 1;
  if (latin && !connector.strong && !connector.quoted && !coded && !flag) return;
  const size_t end = EndOfValue(text, begin, kValueStops, kJudgedBytes);
  const std::string_view value = text.substr(begin, end - begin);
  const bool closed =
      connector.quoted && end < text.size() && (text[end] == '"' || text[end] == '\'' || text[end] == '`');
  // `password: 8 characters` and `密码6位`: a length, not a password.
  const std::string_view after = text.substr(end, 12);
  if (std::all_of(value.begin(), value.end(), IsDigit)) {
    if (value.size() < 4 || after.substr(0, 3) == "位" || after.substr(0, 3) == "个") return;
  }
  const bool pin = text.substr(label.begin, 3) == "pin" || text.substr(label.begin, 3) == "PIN";
  if (pin && !std::all_of(value.begin(), value.end(), IsDigit)) return;
  // `username`, `password`, `authType`: one of several names.
  const bool listed = connector.quoted && !connector.strong && std::none_of(value.begin(), value.end(), IsDigit) &&
                      text.substr(label.end, begin - label.end).find(',') != std::string_view::npos;
  if (listed || value.starts_with('{')) return;
  // In prose a password of letters alone is a word: `password: please`.
  if (!LooksLikePassword(value, closed)) return;
  // `{"password": "123456"}` in an example
  if (value.starts_with("123456") && evidence.Near(Cue::kExample, {begin, end}, 40)) return;
  // `<PASSWORD> http://localhost/`: an address is none, unless somebody's password is in it.
  if (value.find("://") != std::string_view::npos && value.find('@') == std::string_view::npos) return;
  // `pass: 85%`, `first pass: 2024-01-02`
  const bool mixed = std::any_of(value.begin(), value.end(), IsLetter) &&
                     std::any_of(value.begin(), value.end(), IsDigit);
  if (is("pass") && (!mixed || value.size() < 6)) return;
  if (coded && !connector.strong && (value.substr(0, 2) == "20" || value.substr(0, 2) == "19")) return;
  if (!connector.strong && !coded && std::all_of(value.begin(), value.end(), IsDigit) && value.size() < 6) return;
  report("PASSWORD", {begin, end}, kScoreLabelled);
}

bool IsOfTokenAlphabet(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return IsAlnum(c) || std::string_view("+/=_-.~!@#$%^*:").find(c) != std::string_view::npos;
  });
}

// The label goes on as a name of something else (`api_key_delete_response`, `authorization/v1`), or is a piece of one
// (`xPskH00ivm`).
bool IsPieceOfName(std::string_view text, const Evidence::Hit& label, const Connector& connector) {
  if (connector.strong || connector.quoted || label.end >= text.size()) return false;
  constexpr std::string_view kGoesOn = "_-./@";
  const bool glued = connector.value_begin == label.end;
  return kGoesOn.find(text[label.end]) != std::string_view::npos ||
         (glued && label.begin > 0 && IsAlnum(text[label.begin - 1]));
}

// `options.identityToken`, `kFirstTokenSeconds`: of random letters half are capitals, and a fifth of all are digits.
bool IsCodeName(std::string_view value) {
  const auto upper = static_cast<size_t>(std::count_if(value.begin(), value.end(), IsUpper));
  const auto letters = static_cast<size_t>(std::count_if(value.begin(), value.end(), IsLetter));
  return std::none_of(value.begin(), value.end(), IsDigit) && upper * 3 < letters;
}

void ReadSecret(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  const std::string_view text = evidence.text();
  const Connector connector = SkipConnector(text, label.end);
  const size_t begin = connector.value_begin;
  const size_t judged = EndOfValue(text, begin, kValueStops, kJudgedBytes);
  const std::string_view value = text.substr(begin, std::min(judged - begin, kJudgedBytes));
  constexpr size_t kSecretMin = 12;
  if (value.size() < kSecretMin || !IsOfTokenAlphabet(value)) return;
  if (IsPieceOfName(text, label, connector) || IsCodeName(value)) return;
  if (!connector.strong && !connector.quoted && value.size() < 20) return;
  if (value.find("://") != std::string_view::npos) return;
  const bool named_secret = text.substr(label.begin, label.end - label.begin).size() > 5;
  // `appsecret 9c1d...`: named at once, and nothing near speaks of hashes.
  const bool beside = begin - label.end <= 2 &&
                      !evidence.Near(Cue::kTechnical, {begin, EndOfValue(text, begin, kValueStops)}, 30);
  const bool hex_secret = value.size() >= 32 && (connector.strong ? named_secret : beside && value[8] != '-');
  if (IsUuidOrHash(value) && !hex_secret) return;
  if (!LooksGenerated(value)) return;
  // Dotted names are code: token.decode.utf8
  if (std::count(value.begin(), value.end(), '.') > 1 && std::none_of(value.begin(), value.end(), IsDigit)) return;
  report("GENERIC_SECRET", {begin, EndOfValue(text, begin, kValueStops)}, kScoreLabelled);
}

// `the passphrase is "seven otters paint Lisbon"`: three words or more in quotes.
void ReadPassphrase(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  constexpr size_t kLookBytes = 48, kPhraseBytesMax = 80, kGapsMin = 2;
  const std::string_view text = evidence.text();
  const size_t quote = text.substr(0, std::min(text.size(), label.end + kLookBytes)).find('"', label.end);
  if (quote == std::string_view::npos) return;
  const std::string_view between = text.substr(label.end, quote - label.end);
  const bool said = between.find(" is ") != std::string_view::npos || between.find(':') != std::string_view::npos ||
                    between.find('=') != std::string_view::npos || between.find("是") != std::string_view::npos;
  if (!said || between.find_first_of(".?!\n\"") != std::string_view::npos) return;
  const size_t end = text.substr(0, std::min(text.size(), quote + kPhraseBytesMax)).find('"', quote + 1);
  if (end == std::string_view::npos) return;
  const std::string_view phrase = text.substr(quote + 1, end - quote - 1);
  const bool words =
      std::all_of(phrase.begin(), phrase.end(), [](char c) { return IsAlnum(c) || c == ' ' || c == '-'; });
  if (!words || std::count(phrase.begin(), phrase.end(), ' ') < static_cast<std::ptrdiff_t>(kGapsMin)) return;
  if (evidence.Near(Cue::kGeneralQuestion, {label.begin, quote}, 20)) return;
  if (evidence.Near(Cue::kExample, {quote, end}, 40)) return;
  report("PASSWORD", {quote + 1, end}, kScoreLikely);
}

// `the temporary password for Elif is Chang3Me!Oct`: not right behind its label, but of a password's shape.
void ReadPasswordInProse(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  constexpr size_t kLookBytes = 64;
  constexpr std::string_view kSaid[] = {"is", "to", "was", "with", "still", "=", ":", "use",
                                        "also", "now", "是", "为", "成", "用"};
  const std::string_view text = evidence.text();
  const std::string_view near = text.substr(0, std::min(text.size(), label.end + kLookBytes));
  const std::string_view line = near.substr(0, near.find_first_of("\n?", label.end));
  for (size_t at = label.end; at < line.size();) {
    const auto c = static_cast<uint8_t>(line[at]);
    if (c <= ' ' || c >= 0x80 || line[at] == '"' || line[at] == '\'' || line[at] == ',') {
      ++at;
      continue;
    }
    const size_t end = EndOfValue(text, at, kProseStops, kJudgedBytes);
    const std::string_view value = text.substr(at, end - at);
    if (!IsPasswordShaped(value, /*said=*/true)) {  // most words
      at = std::max(end, at + 1);
      continue;
    }
    const size_t before = line.find_last_not_of(" \"'", at - 1);
    const std::string_view word = line.substr(0, before == std::string_view::npos ? 0 : before + 1);
    const auto ends = [word](std::string_view w) {
      if (!word.ends_with(w)) return false;
      return !IsLetter(w[0]) || word.size() == w.size() || !IsAlnum(word[word.size() - w.size() - 1]);
    };
    const bool said = std::any_of(std::begin(kSaid), std::end(kSaid), ends);
    if (IsPasswordShaped(value, said) && LooksLikePassword(value, false)) {
      const bool talk = evidence.Before(Cue::kGeneralQuestion, {label.begin, end}, 24) ||
                        evidence.Near(Cue::kExample, {at, end}, 40);
      if (!talk) report("PASSWORD", {at, end}, kScoreLikely);
      return;
    }
    at = std::max(end, at + 1);
  }
}

bool ReadSeedWords(std::string_view text, size_t begin, Report report) {
  constexpr size_t kWordsMin = 11, kWordMin = 3, kWordMax = 8;
  size_t at = begin, words = 0, end = begin;
  while (at < text.size() && end - begin < kTokenBytesMax) {
    const size_t word = at;
    while (at < text.size() && IsLower(text[at])) ++at;
    if (at - word < kWordMin || at - word > kWordMax) break;
    end = at;
    ++words;
    if (at < text.size() && text[at] == ',') ++at;
    if (at >= text.size() || text[at] != ' ') break;
    ++at;
  }
  if (words < kWordsMin) return false;
  report("GENERIC_SECRET", {begin, end}, kScoreLabelled);
  return true;
}

// Twelve words or more, as wallets are restored with: right behind their label, or behind the next colon.
void ReadSeedPhrase(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  constexpr size_t kLookBytes = 48;
  const std::string_view text = evidence.text();
  if (ReadSeedWords(text, SkipConnector(text, label.end).value_begin, report)) return;
  const size_t colon = text.substr(0, std::min(text.size(), label.end + kLookBytes)).find_first_of(":\n", label.end);
  if (colon != std::string_view::npos) ReadSeedWords(text, SkipConnector(text, colon).value_begin, report);
}

// `mysql -uroot -pS3cret`, `redis-cli -a S3cret`, `sshpass -p 'S3cret'`, `docker login -u ci -p S3cret`.
void ReadCommand(const Evidence& evidence, const Evidence::Hit& command, Report report) {
  constexpr size_t kLineBytesMax = 120;
  const std::string_view text = evidence.text().substr(0, command.end + kLineBytesMax);
  for (size_t at = command.end; at + 4 < text.size() && text[at] != '\n'; ++at) {
    if (text[at] != ' ' || text[at + 1] != '-') continue;
    if (std::string_view("paPwu").find(text[at + 2]) == std::string_view::npos) continue;
    size_t begin = at + 3;
    // `curl -u name:S3cret`, and only there: elsewhere it names the user.
    if ((text[at + 2] == 'u') != (command.end - command.begin == 4)) continue;
    // mysql takes the password at once, and what follows a space is the database.
    if (text[begin] == ' ' && text.substr(command.begin, 2) != "my" && text.substr(command.begin, 2) != "ma") ++begin;
    const bool quoted = text[begin] == '\'' || text[begin] == '"';
    begin += quoted;
    const size_t end = EndOfValue(text, begin, kCommandStops);
    if (text[at + 2] == 'u') begin = std::min(end, text.find(':', begin)) + 1;
    const std::string_view value = begin < end ? text.substr(begin, end - begin) : std::string_view();
    if (value.empty() || value[0] == '-' || value[0] == '$' || !LooksLikePassword(value, quoted)) continue;
    const auto of_address = [](char c) { return IsDigit(c) || c == '.' || c == ':'; };
    if (std::all_of(value.begin(), value.end(), of_address)) continue;  // a port, or where one leads
    report("PASSWORD", {begin, end}, kScoreLikely);
  }
}

void ReadBearer(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  const std::string_view text = evidence.text();
  const Connector connector = SkipConnector(text, label.end);
  size_t begin = connector.value_begin;
  for (const std::string_view scheme : {"Bearer ", "bearer ", "Basic ", "basic ", "token ", "Token "}) {
    if (text.substr(begin, scheme.size()) == scheme) begin += scheme.size();
  }
  const size_t judged = EndOfValue(text, begin, kValueStops, kJudgedBytes);
  const std::string_view value = text.substr(begin, std::min(judged - begin, kJudgedBytes));
  if (value.size() < 12 || !IsOfTokenAlphabet(value) || !LooksGenerated(value)) return;
  if (IsPieceOfName(text, label, connector) || IsCodeName(value)) return;
  report("GENERIC_SECRET", {begin, EndOfValue(text, begin, kValueStops)}, kScoreLabelled);
}

void ReadCookie(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  const std::string_view text = evidence.text();
  size_t begin = SkipConnector(text, label.end).value_begin;
  // `Cookie: name=value`: the value is judged.
  const size_t end = EndOfValue(text, begin, kValueStops, 2 * kJudgedBytes);
  const size_t equals = text.substr(begin, std::min<size_t>(end - begin, 40)).find('=');
  if (equals != std::string_view::npos) begin += equals + 1;
  if (begin > label.end + 80) return;
  const std::string_view value = text.substr(begin, std::min(end - begin, kJudgedBytes));
  const bool sign = text.substr(label.end, begin - label.end).find_first_of("=:") != std::string_view::npos;
  if (!sign || value.size() < 14 || !LooksGenerated(value) || IsCodeName(value)) return;
  report("COOKIE", {begin, EndOfValue(text, begin, kValueStops)}, kScoreLabelled);
}

// What opens doors and safes, right behind its label: `gate code #4482`, `safe combination: 31-07-52`, 门禁 #2580*1.
void ReadAccessCode(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  constexpr size_t kDigitsMin = 4, kDigitsMax = 8;
  const std::string_view text = evidence.text();
  const Connector connector = SkipConnector(text, label.end);
  const size_t begin = connector.value_begin;
  size_t end = begin, digits = 0, signs = 0;
  while (end < text.size() && end - begin <= 2 * kDigitsMax && (IsDigit(text[end]) || text[end] == '-' ||
                                                                text[end] == '*' || text[end] == '#')) {
    IsDigit(text[end++]) ? ++digits : ++signs;
  }
  const std::string_view between = text.substr(label.end, begin - label.end);
  const bool keyed = signs > 0 || between.find('#') != std::string_view::npos;
  if (digits < kDigitsMin || digits > kDigitsMax || TouchesLetter(text, {begin, end})) return;
  if (end < text.size() && (text[end] == '.' || text[end] == '/') && end + 1 < text.size() && IsDigit(text[end + 1]))
    return;
  const std::string_view word = text.substr(label.begin, label.end - label.begin);
  const bool code = word.ends_with("code") || word.ends_with("码") || word.find("comb") != std::string_view::npos;
  const bool year = digits == 4 && (text.substr(begin, 2) == "20" || text.substr(begin, 2) == "19");
  if (!keyed && !connector.strong && (!code || year)) return;
  report("PASSWORD", {begin, end}, kScoreLikely);
}

// `?token=...` in a URL.
void ReadTokenParameter(const Evidence& evidence, const Evidence::Hit& label, Report report) {
  const std::string_view text = evidence.text();
  if (label.begin == 0 ||
      (text[label.begin - 1] != '?' && text[label.begin - 1] != '&' && text[label.begin - 1] != '#'))
    return;
  const size_t judged = EndOfValue(text, label.end, kParameterStops, kJudgedBytes);
  const std::string_view value = text.substr(label.end, std::min(judged - label.end, kJudgedBytes));
  if (value.size() < 16 || !LooksGenerated(value)) return;
  report("URL_WITH_TOKEN", {label.end, EndOfValue(text, label.end, kParameterStops)}, kScoreLabelled);
}

}  // namespace

void ReadCredentials(const Evidence& evidence, Report report) {
  for (const Evidence::Hit& hit : evidence.hits()) {
    if (ReadingWork::Spent()) break;
    switch (hit.cue) {
      case Cue::kPassword:
        ReadingWork::Spend(kPasswordSteps);
        ReadPassword(evidence, hit, report);
        ReadPassphrase(evidence, hit, report);
        ReadPasswordInProse(evidence, hit, report);
        break;
      case Cue::kSecret:
        ReadSecret(evidence, hit, report);
        break;
      case Cue::kBearer:
        ReadBearer(evidence, hit, report);
        break;
      case Cue::kSeedPhrase:
        ReadSeedPhrase(evidence, hit, report);
        break;
      case Cue::kAccessCode:
        ReadAccessCode(evidence, hit, report);
        break;
      case Cue::kCommand:
        ReadCommand(evidence, hit, report);
        break;
      case Cue::kCookie:
        ReadCookie(evidence, hit, report);
        break;
      case Cue::kTokenParameter:
        ReadTokenParameter(evidence, hit, report);
        break;
      default:
        break;
    }
  }
}

}  // namespace headgate::router
