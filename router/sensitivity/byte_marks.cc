// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Membership of 16 bytes at once: the low half of a byte looks up a row of bits, the high half says which of them
// counts.
#include "router/sensitivity/byte_marks.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace headgate::router {
namespace {

constexpr size_t kBlock = 64;

// Sets `words[i]` to the marks of bytes 64i to 64i+63.
#if defined(__x86_64__)
#define HEADGATE_POPCOUNT __attribute__((target("popcnt")))

// No older processor is served: Vectorscan needs as much (pattern_database.cc). A shuffle gives 0 for bytes from 0x80
// on, so the rows of those are looked up by the bytes with that bit turned.
template <bool kHigh>
__attribute__((target("ssse3"))) void Fill16(const char* bytes, size_t count, const ByteSet& set, uint64_t* words) {
  const auto load = [](const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); };
  const __m128i low = load(set.low.data()), high = load(set.high.data()), half = _mm_set1_epi8(15);
  const __m128i low_bits = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m128i high_bits = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, -128);
  for (size_t i = 0; i < count; ++i) {
    words[i] = 0;
    for (size_t k = 0; k < kBlock; k += 16) {
      const __m128i of = load(bytes + i * kBlock + k), column = _mm_and_si128(_mm_srli_epi16(of, 4), half);
      __m128i held = _mm_and_si128(_mm_shuffle_epi8(low, of), _mm_shuffle_epi8(low_bits, column));
      if (kHigh) {
        const __m128i turned = _mm_xor_si128(of, _mm_set1_epi8(-128));
        held = _mm_or_si128(held, _mm_and_si128(_mm_shuffle_epi8(high, turned), _mm_shuffle_epi8(high_bits, column)));
      }
      const int none = _mm_movemask_epi8(_mm_cmpeq_epi8(held, _mm_setzero_si128()));
      words[i] |= static_cast<uint64_t>(~none & 0xFFFF) << k;
    }
  }
}
__attribute__((target("avx2"))) inline __m256i Twice(const uint8_t* bytes) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
}
// The same, 32 bytes at once.
template <bool kHigh>
__attribute__((target("avx2"))) void Fill32(const char* bytes, size_t count, const ByteSet& set, uint64_t* words) {
  constexpr std::array<uint8_t, 16> kLowBits = {1, 2, 4, 8, 16, 32, 64, 128}, kHighBits = {0, 0, 0, 0, 0, 0, 0, 0,
                                                                                           1, 2, 4, 8, 16, 32, 64, 128};
  const __m256i low = Twice(set.low.data()), high = Twice(set.high.data()), half = _mm256_set1_epi8(15);
  const __m256i low_bits = Twice(kLowBits.data()), high_bits = Twice(kHighBits.data());
  for (size_t i = 0; i < count; ++i) {
    uint64_t none = 0;
    for (size_t k = 0; k < kBlock; k += 32) {
      const __m256i of = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i * kBlock + k));
      const __m256i column = _mm256_and_si256(_mm256_srli_epi16(of, 4), half);
      __m256i held = _mm256_and_si256(_mm256_shuffle_epi8(low, of), _mm256_shuffle_epi8(low_bits, column));
      if (kHigh) {
        const __m256i turned = _mm256_xor_si256(of, _mm256_set1_epi8(-128));
        held = _mm256_or_si256(held, _mm256_and_si256(_mm256_shuffle_epi8(high, turned),
                                                      _mm256_shuffle_epi8(high_bits, column)));
      }
      const int zeros = _mm256_movemask_epi8(_mm256_cmpeq_epi8(held, _mm256_setzero_si256()));
      none |= static_cast<uint64_t>(static_cast<uint32_t>(zeros)) << k;
    }
    words[i] = ~none;
  }
}
void Fill(const char* bytes, size_t count, const ByteSet& set, uint64_t* words) {
  static const bool wide = __builtin_cpu_supports("avx2") != 0;
  const auto fill = wide ? (set.beyond_ascii ? Fill32<true> : Fill32<false>)
                         : (set.beyond_ascii ? Fill16<true> : Fill16<false>);
  fill(bytes, count, set, words);
}
#else
#define HEADGATE_POPCOUNT

void Fill(const char* bytes, size_t count, const ByteSet& set, uint64_t* words) {
  for (size_t i = 0; i < count; ++i) {
    words[i] = 0;
    for (size_t k = 0; k < kBlock; ++k) words[i] |= uint64_t{set.Has(bytes[i * kBlock + k])} << k;
  }
}
#endif

// The marks of what is left behind the last whole block.
uint64_t RestOf(std::string_view text, const ByteSet& set) {
  const size_t left = text.size() % kBlock;
  uint64_t word = 0;
  if (text.size() > kBlock) {
    Fill(text.data() + (text.size() - kBlock), 1, set, &word);
    return word >> (kBlock - left);
  }
  char last[kBlock] = {};
  std::memcpy(last, text.data(), left);
  Fill(last, 1, set, &word);
  return word & ~(~uint64_t{0} << left);
}

}  // namespace

bool HoldsAny(std::string_view text, const ByteSet& set) {
  constexpr size_t kAtOnce = 16;
  uint64_t words[kAtOnce];
  for (size_t i = 0; i < text.size() / kBlock; i += kAtOnce) {
    const size_t count = std::min(kAtOnce, text.size() / kBlock - i);
    Fill(text.data() + i * kBlock, count, set, words);
    if (std::any_of(words, words + count, [](uint64_t word) { return word != 0; })) return true;
  }
  return text.size() % kBlock != 0 && RestOf(text, set) != 0;
}

ByteMarks::ByteMarks(std::string_view text, const ByteSet& set) : ByteMarks(text.size()) {
  if (text.size() >= kBlock) Fill(text.data(), text.size() / kBlock, set, words_.data());
  if (text.size() % kBlock != 0) words_.back() = RestOf(text, set);
}

HEADGATE_POPCOUNT size_t ByteMarks::Skip(size_t at, size_t count) const {
  if (at >= size_) return size_;
  size_t i = at / 64;
  uint64_t word = words_[i] & (~uint64_t{0} << (at % 64));
  for (size_t held = 0; (held = static_cast<size_t>(std::popcount(word))) <= count; word = words_[i]) {
    count -= held;
    if (++i == words_.size()) return size_;
  }
  for (; count > 0; --count) word &= word - 1;
  return i * 64 + static_cast<size_t>(std::countr_zero(word));
}

size_t ByteMarks::EndBefore(size_t at) const {
  if (at == 0) return 0;
  size_t i = (at - 1) / 64;
  uint64_t word = words_[i] & (~uint64_t{0} >> (63 - (at - 1) % 64));
  while (word == 0) {
    if (i == 0) return 0;
    word = words_[--i];
  }
  return i * 64 + static_cast<size_t>(std::bit_width(word));
}

HEADGATE_POPCOUNT size_t ByteMarks::Count() const {
  size_t count = 0;
  for (const uint64_t word : words_) count += static_cast<size_t>(std::popcount(word));
  return count;
}

ByteMarks ByteMarks::Runs(size_t length) const {
  return Combine(size_, [&](size_t i) {
    if (words_[i] == 0) return uint64_t{0};
    auto rows = static_cast<unsigned __int128>(Word(i + 1)) << 64 | words_[i];
    for (size_t of = 1; of < length && rows != 0;) {  // what is left begins as many in a row
      const size_t more = of < length - of ? of : length - of;
      rows &= rows >> more;
      of += more;
    }
    return static_cast<uint64_t>(rows);
  });
}

}  // namespace headgate::router
