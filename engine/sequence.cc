// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/sequence.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace headgate::engine {
namespace {

std::vector<std::string> AllStops(const SequenceOptions& options) {
  auto stops = options.stops;
  if (options.chat) stops.insert(stops.end(), options.chat->stops.begin(), options.chat->stops.end());
  return stops;
}

// Bytes, of whole characters.
size_t CommonPrefix(const std::string& a, const std::string& b) {
  size_t at = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  while (at < a.size() && at > 0 && (static_cast<unsigned char>(a[at]) & 0xc0) == 0x80) --at;
  return at;
}

std::string Agreed(const std::string& a, const std::string& b) { return a.substr(0, CommonPrefix(a, b)); }

// What of `text` follows `sent`, which grows by it. Whitespace that an end takes back is not missed; were a format to
// read what it had read otherwise, nothing would be lost.
std::string Unsent(const std::string& text, std::string& sent) {
  const size_t common = CommonPrefix(text, sent);
  if (common == text.size()) return {};
  sent = text;
  return text.substr(common);
}

void AddCalls(v1::Message& message, const RandomBytes& random, v1::Delta& delta) {
  for (auto& call : *message.mutable_tool_calls()) {
    auto* added = delta.add_tool_calls();
    added->set_index(delta.tool_calls_size() - 1);
    added->set_id(call.id().empty() ? absl::StrCat("call_", Hex(random(12))) : call.id());
    added->set_name(std::move(*call.mutable_name()));
    added->set_arguments(std::move(*call.mutable_arguments()));
  }
}

// Parses while a text doubles, about: what they cost grows with the text as its tokens do.
constexpr size_t kParsesPerText = 256;

}  // namespace

SequenceOptions SequenceOptions::Copy() const {
  SequenceOptions copy;
  copy.request = request;
  copy.priority = priority;
  copy.tenant = tenant;
  copy.cache_key = cache_key;
  copy.submitted = submitted;
  copy.deadline = deadline;
  copy.prompt = prompt;
  copy.max_tokens = max_tokens;
  copy.stops = stops;
  copy.stop_tokens = stop_tokens;
  copy.logprobs = logprobs;
  copy.chat = chat;
  copy.parsed = parsed;
  copy.adapter = adapter;
  copy.prompt_lookup = prompt_lookup;
  return copy;
}

Sequence::Sequence(SequenceOptions options, const Backend& backend)
    : options_(std::move(options)),
      backend_(backend),
      prompt_tokens_(static_cast<int32_t>(options_.prompt.size())),
      tokens_(std::move(options_.prompt)),
      stop_matcher_(AllStops(options_)) {
  if (options_.prompt_lookup) lookup_.emplace();
}

std::vector<Token> Sequence::Draft(int32_t most) {
  most = std::min(most, options_.max_tokens - sampled_ - 1);  // the step itself makes one
  return lookup_ && most > 0 ? lookup_->Draft(tokens_, most) : std::vector<Token>();
}

bool Sequence::Advance(int32_t row_index) {
  const Token token = options_.sampler->Sample(row_index);
  ++sampled_;
  const auto& stops = options_.stop_tokens;
  if (backend_.IsEndOfGeneration(token) || std::find(stops.begin(), stops.end(), token) != stops.end()) {
    finish_ = v1::FINISH_REASON_STOP;
  } else {
    tokens_.push_back(token);
    if (options_.logprobs) Note(row_index, token);
    Send(stop_matcher_.Add(joiner_.Add(backend_.Piece(token))));
    if (stop_matcher_.stopped()) {
      finish_ = v1::FINISH_REASON_STOP;
    } else if (sampled_ >= options_.max_tokens) {
      finish_ = v1::FINISH_REASON_LENGTH;
    }
  }
  return finish_.has_value();
}

void Sequence::Note(int32_t row_index, Token token) {
  const Likelihood likelihood = backend_.LikelihoodOf(row_index, token, *options_.logprobs);
  const auto fill = [this](v1::TokenLogprob& to, Token id, float logprob) {
    to.set_token_id(id);
    to.set_token(backend_.Piece(id));
    to.set_logprob(logprob);
  };
  v1::TokenLogprob& to = *noted_.add_logprobs();
  fill(to, token, likelihood.chosen);
  for (const auto& [id, logprob] : likelihood.top) fill(*to.add_top(), id, logprob);
}

