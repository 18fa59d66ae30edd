// Unicode's normal forms and small letters.
#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// `options`: UTF8PROC_COMPOSE or UTF8PROC_DECOMPOSE, with UTF8PROC_COMPAT for NFKC and NFKD.
std::string unicode_form(std::string_view text, int options);

/// The text in lower case, character by character, as Rust's char::to_lowercase.
std::string lowercase(std::string_view text);

}  // namespace alambic
