#pragma once

#include <cstdint>

namespace alambic {

struct TeacherHead {
  const int32_t* ids;  ///< until the next call in this thread
  int64_t count;
};

/// The most likely teacher tokens that together have half of the probability, fewest first; ties go
/// to the lower id (Wu et al., arXiv 2404.02657). `log_sum`: log Σ exp((z − top) / temperature).
TeacherHead teacher_head(const float* teacher, int64_t vocabulary, double log_sum, float top,
                         double temperature);

}  // namespace alambic
