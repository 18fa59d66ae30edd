#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alambic {

/// The number after the last "####" of an answer, as GSM8K writes it, without thousands commas, a
/// leading "$" or a closing period. Nothing else in the answer counts. None: no such number.
std::optional<std::string> final_answer(std::string_view text);

/// Whether the text ends in the expected answer after its last "####". A number may be written as
/// in an answer, "####" left out or not; "7" and "7.0" are the same. Where the expected answer is
/// no number, what stands after the mark is compared with it, white space around both and a closing
/// period left out.
bool answers_correctly(std::string_view text, std::string_view expected);

/// The same with several answers, each of which is right.
bool answers_correctly(std::string_view text, const std::vector<std::string>& accepted);

}  // namespace alambic
