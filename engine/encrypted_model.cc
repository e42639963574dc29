// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Tested by tests/unit/engine/encrypted_model_test.cc: round trips with any seeking, and every kind of damage.

#include "engine/encrypted_model.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace headgate::engine {
namespace {

constexpr char kMagic[] = "HGMODEL1";
constexpr size_t kHeaderBytes = 64;
constexpr size_t kTagBytes = 16;
constexpr size_t kSaltBytes = 16;
constexpr uint32_t kSegmentMin = 4 << 10;
constexpr uint32_t kSegmentMax = 1 << 20;
constexpr size_t kKeyTextMax = 4096;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
struct FreePkey {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

using Header = std::array<uint8_t, kHeaderBytes>;

void PutNumber(uint8_t* at, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) at[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint64_t GetNumber(const uint8_t* at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value |= static_cast<uint64_t>(at[i]) << (8 * i);
  return value;
}

absl::Status Derive(const ModelKey& key, const uint8_t* salt, std::string_view label, absl::Span<uint8_t> out) {
  const std::unique_ptr<EVP_PKEY_CTX, FreePkey> hkdf(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  size_t size = out.size();
  const ModelKey::Bytes& master = key.bytes();
  const auto* const info = reinterpret_cast<const unsigned char*>(label.data());
  const bool ok = hkdf && EVP_PKEY_derive_init(hkdf.get()) > 0 &&
                  EVP_PKEY_CTX_set_hkdf_md(hkdf.get(), EVP_sha256()) > 0 &&
                  EVP_PKEY_CTX_set1_hkdf_salt(hkdf.get(), salt, kSaltBytes) > 0 &&
                  EVP_PKEY_CTX_set1_hkdf_key(hkdf.get(), master.data(), static_cast<int>(master.size())) > 0 &&
                  EVP_PKEY_CTX_add1_hkdf_info(hkdf.get(), info, static_cast<int>(label.size())) > 0 &&
                  EVP_PKEY_derive(hkdf.get(), out.data(), &size) > 0 && size == out.size();
  return ok ? absl::OkStatus() : absl::InternalError("HKDF failed");
}

// One segment in place of `text`; the tag follows or is checked.
class SegmentCipher {
 public:
  SegmentCipher(const Header& header, const ModelKey& file_key) : header_(header), key_(file_key) {}

  bool Seal(uint64_t number, absl::Span<uint8_t> text, uint8_t* tag) const {
    const auto context = Begin(number, /*encrypt=*/1);
    int size = 0;
    return context &&
           EVP_CipherUpdate(context.get(), text.data(), &size, text.data(), static_cast<int>(text.size())) > 0 &&
           EVP_CipherFinal_ex(context.get(), text.data() + size, &size) > 0 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag) > 0;
  }
  bool Open(uint64_t number, absl::Span<uint8_t> text, const uint8_t* tag) const {
    std::array<uint8_t, kTagBytes> expected{};
    std::copy_n(tag, kTagBytes, expected.begin());
    const auto context = Begin(number, /*encrypt=*/0);
    int size = 0;
    return context &&
           EVP_CipherUpdate(context.get(), text.data(), &size, text.data(), static_cast<int>(text.size())) > 0 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, expected.data()) > 0 &&
           EVP_CipherFinal_ex(context.get(), text.data() + size, &size) > 0;
  }

 private:
  std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> Begin(uint64_t number, int encrypt) const {
    std::array<uint8_t, 12> nonce{};
    PutNumber(nonce.data(), number, 8);
    std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> context(EVP_CIPHER_CTX_new());
    int size = 0;
    const bool ok = context &&
                    EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.bytes().data(), nonce.data(),
                                      encrypt) > 0 &&
                    EVP_CipherUpdate(context.get(), nullptr, &size, header_.data(), kHeaderBytes) > 0 &&
                    EVP_CipherUpdate(context.get(), nullptr, &size, nonce.data(), nonce.size()) > 0;
    if (!ok) context.reset();
    return context;
  }

