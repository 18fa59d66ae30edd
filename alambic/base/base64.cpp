#include "alambic/base/base64.h"

#include <openssl/evp.h>

#include <limits>

#include "alambic/base/error.h"

namespace alambic {

std::string decode_base64(std::string_view text) {
  if (text.empty()) return "";
  if (text.size() % 4 != 0 || text.size() > std::numeric_limits<int>::max()) {
    throw input_error("{} characters cannot be base64", text.size());
  }
  std::string bytes(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) throw input_error("this is not base64");
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes.resize(static_cast<size_t>(length) - padding);
  return bytes;
}

std::string encode_base64(std::string_view bytes) {
  if (bytes.size() > (1 << 30)) throw input_error("{} bytes are too many", bytes.size());
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and a zero byte
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

}  // namespace alambic
