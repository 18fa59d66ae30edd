#include "alambic/train/hidden_layers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "alambic/base/error.h"

namespace alambic {
namespace {

int64_t layer_of(std::string_view number, const std::string& text, const char* whose,
                 int64_t layers) {
  int64_t layer = 0;
  const char* last = number.data() + number.size();
  const auto [end, error] = std::from_chars(number.data(), last, layer);
  if (error != std::errc() || end != last) {
    throw input_error("--hidden-layers {}: expected STUDENT:TEACHER, two numbers", text);
  }
  if (layer < 1 || layer > layers) {
    throw input_error("--hidden-layers {}: the {} has layers 1 to {}", text, whose, layers);
  }
  return layer - 1;
}

}  // namespace

std::vector<LayerPair> hidden_layers(const ObjectiveOptions& options, int64_t student_layers,
                                     int64_t teacher_layers) {
  std::vector<LayerPair> pairs;
  if (options.hidden_layers.empty()) {
    const double ratio = static_cast<double>(teacher_layers) / static_cast<double>(student_layers);
    for (int64_t i = 1; i <= student_layers; ++i) {
      const auto beside = std::llround(static_cast<double>(i) * ratio);
      pairs.push_back({.student = i - 1, .teacher = std::max<int64_t>(beside, 1) - 1});
    }
    return pairs;
  }
  for (const std::string& text : options.hidden_layers) {
    const size_t colon = std::min(text.find(':'), text.size());
    const std::string_view view = text;
    const LayerPair pair{
        .student = layer_of(view.substr(0, colon), text, "student", student_layers),
        .teacher = layer_of(view.substr(std::min(colon + 1, text.size())), text, "teacher",
                            teacher_layers)};
    if (std::ranges::count(pairs, pair.student, &LayerPair::student) > 0) {
      throw input_error("--hidden-layers {}: layer {} of the student is there twice", text,
                        pair.student + 1);
    }
    pairs.push_back(pair);
  }
  return pairs;
}

}  // namespace alambic
