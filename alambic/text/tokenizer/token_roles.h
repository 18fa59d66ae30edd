#pragma once

#include <string>
#include <utility>
#include <vector>

namespace alambic {

/// Role -> token ("bos_token" -> "<s>"): bos, eos, unk, sep, pad, cls, mask, as far as they are
/// named, then further ones of the model (image_token).
using TokenRoles = std::vector<std::pair<std::string, std::string>>;

}  // namespace alambic
