// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// How the toy model works. Each cell of its "KV" holds a token and a state computed from the state in the cell before,
// so a row sees its whole sequence, and only that, through the cells: wrong cells give wrong answers. A state decides
// the next token's scores by integer hashing. Most of the mass is on words; now and then a character of several bytes
// comes, whose bytes are then forced one by one; and after some tokens the end becomes likely.

#include "engine/backend/reference.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/backend/reference_text.h"

namespace headgate::engine {
namespace {

using reference::kEnd;
using reference::kFirstByte;
using reference::kFirstWord;

constexpr int32_t kAnswerTokensMin = 8;   // since the last control token
constexpr uint64_t kEndOneIn = 40;
constexpr uint64_t kLongCharacterOneIn = 6;
constexpr int32_t kEmbeddingTokensMax = 64;
constexpr size_t kEmbeddingSize = 16;
constexpr double kScoresPerNat = 4096;    // scores are integers in units of 1/4096 nat

uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

struct Cell {
  Token token = 0;
  uint64_t state = 0;
  int32_t since_control = 0;  // tokens since the last control token
  bool forever = false;
  std::string forced;         // bytes of a character that must follow
};

struct SavedCell {
  uint64_t state;
  Token token;
  int32_t since_control;
  uint32_t forever;
  uint32_t forced;  // bytes that follow
};

// Counts the cells that any sequence holds: shared ones once.
struct HeldCell : Cell {
  HeldCell(Cell cell, int64_t& held) : Cell(std::move(cell)), held(held) { ++held; }
  ~HeldCell() { --held; }
  HeldCell(const HeldCell&) = delete;
  HeldCell& operator=(const HeldCell&) = delete;
  int64_t& held;
};
using Cells = std::vector<std::shared_ptr<const HeldCell>>;

Cell NextCell(const Cell& before, Token token, int32_t position, uint64_t adapter) {
  Cell cell;
  cell.token = token;
  cell.state = Mix(before.state ^ Mix(static_cast<uint64_t>(token) << 32 | static_cast<uint32_t>(position)));
  if (adapter != 0) cell.state = Mix(cell.state ^ adapter);
  cell.since_control = token < kFirstByte ? 0 : before.since_control + 1;
  cell.forever = before.forever || token == reference::ForeverToken();
  if (token < kFirstByte || token >= kFirstWord) return cell;
  const auto byte = static_cast<char>(token - kFirstByte);
  if (!before.forced.empty() && before.forced.front() == byte) {
    cell.forced = before.forced.substr(1);
  } else if (before.forced.empty()) {
    for (const auto& character : reference::LongCharacters()) {
      if (character.front() == byte) cell.forced = character.substr(1);
    }
  }
  return cell;
}

struct Candidate {
  Token token = 0;
  double score = 0;  // nats
};

// All tokens that may follow, the best first; ties by token.
std::vector<Candidate> Candidates(const Cell& cell) {
  if (!cell.forced.empty()) return {{kFirstByte + static_cast<uint8_t>(cell.forced.front()), 0}};
  std::vector<Candidate> candidates;
  const auto add = [&](Token token, uint64_t bonus) {
    const uint64_t score = Mix(cell.state ^ static_cast<uint64_t>(token)) % 32768 + bonus;
    candidates.push_back({token, static_cast<double>(score) / kScoresPerNat});
  };
  const bool may_end = cell.since_control >= kAnswerTokensMin && !cell.forever;
  if (may_end) add(kEnd, Mix(cell.state + 1) % kEndOneIn == 0 ? 65536 : 0);
  for (Token token = kFirstWord + 1; token < reference::VocabularySize(); ++token) add(token, 0);
  const auto& characters = reference::LongCharacters();
  for (size_t i = 0; i < characters.size(); ++i) {
    const bool likely = Mix(cell.state + 2) % (kLongCharacterOneIn * characters.size()) == i;
    add(kFirstByte + static_cast<uint8_t>(characters[i].front()), likely ? 32768 : 0);
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.token < b.token;
  });
  return candidates;
}

class ReferenceBackend;

class ReferenceSampler : public Sampler {
 public:
  ReferenceSampler(const ReferenceBackend& backend, const v1::Sampling& sampling)
      : backend_(backend), sampling_(sampling), random_(Mix(sampling.seed())) {}
  Token Sample(int32_t row_index) override;

 private:
  void Penalise(std::vector<Candidate>& candidates) const;
  Token Draw(std::vector<Candidate> candidates);

