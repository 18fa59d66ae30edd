// Post-processors: special tokens around a text ("post_processor" of tokenizer.json).
#pragma once

#include <cstdint>
#include <vector>

namespace alambic {

class JsonView;

/// Ids of special tokens that go before and after one text; pairs of texts are not our business.
struct PostProcessor {
  std::vector<int32_t> before;
  std::vector<int32_t> after;
};

/// Known types: TemplateProcessing, ByteLevel (which only moves offsets), BertProcessing,
/// RobertaProcessing, Sequence.
PostProcessor read_post_processor(const JsonView& json);

}  // namespace alambic
