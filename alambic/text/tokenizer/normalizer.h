// Normalizers: text to text, before anything is split ("normalizer" of tokenizer.json).
#pragma once

#include <memory>
#include <string>

namespace alambic {

class JsonView;

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  /// Valid UTF-8 in, valid UTF-8 out. Safe from many threads.
  virtual std::string normalize(std::string text) const = 0;
};

/// Known types: Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase, Strip,
/// StripAccents, Nmt, ByteLevel, BertNormalizer, Precompiled.
std::unique_ptr<Normalizer> read_normalizer(const JsonView& json);

}  // namespace alambic
