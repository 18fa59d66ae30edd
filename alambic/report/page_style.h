// The style sheet of reports.
#pragma once

#include <string_view>

namespace alambic {

/// CSS for light, dark (prefers-color-scheme) and print; refers to nothing outside the page.
std::string_view page_style();

}  // namespace alambic