  const ReferenceBackend& backend_;
  const v1::Sampling sampling_;
  uint64_t random_;
  std::map<Token, int> used_;
};

class ReferenceBackend : public Backend {
 public:
  explicit ReferenceBackend(const ReferenceConfig& config)
      : config_(config), sequences_(static_cast<size_t>(config.sequences_max + config.cache_sequences)) {
    info_.model = config.model;
    info_.context_tokens = config.context_tokens;
    info_.context_tokens_per_sequence_max = config.context_tokens;
    info_.batch_tokens_max = config.batch_tokens_max;
    info_.sequences_max = config.sequences_max;
    info_.cache_sequences = config.cache_sequences;
    info_.rewinds = true;
    info_.vocabulary = reference::VocabularySize();
    info_.token_bytes_max = reference::kTokenBytesMax;
    info_.embedding_tokens_max = kEmbeddingTokensMax;
  }

  const BackendInfo& info() const override { return info_; }
  std::vector<Token> Tokenize(std::string_view text, bool add_special, bool parse_special) const override {
    return reference::Tokenize(text, add_special, parse_special);
  }
  std::string Piece(Token token) const override { return reference::Piece(token); }
  bool IsEndOfGeneration(Token token) const override { return token == kEnd; }
  absl::StatusOr<RenderedChat> RenderChat(const v1::GenerateRequest& request) const override {
    return reference::RenderChat(request);
  }
  absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const v1::Sampling& sampling,
                                                       const std::string& grammar) const override {
    if (!grammar.empty()) {
      return absl::InvalidArgumentError("response_format.type: the reference backend has no grammars; use TEXT");
    }
    return std::make_unique<ReferenceSampler>(*this, sampling);
  }

  absl::Status Decode(absl::Span<const BatchRow> rows) override;
  Likelihood LikelihoodOf(int32_t row_index, Token chosen, int32_t top) const override;
  absl::StatusOr<std::vector<float>> Embed(absl::Span<const Token> tokens) override;
  void SetAbortCheck(std::function<bool()> check) override { abort_ = std::move(check); }
  void Truncate(int32_t sequence, int32_t from) override {
    auto& cells = sequences_[static_cast<size_t>(sequence)];
    cells.resize(std::min(cells.size(), static_cast<size_t>(std::max(from, 0))));
  }
  void Share(int32_t source, int32_t target, int32_t from, int32_t to) override {
    const auto& cells = sequences_[static_cast<size_t>(source)];
    auto& shared = sequences_[static_cast<size_t>(target)];
    // A wrong call leaves the target too short, which the engine notices.
    if (static_cast<int32_t>(shared.size()) != from || to > static_cast<int32_t>(cells.size())) return;
    shared.insert(shared.end(), cells.begin() + from, cells.begin() + to);
  }
  int32_t Length(int32_t sequence) const override {
    return static_cast<int32_t>(sequences_[static_cast<size_t>(sequence)].size());
  }

  absl::StatusOr<std::shared_ptr<const Adapter>> LoadAdapter(const std::string& name, const std::string& file) override;
  void UseAdapter(const Adapter* adapter) override {
    if (config_.on_adapter && adapter != adapter_) config_.on_adapter(adapter == nullptr ? 0 : adapter->id);
    adapter_ = static_cast<const SaltedAdapter*>(adapter);
  }
  absl::StatusOr<std::vector<uint8_t>> SaveState(int32_t sequence, size_t bytes_max) override;
  absl::Status RestoreState(int32_t sequence, absl::Span<const uint8_t> state) override;

  // The cell that output row `row_index` of the last Decode computed; nullptr when it was no output.
  const Cell* Output(int32_t row_index) const {
    const auto at = outputs_.find(row_index);
    return at == outputs_.end() ? nullptr : &at->second;
  }

 private:
  struct SaltedAdapter : Adapter {
    uint64_t salt = 0;
  };
  absl::Status CheckRows(absl::Span<const BatchRow> rows) const;
  // What a row of `sequence` reads; the cells of 0 and 1 are swapped on demand.
  const Cells& Read(int32_t sequence) const {
    const bool swap = config_.swap_cells && sequence < 2 && sequences_.size() > 1;
    return sequences_[static_cast<size_t>(swap ? 1 - sequence : sequence)];
  }

