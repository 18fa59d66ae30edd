#include "alambic/text/tokenizer/next_token_id.h"

#include <algorithm>

namespace alambic {

int32_t next_token_id(const Vocabulary& vocabulary, const AddedTokens& added) {
  const auto count = static_cast<int32_t>(vocabulary.count());
  return added.all().empty() ? count : std::max(count, added.all().rbegin()->first + 1);
}

}  // namespace alambic
