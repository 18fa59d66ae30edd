#include "alambic/objective/topk.h"

#include "alambic/base/error.h"
#include "alambic/objective/divergence_rows.h"
#include "alambic/objective/divergences/all.h"
#include "alambic/objective/head_chunks.h"

namespace alambic {
namespace {

using A = TensorArithmetic;

/// A tail that underflowed in one model only is this far away, in nats: large, not infinite.
constexpr double kFarthest = 700;

/// The chosen tokens of some rows; a row of a union that names a token twice has it masked once.
struct Chosen {
  Tensor token_CK;  ///< int64
  Tensor twice_CK;  ///< bool; undefined: nowhere
  int64_t size() const { return token_CK.size(1); }
};

/// Log-probabilities of the chosen tokens and of the tail, float64 [C, K + 1]; −∞ for no bucket.
struct Buckets {
  Tensor log_CB;
  Tensor tail_C1;  ///< the tail's probability
};

Tensor largest(const Tensor& logits_CV, int64_t size) {
  return std::get<1>(at::topk(logits_CV, size, -1));
}

Chosen choose(const TopKChoice& topk, const Tensor& student_CV, const Tensor& teacher_CV) {
  if (topk.by == TopKBy::student) return {largest(student_CV, topk.size), {}};
  const Tensor teachers = largest(teacher_CV, topk.size);
  if (topk.by == TopKBy::teacher) return {teachers, {}};
  const auto sorted =
      std::get<0>(at::sort(at::cat({teachers, largest(student_CV, topk.size)}, -1)));
  Tensor twice = at::zeros_like(sorted, at::kBool);
  const int64_t last = sorted.size(1) - 1;
  twice.narrow(1, 1, last).copy_(sorted.narrow(1, 1, last) == sorted.narrow(1, 0, last));
  return {sorted, twice};
}

Tensor with_tail(const Tensor& log_CK, const Tensor& tail_C1, const Chosen& chosen) {
  const Tensor kept =
      chosen.twice_CK.defined() ? log_CK.masked_fill(chosen.twice_CK, -INFINITY) : log_CK;
  return at::cat({kept, tail_C1.log()}, -1);
}

/// Turns logits into probabilities in place, with 0 at the chosen tokens.
Buckets take_buckets(const Tensor& logits_CV, double temperature, const Chosen& chosen) {
  logits_CV.sub_(logits_CV.amax(-1, true)).div_(temperature);
  const Tensor below_CK = logits_CV.gather(-1, chosen.token_CK).to(at::kDouble);
  const Tensor sum_C1 = logits_CV.exp_().sum(-1, true, at::kDouble);
  const Tensor log_CK = below_CK - sum_C1.log();
  logits_CV.div_(sum_C1).scatter_(-1, chosen.token_CK, 0);
  const Tensor tail_C1 = logits_CV.sum(-1, true, at::kDouble);
  return {with_tail(log_CK, tail_C1, chosen), tail_C1};
}

/// Buckets of a remote or cached teacher; all of its log-probabilities are at the temperature.
Buckets given_buckets(const Tensor& logp_CK, int64_t vocabulary, const Chosen& chosen) {
  const Tensor log_CK = logp_CK.to(at::kDouble);
  const Tensor rest_C1 = 1 - log_CK.exp().sum(-1, true);
  const bool whole = chosen.size() == vocabulary;
  const Tensor tail_C1 = whole ? at::zeros_like(rest_C1) : rest_C1.clamp_min(kLeastTail);
  return {with_tail(log_CK, tail_C1, chosen), tail_C1};
}

/// Buckets that neither model has are left out by a log-ratio of 0.
Entry<A> entry_of(const Buckets& teacher, const Buckets& student) {
  const Tensor impossible = at::isneginf(student.log_CB) & at::isneginf(teacher.log_CB);
  return {
      teacher.log_CB.exp(), student.log_CB.exp(),
      (student.log_CB - teacher.log_CB).masked_fill(impossible, 0).clamp(-kFarthest, kFarthest)};
}

/// The gradient with regard to logits, over the student's probabilities that take_buckets left.
void write_gradient(const DivergenceRow& row, const Entry<A>& entry, const Tensor& pull_CB,
                    const Chosen& chosen, const Tensor& student_CV) {
  const int64_t K = chosen.size();
  const Tensor mean_C1 = pull_CB.sum(-1, true);
  const Tensor tail_q_C1 = entry.q.narrow(1, K, 1), tail_pull_C1 = pull_CB.narrow(1, K, 1);
  const Tensor tail_x_C1 =
      at::where(tail_q_C1 > 0, tail_pull_C1 / tail_q_C1, at::zeros_like(tail_q_C1));
  const auto dtype = student_CV.scalar_type();
  student_CV.mul_((row.weight * (tail_x_C1 - mean_C1)).to(dtype));
  const Tensor kept_CK = row.weight * (pull_CB.narrow(1, 0, K) - entry.q.narrow(1, 0, K) * mean_C1);
  // A token named twice has 0 in one of its places: add both.
  student_CV.scatter_add_(-1, chosen.token_CK, kept_CK.to(dtype));
}

struct Visit {
  const DivergenceRow& row;
  const Tensor total;

