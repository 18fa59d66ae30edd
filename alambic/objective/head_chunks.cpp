#include "alambic/objective/head_chunks.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/weight_linear.h"
#include "alambic/kernels/wide_product.h"
#include "alambic/objective/row_padding.h"
#include "alambic/tensor/device.h"
#include "alambic/tensor/function.h"

namespace alambic {
namespace {

constexpr int64_t kBufferBytes = int64_t{64} << 20;
/// Head and its gradient pass through memory once a chunk: fewer rows would wait for them.
constexpr int64_t kFewestRows = 128;

struct Known {
  Tensor value, hidden_MD, weight_VD, bias_V;  // gradients; undefined: not needed
};

/// The value and its gradients are already known: this node only remembers them.
struct KnownGradient : torch::autograd::Function<KnownGradient> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& /*hidden_MD*/,
                        const std::optional<Tensor>& /*weight_VD*/,
                        const std::optional<Tensor>& /*bias_V*/, Known known) {
    context->saved_data["gradients"] = std::vector<Tensor>{
        std::move(known.hidden_MD), std::move(known.weight_VD), std::move(known.bias_V), Tensor()};
    return known.value;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list incoming) {
    // Moved out, not copied: .grad then takes this memory instead of a copy of it.
    const auto found = context->saved_data.find("gradients");
    check(found != context->saved_data.end(), "a chunked loss was differentiated twice");
    auto gradients = found->second.toTensorVector();
    context->saved_data.erase(found);
    const bool unit = incoming[0].is_cpu() && incoming[0].item<double>() == 1;
    for (Tensor& gradient : gradients) {
      if (gradient.defined() && !unit) gradient.mul_(incoming[0]);
    }
    return gradients;
  }
};

}  // namespace

int64_t chunk_rows(const ChunkOptions& chunk, int64_t graded, int64_t vocabulary, int buffers,
                   at::Device device) {
  check(chunk.rows >= 0, "chunk of {} rows", chunk.rows);
  int64_t rows = chunk.rows;
  if (rows == 0) {
    const int64_t row_bytes = buffers * 4 * std::max<int64_t>(vocabulary, 1);
    const bool on_cpu = device.is_cpu() || device.is_meta();
    // Of all memory, not of what is free: the same machine gives the same bits.
    const int64_t bytes =
        on_cpu ? kBufferBytes : static_cast<int64_t>(whole_device_memory(device) / 40);
    rows = std::clamp<int64_t>(bytes / row_bytes, kFewestRows, on_cpu ? 1024 : 4096);
  }
  return std::max<int64_t>(1, std::min(rows, graded));
}

