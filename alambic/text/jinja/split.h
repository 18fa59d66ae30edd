// Cutting texts into parts and replacing parts of them, as str's methods do.
#pragma once

#include <string>
#include <vector>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

template <bool from_right>
Value split(Interpreter& interpreter, const Value& object, const Arguments& arguments);
template <bool from_right>
Value partition(Interpreter& interpreter, const Value& object, const Arguments& arguments);
Value split_lines(Interpreter& interpreter, const Value& object, const Arguments& arguments);

/// Lines without their ends, by all of Python's line ends.
std::vector<std::string> lines_of(Budget& budget, const std::string& text, bool keep_ends = false);
/// The text after at most `count` replacements; all when it is negative.
std::string replace_text(Budget& budget, const std::string& text, const std::string& old,
                         const std::string& with, int64_t count);
/// str.center: of an odd number of blanks, the side of the spare one depends on the width.
std::string center_text(Budget& budget, const std::string& text, int64_t width,
                        const std::string& fill);

}  // namespace alambic::jinja
