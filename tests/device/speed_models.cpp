#include "tests/device/speed_models.h"

#include "alambic/base/error.h"
#include "alambic/kernels/device_fp8.h"
#include "alambic/kernels/device_packed.h"
#include "alambic/model/side_by_side.h"
#include "alambic/model/tiny.h"
#include "tests/random_packed.h"

namespace alambic {

namespace {

constexpr int64_t fp8_tile = 128;

PackedMatrix few_rows(Dtype dtype, int64_t columns, at::ScalarType type) {
  PackedMatrix matrix =
      random_packed(dtype, dtype == Dtype::F8_E4M3 ? fp8_tile : 32, columns, 1, type);
  if (dtype == Dtype::F8_E4M3) {
    const int64_t across = (columns + fp8_tile - 1) / fp8_tile;
    Tiles tiles{.rows = fp8_tile, .columns = fp8_tile, .across = across};
    tiles.scales.assign(static_cast<size_t>(across), 1e-4F);
    matrix.tiles = std::make_shared<const Tiles>(std::move(tiles));
  }
  return matrix;
}

}  // namespace

Workload workload(const std::string& shape) {
  const bool tiny = shape == "tiny";
  if (!tiny && shape != "8b") throw input_error("no shape '{}': tiny or 8b", shape);
  return {.config = Json{{"architectures", {"Qwen3ForCausalLM"}},
                         {"model_type", "qwen3"},
                         {"hidden_size", tiny ? 64 : 4096},
                         {"intermediate_size", tiny ? 96 : 12288},
                         {"num_hidden_layers", tiny ? 2 : 8},
                         {"num_attention_heads", tiny ? 4 : 32},
                         {"num_key_value_heads", tiny ? 2 : 8},
                         {"head_dim", tiny ? 16 : 128},
                         {"vocab_size", tiny ? 500 : 151936},
                         {"max_position_embeddings", 40960},
                         {"tie_word_embeddings", false}},
          .dtype = at::kBFloat16,
          .sequences = 4,
          .length = tiny ? 32 : 4096,
          .decoded = tiny ? 8 : 120,  // twice as many have one recording
          .repeats = tiny ? 1 : 3,
          .packed = tiny ? std::vector{Dtype::Q8_0} : std::vector{Dtype::Q8_0, Dtype::Q4_K}};
}

Workload in_whole_tiles(const Workload& work) {
  Workload whole = work;
  for (const char* name : {"hidden_size", "intermediate_size"}) {
    whole.config[name] = (work.size(name) + 4 * fp8_tile - 1) / (4 * fp8_tile) * (4 * fp8_tile);
  }
  if (work.size("head_dim") % fp8_tile != 0) whole.config["head_dim"] = fp8_tile;
  return whole;
}

std::vector<ExpertFamily> expert_families(const Workload& work) {
  const bool tiny = work.size("hidden_size") < 2048;
  const int64_t hidden = tiny ? 64 : 2048, layers = tiny ? 2 : 4;
  const auto with = [&](const Json& more) {
    Workload family = work;
    family.config.update(more);
    family.config["hidden_size"] = hidden;
    family.config["num_hidden_layers"] = layers;
    if (tiny) {  // fibers take their time
      family.config["vocab_size"] = 64;
      family.decoded = 2;
    }
    return family;
  };
  const Workload qwen = with({{"architectures", {"Qwen3MoeForCausalLM"}},
                              {"model_type", "qwen3_moe"},
                              {"num_key_value_heads", tiny ? 2 : 4},
                              {"moe_intermediate_size", tiny ? 32 : 768},
                              {"num_experts", tiny ? 8 : 128},
                              {"num_experts_per_tok", tiny ? 2 : 8},
                              {"norm_topk_prob", true}});
  const Workload deepseek = with({{"architectures", {"DeepseekV3ForCausalLM"}},
                                  {"model_type", "deepseek_v3"},
                                  {"intermediate_size", tiny ? 96 : 11264},
                                  {"num_attention_heads", tiny ? 4 : 16},
                                  {"num_key_value_heads", tiny ? 4 : 16},
                                  {"kv_lora_rank", tiny ? 32 : 512},
                                  {"q_lora_rank", nullptr},
                                  {"qk_nope_head_dim", tiny ? 16 : 128},
                                  {"qk_rope_head_dim", tiny ? 16 : 64},
                                  {"v_head_dim", tiny ? 16 : 128},
                                  {"moe_intermediate_size", tiny ? 32 : 1408},
                                  {"n_routed_experts", tiny ? 8 : 64},
                                  {"num_experts_per_tok", tiny ? 2 : 6},
                                  {"n_shared_experts", tiny ? 1 : 2},
                                  {"n_group", 1},
                                  {"topk_group", 1},
                                  {"first_k_dense_replace", 1},
                                  {"norm_topk_prob", true},
                                  {"routed_scaling_factor", 2.446}});
  const auto experts_of = [&](const Workload& family, int64_t experts, int64_t of_layers) {
    return of_layers * experts * 3 * hidden * family.size("moe_intermediate_size");
  };
  const int64_t element = static_cast<int64_t>(c10::elementSize(work.dtype));
  return {
      {.name = "qwen3_moe",
       .work = qwen,
       .experts = qwen.size("num_experts"),
       .chosen = qwen.size("num_experts_per_tok"),
       .expert_parameters = experts_of(qwen, qwen.size("num_experts"), layers),
       .entry = 2 * layers * element * qwen.size("num_key_value_heads") * qwen.size("head_dim")},
      {.name = "deepseek_v3",
       .work = deepseek,
       .experts = deepseek.size("n_routed_experts"),
       .chosen = deepseek.size("num_experts_per_tok"),
       .expert_parameters = experts_of(deepseek, deepseek.size("n_routed_experts"), layers - 1),
       .entry =
           layers * element * (deepseek.size("kv_lora_rank") + deepseek.size("qk_rope_head_dim"))}};
}

std::shared_ptr<Model> random_on_device(const Workload& work, at::Device device, bool trainable) {
  std::shared_ptr<Model> model = make_model(work.config, "the speed of a device");
  const at::TensorOptions options = at::TensorOptions().device(device).dtype(work.dtype);
  model->visit([&](const std::string&, Tensor& tensor) {
    const std::vector<int64_t> sizes = tensor.sizes().vec();
    tensor = (tensor.dim() < 2 ? at::ones(sizes, options) : at::randn(sizes, options) * 0.02)
                 .set_requires_grad(trainable);
  });
  model->move_buffers(device, work.dtype);
  lay_side_by_side(*model);
  return model;
}

std::shared_ptr<Model> packed_on_device(const Workload& work, at::Device device, Dtype dtype,
                                        int64_t& bytes) {
  std::shared_ptr<Model> model = make_model(work.config, "the speed of a device");
  const at::TensorOptions options = at::TensorOptions().device(device).dtype(work.dtype);
  const auto pack = [&](const std::string&, Weight& weight) {
    PackedMatrix matrix =
        kernels::on_device::packed_on(device, few_rows(dtype, weight.size(1), work.dtype));
    PackedOnDevice all = *matrix.on_device;
    const auto times = static_cast<size_t>((weight.size(0) + matrix.rows - 1) / matrix.rows);
    matrix.rows = weight.size(0);
    all.bytes_RB = at::cat(std::vector<Tensor>(times, all.bytes_RB));
    bytes += all.bytes_RB.numel();
    if (all.scales_T.defined()) all.scales_T = at::cat(std::vector<Tensor>(times, all.scales_T));
    matrix.on_device = std::make_shared<const PackedOnDevice>(std::move(all));
    weight = Weight(dtype == Dtype::F8_E4M3 ? kernels::on_device::with_fp8_products(matrix)
                                            : std::move(matrix));
  };
  model->visit(
      {[&](const std::string&, Tensor& tensor) { tensor = at::ones(tensor.sizes(), options); },
       pack});
  model->move_buffers(device, work.dtype);
  lay_side_by_side(*model);
  return model;
}

}  // namespace alambic
