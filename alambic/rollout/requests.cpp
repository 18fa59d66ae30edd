#include "alambic/rollout/requests.h"

#include "alambic/text/chat/chat_tokens.h"

namespace alambic {

std::vector<Request> requests_of(const Tokenizer& tokenizer, const std::vector<Example>& examples,
                                 int64_t copies) {
  std::vector<Request> requests;
  for (const Example& example : examples) {
    for (int64_t copy = 0; copy < copies; ++copy) {
      requests.push_back({.prompt = prompt_ids(tokenizer, example), .id = requests.size()});
    }
  }
  return requests;
}

}  // namespace alambic