  void operator()(const Buckets& teacher, const Buckets& student, const Chosen& chosen,
                  const Tensor& student_CV, bool gradient, const Tensor& cap_CV) const {
    const Entry<A> entry = entry_of(teacher, student);
    const TermTensors terms = add_terms(row.terms, entry);
    const auto best = [](const Buckets& b, int64_t K) {
      return b.log_CB.narrow(1, 0, K).argmax(-1);
    };
    const int64_t K = chosen.size();
    const Tensor agree = best(teacher, K) == best(student, K);
    total.add_(at::stack({terms.value_C1.sum(), ReverseKl::at<A>(entry, {}).value.sum(),
                          ForwardKl::at<A>(entry, {}).value.sum(), (1 - student.tail_C1).sum(),
                          (1 - teacher.tail_C1).sum(), agree.to(at::kDouble).sum()}));
    if (!gradient) return;
    write_gradient(row, entry, terms.pull_CV, chosen, student_CV);
    if (cap_CV.defined()) student_CV.mul_(cap_CV);
  }
};

TopKChoice checked(const TopKChoice& choice, const Tensor& student_MD, const Head& student,
                   const TopK& teacher) {
  if (choice.by != TopKBy::teacher) {
    throw input_error("this teacher knows only its own most likely tokens")
        .with_hint("--kd-topk-by teacher");
  }
  const int64_t known = teacher.logp_MK.size(1);
  if (choice.size > known) {
    throw input_error("kd-topk is {}, but the teacher gives {} tokens", choice.size, known);
  }
  const Tensor& token = teacher.token_MK;
  check(teacher.logp_MK.size(0) == student_MD.size(0) && token.sizes() == teacher.logp_MK.sizes(),
        "top-K of {} positions for {}", teacher.logp_MK.size(0), student_MD.size(0));
  if (token.numel() > 0 &&
      (token.min().item<int64_t>() < 0 || token.max().item<int64_t>() >= student.vocabulary())) {
    throw input_error("the teacher names token {}, the student has {} tokens",
                      token.max().item<int64_t>(), student.vocabulary());
  }
  return {.size = choice.size == 0 ? known : choice.size, .by = choice.by};
}

/// The chosen tokens of a chunk and the teacher's buckets over them.
struct TeacherChunk {
  Chosen chosen;
  Buckets buckets;
};

/// Buckets computed from a teacher's hidden states.
struct ComputedBuckets {
  HeadChunks teachers;
  TopKChoice choice;
  double temperature;

  TeacherChunk operator()(int64_t begin, int64_t count, const Tensor& student_CV) {
    const Tensor teacher_CV = teachers.logits_CV(begin, count);
    Chosen chosen = choose(choice, student_CV, teacher_CV);
    Buckets buckets = take_buckets(teacher_CV, temperature, chosen);
    return {std::move(chosen), std::move(buckets)};
  }
};

/// Buckets of the tokens that a teacher gives.
struct GivenBuckets {
  const TopK& teacher;
  int64_t size, vocabulary;

