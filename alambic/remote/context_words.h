// What servers say of a text that does not fit into their model's context.
#pragma once

#include <cstdint>
#include <string_view>

namespace alambic {

/// Whether an error says that a text is too long for the model. `codes`: its machine-readable
/// words.
bool says_too_long(std::string_view codes, std::string_view message);

/// Tokens of the context that such a message names; 0: it names none.
int64_t context_named(std::string_view message);

}  // namespace alambic
