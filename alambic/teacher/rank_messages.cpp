#include "alambic/teacher/rank_messages.h"

#include <fmt/format.h>

#include <map>
#include <span>

#include "alambic/io/safetensors_bytes.h"
#include "alambic/tensor/view.h"

namespace alambic {

namespace {

using Facts = std::map<std::string, std::string>;

std::string file_of(std::vector<std::pair<std::string, Tensor>> tensors, const Facts& facts) {
  return safetensors_bytes(to_views(tensors), facts);
}

struct MessageReader {
  SafetensorsHeader file;
  at::Device device;

  MessageReader(const Tensor& bytes, at::Device device)
      : file(parse_safetensors(
            std::as_bytes(std::span(bytes.const_data_ptr<uint8_t>(), bytes.numel())),
            "a rank's message")),
        device(device) {}

  bool has(const std::string& name) const { return tensor_named(file.tensors, name) != nullptr; }
  Tensor tensor(const std::string& name) const {
    const TensorView* view = tensor_named(file.tensors, name);
    check(view != nullptr, "a rank's message has no {}", name);
    return to_tensor(*view, scalar_type(*view), device);
  }
  int64_t number(const std::string& name) const { return std::stoll(file.metadata.at(name)); }
};

std::string layer_name(size_t i) { return fmt::format("layer.{}", i); }

}  // namespace

std::string to_bytes(const RankRequest& request) {
  const Packed& sequences = request.rollouts.sequences;
  std::vector<std::pair<std::string, Tensor>> tensors;
  if (!sequences.offsets.empty()) {
    tensors = {{"tokens", sequences.tokens_N},
               {"offsets", at::tensor(sequences.offsets, at::kLong)},
               {"graded", request.rollouts.completion_mask_N}};
  }
  return file_of(std::move(tensors),
                 {{"kind", fmt::format("{}", static_cast<int>(request.kind))},
                  {"step", fmt::format("{}", request.step)},
                  {"member", fmt::format("{}", request.member)},
                  {"number", fmt::format("{}", request.number)},
                  {"left", fmt::format("{}", request.left)},
                  {"ending", fmt::format("{}", request.ending)},
                  {"policy_step", fmt::format("{}", request.rollouts.policy_step)}});
}

RankRequest request_of_bytes(const Tensor& bytes, at::Device device) {
  const MessageReader reader(bytes, device);
  RankRequest request{.kind = static_cast<RankRequest::Kind>(reader.number("kind")),
                      .step = reader.number("step"),
                      .member = reader.number("member"),
                      .number = reader.number("number"),
                      .left = reader.number("left"),
                      .ending = reader.number("ending"),
                      .rollouts = {}};
  request.rollouts.policy_step = reader.number("policy_step");
  if (!reader.has("tokens")) return request;
  const Tensor offsets = reader.tensor("offsets").cpu();
  const auto* first = offsets.const_data_ptr<int64_t>();
  request.rollouts.sequences = {.tokens_N = reader.tensor("tokens"),
                                .offsets = {first, first + offsets.numel()}};
  request.rollouts.completion_mask_N = reader.tensor("graded");
  return request;
}

std::string to_bytes(const RankReply& reply) {
  std::vector<std::pair<std::string, Tensor>> tensors = {{"hidden", reply.states.hidden_MD}};
  for (size_t i = 0; i < reply.states.layers_MD.size(); ++i) {
    tensors.emplace_back(layer_name(i), reply.states.layers_MD[i]);
  }
  return file_of(std::move(tensors), {{"step", fmt::format("{}", reply.step)},
                                      {"policy_step", fmt::format("{}", reply.policy_step)},
                                      {"seconds", fmt::format("{}", reply.seconds)}});
}

RankReply reply_of_bytes(const Tensor& bytes, at::Device device) {
  const MessageReader reader(bytes, device);
  RankReply reply{.step = reader.number("step"),
                  .policy_step = reader.number("policy_step"),
                  .seconds = std::stod(reader.file.metadata.at("seconds")),
                  .states = {.hidden_MD = reader.tensor("hidden"), .head = {}, .layers_MD = {}}};
  for (size_t i = 0; reader.has(layer_name(i)); ++i) {
    reply.states.layers_MD.push_back(reader.tensor(layer_name(i)));
  }
  return reply;
}

}  // namespace alambic
