#include "alambic/objective/divergence.h"

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/objective/divergence_rows.h"
#include "alambic/objective/head_chunks.h"

namespace alambic {
namespace {

void check_inputs(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                  const Judgement& judgement) {
  if (!(divergence.beta >= 0 && divergence.beta <= 1)) {
    throw input_error("beta is {}, expected 0 (forward KL) to 1 (reverse KL)", divergence.beta);
  }
  if (!(divergence.kd_temperature > 0) || !std::isfinite(divergence.kd_temperature)) {
    throw input_error("kd-temperature is {}, expected a positive number",
                      divergence.kd_temperature);
  }
  if (student.vocabulary() != judgement.head.vocabulary()) {
    throw input_error("the student has {} tokens, the teacher {}", student.vocabulary(),
                      judgement.head.vocabulary())
        .with_hint(
            "distillation compares distributions over one vocabulary: use a student with "
            "the teacher's tokenizer");
  }
  check(student_MD.dim() == 2 && judgement.hidden_MD.dim() == 2 &&
            student_MD.size(0) == judgement.hidden_MD.size(0),
        "{} graded positions of the student, {} of the teacher", student_MD.size(0),
        judgement.hidden_MD.size(0));
}

Loss divergence_sum(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                    const Judgement& judgement, double normalizer, const ChunkOptions& chunk) {
  check_inputs(divergence, student_MD, student, judgement);
  check(normalizer > 0 && std::isfinite(normalizer), "normalizer {}", normalizer);
  HeadGradient gradient(student_MD, student);
  const at::NoGradGuard no_gradient;
  const int64_t graded = student_MD.size(0);
  const int64_t rows = chunk_rows(chunk, graded, student.vocabulary(), 2);
  const auto dtype = working_dtype(student_MD);
  HeadChunks students(student_MD, student, rows, dtype);
  HeadChunks teachers(judgement.hidden_MD, judgement.head, rows, dtype);

  const double temperature = divergence.kd_temperature;
  const DivergenceRow row{.vocabulary = student.vocabulary(),
                          .beta = divergence.beta,
                          .temperature = temperature,
                          // T² of the value, 1/T of the logits
                          .weight = temperature / normalizer,
                          .softcap = student.softcap,
                          .gradient = gradient.needed()};
  const Tensor total = at::zeros({6}, student_MD.options().dtype(at::kDouble).requires_grad(false));
  for_each_chunk(graded, rows, [&](int64_t begin, int64_t count) {
    const Tensor student_CV = students.logits_CV(begin, count);
    divergence_rows(row, student_CV, teachers.logits_CV(begin, count), total);
    if (row.gradient) gradient.add(students, begin, student_CV);
  });

  const Tensor numbers = total.cpu();
  const auto* sums = numbers.const_data_ptr<double>();
  const Tensor value = (total[0] * (temperature * temperature / normalizer)).to(dtype);
  const at::AutoGradMode with_gradient(row.gradient);
  return {.value = std::move(gradient).attach(value),
          .sums = {{"reverse_kl", sums[1]},
                   {"forward_kl", sums[2]},
                   {"student_entropy", sums[3]},
                   {"teacher_entropy", sums[4]},
                   {"agreement", sums[5]}}};
}

}  // namespace

Loss divergence_loss(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                     const Judgement& judgement, double normalizer, const ChunkOptions& chunk) {
  return divergence_sum(divergence, student_MD, student, judgement, normalizer, chunk);
}

Loss measure_divergence(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                        const Judgement& judgement, const ChunkOptions& chunk) {
  const at::NoGradGuard no_gradient;
  return divergence_sum(divergence, student_MD, student, judgement, 1, chunk);
}

}  // namespace alambic
