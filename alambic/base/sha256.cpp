#include "alambic/base/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
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

void add_file(Hasher& hasher, const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw input_error("cannot read {}", path.string());
  std::vector<char> piece(1 << 20);
  while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size())),
         stream.gcount() > 0) {
    hasher.add({piece.data(), static_cast<size_t>(stream.gcount())});
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
