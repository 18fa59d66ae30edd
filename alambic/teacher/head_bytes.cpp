#include "alambic/teacher/head_bytes.h"

#include <fmt/format.h>

#include <map>

#include "alambic/base/error.h"
#include "alambic/io/safetensors_bytes.h"
#include "alambic/tensor/view.h"

namespace alambic {

std::string head_bytes(const Head& head) {
  const bool dense_16 =
      !head.weight_VD.is_packed() && head.weight_VD.scalar_type() == at::kBFloat16;
  const at::ScalarType type = dense_16 ? at::kBFloat16 : at::kFloat;
  std::vector<std::pair<std::string, Tensor>> tensors = {
      {"weight", head.weight_VD.decoded().to(at::TensorOptions(at::kCPU).dtype(type))}};
  if (head.bias_V.defined()) tensors.emplace_back("bias", head.bias_V.to(at::kCPU));
  std::map<std::string, std::string> facts;
  facts["scale"] = fmt::format("{}", head.scale);
  facts["softcap"] = fmt::format("{}", head.softcap);
  return safetensors_bytes(to_views(tensors), facts);
}

Head head_of_bytes(std::span<const std::byte> bytes, at::Device device) {
  const SafetensorsHeader file = parse_safetensors(bytes, "the teacher's head");
  const auto tensor = [&](const char* name) {
    const TensorView* view = tensor_named(file.tensors, name);
    return view == nullptr ? Tensor() : to_tensor(*view, scalar_type(*view), device);
  };
  const auto number = [&](const char* name, double otherwise) {
    const auto found = file.metadata.find(name);
    return found == file.metadata.end() ? otherwise : std::stod(found->second);
  };
  const Tensor weight_VD = tensor("weight");
  if (!weight_VD.defined() || weight_VD.dim() != 2) {
    throw input_error("the teacher's head has no matrix \"weight\"");
  }
  return {.weight_VD = weight_VD,
          .bias_V = tensor("bias"),
          .scale = number("scale", 1),
          .softcap = number("softcap", 0)};
}

}  // namespace alambic
