// A vocabulary of its own for a new student: byte-level BPE learned from text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "alambic/text/tokenizer/bpe_pattern.h"
#include "alambic/text/tokenizer/pre_tokenizer.h"

namespace alambic {

struct BpeTraining {
  int64_t vocabulary = 32000;  ///< tokens in all: special ones, 256 bytes, merges
  int64_t min_count = 2;       ///< a pair that is rarer is not merged
  BpePattern pattern = BpePattern::gpt2;
  std::vector<std::string> special;  ///< the first ids; the first of them ends a text
};

/// Counts of the words.
using WordCounts = std::unordered_map<std::string, int64_t>;

/// Learns from texts that are added one after the other.
class BpeTrainer {
 public:
  /// Errors: a vocabulary with no room for special tokens and bytes,
  /// a special token that is empty or there twice.
  explicit BpeTrainer(BpeTraining options);

  /// Counts the words of a text.
  void add(std::string_view text);

  /// The tokenizer.json: merges of the most frequent pair first, of equally frequent ones that with
  /// the smaller ids, as Hugging Face's BpeTrainer. Ends early, with fewer tokens, when no pair
  /// occurs `min_count` times. `on_merge(merges so far)` is called now and then.
  std::string train(const std::function<void(int64_t)>& on_merge = {}) const;

 private:
  BpeTraining options_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  WordCounts counts_;
};

}  // namespace alambic
