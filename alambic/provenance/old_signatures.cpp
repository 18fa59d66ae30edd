#include "alambic/provenance/old_signatures.h"

#include <openssl/evp.h>

#include <memory>

#include "alambic/base/error.h"

namespace alambic {
namespace {

// Python's repr() of bytes.
std::string python_text(std::string_view bytes) {
  const bool single = bytes.find('\'') != std::string_view::npos;
  const char quote = single && bytes.find('"') == std::string_view::npos ? '"' : '\'';
  std::string text = "b";
  text += quote;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      text += '\\';
      text += c;
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\r') {
      text += "\\r";
    } else if (c == '\t') {
      text += "\\t";
    } else if (byte < 0x20 || byte > 0x7e) {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  return text + quote;
}

bool holds_by_sha256(const KeyHandle& key, const std::string& bytes, std::string_view signature) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> context(::EVP_MD_CTX_new(),
                                                                          &::EVP_MD_CTX_free);
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  return ::EVP_DigestVerifyInit(context.get(), nullptr, ::EVP_sha256(), nullptr, key.get()) == 1 &&
         ::EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(), data, bytes.size()) == 1;
}

}  // namespace

std::string signed_bytes_of_version_0_2(std::string_view payload_type, std::string_view payload) {
  return fmt::format("DSSEV1 {} {} {} {}", payload_type.size(), payload_type, payload.size(),
                     python_text(payload));
}

bool holds_by_version_0_2(const KeyHandle& key, std::string_view payload_type,
                          std::string_view payload, std::string_view signature) {
  const std::string bytes = signed_bytes_of_version_0_2(payload_type, payload);
  return holds_by_sha256(key, bytes, signature) || signature_holds(key, bytes, signature);
}

}  // namespace alambic
