#pragma once

#include <string>
#include <string_view>

namespace alambic::jinja {

/// Every line break as "\n".
std::string unify_newlines(std::string_view text);

/// The inside of a string literal with its escapes resolved as Python does: unknown ones stay.
/// Fails on a broken \x, \u or \U, and on \N{…}.
std::string unescape(std::string_view literal);

}  // namespace alambic::jinja
