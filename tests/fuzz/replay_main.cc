// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Runs a fuzz target without a fuzzer, so that every compiler and every test run exercises it: each file of the seed
// corpus (the folder named by the first argument), then 2,000 mutations of them, always the same ones.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutations = 2000;

std::vector<std::string> ReadCorpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

// Flips, inserts, erases, repeats and joins pieces of the seeds.
std::string Mutate(const std::vector<std::string>& seeds, std::mt19937& random) {
  std::string bytes = seeds[random() % seeds.size()];
  for (uint32_t steps = 1 + random() % 8; steps > 0; --steps) {
    const size_t at = bytes.empty() ? 0 : random() % bytes.size();
    const size_t count = 1 + random() % 16;
    const std::string& other = seeds[random() % seeds.size()];
    switch (random() % 6) {
      case 0:
        bytes.insert(at, 1, static_cast<char>(random()));
        break;
      case 1:
        bytes.erase(at, count);
        break;
      case 2:
        bytes.insert(at, bytes.substr(at, count));
        break;
      case 3:
        if (!bytes.empty()) bytes[at] = static_cast<char>(random());
        break;
      case 4:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      default:
        if (!other.empty()) bytes.insert(at, other.substr(random() % other.size(), count * 4));
        break;
    }
  }
  return bytes;
}

void RunOne(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> seeds = argc > 1 ? ReadCorpus(argv[1]) : std::vector<std::string>{};
  if (seeds.empty()) {
    std::cerr << "usage: " << argv[0] << " CORPUS_FOLDER (with at least one file)\n";
    return EXIT_FAILURE;
  }
  for (const std::string& seed : seeds) RunOne(seed);
  std::mt19937 random(2026);
  for (int i = 0; i < kMutations; ++i) RunOne(Mutate(seeds, random));
  std::cout << seeds.size() << " seeds and " << kMutations << " mutations\n";
  return EXIT_SUCCESS;
}
