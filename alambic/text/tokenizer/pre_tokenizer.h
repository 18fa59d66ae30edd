// Pre-tokenizers: cut normalized text into the pieces that the model sees one at a time
// ("pre_tokenizer" of tokenizer.json).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alambic/base/regex.h"

namespace alambic {

class JsonView;

/// Text between two added tokens, and the pieces it is cut into (in order, none empty; bytes
/// outside every piece are dropped).
struct Pieces {
  std::string text;
  std::vector<Range> ranges;
  bool at_start = false;   ///< nothing of the user's text came before
  bool continued = false;  ///< the text goes on from another: no space is put before it

  std::string_view piece(const Range& range) const {
    return std::string_view(text).substr(range.begin, range.end - range.begin);
  }
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  /// Cuts every piece further. Safe from many threads.
  virtual void apply(Pieces& pieces) const = 0;
};

/// Known types: Sequence, ByteLevel, Split, Digits, Metaspace, Whitespace, WhitespaceSplit,
/// Punctuation, BertPreTokenizer, CharDelimiterSplit, FixedLength.
std::unique_ptr<PreTokenizer> read_pre_tokenizer(const JsonView& json);

}  // namespace alambic
