#include "alambic/objective/divergence.h"

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/objective/divergence_rows.h"
#include "alambic/objective/head_chunks.h"
#include "alambic/objective/piece_divergence.h"
#include "alambic/objective/span_divergence.h"
#include "alambic/objective/topk.h"

namespace alambic {
namespace {

bool is_option(const DivergenceParameter& parameter) {
  return parameter.source == DivergenceParameter::beta ||
         parameter.source == DivergenceParameter::alpha;
}

/// Kernels divide by 1 − parameter and take logarithms of it: at the ends another kind stands in.
DivergenceKind kind_at_its_end(const DivergenceTerm& term) {
  const DivergenceParameter& parameter = info_of(term.kind).parameter;
  const bool end = term.parameter == 0 || term.parameter == 1;
  if (!end || !is_option(parameter)) return term.kind;
  return term.parameter == 0 ? parameter.at_zero : parameter.at_one;
}

void check_term(const DivergenceTerm& term) {
  if (!std::isfinite(term.weight) || term.weight < 0) {
    throw input_error("a weight of the objective is {}, expected a positive number", term.weight);
  }
  const DivergenceParameter::Source source = info_of(term.kind).parameter.source;
  if (source == DivergenceParameter::beta && !(term.parameter >= 0 && term.parameter <= 1)) {
    throw input_error("beta is {}, expected 0 (forward KL) to 1 (reverse KL)", term.parameter);
  }
  if (source == DivergenceParameter::alpha && !(term.parameter >= 0 && term.parameter < 1)) {
    throw input_error("alpha is {}, expected 0 (no skew) to below 1 (no divergence)",
                      term.parameter);
  }
}

void check_temperature(double temperature) {
  if (!(temperature > 0) || !std::isfinite(temperature)) {
    throw input_error("kd-temperature is {}, expected a positive number", temperature);
  }
}

void check_pair(const Tensor& student_MD, const Head& student, const HiddenStates& teacher) {
  if (student.vocabulary() != teacher.head.vocabulary()) {
    throw input_error("the student has {} tokens, the teacher {}", student.vocabulary(),
                      teacher.head.vocabulary())
        .with_hint(
            "distillation compares distributions over one vocabulary: use a student with "
            "the teacher's tokenizer");
  }
  check(student_MD.dim() == 2 && teacher.hidden_MD.dim() == 2 &&
            student_MD.size(0) == teacher.hidden_MD.size(0),
        "{} graded positions of the student, {} of the teacher", student_MD.size(0),
        teacher.hidden_MD.size(0));
}

std::vector<WeightedTerm> weighted_terms(const Divergence& divergence) {
  std::vector<WeightedTerm> terms;
  for (const DivergenceTerm& term : divergence.terms) {
    check_term(term);
    const DivergenceKind kind = kind_at_its_end(term);
    const int power = info_of(kind).temperature_power;
    terms.push_back({.kind = kind,
                     .parameter = term.parameter,
                     .value_weight = term.weight * std::pow(divergence.kd_temperature, power),
                     .pull_weight = term.weight * std::pow(divergence.kd_temperature, power - 1)});
  }
  return terms;
}

/// Over the whole vocabulary.
Loss full_sum(const DivergenceRow& row, const Tensor& student_MD, const Head& student,
              const HiddenStates& teacher, double normalizer, const ChunkOptions& chunk) {
  HeadGradient gradient(student_MD, student);
  DivergenceRow visited = row;
  visited.gradient = gradient.needed();
  const at::NoGradGuard no_gradient;
  const int64_t graded = student_MD.size(0);
  const int64_t rows = chunk_rows(chunk, graded, student.vocabulary(), 2, student_MD.device());
  const auto dtype = working_dtype(student_MD);
  HeadChunks students(student_MD, student, rows, dtype);
  HeadChunks teachers(teacher.hidden_MD, teacher.head, rows, dtype);
  const Tensor total = at::zeros({6}, student_MD.options().dtype(at::kDouble).requires_grad(false));
  for_each_chunk(graded, rows, [&](int64_t begin, int64_t count) {
    const Tensor student_CV = students.logits_CV(begin, count);
    divergence_rows(visited, student_CV, teachers.logits_CV(begin, count), total);
    if (visited.gradient) gradient.add(students, begin, student_CV);
  });

  const Tensor numbers = total.cpu();
  const auto* sums = numbers.const_data_ptr<double>();
  const Tensor value = (total[0] / normalizer).to(dtype);
  const at::AutoGradMode with_gradient(visited.gradient);
  return {.value = std::move(gradient).attach(value),
          .sums = {{"reverse_kl", sums[1]},
                   {"forward_kl", sums[2]},
                   {"student_entropy", sums[3]},
                   {"teacher_entropy", sums[4]},
                   {"agreement", sums[5]}}};
}

/// The student beside a teacher, in each form that its output can have (one call each).
struct StudentBeside {
  const Divergence& divergence;
  const Tensor& student_MD;
  const Head& student;
  double normalizer;
  const ChunkOptions& chunk;
  const Tensor& token_M;

