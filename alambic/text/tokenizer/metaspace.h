// SentencePiece's mark for a space, "▁", as tokenizer.json's pre-tokenizer and decoder Metaspace.
#pragma once

#include <string>

namespace alambic {

class JsonView;

struct Metaspace {
  enum class Prepend { first, always, never };
  std::string replacement = "\xE2\x96\x81";
  Prepend prepend = Prepend::always;
  bool split = true;
};

/// Both spellings: `prepend_scheme`, and the older `add_prefix_space`.
Metaspace read_metaspace(const JsonView& json);

}  // namespace alambic
