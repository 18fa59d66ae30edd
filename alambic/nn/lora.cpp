#include "alambic/nn/lora.h"

#include "alambic/base/random.h"
#include "alambic/kernels/device_functions.h"
#include "alambic/kernels/linear.h"

namespace alambic {

namespace {

/// Numbers of a packed matrix that are there at a time: half a MiB.
constexpr int64_t kDecodedAtOnce = 1 << 17;

using Mask = kernels::on_device::DropoutMask;

// 0 with the dropout's probability, else 1 / (1 − rate); one Philox block for four elements.
Mask mask_of(const LoraDropout& dropout, uint64_t adapter) {
  return {.words = random_words({.seed = dropout.seed,
                                 .stream = Stream::dropout,
                                 .step = dropout.step,
                                 .sample = dropout.micro_batch,
                                 .position = static_cast<uint32_t>(adapter)}),
          .least = static_cast<uint64_t>(dropout.rate * 0x1p32),
          .kept = static_cast<float>(1 / (1 - dropout.rate))};
}

Tensor mask(at::IntArrayRef sizes, const Mask& of) {
  const auto& words = of.words;
  const Tensor mask = at::empty(sizes, at::kFloat);
  float* value = mask.mutable_data_ptr<float>();
  const int64_t count = mask.numel();
  at::parallel_for(0, (count + 3) / 4, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto low = static_cast<uint32_t>(block), high = static_cast<uint32_t>(block >> 32);
      const auto drawn = philox({low, high, words[2], words[3]}, {words[0], words[1]});
      for (int64_t i = 4 * block; i < std::min(4 * block + 4, count); ++i) {
        value[i] = drawn[i % 4] >= of.least ? of.kept : 0;
      }
    }
  });
  return mask;
}

// Counts the changes in place, those by the optimizer's alias included.
int64_t version_of(const Tensor& tensor) { return static_cast<int64_t>(tensor._version()); }

bool same(const Tensor& kept, int64_t version, const Tensor& now) {
  return kept.defined() && kept.is_same(now) && version == version_of(now);
}

}  // namespace

Tensor Lora::drop(const Tensor& x_ND) const {
  if (!dropout || dropout->rate == 0 || !at::GradMode::is_enabled()) return x_ND;
  const Mask drawn = mask_of(*dropout, index);
  if (!x_ND.is_cpu() && kernels::kernels_of(x_ND) != nullptr) {
    return kernels::on_device::dropout(x_ND, drawn);
  }
  return x_ND * mask(x_ND.sizes(), drawn).to(x_ND.options().requires_grad(false));
}

Tensor Lora::update(const Tensor& x_ND) const {
  return kernels::linear(kernels::linear(x_ND, a_RI, Tensor()), b_ER, Tensor()) * scaling;
}

Tensor Lora::summed(const Tensor& rows_CI, int64_t begin) const {
  const Tensor b_CR = b_ER.narrow(0, begin, rows_CI.size(0)).to(at::kFloat);
  return rows_CI.to(at::kFloat) + at::mm(b_CR, a_RI.to(at::kFloat)) * scaling;
}

Tensor Lora::norm_E(const Weight& weight_EI) const {
  if (same(kept_.a, kept_.a_version, a_RI) && same(kept_.b, kept_.b_version, b_ER)) {
    return kept_.value;
  }
  // The copy that sampling made, in its inference mode, serves the learning pass too.
  const c10::InferenceMode usual(false);
  const at::NoGradGuard no_grad;
  const int64_t rows = weight_EI.size(0);
  const int64_t at_once =
      weight_EI.is_packed() ? std::max<int64_t>(1, kDecodedAtOnce / weight_EI.size(1)) : rows;
  std::vector<Tensor> norms;
  for (int64_t begin = 0; begin < rows; begin += at_once) {
    const int64_t count = std::min(at_once, rows - begin);
    const Tensor rows_CI =
        weight_EI.is_packed() ? weight_EI.packed().decoded(begin, count) : weight_EI.dense();
    norms.push_back(summed(rows_CI, begin).norm(2, {1}));
  }
  keep_norm(at::cat(norms).to(a_RI.scalar_type()));
  return kept_.value;
}

void Lora::keep_norm(const Tensor& value_E) const {
  kept_ = {.a = a_RI,
           .b = b_ER,
           .value = value_E,
           .a_version = version_of(a_RI),
           .b_version = version_of(b_ER)};
}

Tensor Lora::merged(const Tensor& weight_EI) const {
  const Tensor sum_EI = summed(weight_EI, 0);
  if (!magnitude_E.defined()) return sum_EI;
  return sum_EI * (magnitude_E.to(at::kFloat) / sum_EI.norm(2, {1})).unsqueeze(1);
}

std::shared_ptr<Lora> Lora::with_outputs(const Slices& outputs) const {
  auto part = std::make_shared<Lora>(*this);
  part->a_RI = a_RI.detach().clone();
  part->b_ER = copy_of(b_ER, 0, outputs);
  part->magnitude_E = copy_if_defined(magnitude_E, 0, outputs);
  return part;
}

std::shared_ptr<Lora> Lora::with_inputs(const Slices& inputs, const Tensor& weight_EI) const {
  auto part = std::make_shared<Lora>(*this);
  part->a_RI = copy_of(a_RI, 1, inputs);
  part->b_ER = b_ER.detach().clone();
  if (!magnitude_E.defined()) return part;
  part->magnitude_E = magnitude_E.detach().clone();
  part->keep_norm(norm_E(weight_EI).clone());
  return part;
}

void Lora::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + ".lora_A.weight", a_RI);
  visitor(prefix + ".lora_B.weight", b_ER);
  if (magnitude_E.defined()) visitor(prefix + ".lora_magnitude_vector", magnitude_E);
}

}  // namespace alambic
