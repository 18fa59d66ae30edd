#include "alambic/cli/launch_words.h"

#include <algorithm>

namespace alambic {

std::vector<std::string> words_of_launch(const std::vector<std::string>& words) {
  std::vector<std::string> options;
  size_t i = 0;
  while (i < words.size() && words[i].starts_with('-')) {
    const bool has_value =
        words[i].find('=') == std::string::npos && words[i] != "--help" && words[i] != "-h";
    options.push_back(words[i++]);
    if (has_value && i < words.size()) options.push_back(words[i++]);
  }
  for (; i < words.size(); ++i) options.push_back("--command=" + words[i]);
  return options;
}

}  // namespace alambic
