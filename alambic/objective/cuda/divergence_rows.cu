// Divergences of rows of logits with their gradient, a row to a block (divergence_cpu.cpp is the
// same for a CPU).
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/kernels/cuda/select.h"
#include "alambic/objective/cuda/arithmetic.h"
#include "alambic/objective/cuda/rows.h"
#include "alambic/objective/cuda/softmax.h"
#include "alambic/objective/divergences/all.h"

namespace alambic::device {
namespace {

using A = Arithmetic;

/// Both rows' softmax in the form that the visits need.
struct Pair {
  float student_top, teacher_top, student_log_sum, teacher_log_sum, shift, inverse_temperature;

  __device__ Pair(const Softmax& s, const Softmax& t, float inverse_temperature)
      : student_top(s.top),
        teacher_top(t.top),
        student_log_sum(static_cast<float>(s.log_sum)),
        teacher_log_sum(static_cast<float>(t.log_sum)),
        shift(static_cast<float>(s.log_sum - t.log_sum)),
        inverse_temperature(inverse_temperature) {}

  __device__ float log_q(float z) const {
    return (z - student_top) * inverse_temperature - student_log_sum;
  }
  __device__ float log_p(float z) const {
    return (z - teacher_top) * inverse_temperature - teacher_log_sum;
  }
  /// From the logits, not from the logarithms: equal distributions give exactly 0.
  __device__ float delta(float zs, float zt) const {
    return ((zs - student_top) - (zt - teacher_top)) * inverse_temperature - shift;
  }
  __device__ Entry<A> entry(float zs, float zt) const {
    return {expf(log_p(zt)), expf(log_q(zs)), delta(zs, zt)};
  }
};

__device__ Contribution<A> contribution(DivergenceKind kind, const Entry<A>& entry,
                                        float parameter) {
  switch (kind) {
#define ALAMBIC_DIVERGENCE(kind, type) \
  case DivergenceKind::kind:           \
    return type::template at<A>(entry, parameter);
#include "alambic/objective/divergences.def"
#undef ALAMBIC_DIVERGENCE
  }
  return {};
}

__device__ float difference(const Entry<A>& entry) { return fabsf(entry.p - entry.q); }

/// Akl's parameter of a row (divergences/akl.h).
__device__ float head_share(const Pair& pair, const float* student, const float* teacher,
                            int64_t vocabulary) {
  const auto key = [&](int64_t v) { return ordered(teacher[v]); };
  const Kept head = keep_share(vocabulary, fixed(0.5f), key,
                               [&](int64_t v) { return fixed(expf(pair.log_p(teacher[v]))); });
  double all = 0, part = 0;
  for (int64_t v = threadIdx.x; v < vocabulary; v += blockDim.x) {
    const float far = difference(pair.entry(student[v], teacher[v]));
    all += far;
    if (head.holds(key(v), v)) part += far;
  }
  all = block_sum(all);
  part = block_sum(part);
  return all > 0 ? static_cast<float>(part < all ? part / all : 1) : 0.5f;
}

/// What a thread has of a row's sums.
struct Sums {
  double value, pull, reverse_kl, forward_kl, student_entropy, teacher_entropy;
};

/// The weighted pulls of a token; `value` becomes the weighted values.
__device__ float pull_of(const DeviceDivergence& job, const Entry<A>& entry, float share,
                         float& value) {
  float pull = 0;
  value = 0;
  for (int i = 0; i < job.term_count; ++i) {
    const WeightedTerm& term = job.terms[i];
    const float parameter =
        term.kind == DivergenceKind::akl ? share : static_cast<float>(term.parameter);
    const Contribution<A> found = contribution(term.kind, entry, parameter);
    value += static_cast<float>(term.value_weight) * found.value;
    pull += static_cast<float>(term.pull_weight) * found.pull;
  }
  return pull;
}

__device__ Sums sums_of(const DeviceDivergence& job, const Pair& pair, const float* student,
                        const float* teacher, float share) {
  Sums sums = {};
  for (int64_t v = threadIdx.x; v < job.vocabulary;) {
    float value = 0, pull = 0, reverse = 0, forward = 0, of_student = 0, of_teacher = 0;
    for (int i = 0; i < run_length && v < job.vocabulary; ++i, v += blockDim.x) {
      const Entry<A> entry = pair.entry(student[v], teacher[v]);
      float one;
      pull += pull_of(job, entry, share, one);
      value += one;
      reverse += positive_term<A>(entry.q, entry.p, -entry.delta);
      forward += positive_term<A>(entry.p, entry.q, entry.delta);
      of_student -= entry.q * pair.log_q(student[v]);
      of_teacher -= entry.p * pair.log_p(teacher[v]);
    }
    sums.value += value;
    sums.pull += pull;
    sums.reverse_kl += reverse;
    sums.forward_kl += forward;
    sums.student_entropy += of_student;
    sums.teacher_entropy += of_teacher;
  }
  return sums;
}

__global__ void divergence_row(DeviceDivergence job) {
  float* student = job.student + blockIdx.x * job.stride;
  const float* teacher = job.teacher + blockIdx.x * job.stride;
  const auto inverse_temperature = static_cast<float>(1 / job.temperature);
  const Softmax s = softmax(student, job.vocabulary, inverse_temperature);
  const Softmax t = softmax(teacher, job.vocabulary, inverse_temperature);
  const Pair pair(s, t, inverse_temperature);
  float share = 0.5f;
  for (int i = 0; i < job.term_count; ++i) {
    // A row that is not finite has no head; what comes of it is not finite anyway.
    if (job.terms[i].kind == DivergenceKind::akl && s.log_sum - s.log_sum == 0 &&
        t.log_sum - t.log_sum == 0) {
      share = head_share(pair, student, teacher, job.vocabulary);
    }
  }
  const Sums mine = sums_of(job, pair, student, teacher, share);
  const double mean = block_sum(mine.pull);  // ⟨q, x⟩
  const double of_row[6] = {block_sum(mine.value),           block_sum(mine.reverse_kl),
                            block_sum(mine.forward_kl),      block_sum(mine.student_entropy),
                            block_sum(mine.teacher_entropy), s.argmax == t.argmax ? 1.0 : 0.0};
  if (threadIdx.x == 0) {
    for (int i = 0; i < 6; ++i) job.sums[blockIdx.x * 6 + i] = of_row[i];
  }
  if (!job.gradient) return;
  const auto weight = static_cast<float>(job.weight), center = static_cast<float>(mean);
  const auto cap = static_cast<float>(job.softcap > 0 ? 1 / (job.softcap * job.softcap) : 0);
  for (int64_t v = threadIdx.x; v < job.vocabulary; v += blockDim.x) {
    const float z = student[v];
    const Entry<A> entry = pair.entry(z, teacher[v]);
    float value;
    const float pull = pull_of(job, entry, share, value);
    student[v] = weight * (1.0f - z * z * cap) * (pull - center * entry.q);
  }
}

// A sum to a block.
__global__ void add_rows(const double* sums, double* total, int64_t rows) {
  double sum = 0;
  for (int64_t r = threadIdx.x; r < rows; r += blockDim.x) sum += sums[r * 6 + blockIdx.x];
  sum = block_sum(sum);
  if (threadIdx.x == 0) total[blockIdx.x] += sum;
}

}  // namespace

void divergence_rows(const DeviceDivergence& job, void* stream) {
  if (job.rows == 0) return;
  simt::launch(divergence_row, static_cast<unsigned>(job.rows),
               threads_for(job.vocabulary, row_threads), 0, stream, job);
  simt::launch(add_rows, 6, threads_for(job.rows, row_threads), 0, stream,
               static_cast<const double*>(job.sums), job.total, job.rows);
}

}  // namespace alambic::device