  const Header header_;
  const ModelKey key_;
};

struct Keys {
  ModelKey file;
  std::array<uint8_t, 16> check;
};

absl::StatusOr<Keys> DeriveKeys(const ModelKey& key, const uint8_t* salt) {
  ModelKey::Bytes file{};
  Keys keys{ModelKey(file), {}};
  RETURN_IF_ERROR(Derive(key, salt, "headgate model key", absl::MakeSpan(file)));
  RETURN_IF_ERROR(Derive(key, salt, "headgate model check", absl::MakeSpan(keys.check)));
  keys.file = ModelKey(file);
  OPENSSL_cleanse(file.data(), file.size());
  return keys;
}

absl::StatusOr<ModelKey> KeyOf(const std::string& source, std::string& text) {
  ModelKey::Bytes bytes{};
  const auto hex = std::string(absl::StripAsciiWhitespace(text));
  const bool raw = text.size() == bytes.size() && absl::StartsWith(source, "file:");
  const bool digits = hex.size() == 64 && std::all_of(hex.begin(), hex.end(), [](char c) {
                        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
                      });
  if (digits) {
    const std::string decoded = absl::HexStringToBytes(hex);
    std::copy(decoded.begin(), decoded.end(), bytes.begin());
  } else if (raw) {
    std::copy(text.begin(), text.end(), bytes.begin());
  }
  OPENSSL_cleanse(text.data(), text.size());
  if (!digits && !raw) return absl::InvalidArgumentError(absl::StrCat(source, ": holds no key: 64 hexadecimal digits"));
  ModelKey key(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

std::string ReadStream(std::FILE* stream) {
  std::string text(kKeyTextMax, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), stream));
  return text;
}

}  // namespace

ModelKey::~ModelKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

absl::StatusOr<ModelKey> LoadModelKey(const std::string& source) {
  const std::string rest = source.substr(std::min(source.find(':'), source.size() - 1) + 1);
  std::string text;
  if (absl::StartsWith(source, "file:")) {
    std::FILE* const file = std::fopen(rest.c_str(), "rb");
    if (file == nullptr) return absl::NotFoundError(absl::StrCat(source, ": cannot be read"));
    text = ReadStream(file);
    std::fclose(file);
  } else if (absl::StartsWith(source, "env:")) {
    const char* const value = std::getenv(rest.c_str());
    if (value == nullptr) return absl::NotFoundError(absl::StrCat(source, ": is not set"));
    text = value;
  } else if (absl::StartsWith(source, "command:")) {
    std::FILE* const pipe = popen(rest.c_str(), "r");
    if (pipe == nullptr) return absl::InternalError("command: the model key's command cannot be started");
    text = ReadStream(pipe);
    if (pclose(pipe) != 0) return absl::UnavailableError("command: the model key's command failed");
    return KeyOf("command", text);
  } else {
    return absl::InvalidArgumentError("a model key comes from file:PATH, env:NAME or command:PROGRAM");
  }
  return KeyOf(source, text);
}

bool IsEncryptedModel(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 8> magic{};
  return file.read(magic.data(), magic.size()) && std::string_view(magic.data(), magic.size()) == kMagic;
}

