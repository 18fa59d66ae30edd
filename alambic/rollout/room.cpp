#include "alambic/rollout/room.h"

#include <algorithm>

#include "alambic/base/error.h"

namespace alambic {

int64_t room_of(const Request& request, size_t number, const ModelShape& shape,
                const Sampling& sampling) {
  const std::vector<int32_t>& prompt = request.prompt;
  if (prompt.empty()) {
    throw input_error("cannot answer request {}: its prompt is empty", number)
        .with_hint("begin it with the beginning-of-text token, or with any text");
  }
  for (const int32_t token : prompt) {
    if (token < 0 || token >= shape.vocabulary) {
      throw input_error("cannot answer request {}: token {} in its prompt, the model has {}",
                        number, token, shape.vocabulary)
          .with_hint("does the tokenizer belong to this model?");
    }
  }
  const int64_t left = shape.positions - std::ssize(prompt);
  if (left < 1) {
    throw input_error(
        "cannot answer request {}: its prompt has {} tokens and the model's context {}", number,
        prompt.size(), shape.positions)
        .with_hint("shorten the prompt, or use a model with a longer context");
  }
  return std::min(sampling.max_new_tokens, left);
}

}  // namespace alambic
