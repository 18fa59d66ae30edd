// Manifest of a teacher cache (docs/formats.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

enum class CacheForm {
  hidden,  ///< final hidden states: exact, for any objective and temperature
  topk,    ///< the K most likely tokens at one temperature, and by them the tail
};

struct CacheManifest {
  CacheForm form = CacheForm::hidden;
  std::string dtype = "bfloat16";  ///< type of stored hidden states: "bfloat16" or "float32"
  int64_t width = 0;               ///< width of hidden states
  int64_t topk = 0;
  double temperature = 1;  ///< temperature of stored log-probabilities; hidden states have none

  std::string teacher;  ///< folder, for people; the digests decide
  std::string teacher_digest, tokenizer_digest, template_digest;
  int64_t vocabulary = 0;
  std::string computed_in;  ///< dtype of the teacher's weights when it graded, for the record

  struct Part {
    std::string file, sha256;
    int64_t sequences = 0, positions = 0;
  };
  std::vector<Part> parts;

  int64_t positions() const;
  int64_t bytes_per_position() const;

  std::string json() const;
  /// Input errors name the file and the field.
  static CacheManifest read(const fs::path& file);
};

/// Difference between a cache on disk and the one that a run needs: "teacher: … here, … in the
/// run"; "" when it can be replayed. Parts, folder and computed_in do not count.
std::string describe_difference(const CacheManifest& stored, const CacheManifest& needed);

}  // namespace alambic
