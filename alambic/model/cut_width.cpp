#include "alambic/model/cut_width.h"

#include "alambic/base/error.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/model/config.h"

namespace alambic {
namespace {

/// Units that one dimension of a tensor counts.
enum class Axis { whole, hidden, inner, heads, kv_heads };

struct Rule {
  const char* end;  // end of the tensor's name
  std::vector<Axis> axes;
};

const std::vector<Rule>& rules() {
  using enum Axis;
  static const std::vector<Rule> all = {{"model.embed_tokens.weight", {whole, hidden}},
                                        {"lm_head.weight", {whole, hidden}},
                                        {"model.norm.weight", {hidden}},
                                        {"layernorm.weight", {hidden}},
                                        {".self_attn.q_proj.weight", {heads, hidden}},
                                        {".self_attn.k_proj.weight", {kv_heads, hidden}},
                                        {".self_attn.v_proj.weight", {kv_heads, hidden}},
                                        {".self_attn.o_proj.weight", {hidden, heads}},
                                        {".self_attn.q_proj.bias", {heads}},
                                        {".self_attn.k_proj.bias", {kv_heads}},
                                        {".self_attn.v_proj.bias", {kv_heads}},
                                        {".self_attn.o_proj.bias", {hidden}},
                                        {".self_attn.q_norm.weight", {heads}},
                                        {".self_attn.k_norm.weight", {kv_heads}},
                                        {".mlp.gate_proj.weight", {inner, hidden}},
                                        {".mlp.up_proj.weight", {inner, hidden}},
                                        {".mlp.down_proj.weight", {hidden, inner}},
                                        {".mlp.gate_proj.bias", {inner}},
                                        {".mlp.up_proj.bias", {inner}},
                                        {".mlp.down_proj.bias", {hidden}}};
  return all;
}

/// The sizes in config.json, before and after.
struct Sizes {
  int64_t hidden, inner, groups;  // groups: of heads that share keys and values
  int64_t heads_of_group, head_width;

