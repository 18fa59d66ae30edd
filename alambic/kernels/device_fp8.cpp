#include "alambic/kernels/device_fp8.h"

#include <ATen/ops/_scaled_mm.h>

#include <map>
#include <mutex>
#include <utility>

#include "alambic/base/error.h"

namespace alambic::kernels::on_device {

namespace {

constexpr int64_t tile = 128;
/// Largest number of F8_E4M3.
constexpr double most = 448;
/// Rows come in so many: cuBLAS wants the scales of a column at multiples of 16 bytes.
constexpr int64_t row_step = 16;

struct Rounded {
  Tensor numbers_MD;  // F8_E4M3
  Tensor scales_MG;   // float32, one column behind the other
};

// The rows, and behind them rows of zeros.
Rounded rounded(const Tensor& x_ND) {
  const int64_t N = x_ND.size(0), D = x_ND.size(1);
  const int64_t M = (N + row_step - 1) / row_step * row_step;
  Tensor x_MD = x_ND.to(at::kFloat);
  if (M > N) x_MD = at::constant_pad_nd(x_MD, {0, 0, 0, M - N});
  const Tensor x_MGt = x_MD.view({M, D / tile, tile});
  // Of a group of zeros any scale is right.
  const Tensor scale_MG = (x_MGt.abs().amax(-1) / most).clamp_min(1e-30);
  const Tensor numbers = (x_MGt / scale_MG.unsqueeze(-1)).clamp(-most, most);
  return {numbers.view({M, D}).to(at::kFloat8_e4m3fn), scale_MG.t().contiguous().t()};
}

// [M, E] of bfloat16, M as rounded() has it.
Tensor product(const Tensor& x_ND, const Tensor& weight_ED, const Tensor& scales_FG) {
  const Rounded x = rounded(x_ND);
  return at::_scaled_mm(x.numbers_MD, weight_ED.t(), x.scales_MG, scales_FG.t(), {}, {},
                        at::kBFloat16, /*use_fast_accum=*/false);
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// What is wrong with a product whose numbers are known.
std::string try_product(at::Device device) {
  constexpr int64_t rows = 16, columns = 512;
  const auto options = at::TensorOptions().device(device).dtype(at::kFloat);
  try {
    const at::NoGradGuard no_gradient;
    const Tensor x = at::full({rows, columns}, 3, options.dtype(at::kBFloat16));
    const Tensor weight = at::ones({tile, columns}, options).to(at::kFloat8_e4m3fn);
    const Tensor y = product(x, weight, at::full({1, columns / tile}, 2, options));
    const double wrong = (y.to(at::kFloat) - 3 * 2 * columns).abs().max().item<double>();
    if (wrong > columns / 16.0) return fmt::format("a product of it is off by {:.3g}", wrong);
  } catch (const c10::Error& error) {
    return first_line(error.what_without_backtrace());
  }
  return "";
}

}  // namespace

std::string fp8_products_fault(at::Device device) {
  if (device.is_cpu()) return "a CPU's libtorch knows one scale for a whole matrix alone";
  static std::mutex mutex;
  static std::map<std::pair<at::DeviceType, at::DeviceIndex>, std::string> known;
  const std::scoped_lock lock(mutex);
  const auto [entry, is_new] = known.try_emplace({device.type(), device.index()});
  if (is_new) entry->second = try_product(device);
  return entry->second;
}

bool fits_fp8_products(const PackedMatrix& weight_ED) {
  return weight_ED.dtype == Dtype::F8_E4M3 && weight_ED.tiles && weight_ED.tiles->rows == tile &&
         weight_ED.tiles->columns == tile && weight_ED.rows % tile == 0 &&
         weight_ED.first_row % tile == 0 && weight_ED.columns % (4 * tile) == 0 &&
         weight_ED.rows > 0 && weight_ED.columns > 0;
}

PackedMatrix with_fp8_products(const PackedMatrix& weight_ED) {
  check(weight_ED.on_device != nullptr, "FP8 products are an accelerator's");
  PackedOnDevice there = *weight_ED.on_device;
  there.fp8_products = true;
  PackedMatrix same = weight_ED;
  same.on_device = std::make_shared<const PackedOnDevice>(std::move(there));
  return same;
}

bool takes_fp8_product(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED) {
  return weight_ED.on_device->fp8_products && x_ND.scalar_type() == at::kBFloat16 &&
         y_NE.scalar_type() == at::kBFloat16 && fits_fp8_products(weight_ED);
}

void write_fp8_product(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                       const Tensor& bias_E) {
  const PackedOnDevice& there = *weight_ED.on_device;
  const int64_t across = weight_ED.tiles->across;
  const Tensor bytes_ED = there.bytes_RB.narrow(0, weight_ED.first_row, weight_ED.rows);
  const Tensor scales_F =
      there.scales_T.narrow(0, weight_ED.first_row / tile * across, weight_ED.rows / tile * across);
  const Tensor y_ME = product(x_ND, bytes_ED.view(at::kFloat8_e4m3fn), scales_F.view({-1, across}));
  y_NE.copy_(y_ME.narrow(0, 0, y_NE.size(0)));
  if (bias_E.defined()) y_NE.add_(bias_E);
}

}  // namespace alambic::kernels::on_device
