#include "alambic/base/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <memory>
#include <vector>

#include "alambic/base/error.h"

namespace alambic {

namespace {

class Hasher {
 public:
  explicit Hasher(const EVP_MD* kind = EVP_sha256()) {
    check(EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1, "no such digest");
  }
  void add(std::string_view bytes) {
    check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "a digest failed");
  }
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    check(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1, "a digest failed");
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

constexpr uint64_t whole_file = std::numeric_limits<uint64_t>::max();

void add_file(Hasher& hasher, const std::filesystem::path& path, uint64_t begin = 0,
              uint64_t end = whole_file) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw input_error("cannot read {}", path.string());
  if (begin > 0) stream.seekg(static_cast<std::streamoff>(begin));
  std::vector<char> piece(1 << 20);
  for (uint64_t left = end - begin; left > 0;) {
    stream.read(piece.data(), static_cast<std::streamsize>(std::min<uint64_t>(left, piece.size())));
    const auto count = static_cast<size_t>(stream.gcount());
    if (count == 0) break;
    hasher.add({piece.data(), count});
    left -= count;
  }
  if (stream.bad()) throw environment_error("cannot read {}", path.string());
}

}  // namespace

std::string sha256(std::string_view bytes) {
  Hasher hasher;
  hasher.add(bytes);
  return hasher.finish();
}

std::string sha256_file(const std::filesystem::path& path) {
  Hasher hasher;
  add_file(hasher, path);
  return hasher.finish();
}

std::string sha256_range(const std::filesystem::path& path, uint64_t begin, uint64_t end) {
  check(begin <= end, "a range from {} to {}", begin, end);
  Hasher hasher;
  add_file(hasher, path, begin, end);
  return hasher.finish();
}

std::string git_blob_digest(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) throw input_error("cannot read {}: {}", path.string(), error.message());
  Hasher hasher(EVP_sha1());
  hasher.add("blob " + std::to_string(size) + std::string(1, '\0'));
  add_file(hasher, path);
  return hasher.finish();
}

}  // namespace alambic