  const ReferenceConfig config_;
  BackendInfo info_;
  std::function<bool()> abort_;
  const SaltedAdapter* adapter_ = nullptr;
  std::atomic<int32_t> adapters_{0};
  int64_t held_ = 0;  // before the cells
  std::vector<Cells> sequences_;
  std::map<int32_t, Cell> outputs_;
};

absl::Status ReferenceBackend::CheckRows(absl::Span<const BatchRow> rows) const {
  if (rows.empty() || static_cast<int32_t>(rows.size()) > info_.batch_tokens_max) {
    return absl::InternalError(absl::StrCat("a batch of ", rows.size(), " rows; allowed are 1 to ",
                                            info_.batch_tokens_max));
  }
  if (held_ + static_cast<int64_t>(rows.size()) > info_.context_tokens) {
    return absl::ResourceExhaustedError("no free KV cells");
  }
  std::map<int32_t, int32_t> next;
  for (const auto& row : rows) {
    if (row.sequence < 0 || row.sequence >= info_.sequences_max || row.token < 0 || row.token >= info_.vocabulary) {
      return absl::InternalError("a row with an unknown sequence or token");
    }
    const auto [at, first] = next.try_emplace(row.sequence, Length(row.sequence));
    if (row.position != at->second++) {
      return absl::InternalError(absl::StrCat("row at position ", row.position, " of sequence ", row.sequence,
                                              " does not follow on ", Length(row.sequence), " cells"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReferenceBackend::Decode(absl::Span<const BatchRow> rows) {
  if (config_.on_decode) config_.on_decode(static_cast<int32_t>(rows.size()));
  if (auto status = CheckRows(rows); !status.ok()) return status;
  outputs_.clear();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (abort_ && abort_()) return absl::AbortedError("stopped by the abort check");
    const BatchRow& row = rows[i];
    const auto& read = Read(row.sequence);
    const auto position = static_cast<size_t>(row.position);
    const bool first = position == 0 || position > read.size();
    const Cell none;
    const Cell cell = NextCell(first ? none : static_cast<const Cell&>(*read[position - 1]), row.token, row.position,
                               adapter_ == nullptr ? 0 : adapter_->salt);
    sequences_[static_cast<size_t>(row.sequence)].push_back(std::make_shared<HeldCell>(cell, held_));
    if (row.output) outputs_[static_cast<int32_t>(i)] = cell;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Adapter>> ReferenceBackend::LoadAdapter(const std::string& name,
                                                                             const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!in) return absl::NotFoundError(absl::StrCat(file, ": no such file"));
  std::getline(in, line);
  constexpr absl::string_view kHead = "reference adapter for ";
  const size_t colon = line.find(": ");
  auto adapter = std::make_shared<SaltedAdapter>();
  if (!absl::StartsWith(line, kHead) || colon == std::string::npos ||
      !absl::SimpleAtoi(line.substr(colon + 2), &adapter->salt)) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": not an adapter of the reference model"));
  }
  if (line.substr(kHead.size(), colon - kHead.size()) != info_.model) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": made for another model"));
  }
  adapter->name = name;
  adapter->id = ++adapters_;
  return std::shared_ptr<const Adapter>(std::move(adapter));
}

// Each cell: the numbers, then the forced bytes with their count before them.
absl::StatusOr<std::vector<uint8_t>> ReferenceBackend::SaveState(int32_t sequence, size_t bytes_max) {
  std::vector<uint8_t> state;
  const auto put = [&](const void* from, size_t bytes) {
    const auto* const at = static_cast<const uint8_t*>(from);
    state.insert(state.end(), at, at + bytes);
  };
  for (const auto& cell : sequences_[static_cast<size_t>(sequence)]) {
    const SavedCell saved = {cell->state, cell->token, cell->since_control, cell->forever ? 1U : 0U,
                             static_cast<uint32_t>(cell->forced.size())};
    put(&saved, sizeof(saved));
    put(cell->forced.data(), cell->forced.size());
    if (state.size() > bytes_max) return absl::ResourceExhaustedError("the state is larger than allowed");
  }
  return state;
}