void Sequence::Send(std::string text) {
  if (text.empty()) return;
  if (options_.parsed) {
    text_ += text;
    if (text_.size() >= parse_at_) SendCertain();
    return;
  }
  v1::Delta delta;
  delta.set_content(std::move(text));
  SendDelta(std::move(delta));
}

void Sequence::SendDelta(v1::Delta delta) {
  delta.mutable_logprobs()->Swap(noted_.mutable_logprobs());
  delta.set_choice(options_.choice);
  options_.events->OnDelta(std::move(delta));
}

// Thoughts and content go out as they grow: what two parses agree on, as a format may read the begin of a tag as
// content. Calls go out whole, at the end.
void Sequence::SendCertain() {
  parse_at_ = text_.size() + 1 + text_.size() / kParsesPerText;
  v1::Message now = options_.chat->parser->Parse(text_, /*complete=*/false);
  v1::Delta delta;
  delta.set_reasoning_content(
      Unsent(Agreed(now.reasoning_content(), read_.reasoning_content()), *sent_.mutable_reasoning_content()));
  delta.set_content(Unsent(Agreed(now.content(), read_.content()), *sent_.mutable_content()));
  read_ = std::move(now);
  if (!delta.content().empty() || !delta.reasoning_content().empty()) SendDelta(std::move(delta));
}

v1::FinishReason Sequence::SendFinish(const RandomBytes& random) {
  if (!stop_matcher_.stopped()) Send(stop_matcher_.Flush());
  v1::Finish finish = ParseAndSend(random);
  const auto reason = finish.reason();
  options_.events->OnFinish(std::move(finish));
  return reason;
}

v1::Finish Sequence::ParseAndSend(const RandomBytes& random) {
  v1::Finish finish;
  finish.set_reason(finish_.value_or(v1::FINISH_REASON_STOP));
  finish.set_choice(options_.choice);
  if (options_.choice == 0) finish.mutable_usage()->set_prompt_tokens(prompt_tokens_);
  finish.mutable_usage()->set_completion_tokens(sampled_);
  if (options_.choice == 0) finish.mutable_usage()->set_cached_tokens(cached_tokens);
  v1::Delta delta;
  if (options_.parsed) {
    v1::Message message = options_.chat->parser->Parse(text_, /*complete=*/true);
    finish.mutable_usage()->set_reasoning_tokens(TokensWithin(message.reasoning_content()));
    delta.set_reasoning_content(Unsent(message.reasoning_content(), *sent_.mutable_reasoning_content()));
    delta.set_content(Unsent(message.content(), *sent_.mutable_content()));
    AddCalls(message, random, delta);
  }
  if (delta.tool_calls_size() > 0 && finish.reason() == v1::FINISH_REASON_STOP) {
    finish.set_reason(v1::FINISH_REASON_TOOL_CALLS);
  }
  // Log-probabilities may be left, of tokens that had no text of their own any more.
  if (delta.ByteSizeLong() > 0 || noted_.logprobs_size() > 0) SendDelta(std::move(delta));
  return finish;
}

// How many of the answer's tokens made this part of the text.
int32_t Sequence::TokensWithin(const std::string& part) const {
  const size_t begin = part.empty() ? std::string::npos : text_.find(part);
  if (begin == std::string::npos) return 0;
  int32_t count = 0;
  size_t at = 0;
  for (int32_t i = prompt_tokens_; i < size() && at < begin + part.size(); ++i) {
    at += backend_.Piece(token(i)).size();
    if (at > begin) ++count;
  }
  return count;
}

void Sequence::SendError(absl::Status status) { options_.events->OnError(std::move(status)); }

void Sequence::Cancel(MonotonicTime now) {
  int64_t none = 0;  // the first cancel counts
  cancelled_ns_.compare_exchange_strong(none, std::max<int64_t>(absl::ToInt64Nanoseconds(now), 1));
}

}  // namespace headgate::engine
