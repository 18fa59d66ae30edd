// What ranks tell each other in terms of the messages of world.cpp.
#include <algorithm>
#include <cstring>

#include "alambic/base/error.h"
#include "alambic/dist/different_lines.h"
#include "alambic/dist/world.h"

namespace alambic {

std::vector<int64_t> World::sum(const std::vector<int64_t>& numbers,
                                const std::string& doing) const {
  std::vector<int64_t> sums;
  const auto* bytes = reinterpret_cast<const char*>(numbers.data());
  for (const std::string& text : gather({bytes, numbers.size() * sizeof(int64_t)}, doing)) {
    std::vector<int64_t> part(text.size() / sizeof(int64_t));
    std::memcpy(part.data(), text.data(), text.size());
    sums.resize(std::max(sums.size(), part.size()), 0);
    for (size_t i = 0; i < part.size(); ++i) sums[i] += part[i];
  }
  return sums;
}

std::string World::from_first(const std::string& bytes, const std::string& doing) const {
  if (alone()) return bytes;
  return gather(leads() ? bytes : "", doing).front();
}

double World::from_first(double number, const std::string& doing) const {
  return sum(leads() ? number : 0.0, doing);
}

void World::require_equal(const std::string& text, const std::string& what) const {
  const std::vector<std::string> texts = gather(text, "comparing the " + what);
  for (size_t r = 1; r < texts.size(); ++r) {
    if (texts[r] == texts.front()) continue;
    const auto [mine, other] = different_lines(texts.front(), texts[r]);
    throw input_error("the {} of rank {} are not those of rank 0: \"{}\", and \"{}\" there", what,
                      r, other, mine)
        .with_hint("every rank of a job runs the same command on the same files");
  }
}

}  // namespace alambic