absl::Status EncryptModel(const std::string& from, const std::string& to, const ModelKey& key,
                          const RandomBytes& random, uint32_t segment_bytes) {
  if (segment_bytes < kSegmentMin || segment_bytes > kSegmentMax) {
    return absl::InvalidArgumentError(absl::StrCat("segment_bytes: outside ", kSegmentMin, "..", kSegmentMax));
  }
  std::error_code error;
  if (std::filesystem::exists(to, error)) return absl::AlreadyExistsError(absl::StrCat(to, ": exists"));
  std::ifstream in(from, std::ios::binary);
  const auto size = std::filesystem::file_size(from, error);
  if (!in || error) return absl::NotFoundError(absl::StrCat(from, ": cannot be read"));
  if (size == 0) return absl::InvalidArgumentError(absl::StrCat(from, ": is empty"));

  Header header{};
  std::memcpy(header.data(), kMagic, 8);
  PutNumber(&header[8], segment_bytes, 4);
  PutNumber(&header[16], size, 8);
  const std::string salt = random(kSaltBytes);
  std::copy(salt.begin(), salt.end(), header.begin() + 24);
  ASSIGN_OR_RETURN(const Keys keys, DeriveKeys(key, &header[24]));
  std::copy(keys.check.begin(), keys.check.end(), header.begin() + 40);

  const std::string fresh = to + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(header.data()), kHeaderBytes);
  const SegmentCipher cipher(header, keys.file);
  std::vector<uint8_t> segment(segment_bytes + kTagBytes);
  uint64_t left = size;
  for (uint64_t number = 0; left > 0 && out; ++number) {
    const auto bytes = static_cast<size_t>(std::min<uint64_t>(left, segment_bytes));
    if (!in.read(reinterpret_cast<char*>(segment.data()), static_cast<std::streamsize>(bytes))) {
      return absl::DataLossError(absl::StrCat(from, ": became shorter while it was read"));
    }
    if (!cipher.Seal(number, absl::MakeSpan(segment).first(bytes), &segment[bytes])) {
      return absl::InternalError("AES-GCM failed");
    }
    out.write(reinterpret_cast<const char*>(segment.data()), static_cast<std::streamsize>(bytes + kTagBytes));
    left -= bytes;
  }
  out.close();
  if (!out) return absl::PermissionDeniedError(absl::StrCat(fresh, ": cannot be written"));
  std::filesystem::rename(fresh, to, error);
  return error ? absl::PermissionDeniedError(absl::StrCat(to, ": cannot be written")) : absl::OkStatus();
}

struct EncryptedModel::State {
  struct Segment {
    uint64_t number = UINT64_MAX;
    std::vector<uint8_t> text;
  };
  State(std::string path, const Header& header, const ModelKey& file_key)
      : path(std::move(path)),
        size(static_cast<int64_t>(GetNumber(&header[16], 8))),
        segment_bytes(static_cast<int64_t>(GetNumber(&header[8], 4))),
        cipher(header, file_key) {}
  ~State() {
    for (Segment& segment : recent) OPENSSL_cleanse(segment.text.data(), segment.text.size());
  }

  absl::StatusOr<const std::vector<uint8_t>*> Get(uint64_t number);

  const std::string path;
  const int64_t size;
  const int64_t segment_bytes;
  const SegmentCipher cipher;
  std::ifstream file;
  std::array<Segment, 2> recent;  // the last one used comes first
  int64_t position = 0;           // of the stream
  absl::Status status;
};

absl::StatusOr<const std::vector<uint8_t>*> EncryptedModel::State::Get(uint64_t number) {
  if (recent[0].number == number) return &recent[0].text;
  std::swap(recent[0], recent[1]);
  if (recent[0].number == number) return &recent[0].text;
  Segment& segment = recent[0];
  segment.number = UINT64_MAX;
  const int64_t begin = static_cast<int64_t>(number) * segment_bytes;
  const auto bytes = static_cast<size_t>(std::min(segment_bytes, size - begin));
  segment.text.resize(bytes + kTagBytes);
  file.clear();
  file.seekg(static_cast<std::streamoff>(kHeaderBytes + number * static_cast<uint64_t>(segment_bytes + 16)));
  file.read(reinterpret_cast<char*>(segment.text.data()), static_cast<std::streamsize>(segment.text.size()));
  if (!file || !cipher.Open(number, absl::MakeSpan(segment.text).first(bytes), &segment.text[bytes])) {
    status = absl::DataLossError(absl::StrCat(path, ": segment ", number, " is damaged or was changed"));
    OPENSSL_cleanse(segment.text.data(), segment.text.size());
    return status;
  }
  segment.text.resize(bytes);
  segment.number = number;
  return &segment.text;
}

