#include "alambic/objective/tensor_numbers.h"

namespace alambic {

std::vector<int64_t> numbers_of(const Tensor& ids) {
  const Tensor on_cpu = ids.cpu().contiguous();
  const auto* begin = on_cpu.const_data_ptr<int64_t>();
  return {begin, begin + on_cpu.numel()};
}

std::vector<double> doubles_of(const Tensor& values) {
  const Tensor on_cpu = values.to(at::kDouble).cpu().contiguous();
  const auto* begin = on_cpu.const_data_ptr<double>();
  return {begin, begin + on_cpu.numel()};
}

Tensor tensor_of(const std::vector<int64_t>& ids, const Tensor& beside) {
  return at::tensor(ids, at::kLong).to(beside.device());
}

Tensor tensor_of(const std::vector<double>& values, const Tensor& beside) {
  return at::tensor(values, at::kDouble).to(beside.device());
}

}  // namespace alambic
