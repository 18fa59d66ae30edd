#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace alambic {

/// The number after the last "####" of an answer, as GSM8K writes it, without thousands commas, a
/// leading "$" or a closing period. Nothing else in the answer counts. None: no such number.
std::optional<std::string> final_answer(std::string_view text);

/// Whether the text ends in the expected number, which may be written as in an answer, "####"
/// left out or not; "7" and "7.0" are the same.
bool answers_correctly(std::string_view text, std::string_view expected);

}  // namespace alambic
