#include "alambic/hub/header_line.h"

#include <algorithm>
#include <cctype>

#include "alambic/base/trimmed.h"

namespace alambic {

std::optional<HeaderLine> parse_header_line(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == line.npos) return std::nullopt;
  HeaderLine header{std::string(line.substr(0, colon)), ""};
  std::ranges::transform(header.name, header.name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  header.value = trimmed(line.substr(colon + 1));
  return header;
}

}  // namespace alambic
