#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// Bytes as a text that says which they are, as OpenAI spells tokens: UTF-8 as it is, anything else
/// as "bytes:\xe2\x80".
std::string byte_text(std::string_view bytes);

}  // namespace alambic