  int64_t units(Axis axis) const {
    if (axis == Axis::hidden) return hidden;
    return axis == Axis::inner ? inner : groups;
  }
  /// Numbers of a tensor's dimension that belong to one unit.
  int64_t unit_size(Axis axis) const {
    if (axis == Axis::heads) return heads_of_group * head_width;
    return axis == Axis::kv_heads ? head_width : 1;
  }
};

Sizes sizes_of(const Json& json, const std::string& source) {
  const Json completed = complete_config(json, source + "/config.json");
  const Config config{{completed, source + "/config.json"}};
  const int64_t heads = config.size("num_attention_heads"), hidden = config.size("hidden_size");
  const int64_t groups = config.size("num_key_value_heads");
  return {.hidden = hidden,
          .inner = config.size("intermediate_size"),
          .groups = groups,
          .heads_of_group = heads / groups,
          .head_width = config.size("head_dim")};
}

int64_t checked(int64_t wanted, int64_t there, const char* option, const std::string& source) {
  if (wanted <= there) return wanted > 0 ? wanted : there;
  throw input_error("--{} {}: {} has {}", option, wanted, source, there)
      .with_hint("a model can only be cut; --model-config makes a new one of any size");
}

Sizes narrowed(const Sizes& sizes, const Widths& widths, const std::string& source) {
  Sizes narrow = sizes;
  narrow.hidden = checked(widths.hidden, sizes.hidden, "hidden-size", source);
  narrow.inner = checked(widths.inner, sizes.inner, "intermediate-size", source);
  const int64_t of_group = sizes.heads_of_group;
  const int64_t heads =
      checked(widths.heads, sizes.groups * of_group, "num-attention-heads", source);
  if (heads % of_group != 0) {
    throw input_error(
        "--num-attention-heads {}: in {} {} heads share keys and values, and whole groups are kept",
        heads, source, of_group)
        .with_hint(fmt::format("a multiple of {}", of_group));
  }
  narrow.groups = heads / of_group;
  return narrow;
}

const Rule& rule_of(const std::string& name, const Tensor& tensor, const std::string& source) {
  for (const Rule& rule : rules()) {
    if (name.ends_with(rule.end) && tensor.dim() == std::ssize(rule.axes)) return rule;
  }
  throw input_error("cannot cut the width of {}: there is no rule for {}", source, name)
      .with_hint("--layers can be cut; widths can where every layer is as Llama's");
}

std::vector<Axis> axes_of(const std::string& name, const Tensor& tensor, const Sizes& sizes,
                          const std::string& source) {
  // Qwen 3's norms are of one head, whichever it is; OLMo 2's of all heads together.
  const bool of_heads = name.ends_with("q_norm.weight") || name.ends_with("k_norm.weight");
  if (of_heads && tensor.size(0) == sizes.head_width) return {Axis::whole};
  return rule_of(name, tensor, source).axes;
}

/// Chosen together: channels in the whole model, the rest in a layer.
std::string scope_of(const std::string& name, Axis axis) {
  if (axis == Axis::hidden) return "";
  const std::string layer = name.substr(0, name.find('.', std::string("model.layers.").size()));
  return layer + (axis == Axis::inner ? ", inner" : ", heads");
}

/// The dimension in front, as [units, numbers of a unit].
Tensor by_unit(const Tensor& tensor, int64_t dimension, int64_t units) {
  return tensor.transpose(0, dimension).reshape({units, -1});
}

struct Choice {
  Tensor score_U;  // float64
  Tensor kept_K;   // rising
};

}  // namespace

void cut_width(std::map<std::string, Tensor>& tensors, Json& config, const Widths& widths,
               const std::string& source) {
  for (const auto& [name, tensor] : tensors) rule_of(name, tensor, source);
  const Sizes sizes = sizes_of(config, source), narrow = narrowed(sizes, widths, source);
  std::map<std::string, Choice> choices;
  const auto each_axis = [&](const auto& visit) {
    for (auto& [name, tensor] : tensors) {
      const std::vector<Axis> axes = axes_of(name, tensor, sizes, source);
      for (int64_t d = 0; d < std::ssize(axes); ++d) {
        const Axis axis = axes[d];
        if (axis == Axis::whole || narrow.units(axis) == sizes.units(axis)) continue;
        const int64_t expected = sizes.units(axis) * sizes.unit_size(axis);
        if (tensor.size(d) != expected) {
          throw input_error("cannot cut the width of {}: {} has {} rows or columns, expected {}",
                            source, name, tensor.size(d), expected);
        }
        visit(tensor, d, axis, choices[scope_of(name, axis)]);
      }
    }
  };
  each_axis([&](const Tensor& tensor, int64_t d, Axis axis, Choice& choice) {
    const Tensor squares = by_unit(tensor, d, sizes.units(axis)).to(at::kDouble).square().sum(1);
    const Tensor share = squares / squares.sum().clamp_min(1e-300);
    choice.score_U = choice.score_U.defined() ? choice.score_U + share : share;
  });
  // Squares are of the whole tensors: nothing is cut before everything is scored.
  each_axis([&](Tensor& tensor, int64_t d, Axis axis, Choice& choice) {
    if (!choice.kept_K.defined()) {
      const Tensor best_K = std::get<1>(at::topk(choice.score_U, narrow.units(axis)));
      choice.kept_K = std::get<0>(at::sort(best_K));
    }
    const Tensor kept = by_unit(tensor, d, sizes.units(axis)).index_select(0, choice.kept_K);
    std::vector<int64_t> shape = tensor.transpose(0, d).sizes().vec();
    shape[0] = narrow.units(axis) * sizes.unit_size(axis);
    tensor = kept.reshape(shape).transpose(0, d).contiguous();
  });
  config["hidden_size"] = narrow.hidden;
  config["intermediate_size"] = narrow.inner;
  config["num_attention_heads"] = narrow.groups * sizes.heads_of_group;
  config["num_key_value_heads"] = narrow.groups;
  config["head_dim"] = sizes.head_width;
}

}  // namespace alambic
