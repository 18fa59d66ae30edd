// The first line is a pattern, the rest a text.
#include "alambic/base/regex.h"
#include "alambic/base/utf8.h"
#include "fuzz/fuzz.h"

namespace alambic {

std::vector<std::string> fuzz_seeds() {
  return {
      R"('s|'t|'re| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"
      "\nHello  world's 123 é\n\n",
      R"((?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|\s*[\r\n]+)"
      "\nIt'S 12345\r\n",
      R"([\h&&x]|(a|b)*c{2,5}?(?<!q)\G\b\x{1F600}\u0041)"
      "\nabababccc",
      R"((a+)+$)"
      "\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
  };
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  const std::string_view input = text_of(data, size);
  const size_t line = std::min(input.find('\n'), size);
  const std::string text = replace_invalid_utf8(input.substr(std::min(line + 1, size)));
  parse_or_refuse([&] { Regex(input.substr(0, line)).find_all(text); });
  return 0;
}
