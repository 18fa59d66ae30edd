#include "tests/device/speed.h"

#include <fmt/core.h>

#include <cmath>
#include <functional>

#include "alambic/base/error.h"
#include "alambic/base/stopwatch.h"
#include "alambic/kernels/attention.h"
#include "alambic/kernels/device.h"
#include "alambic/kernels/device_fp8.h"
#include "alambic/nn/recompute.h"
#include "alambic/objective/divergence.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/local.h"
#include "alambic/tensor/device.h"
#include "alambic/train/optimizer.h"
#include "tests/device/speed_models.h"
#include "tests/device/test_device.h"

namespace alambic {

namespace {

// The reverse KL as a formula, of float32 logits; the teacher is the student.
void full_logits_loss(const Tensor& hidden_RD, const Tensor& weight_VD) {
  const auto log_softmax = [&](const Tensor& x_RD, const Tensor& w_VD) {
    return at::log_softmax(at::mm(x_RD, w_VD.t()).to(at::kFloat), -1);
  };
  const Tensor x_RD = hidden_RD.detach().requires_grad_();
  const Tensor w_VD = weight_VD.detach().requires_grad_();
  const Tensor teacher_RV = log_softmax(hidden_RD, weight_VD.detach());
  const Tensor student_RV = log_softmax(x_RD, w_VD);
  (student_RV.exp() * (student_RV - teacher_RV)).sum().backward();
}

// The shortest of some runs, after one that is not counted.
double seconds(at::Device device, int64_t repeats, const std::function<void()>& run) {
  double best = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i <= repeats; ++i) {
    synchronize(device);
    const Stopwatch watch;
    run();
    synchronize(device);
    if (i > 0) best = std::min(best, watch.seconds());
  }
  return best;
}

/// Attention of one layer over all sequences: alone, and with its backward pass.
void time_attention(const Workload& work, at::Device device, nlohmann::ordered_json& found) {
  const int64_t tokens = work.sequences * work.length, d = work.size("head_dim");
  const auto rows = [&](const char* heads) {
    const auto options = at::TensorOptions().device(device).dtype(work.dtype);
    return at::randn({tokens, work.size(heads), d}, options).requires_grad_();
  };
  const Tensor q_NHd = rows("num_attention_heads");
  const Tensor k_NKd = rows("num_key_value_heads"), v_NKd = rows("num_key_value_heads");
  const Tensor dout_NHd = q_NHd.detach();
  std::vector<int64_t> begins;
  for (int64_t s = 0; s <= work.sequences; ++s) begins.push_back(s * work.length);
  const kernels::PackedOffsets offsets(begins);
  const auto attended = [&] {
    return kernels::packed_attention(q_NHd, k_NKd, v_NKd, offsets,
                                     {.scale = 1 / std::sqrt(static_cast<double>(d))});
  };
  found["attention_seconds"] = seconds(device, work.repeats, [&] {
    const at::NoGradGuard no_gradient;
    static_cast<void>(attended());
  });
  found["attention_learn_seconds"] = seconds(device, work.repeats, [&] {
    for (const Tensor& x : {q_NHd, k_NKd, v_NKd}) x.mutable_grad() = Tensor();
    attended().backward(dout_NHd);
  });
}

/// A teacher's pass with FP8 products (--teacher-activation-scheme dynamic) beside the same in
/// bfloat16.
void time_fp8(const Workload& work, at::Device device, const Rollouts& rollouts,
              nlohmann::ordered_json& found) {
  const std::string fault = kernels::device_kernels(device) == nullptr
                                ? "the device has no kernels of ours"
                                : kernels::on_device::fp8_products_fault(device);
  if (!fault.empty()) {
    found["fp8_fault"] = fault;
    return;
  }
  const Workload whole = in_whole_tiles(work);
  const auto time = [&](const std::shared_ptr<Model>& model) {
    const LocalTeacher teacher(model, whole.vocabulary());
    return seconds(device, work.repeats, [&] { static_cast<void>(teacher.evaluate(rollouts)); });
  };
  int64_t bytes = 0;
  found["fp8_grade_seconds"] = time(packed_on_device(whole, device, Dtype::F8_E4M3, bytes));
  found["fp8_beside_seconds"] = time(random_on_device(whole, device, false));
}

/// Passes of decoding: so many tokens more, one sequence each.
void time_decoding(const Workload& work, at::Device device, const Model& model,
                   const std::string& name, nlohmann::ordered_json& into) {
  const auto decode = [&](int64_t batch, int64_t tokens) {
    EngineOptions engine{.vocabulary = work.vocabulary(), .batch = batch};
    engine.sampling.max_new_tokens = tokens;
    std::vector<Request> asked;
    for (int64_t b = 0; b < batch; ++b) asked.push_back({{3, 4, 5}, static_cast<uint64_t>(b)});
    return seconds(device, work.repeats,
                   [&] { static_cast<void>(generate(model, asked, engine)); });
  };
  for (const int64_t batch : {1, 64}) {
    into[name + "_seconds_" + std::to_string(batch)] =
        (decode(batch, 2 * work.decoded) - decode(batch, work.decoded)) /
        static_cast<double>(work.decoded);
  }
}

/// Decoding of experts and of latent attention, with what a bound needs to know.
void time_families(const Workload& work, at::Device device, nlohmann::ordered_json& found) {
  for (const ExpertFamily& family : expert_families(work)) {
    nlohmann::ordered_json& of_family = found["families"][family.name];
    const auto model = random_on_device(family.work, device, false);
    of_family["parameters"] = model->parameters();
    of_family["experts"] = family.experts;
    of_family["chosen"] = family.chosen;
    of_family["expert_parameters"] = family.expert_parameters;
    of_family["head"] = family.work.vocabulary() * family.work.size("hidden_size");
    of_family["entry"] = family.entry;
    of_family["decoded"] = family.work.decoded;
    time_decoding(family.work, device, *model, "decode", of_family);
  }
}

}  // namespace

