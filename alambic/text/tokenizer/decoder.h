// Decoders: tokens back to text ("decoder" of tokenizer.json).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alambic {

class JsonView;

/// A step from tokens to text.
class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  /// Tokens in, tokens out; the text is the concatenation of what the last decoder returns.
  virtual std::vector<std::string> decode(std::vector<std::string> tokens) const = 0;
  /// Bytes that a token stands for where others are around it; nothing where they depend on those.
  virtual std::optional<std::string> bytes(const std::string& /*token*/) const {
    return std::nullopt;
  }
};

/// Known types: Sequence, ByteLevel, ByteFallback, Replace, Fuse, Strip, Metaspace,
/// WordPiece, BPEDecoder, CTC.
std::unique_ptr<TokenDecoder> read_decoder(const JsonView& json);

}  // namespace alambic