EncryptedModel::EncryptedModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
EncryptedModel::~EncryptedModel() = default;
int64_t EncryptedModel::size() const { return state_->size; }
const absl::Status& EncryptedModel::status() const { return state_->status; }

absl::StatusOr<std::unique_ptr<EncryptedModel>> EncryptedModel::Open(const std::string& path, const ModelKey& key) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  Header header{};
  file.read(reinterpret_cast<char*>(header.data()), kHeaderBytes);
  const uint64_t segment_bytes = GetNumber(&header[8], 4);
  const uint64_t size = GetNumber(&header[16], 8);
  if (!file || std::memcmp(header.data(), kMagic, 8) != 0 || segment_bytes < kSegmentMin ||
      segment_bytes > kSegmentMax || size == 0 || size > uint64_t{1} << 50) {  // nothing has no segment to prove it
    return absl::InvalidArgumentError(absl::StrCat(path, ": not an encrypted model of this version"));
  }
  ASSIGN_OR_RETURN(const Keys keys, DeriveKeys(key, &header[24]));
  if (CRYPTO_memcmp(keys.check.data(), &header[40], keys.check.size()) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": was encrypted with another key"));
  }
  const uint64_t segments = (size + segment_bytes - 1) / segment_bytes;
  std::error_code error;
  if (std::filesystem::file_size(path, error) != kHeaderBytes + size + segments * kTagBytes || error) {
    return absl::DataLossError(absl::StrCat(path, ": is longer or shorter than its header says"));
  }
  auto state = std::make_unique<State>(path, header, keys.file);
  state->file = std::move(file);
  return std::unique_ptr<EncryptedModel>(new EncryptedModel(std::move(state)));
}

absl::StatusOr<size_t> EncryptedModel::ReadAt(int64_t offset, absl::Span<uint8_t> to) {
  size_t done = 0;
  while (done < to.size() && offset >= 0 && offset < state_->size) {
    ASSIGN_OR_RETURN(const auto* text, state_->Get(static_cast<uint64_t>(offset / state_->segment_bytes)));
    const auto from = static_cast<size_t>(offset % state_->segment_bytes);
    const size_t bytes = std::min(text->size() - from, to.size() - done);
    std::memcpy(to.data() + done, text->data() + from, bytes);
    done += bytes;
    offset += static_cast<int64_t>(bytes);
  }
  return done;
}

absl::Status EncryptedModel::VerifyAll() {
  for (int64_t at = 0; at < state_->size; at += state_->segment_bytes) {
    RETURN_IF_ERROR(state_->Get(static_cast<uint64_t>(at / state_->segment_bytes)).status());
  }
  return absl::OkStatus();
}

std::FILE* EncryptedModel::OpenStream() {
  state_->position = 0;
  cookie_io_functions_t functions{};
  functions.read = [](void* cookie, char* to, size_t bytes) -> ssize_t {
    auto* const model = static_cast<EncryptedModel*>(cookie);
    const auto read = model->ReadAt(model->state_->position, {reinterpret_cast<uint8_t*>(to), bytes});
    if (!read.ok()) {
      errno = EIO;
      return -1;
    }
    model->state_->position += static_cast<int64_t>(*read);
    return static_cast<ssize_t>(*read);
  };
  functions.seek = [](void* cookie, off64_t* offset, int whence) -> int {
    State& state = *static_cast<EncryptedModel*>(cookie)->state_;
    const int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? state.position : state.size;
    if (base + *offset < 0) return -1;
    state.position = base + *offset;
    *offset = state.position;
    return 0;
  };
  return fopencookie(this, "rb", functions);
}

}  // namespace headgate::engine
