#include "alambic/kernels/device_packed.h"

#include <algorithm>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/kernels/device.h"
#include "alambic/kernels/device_fp8.h"
#include "alambic/kernels/launch.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/wide_product.h"
#include "alambic/tensor/device.h"
#include "alambic/tensor/packed_view.h"
#include "alambic/tensor/view.h"

namespace alambic::kernels {
namespace {

// The format that kernels know it by; none: they do not decode it.
std::optional<DevicePacked> device_format(Dtype dtype) {
  switch (dtype) {
    case Dtype::F8_E4M3:
      return DevicePacked::fp8_tiles;
    case Dtype::Q4_0:
      return DevicePacked::q4_0;
    case Dtype::Q4_1:
      return DevicePacked::q4_1;
    case Dtype::Q5_0:
      return DevicePacked::q5_0;
    case Dtype::Q5_1:
      return DevicePacked::q5_1;
    case Dtype::Q8_0:
      return DevicePacked::q8_0;
    case Dtype::Q2_K:
      return DevicePacked::q2_k;
    case Dtype::Q3_K:
      return DevicePacked::q3_k;
    case Dtype::Q4_K:
      return DevicePacked::q4_k;
    case Dtype::Q5_K:
      return DevicePacked::q5_k;
    case Dtype::Q6_K:
      return DevicePacked::q6_k;
    case Dtype::IQ4_NL:
      return DevicePacked::iq4_nl;
    case Dtype::F4:  // as blocks
    case Dtype::MXFP4:
      return DevicePacked::mxfp4;
    default:
      return {};
  }
}

}  // namespace

bool stays_packed(const TensorView& view, at::ScalarType dtype, at::Device device) {
  if (!alambic::stays_packed(view, dtype)) return false;
  return device.is_cpu() || (device_kernels(device) != nullptr && device_format(view.dtype) &&
                             (dtype == at::kFloat || dtype == at::kBFloat16));
}

namespace on_device {
namespace {

// Bytes of decoded rows that exist at a time: products with fewer are starved, and more are not
// faster.
constexpr int64_t least_decoded = int64_t{1} << 18, most_decoded = int64_t{1} << 27;

DevicePackedRows rows_of(const DeviceCall& call, const PackedMatrix& matrix) {
  const PackedOnDevice& there = *matrix.on_device;
  return {.bytes = call.at<uint8_t>(there.bytes_RB),
          .row_bytes = there.bytes_RB.stride(0),
          .scales = call.at<float>(there.scales_T),
          .tile_rows = matrix.tiles ? matrix.tiles->rows : 1,
          .tile_columns = matrix.tiles ? matrix.tiles->columns : 1,
          .format = device_format(matrix.dtype).value(),
          .first = matrix.first_row,
          .R = matrix.rows,
          .C = matrix.columns};
}

Tensor decode_rows(const PackedMatrix& matrix, const Tensor& rows_N) {
  const Tensor ids = rows_N.defined() ? rows_N.contiguous() : Tensor();
  const int64_t count = ids.defined() ? ids.numel() : matrix.rows;
  const at::ScalarType type = matrix.type == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
  const DeviceCall call = call_for(matrix.on_device->bytes_RB);
  const Tensor y =
      at::empty({count, matrix.columns}, matrix.on_device->bytes_RB.options().dtype(type));
  call.run(call.table().unpack, {.rows = rows_of(call, matrix),
                                 .ids = call.at<int64_t>(ids),
                                 .count = count,
                                 .y = call.at(y),
                                 .type = device_number(y)});
  return y.to(matrix.type);
}

// f(first, part) for parts of the weight that are decoded, to `type`, one after another.
template <class F>
void each_part(const PackedMatrix& weight_ED, at::ScalarType type, const F& f) {
  PackedMatrix matrix = weight_ED;
  matrix.type = type;
  const int64_t row = matrix.columns * static_cast<int64_t>(c10::elementSize(type));
  const int64_t step =
      std::max<int64_t>(1, matrix.on_device->decoded_bytes / std::max<int64_t>(1, row));
  for (int64_t first = 0; first < matrix.rows; first += step) {
    f(first, matrix.decoded(first, std::min(step, matrix.rows - first)));
  }
}

// `ends` as in packed_groups, or undefined.
void write_few(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
               const Tensor& bias_E, const Tensor& ends = {}) {
  const at::ScalarType type = y_NE.scalar_type();
  const Tensor x = dense_rows(x_ND.to(type));
  const Tensor bias = bias_E.defined() ? bias_E.to(type).contiguous() : Tensor();
  const DeviceCall call = call_for(x);
  call.run(call.table().packed_few, {.rows = rows_of(call, weight_ED),
                                     .ends = call.at<int32_t>(ends),
                                     .matrices = ends.defined() ? ends.numel() : 1,
                                     .x = call.at(x),
                                     .x_row = x.stride(0),
                                     .bias = call.at(bias),
                                     .y = call.at(y_NE),
                                     .y_row = y_NE.stride(0),
                                     .N = x.size(0),
                                     .type = device_number(x)});
}

void write_many(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                const Tensor& bias_E) {
  const at::ScalarType type = x_ND.scalar_type();
  const bool wide = y_NE.scalar_type() != type;
  const Tensor bias = bias_E.defined() && !wide ? bias_E.to(type) : Tensor();
  each_part(weight_ED, type, [&](int64_t first, const Tensor& part_ED) {
    Tensor part_NE = y_NE.narrow(1, first, part_ED.size(0));
    if (wide) {
      write_wide_product(part_NE, x_ND, part_ED.t());
    } else if (bias.defined()) {
      at::addmm_out(part_NE, bias.narrow(0, first, part_ED.size(0)), x_ND, part_ED.t());
    } else {
      write_product(part_NE, x_ND, part_ED.t());
    }
  });
  if (wide && bias_E.defined()) y_NE.add_(bias_E);
}

// What kernels compute with.
Tensor in_device_numbers(const Tensor& x) { return has_device_number(x) ? x : x.to(at::kFloat); }

// write(to) with `to` of the dtype of `like`, or float32, and dense rows: y itself, or copied to
// it.
template <class Write>
void write_to(const Tensor& y, const Tensor& like, const Write& write) {
  const bool takes = y.scalar_type() == like.scalar_type() || y.scalar_type() == at::kFloat;
  if (takes && y.stride(1) == 1) return write(y);
  const Tensor to = at::empty(y.sizes(), like.options());
  write(to);
  y.copy_(to);
}

}  // namespace

PackedMatrix packed_on(at::Device device, const PackedMatrix& matrix,
                       const std::function<void(std::span<const std::byte>)>& read) {
  check(!matrix.on_device, "a packed matrix goes from the CPU to a device");
  const int64_t row = matrix.rows == 0 ? 0 : std::ssize(matrix.bytes) / matrix.rows;
  // Of all memory, not of what is free: the same machine gives the same bits.
  const auto memory = static_cast<int64_t>(whole_device_memory(device));
  PackedOnDevice there{
      .bytes_RB = to_tensor({.name = "packed rows",
                             .dtype = Dtype::U8,
                             .shape = {matrix.rows, row},
                             .bytes = matrix.bytes},
                            at::kByte, device, read),
      .scales_T = matrix.tiles ? at::tensor(matrix.tiles->scales).to(device) : Tensor(),
      .decode = decode_rows,
      .decoded_bytes = std::clamp(memory / 1024, least_decoded, most_decoded)};
  PackedMatrix moved = matrix;
  moved.bytes = {};
  moved.owner.reset();
  moved.on_device = std::make_shared<const PackedOnDevice>(std::move(there));
  return moved;
}

void write_packed_linear(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                         const Tensor& bias_E) {
  const at::NoGradGuard no_gradient;
  const Tensor x = in_device_numbers(x_ND);
  write_to(y_NE, x, [&](const Tensor& to_NE) {
    if (x.size(0) <= packed_few_rows) {
      write_few(to_NE, x, weight_ED, bias_E);
    } else if (takes_fp8_product(to_NE, x, weight_ED)) {
      write_fp8_product(to_NE, x, weight_ED, bias_E);
    } else {
      write_many(to_NE, x, weight_ED, bias_E);
    }
  });
}

Tensor packed_groups(const Tensor& x_PD, const PackedMatrix& stack, const Tensor& bias,
                     const Tensor& ends_M) {
  const at::NoGradGuard no_gradient;
  const int64_t matrices = ends_M.numel();
  const Tensor y_PF = at::empty({x_PD.size(0), stack.rows / matrices}, x_PD.options());
  write_few(y_PF, x_PD, stack, bias, ends_M);
  return y_PF;
}

bool takes_packed_groups(int64_t rows, int64_t matrices) {
  return rows <= packed_few_rows * matrices;
}

std::vector<PackedMatrix> side_by_side(const std::vector<PackedMatrix>& parts) {
  const PackedMatrix& first = parts.front();
  std::vector<Tensor> bytes, scales;
  for (const PackedMatrix& part : parts) {
    const bool alike = part.on_device && part.dtype == first.dtype && part.type == first.type &&
                       part.columns == first.columns && part.device() == first.device() &&
                       (part.tiles != nullptr) == (first.tiles != nullptr);
    if (!alike) return {};
    bytes.push_back(part.on_device->bytes_RB.narrow(0, part.first_row, part.rows));
    if (!part.tiles) continue;
    const Tiles &tiles = *part.tiles, &of_first = *first.tiles;
    const bool whole = tiles.rows == of_first.rows && tiles.columns == of_first.columns &&
                       part.first_row % tiles.rows == 0 && part.rows % tiles.rows == 0;
    if (!whole) return {};
    scales.push_back(part.on_device->scales_T.narrow(0, part.first_row / tiles.rows * tiles.across,
                                                     part.rows / tiles.rows * tiles.across));
  }
  PackedOnDevice all = *first.on_device;
  all.bytes_RB = at::cat(bytes);
  if (first.tiles) all.scales_T = at::cat(scales);
  const auto together = std::make_shared<const PackedOnDevice>(std::move(all));
  std::vector<PackedMatrix> moved = parts;
  int64_t row = 0;
  for (PackedMatrix& part : moved) {
    part.on_device = together;
    part.first_row = row;
    row += part.rows;
  }
  return moved;
}

void write_packed_input_grad(const Tensor& dx_ND, const Tensor& dy_NE,
                             const PackedMatrix& weight_ED) {
  const at::NoGradGuard no_gradient;
  const Tensor dy = in_device_numbers(dy_NE);
  // Parts are added up in float32.
  const bool takes = dx_ND.scalar_type() == at::kFloat;
  const Tensor sum = takes ? dx_ND : at::empty(dx_ND.sizes(), dy.options().dtype(at::kFloat));
  const bool wide = dy.scalar_type() != at::kFloat;
  each_part(weight_ED, dy.scalar_type(), [&](int64_t first, const Tensor& part_ED) {
    const Tensor part_NE = dy.narrow(1, first, part_ED.size(0));
    if (first == 0) {
      (wide ? write_wide_product : write_product)(sum, part_NE, part_ED);
    } else {
      (wide ? add_wide_product : add_product)(sum, part_NE, part_ED);
    }
  });
  if (!takes) dx_ND.copy_(sum);
}

}  // namespace on_device
}  // namespace alambic::kernels
