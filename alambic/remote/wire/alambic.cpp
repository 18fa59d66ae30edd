// `alambic serve`: grades as a safetensors file, 8 bytes a candidate.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/io/safetensors.h"
#include "alambic/remote/wire/reply_json.h"
#include "alambic/remote/wire/wires.h"

namespace alambic {
namespace {

template <class Number>
std::vector<Number> numbers(const std::vector<TensorView>& tensors, const std::string& name,
                            Dtype dtype, const std::vector<int64_t>& shape) {
  const TensorView* tensor = tensor_named(tensors, name);
  if (tensor == nullptr) throw MalformedReply(fmt::format("no tensor {}", name));
  if (tensor->dtype != dtype || tensor->shape != shape) {
    throw MalformedReply(fmt::format("{} is of shape {}, expected {}", name,
                                     shape_text(tensor->shape), shape_text(shape)));
  }
  std::vector<Number> values(static_cast<size_t>(count_of(shape)));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor->bytes.data(), values.size() * sizeof(Number));
  }
  return values;
}

struct AlambicWire : GradeWire {
  const Tokenizer& tokenizer;

  explicit AlambicWire(const Tokenizer& of) : tokenizer(of) {}

  std::string route() const override { return "/v1/grade"; }
  size_t most_together() const override { return 256; }

  std::string body(const std::string& model, std::span<const GradeRequest> requests,
                   int64_t k) const override {
    nlohmann::ordered_json body = {{"model", model},
                                   {"sequences", nlohmann::ordered_json::array()},
                                   {"from", nlohmann::ordered_json::array()},
                                   {"topk", k},
                                   {"tokenizer", tokenizer.digest()}};
    for (const GradeRequest& request : requests) {
      body["sequences"].push_back(request.tokens);
      body["from"].push_back(request.from);
    }
    return body.dump();
  }

  std::vector<TokenGrades> read(const std::string& body, std::span<const GradeRequest> requests,
                                int64_t k) const override {
    try {
      const SafetensorsHeader file =
          parse_safetensors(std::as_bytes(std::span(body)), "the grades");
      return split(file.tensors, requests, k);
    } catch (const Error& error) {
      throw MalformedReply(error.what());
    }
  }

  static std::vector<TokenGrades> split(const std::vector<TensorView>& tensors,
                                        std::span<const GradeRequest> requests, int64_t k) {
    std::vector<int64_t> offsets = {0};
    for (const GradeRequest& request : requests) {
      offsets.push_back(offsets.back() + request.rows());
    }
    const int64_t M = offsets.back();
    if (numbers<int64_t>(tensors, "offsets", Dtype::I64, {std::ssize(offsets)}) != offsets) {
      throw MalformedReply("other places than those that were asked for");
    }
    const auto logp = numbers<float>(tensors, "logp", Dtype::F32, {M});
    std::vector<float> topk;
    std::vector<int32_t> token;
    if (k > 0) {
      topk = numbers<float>(tensors, "topk_logp", Dtype::F32, {M, k});
      token = numbers<int32_t>(tensors, "token", Dtype::I32, {M, k});
    }
    std::vector<TokenGrades> all;
    for (size_t s = 0; s < requests.size(); ++s) {
      TokenGrades& grades = all.emplace_back(TokenGrades{.k = k});
      const auto slice = [&](const auto& from, int64_t width) {
        return std::vector(from.begin() + offsets[s] * width,
                           from.begin() + offsets[s + 1] * width);
      };
      grades.logp = slice(logp, 1);
      grades.topk_logp = slice(topk, k);
      grades.topk_token = slice(token, k);
    }
    return all;
  }

  std::optional<Usage> usage(const std::string& /*body*/) const override { return {}; }
};

}  // namespace

std::unique_ptr<GradeWire> alambic_wire(const Tokenizer& tokenizer) {
  return std::make_unique<AlambicWire>(tokenizer);
}

}  // namespace alambic