  TeacherChunk operator()(int64_t begin, int64_t count, const Tensor& /*student_CV*/) const {
    Chosen chosen{.token_CK = part(teacher.token_MK, begin, count), .twice_CK = {}};
    Buckets buckets = given_buckets(part(teacher.logp_MK, begin, count), vocabulary, chosen);
    return {std::move(chosen), std::move(buckets)};
  }
  Tensor part(const Tensor& t, int64_t begin, int64_t count) const {
    return t.narrow(0, begin, count).narrow(1, 0, size);
  }
};

/// `teacher(begin, count, student_CV)`: the teacher's side of a chunk. Gradients are off.
template <class Teacher>
Loss sum_chunks(const DivergenceRow& row, const Tensor& student_MD, const Head& student,
                HeadGradient gradient, Teacher teacher, int64_t rows) {
  const auto dtype = working_dtype(student_MD);
  HeadChunks students(student_MD, student, rows, dtype);
  const Visit visit{row,
                    at::zeros({6}, student_MD.options().dtype(at::kDouble).requires_grad(false))};
  for_each_chunk(student_MD.size(0), rows, [&](int64_t begin, int64_t count) {
    const Tensor student_CV = students.logits_CV(begin, count);
    const bool capped = gradient.needed() && row.softcap > 0;
    const Tensor cap_CV = capped ? 1 - (student_CV / row.softcap).square() : Tensor();
    const TeacherChunk other = teacher(begin, count, student_CV);
    const Buckets mine = take_buckets(student_CV, row.temperature, other.chosen);
    visit(other.buckets, mine, other.chosen, student_CV, gradient.needed(), cap_CV);
    if (gradient.needed()) gradient.add(students, begin, student_CV);
  });

  const Tensor numbers = visit.total.cpu();
  const auto* sums = numbers.const_data_ptr<double>();
  const Tensor value = (visit.total[0] * row.weight).to(dtype);
  const at::AutoGradMode with_gradient(gradient.needed());
  return {.value = std::move(gradient).attach(value),
          .sums = {{"topk_reverse_kl", sums[1]},
                   {"topk_forward_kl", sums[2]},
                   {"student_topk_mass", sums[3]},
                   {"teacher_topk_mass", sums[4]},
                   {"agreement", sums[5]}}};
}

int64_t rows_of(const ChunkOptions& chunk, const Tensor& student_MD, const Head& student) {
  return chunk_rows(chunk, student_MD.size(0), student.vocabulary(), 2, student_MD.device());
}

}  // namespace

Loss topk_sum(const DivergenceRow& row, const TopKChoice& choice, const Tensor& student_MD,
              const Head& student, const HiddenStates& teacher, const ChunkOptions& chunk) {
  HeadGradient gradient(student_MD, student);
  const at::NoGradGuard no_gradient;
  const int64_t rows = rows_of(chunk, student_MD, student);
  const int64_t size = std::min(choice.size, student.vocabulary());
  ComputedBuckets computed{
      .teachers = HeadChunks(teacher.hidden_MD, teacher.head, rows, working_dtype(student_MD)),
      .choice = {.size = size, .by = choice.by},
      .temperature = row.temperature};
  return sum_chunks(row, student_MD, student, std::move(gradient), std::move(computed), rows);
}

Loss topk_sum(const DivergenceRow& row, const TopKChoice& choice, const Tensor& student_MD,
              const Head& student, const TopK& teacher, const ChunkOptions& chunk) {
  const TopKChoice known = checked(choice, student_MD, student, teacher);
  HeadGradient gradient(student_MD, student);
  const at::NoGradGuard no_gradient;
  const GivenBuckets given{
      .teacher = teacher, .size = known.size, .vocabulary = student.vocabulary()};
  return sum_chunks(row, student_MD, student, std::move(gradient), given,
                    rows_of(chunk, student_MD, student));
}

}  // namespace alambic
