// Sequences to grade: what a model says of given tokens, each after everything before it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "alambic/serve/http_messages.h"

namespace alambic {

/// Rows in the order of sequences and positions; M of them.
struct Grades {
  std::vector<int64_t> offsets;  ///< S + 1: rows of each sequence
  std::vector<float> logp;       ///< [M] of the given tokens
  std::vector<int32_t> rank;     ///< [M] how many tokens are as likely or likelier; 1: the first
  std::vector<float> topk_logp;  ///< [M, K], falling
  std::vector<int32_t> topk_token;
  int64_t k = 0;
  /// Final hidden states in place of all that, [M, D] in the model's dtype.
  std::string hidden;
  int64_t width = 0;
  std::string dtype;  ///< "F32" or "BF16"
};

class GradeJob {
 public:
  // What is asked. Not changed once it is submitted.
  size_t model = 0;
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> from;  ///< per sequence: first position that is graded, at least 1
  int64_t k = 0;              ///< most likely tokens of each row
  double temperature = 1;
  bool hidden = false;  ///< hidden states instead
  Wake wake;

  int64_t tokens() const;
  int64_t rows() const;

  // The engine's side.
  void end(Grades grades);
  void fail(std::string reason);
  bool cancelled() const { return cancelled_; }

  // The connection's side.
  void cancel() { cancelled_ = true; }
  bool ended() const;
  /// What was found, once it has ended; "" for a failure's reason where there is none.
  const Grades& grades() const { return grades_; }
  const std::string& failure() const { return failure_; }

 private:
  mutable std::mutex mutex_;
  Grades grades_;
  std::string failure_;
  bool ended_ = false;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace alambic
