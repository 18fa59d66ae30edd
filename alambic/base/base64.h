#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// The bytes that base64 text (with its padding) stands for. Errors: anything else.
std::string decode_base64(std::string_view text);

/// Errors: more than a gigabyte.
std::string encode_base64(std::string_view bytes);

}  // namespace alambic
