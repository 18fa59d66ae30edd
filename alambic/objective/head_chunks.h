// Logits and their gradients a few rows at a time: what every objective over the whole vocabulary
// shares, so that [M, V] never exists.
#pragma once

#include <functional>

#include "alambic/flow/head.h"
#include "alambic/objective/divergence.h"

namespace alambic {

/// Rows whose logits exist at a time, for `buffers` float32 buffers of [rows, vocabulary]: what
/// fits 64 MB together, within 128 and 1024; on a device, whose products would starve, a fortieth
/// of its memory, within 128 and 4096. Never more than `graded`.
int64_t chunk_rows(const ChunkOptions& chunk, int64_t graded, int64_t vocabulary, int buffers,
                   at::Device device);

/// Sums are made in the input's precision: float64 stays, everything else is widened to float32.
at::ScalarType working_dtype(const Tensor& hidden_MD);

/// The logits of one head over one list of hidden states, in a buffer of `rows` rows that every
/// chunk reuses. Rows of the buffer start on 64 bytes and have room for a multiple of 16 numbers.
class HeadChunks {
 public:
  /// `dtype`: of the logits.
  HeadChunks(const Tensor& hidden_MD, const Head& head, int64_t rows, at::ScalarType dtype);

  /// Logits of hidden states begin … begin + count, [count, V]; valid until the next call.
  Tensor logits_CV(int64_t begin, int64_t count);

  int64_t graded() const { return hidden_MD_.size(0); }
  const Head& head() const { return head_; }
  const Tensor& hidden_MD() const { return hidden_MD_; }
  /// Whether hidden states and head stay in bfloat16 and only the results are wide.
  bool narrow() const { return narrow_; }

 private:
  Tensor hidden_MD_;
  bool narrow_;
  Head head_;  // weight and bias as constants for products in the working dtype
  Tensor buffer_;
};

/// Gradients of a sum over chunks with regard to hidden states, weight and bias; only those that
/// are needed. Weight and bias are accumulated in the working dtype over all chunks.
class HeadGradient {
 public:
  /// Needed are the leaves and results that require a gradient while gradients are on.
  HeadGradient(const Tensor& hidden_MD, const Head& head);

  bool needed() const { return hidden_needed_ || weight_needed_ || bias_needed_; }

  /// gradient_CV: of the loss with regard to scale · (hidden · weightᵀ + bias), that is, with the
  /// soft-cap's derivative and without the scale.
  void add(const HeadChunks& chunks, int64_t begin, const Tensor& gradient_CV);

  /// `value` as a function of hidden states, weight and bias that autograd knows: its backward
  /// hands out these gradients times the incoming one. Once.
  Tensor attach(const Tensor& value) &&;

 private:
  // The same of a bfloat16 gradient whose products are wide.
  void add_narrow(const HeadChunks& chunks, int64_t begin, const Tensor& narrow_CV);

  Tensor hidden_, weight_, bias_;  // the inputs, for the graph
  bool hidden_needed_, weight_needed_, bias_needed_;
  Tensor hidden_MD_, weight_VD_, bias_V_;  // their gradients
};

/// Calls visit(begin, count) for consecutive chunks of at most `rows` rows.
void for_each_chunk(int64_t graded, int64_t rows,
                    const std::function<void(int64_t begin, int64_t count)>& visit);

}  // namespace alambic