int print_speed(const std::string& shape) {
  const Workload work = workload(shape);
  const int64_t element = static_cast<int64_t>(c10::elementSize(work.dtype));
  const at::Device device = test_device();
  const auto student = random_on_device(work, device, true);
  const LocalTeacher teacher(student, work.vocabulary());
  AdamW optimizer(*student, {});
  std::vector<Request> requests;
  std::vector<Completion> completions;
  for (int64_t s = 0; s < work.sequences; ++s) {
    const auto token = [&](int64_t i) {
      return static_cast<int32_t>((i * 7 + s) % work.vocabulary());
    };
    requests.push_back({.prompt = {token(1)}, .id = static_cast<uint64_t>(s)});
    Completion completion;
    for (int64_t i = 1; i < work.length; ++i) completion.tokens.push_back(token(i));
    completion.logp.resize(completion.tokens.size());
    completions.push_back(std::move(completion));
  }
  const Rollouts rollouts = to_rollouts(requests, completions, 0, device);
  nlohmann::ordered_json found = {
      {"shape", shape},
      {"device", test_device_name()},
      {"parameters", student->parameters()},
      {"head", work.vocabulary() * work.size("hidden_size")},
      {"layers", work.size("num_hidden_layers")},
      {"heads_width", work.size("num_attention_heads") * work.size("head_dim")},
      {"keys_width", work.size("num_key_value_heads") * work.size("head_dim")},
      {"vocabulary", work.vocabulary()},
      {"element", element},
      {"tokens", rollouts.sequences.positions()},
      {"length", work.length},
      {"decoded", work.decoded}};
  time_attention(work, device, found);
  found["grade_seconds"] =
      seconds(device, work.repeats, [&] { static_cast<void>(teacher.evaluate(rollouts)); });
  const TeacherOutput output = teacher.evaluate(rollouts);
  const auto loss_of = [&](const Tensor& hidden_MD) {
    return divergence_loss({.terms = {{DivergenceKind::reverse_kl, 0, 1}}}, hidden_MD,
                           student->head(), output, static_cast<double>(hidden_MD.size(0)));
  };
  const auto hidden = [&] {
    return student->hidden(Pass(rollouts.sequences)).index_select(0, rollouts.loss_positions_M());
  };
  reset_peak_memory(device);
  found["learn_seconds"] = seconds(device, work.repeats, [&] {
    optimizer.clear_gradients();
    const RecomputeLayers recompute(true);
    loss_of(hidden()).value.backward();
  });
  found["learn_peak_bytes"] = peak_memory(device);
  Tensor hidden_MD;
  {
    const at::NoGradGuard no_gradient;
    hidden_MD = hidden();
  }
  hidden_MD.set_requires_grad(true);
  found["loss_seconds"] = seconds(device, work.repeats, [&] {
    const Loss loss = loss_of(hidden_MD);
    hidden_MD.mutable_grad() = Tensor();
  });
  const auto peak_of = [&](const std::function<void()>& run) {
    reset_peak_memory(device);
    const double idle = peak_memory(device);
    run();
    return peak_memory(device) - idle;
  };
  found["loss_peak_bytes"] = peak_of([&] { static_cast<void>(loss_of(hidden_MD)); });
  // What it is beside: all logits at once, of as many rows as fit.
  const Tensor some_RD = hidden_MD.detach().slice(0, 0, 4096);
  const Tensor weight_VD = student->head().weight_VD.dense();
  const auto full_logits = [&] { full_logits_loss(some_RD, weight_VD); };
  found["full_rows"] = some_RD.size(0);
  found["full_seconds"] = seconds(device, work.repeats, full_logits);
  found["full_peak_bytes"] = peak_of(full_logits);
  optimizer.clear_gradients();
  const std::vector<Tensor> gradients = optimizer.gradients();
  const NamedTensors weights = optimizer.weights();
  found["update_seconds"] = seconds(device, work.repeats, [&] {
    for (size_t i = 0; i < weights.size(); ++i) {
      Tensor weight = weights[i].second;
      weight.mutable_grad() = gradients[i];
    }
    optimizer.step(1e-6, optimizer.gradient_norm() > 1 ? 0.5 : 1);
  });
  time_decoding(work, device, *student, "decode", found);
  if (kernels::records_graphs(device)) {
    const WithoutGraphs one_by_one;
    time_decoding(work, device, *student, "enqueue", found);
  }
  for (const Dtype dtype : work.packed) {
    if (kernels::device_kernels(device) == nullptr) break;
    nlohmann::ordered_json& of_format = found["packed"][name_of(dtype)];
    int64_t bytes = 0;
    const std::shared_ptr<Model> model = packed_on_device(work, device, dtype, bytes);
    of_format["bytes"] = bytes;
    time_decoding(work, device, *model, "decode", of_format);
    const LocalTeacher packed(model, work.vocabulary());
    of_format["grade_seconds"] =
        seconds(device, work.repeats, [&] { static_cast<void>(packed.evaluate(rollouts)); });
  }
  time_fp8(work, device, rollouts, found);
  time_families(work, device, found);
  fmt::print("{}\n", found.dump());
  return 0;
}

}  // namespace alambic