  Loss operator()(const HiddenStates& teacher) const {
    check_pair(student_MD, student, teacher);
    if (divergence.topk == 0) {
      return full_sum(row(), student_MD, student, teacher, normalizer, chunk);
    }
    return topk_sum(row(), chosen(), student_MD, student, teacher, chunk);
  }
  Loss operator()(const TopK& teacher) const {
    return topk_sum(row(), chosen(), student_MD, student, teacher, chunk);
  }
  Loss operator()(const TokenLogp& /*teacher*/) const {
    throw input_error("this teacher grades each token by one number, which is no distribution")
        .with_hint("--objective sampled_reverse_kl");
  }
  Loss operator()(const AlignedStates& teacher) const {
    check(token_M.defined(), "spans are compared of known tokens");
    const Tensor& listed = teacher.topk.logp_MK;
    check(divergence.topk == 0 || (listed.defined() && listed.size(1) == divergence.topk),
          "pieces of {} tokens of a teacher", divergence.topk);
    const auto sum = teacher.map.cells ? piece_sum : span_sum;
    return sum(row(), student_MD, student, token_M, teacher, chunk);
  }

  TopKChoice chosen() const { return {.size = divergence.topk, .by = divergence.topk_by}; }
  DivergenceRow row() const {
    return {.vocabulary = student.vocabulary(),
            .terms = weighted_terms(divergence),
            .temperature = divergence.kd_temperature,
            .weight = 1 / normalizer,
            .softcap = student.softcap,
            .gradient = false};
  }
};

}  // namespace

Divergence generalized_jsd(double beta, double kd_temperature, bool normalize) {
  const bool between = beta > 0 && beta < 1;
  const double weight = normalize && between ? 1 / (beta * (1 - beta)) : 1;
  return {.terms = {{DivergenceKind::jsd, beta, weight}}, .kd_temperature = kd_temperature};
}

Loss divergence_loss(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                     const TeacherOutput& teacher_output, double normalizer,
                     const ChunkOptions& chunk, const Tensor& token_M) {
  check_temperature(divergence.kd_temperature);
  check(normalizer > 0 && std::isfinite(normalizer), "normalizer {}", normalizer);
  return std::visit(StudentBeside{.divergence = divergence,
                                  .student_MD = student_MD,
                                  .student = student,
                                  .normalizer = normalizer,
                                  .chunk = chunk,
                                  .token_M = token_M},
                    teacher_output);
}

Loss measure_divergence(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                        const TeacherOutput& teacher_output, const ChunkOptions& chunk,
                        const Tensor& token_M) {
  const at::NoGradGuard no_gradient;
  return divergence_loss(divergence, student_MD, student, teacher_output, 1, chunk, token_M);
}

}  // namespace alambic