at::ScalarType working_dtype(const Tensor& hidden_MD) {
  return hidden_MD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

HeadChunks::HeadChunks(const Tensor& hidden_MD, const Head& head, int64_t rows,
                       at::ScalarType dtype)
    : hidden_MD_(hidden_MD.detach()),
      narrow_(dtype == at::kFloat && kernels::has_wide_product(hidden_MD, head.weight_VD)),
      head_(head) {
  check(hidden_MD.dim() == 2 && head.weight_VD.dim() == 2, "hidden states and head are matrices");
  check(hidden_MD.size(1) == head.weight_VD.size(1),
        "hidden states of width {} for a head of width {}", hidden_MD.size(1),
        head.weight_VD.size(1));
  const at::NoGradGuard no_gradient;
  head_.weight_VD = head.weight_VD.constant(narrow_ ? at::kBFloat16 : dtype);
  if (head.bias_V.defined()) head_.bias_V = head.bias_V.detach().to(dtype);
  const int64_t stride = padded_row(head.vocabulary());
  buffer_ = at::empty({rows, stride}, hidden_MD_.options().dtype(dtype));
}

Tensor HeadChunks::logits_CV(int64_t begin, int64_t count) {
  const at::NoGradGuard no_gradient;
  const Tensor hidden_CD = hidden_MD_.narrow(0, begin, count);
  Tensor logits_CV = buffer_.narrow(0, 0, count).narrow(1, 0, head_.vocabulary());
  kernels::write_linear(logits_CV, narrow_ ? hidden_CD : hidden_CD.to(buffer_.scalar_type()),
                        head_.weight_VD, head_.bias_V);
  if (head_.scale != 1) logits_CV.mul_(head_.scale);
  if (head_.softcap > 0) logits_CV.div_(head_.softcap).tanh_().mul_(head_.softcap);
  return logits_CV;
}

HeadGradient::HeadGradient(const Tensor& hidden_MD, const Head& head)
    : hidden_(hidden_MD), bias_(head.bias_V) {
  const bool enabled = at::GradMode::is_enabled();
  hidden_needed_ = enabled && hidden_.requires_grad();
  weight_needed_ = enabled && head.weight_VD.requires_grad();
  bias_needed_ = enabled && bias_.defined() && bias_.requires_grad();
  if (weight_needed_) weight_ = head.weight_VD.dense();
}

void HeadGradient::add(const HeadChunks& chunks, int64_t begin, const Tensor& gradient_CV) {
  const at::NoGradGuard no_gradient;
  const int64_t count = gradient_CV.size(0);
  const double scale = chunks.head().scale;
  const auto options = gradient_CV.options();
  if (scale != 1) gradient_CV.mul_(scale);
  if (hidden_needed_ && !hidden_MD_.defined()) hidden_MD_ = at::empty(hidden_.sizes(), options);
  if (chunks.narrow()) {
    add_narrow(chunks, begin, gradient_CV.to(at::kBFloat16));
  } else if (hidden_needed_) {
    kernels::write_input_grad(hidden_MD_.narrow(0, begin, count), gradient_CV,
                              chunks.head().weight_VD);
  }
  if (weight_needed_ && !chunks.narrow()) {
    const Tensor hidden_CD = chunks.hidden_MD().narrow(0, begin, count).to(options.dtype());
    if (weight_VD_.defined()) {
      kernels::add_product(weight_VD_, gradient_CV.t(), hidden_CD);
    } else {
      weight_VD_ = kernels::product(gradient_CV.t(), hidden_CD);
    }
  }
  if (bias_needed_) {
    const Tensor part = gradient_CV.sum(0);
    bias_V_ = bias_V_.defined() ? bias_V_.add_(part) : part;
  }
}

void HeadGradient::add_narrow(const HeadChunks& chunks, int64_t begin, const Tensor& narrow_CV) {
  const int64_t count = narrow_CV.size(0);
  if (hidden_needed_) {
    kernels::write_input_grad(hidden_MD_.narrow(0, begin, count), narrow_CV,
                              chunks.head().weight_VD);
  }
  if (!weight_needed_) return;
  if (!weight_VD_.defined())
    weight_VD_ = at::zeros(weight_.sizes(), hidden_.options().dtype(at::kFloat));
  kernels::add_wide_product(weight_VD_, narrow_CV.t(), chunks.hidden_MD().narrow(0, begin, count));
}

Tensor HeadGradient::attach(const Tensor& value) && {
  if (!needed()) return value;
  const auto finish = [](bool wanted, Tensor& gradient, const Tensor& input) {
    if (!wanted) return Tensor();
    if (!gradient.defined()) return at::zeros_like(input);  // no graded row
    return std::move(gradient).to(input.scalar_type());
  };
  Tensor hidden = finish(hidden_needed_, hidden_MD_, hidden_);
  Tensor weight = finish(weight_needed_, weight_VD_, weight_);
  Tensor bias = finish(bias_needed_, bias_V_, bias_);
  const auto input = [](const Tensor& tensor) {
    return tensor.defined() ? std::optional<Tensor>(tensor) : std::nullopt;
  };
  return KnownGradient::apply(hidden_, input(weight_), input(bias_),
                              Known{value, std::move(hidden), std::move(weight), std::move(bias)});
}

void for_each_chunk(int64_t graded, int64_t rows,
                    const std::function<void(int64_t begin, int64_t count)>& visit) {
  for (int64_t begin = 0; begin < graded; begin += rows) {
    visit(begin, std::min(rows, graded - begin));
  }
}

}  // namespace alambic