absl::Status ReferenceBackend::RestoreState(int32_t sequence, absl::Span<const uint8_t> state) {
  auto& cells = sequences_[static_cast<size_t>(sequence)];
  if (!cells.empty()) return absl::InternalError("the sequence is not empty");
  while (!state.empty()) {
    SavedCell saved{};
    if (state.size() < sizeof(saved)) break;
    std::memcpy(&saved, state.data(), sizeof(saved));
    state.remove_prefix(sizeof(saved));
    if (state.size() < saved.forced || held_ >= info_.context_tokens) break;
    Cell cell{saved.token, saved.state, saved.since_control, saved.forever != 0, {}};
    cell.forced.assign(state.begin(), state.begin() + saved.forced);
    state.remove_prefix(saved.forced);
    cells.push_back(std::make_shared<HeldCell>(std::move(cell), held_));
  }
  if (state.empty()) return absl::OkStatus();
  cells.clear();
  return absl::ResourceExhaustedError("no free KV cells, or a damaged state");
}

// Tokens that may not follow have the least a float can say.
Likelihood ReferenceBackend::LikelihoodOf(int32_t row_index, Token chosen, int32_t top) const {
  Likelihood likelihood;
  likelihood.chosen = std::numeric_limits<float>::lowest();
  const Cell* cell = Output(row_index);
  if (cell == nullptr) return likelihood;
  const auto candidates = Candidates(*cell);
  double sum = 0;
  for (const auto& candidate : candidates) sum += std::exp(candidate.score);
  for (const auto& candidate : candidates) {
    const auto logprob = static_cast<float>(candidate.score - std::log(sum));
    if (candidate.token == chosen) likelihood.chosen = logprob;
    if (static_cast<int32_t>(likelihood.top.size()) < top) likelihood.top.emplace_back(candidate.token, logprob);
  }
  return likelihood;
}

// Each token's vector by hashing; their mean.
absl::StatusOr<std::vector<float>> ReferenceBackend::Embed(absl::Span<const Token> tokens) {
  if (config_.on_embed) config_.on_embed();
  std::vector<float> mean(kEmbeddingSize, 0);
  for (const Token token : tokens) {
    for (size_t i = 0; i < mean.size(); ++i) {
      const uint64_t hash = Mix(static_cast<uint64_t>(token) * kEmbeddingSize + i) % 2001;
      mean[i] += (static_cast<float>(hash) - 1000) / 1000 / static_cast<float>(tokens.size());
    }
  }
  return mean;
}

void ReferenceSampler::Penalise(std::vector<Candidate>& candidates) const {
  for (auto& candidate : candidates) {
    if (const auto bias = sampling_.logit_bias().find(candidate.token); bias != sampling_.logit_bias().end()) {
      candidate.score += bias->second;
    }
    const auto at = used_.find(candidate.token);
    if (at == used_.end()) continue;
    if (sampling_.has_repetition_penalty()) candidate.score /= sampling_.repetition_penalty();
    candidate.score -= sampling_.presence_penalty() + sampling_.frequency_penalty() * at->second;
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
}

// Draws by temperature from what top_k, top_p and min_p leave. REQUIRES: best first, not empty.
Token ReferenceSampler::Draw(std::vector<Candidate> candidates) {
  const double best = candidates.front().score;
  std::vector<double> weights;
  double sum = 0;
  for (const auto& candidate : candidates) {
    weights.push_back(std::exp((candidate.score - best) / sampling_.temperature()));
    sum += weights.back();
  }
  size_t count = candidates.size();
  if (sampling_.top_k() > 0) count = std::min(count, static_cast<size_t>(sampling_.top_k()));
  const double top_p = sampling_.has_top_p() ? sampling_.top_p() : 1;
  double kept = 0;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0 && (kept >= top_p * sum || weights[i] < sampling_.min_p())) {
      count = i;
      break;
    }
    kept += weights[i];
  }
  random_ = Mix(random_);
  double at = static_cast<double>(random_ >> 11) / 9007199254740992.0 * kept;
  for (size_t i = 0; i + 1 < count; ++i) {
    if (at < weights[i]) return candidates[i].token;
    at -= weights[i];
  }
  return candidates[count - 1].token;
}

Token ReferenceSampler::Sample(int32_t row_index) {
  const Cell* cell = backend_.Output(row_index);
  if (cell == nullptr) return kEnd;
  auto candidates = Candidates(*cell);
  Penalise(candidates);
  const Token token = sampling_.temperature() > 0 ? Draw(std::move(candidates)) : candidates.front().token;
  ++used_[token];
  return token;
}

}  // namespace

std::unique_ptr<Backend> MakeReferenceBackend(const ReferenceConfig& config) {
  return std::make_unique<ReferenceBackend>(config);
}

}  // namespace headgate::engine
