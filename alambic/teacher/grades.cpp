#include "alambic/teacher/grades.h"

#include <cstring>

#include "alambic/base/error.h"
#include "alambic/flow/packed.h"
#include "alambic/nn/head_logits.h"

namespace alambic {

namespace {

// Rows that predict a graded token, and those tokens.
struct GradedRows {
  std::vector<int64_t> rows, tokens, offsets = {0};
};

GradedRows graded_rows(const Packed& input, const GradeJob& job) {
  GradedRows graded;
  for (size_t s = 0; s < job.sequences.size(); ++s) {
    for (int64_t at = job.from[s]; at < std::ssize(job.sequences[s]); ++at) {
      graded.rows.push_back(input.offsets[s] + at - 1);
      graded.tokens.push_back(job.sequences[s][static_cast<size_t>(at)]);
    }
    graded.offsets.push_back(std::ssize(graded.rows));
  }
  return graded;
}

template <class T>
void append(const Tensor& from, at::ScalarType type, std::vector<T>& to) {
  const Tensor values = from.to(at::TensorOptions(at::kCPU).dtype(type)).contiguous();
  const T* data = values.const_data_ptr<T>();
  to.insert(to.end(), data, data + values.numel());
}

void grade_chunk(const Head& head, const Tensor& hidden_CD, const Tensor& token_C,
                 const GradeJob& job, Grades& grades) {
  const Tensor logits_CV = head_logits(head, hidden_CD.to(at::kFloat));
  const Tensor logp_CV = logits_CV.div_(job.temperature).log_softmax(1);
  const Tensor logp_C1 = logp_CV.gather(1, token_C.unsqueeze(1));
  if (logp_C1.isnan().any().item<bool>()) {
    throw input_error("cannot grade: a log-probability is not a number")
        .with_hint("the weights hold values that are not finite, or overflow in this dtype");
  }
  append(logp_C1, at::kFloat, grades.logp);
  append((logp_CV > logp_C1).sum(1) + 1, at::kInt, grades.rank);
  if (job.k == 0) return;
  const auto top = logp_CV.topk(job.k, 1, /*largest=*/true, /*sorted=*/true);
  append(std::get<0>(top), at::kFloat, grades.topk_logp);
  append(std::get<1>(top), at::kInt, grades.topk_token);
}

void take_hidden(const Tensor& hidden_MD, Grades& grades) {
  const bool narrow = hidden_MD.scalar_type() == at::kBFloat16;
  const Tensor states =
      hidden_MD.to(at::TensorOptions(at::kCPU).dtype(narrow ? at::kBFloat16 : at::kFloat))
          .contiguous();
  grades.dtype = narrow ? "BF16" : "F32";
  grades.width = states.size(1);
  grades.hidden.assign(static_cast<const char*>(states.const_data_ptr()), states.nbytes());
}

}  // namespace

Grades grades_of(const Model& model, const Head& head, const GradeJob& job) {
  const c10::InferenceMode no_gradients;
  const at::Device device = head.weight_VD.device();
  const Packed input = pack(job.sequences, device);
  const GradedRows graded = graded_rows(input, job);
  const Tensor hidden_MD =
      model.hidden(Pass(input)).index_select(0, at::tensor(graded.rows, at::kLong).to(device));
  Grades grades{.offsets = graded.offsets, .k = job.k};
  if (job.hidden) {
    take_hidden(hidden_MD, grades);
    return grades;
  }
  const Tensor token_M = at::tensor(graded.tokens, at::kLong).to(device);
  const auto M = std::ssize(graded.rows);
  const int64_t rows = std::max<int64_t>(1, (int64_t{16} << 20) / head.vocabulary());
  for (int64_t begin = 0; begin < M; begin += rows) {
    const int64_t count = std::min(rows, M - begin);
    grade_chunk(head, hidden_MD.narrow(0, begin, count), token_M.narrow(0, begin, count), job,
                grades);
  }
  return grades;
}

}  // namespace alambic
