#include "alambic/io/gguf/model.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/printable.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/io/count_limits.h"
#include "alambic/io/gguf/config.h"
#include "alambic/io/gguf/left_out.h"
#include "alambic/io/gguf/parts.h"
#include "alambic/io/gguf/rope.h"
#include "alambic/io/gguf/text_part.h"
#include "alambic/io/gguf/transform.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/encode.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

struct NamedType {
  std::string_view name;
  GgufType type;
};

// llama.cpp's numbers of file types; 14 is Q4_K_S, the plainer of its two mixes.
constexpr NamedType types[] = {
    {"f32", {Dtype::F32, 0}},    {"f16", {Dtype::F16, 1}},      {"bf16", {Dtype::BF16, 32}},
    {"q8_0", {Dtype::Q8_0, 7}},  {"q4_0", {Dtype::Q4_0, 2}},    {"q4_k", {Dtype::Q4_K, 14}},
    {"q6_k", {Dtype::Q6_K, 18}}, {"mxfp4", {Dtype::MXFP4, 38}},
};

GgufHeads heads_of(const Json& config) {
  GgufHeads heads;
  heads.query = config.value("num_attention_heads", config.value("n_head", int64_t{1}));
  heads.key = config.value("num_key_value_heads", heads.query);
  const auto width = [&](const char* key) {
    return config.contains(key) && config[key].is_number_integer() ? config[key].get<int64_t>() : 0;
  };
  heads.nope_width = width("qk_nope_head_dim");
  heads.value_width = width("v_head_dim");
  heads.delta_net = {.key_heads = width("linear_num_key_heads"),
                     .value_heads = width("linear_num_value_heads"),
                     .value_width = width("linear_value_head_dim")};
  return heads;
}

// One tensor on its way into a file: of one source, or of one an expert.
struct Plan {
  GgufTensorMatch place;
  std::vector<const TensorView*> sources;
  std::vector<int64_t> shape = {};
  Dtype dtype = Dtype::F32;
};

// The format for a matrix: `wanted`, or a finer one where its rows are no whole blocks.
Dtype fitting(Dtype wanted, int64_t row) {
  const auto numbers = static_cast<uint64_t>(row);
  if (numbers % block_numel(wanted) == 0) return wanted;
  return numbers % block_numel(Dtype::Q8_0) == 0 ? Dtype::Q8_0 : Dtype::F16;
}

Dtype dtype_for(const Plan& plan, const GgufType& type, bool tied) {
  const std::vector<int64_t>& shape = plan.shape;
  const std::string_view name = plan.place.row->gguf;
  // llama.cpp wants positions, routers, convolutions and experts' biases in float32 too.
  if (shape.size() < 2 || name == "position_embd" || name.ends_with("ffn_gate_inp") ||
      name.ends_with("ssm_conv1d") || plan.place.suffix == ".bias") {
    return Dtype::F32;
  }
  if (type.dtype == Dtype::MXFP4) {  // of experts, as gpt-oss is published
    return name.ends_with("_exps") ? fitting(type.dtype, shape.back()) : Dtype::BF16;
  }
  const bool head = name == "output" || (tied && name == "token_embd");
  const bool four_bits = type.dtype == Dtype::Q4_0 || type.dtype == Dtype::Q4_K;
  return fitting(head && four_bits ? Dtype::Q6_K : type.dtype, shape.back());
}

std::vector<GgufTensorMatch> find_places(const GgufArchitecture& family, const std::string& name) {
  std::vector<GgufTensorMatch> places = places_of_hf(family, name);
  // GPT-2's original files leave the prefix out.
  if (places.empty()) places = places_of_hf(family, "transformer." + name);
  return places;
}

// Experts in their order, each there once and of the same shape.
void check_experts(const Plan& plan, const std::string& where) {
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    GgufTensorMatch place = plan.place;
    place.expert = static_cast<int64_t>(i);
    const TensorView& source = *plan.sources[i];
    if (source.name.ends_with(place.hf_name()) && source.shape == plan.sources[0]->shape) continue;
    throw input_error("cannot convert {}: tensor {} should be {}, of the shape of expert 0", where,
                      printable(source.name), place.hf_name());
  }
}

std::vector<Plan> plan_tensors(const GgufArchitecture& family, const Json& config,
                               const std::string& where, const std::vector<TensorView>& tensors,
                               const GgufType& type) {
  const bool tied = is_tied(family, config);
  // In the order of the computation: embedding, layers, what follows them; then by expert.
  using Key = std::tuple<int64_t, int64_t, std::string>;
  std::map<Key, std::map<int64_t, const TensorView*>> sorted;
  std::map<Key, GgufTensorMatch> places;
  std::vector<std::string> switched_off;
  for (const TensorView& tensor : tensors) {
    if (is_left_out(family, config, tensor.name)) continue;
    if (is_switched_off(family, config, tensor.name, where)) {
      switched_off.push_back(tensor.name);
      continue;
    }
    const std::vector<GgufTensorMatch> found = find_places(family, tensor.name);
    if (found.empty()) {
      throw input_error("cannot convert {}: tensor {} is not part of the architecture {}", where,
                        printable(tensor.name), family.architecture);
    }
    for (const GgufTensorMatch& place : found) {
      const bool after = place.row->gguf.starts_with("output");
      const Key key{after ? std::numeric_limits<int64_t>::max() : place.layer,
                    place.row - family.tensors.data(), place.suffix};
      sorted[key][place.expert] = &tensor;
      places[key] = place;
    }
  }
  if (!switched_off.empty()) {
    warn("{} tensors of {} are not written, its config.json switches them off; the first is {}",
         switched_off.size(), where, printable(switched_off.front()));
  }
  std::vector<Plan> plans;
  for (const auto& [key, experts] : sorted) {
    Plan& plan = plans.emplace_back(Plan{.place = places.at(key), .sources = {}});
    for (const auto& [expert, tensor] : experts) plan.sources.push_back(tensor);
    plan.shape = changed_shape(*plan.sources[0], plan.place.row->change, heads_of(config), where);
    if (plan.place.has_experts()) {
      check_experts(plan, where);
      plan.shape.insert(plan.shape.begin(), std::ssize(plan.sources));
    }
    plan.dtype = dtype_for(plan, type, tied);
  }
  return plans;
}

std::vector<std::byte> bytes_of(const Plan& plan, const TensorView& source, const GgufHeads& heads,
                                const std::string& where) {
  if (plan.dtype == Dtype::MXFP4 && source.dtype == Dtype::F4 && !source.tiles.bytes.empty()) {
    return mxfp4_part_of(source, plan.place.row->change);
  }
  const TransformedTensor changed =
      change_tensor(source, plan.place.row->change, /*to_gguf=*/true, heads, where);
  if (changed.dtype == plan.dtype) return {changed.bytes.begin(), changed.bytes.end()};
  const std::string name = printable(source.name);
  if (!is_decodable(changed.dtype)) {
    throw input_error("cannot convert {}: tensor {} is {}, which is not converted", where, name,
                      name_of(changed.dtype));
  }
  std::vector<float> numbers(static_cast<size_t>(count_of(changed.shape)));
  decode(changed.dtype, changed.bytes, numbers);
  const std::string fault = fault_of(plan.dtype, numbers);
  if (!fault.empty()) {
    throw input_error("cannot convert {}: tensor {}: {}", where, name, fault)
        .with_hint("--type bf16 has the range of float32");
  }
  return encode(plan.dtype, numbers);
}

std::vector<std::byte> bytes_of(const Plan& plan, const GgufHeads& heads,
                                const std::string& where) {
  if (plan.sources.size() == 1) return bytes_of(plan, *plan.sources[0], heads, where);
  std::vector<std::byte> all;
  for (const TensorView* source : plan.sources) {
    const std::vector<std::byte> bytes = bytes_of(plan, *source, heads, where);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

GgufMetadata header_of(const GgufArchitecture& family, const GgufType& type,
                       const GgufMetadata& tokenizer, const GgufMetadata& settings) {
  GgufMetadata metadata;
  metadata.add("general.architecture", std::string(family.name));
  metadata.add("general.type", std::string("model"));
  metadata.add("general.file_type", type.file_type);
  metadata.add("general.quantization_version", uint32_t{2});
  for (const GgufMetadata* part : {&settings, &tokenizer}) {
    for (const auto& [key, value] : part->items()) metadata.add(key, value);
  }
  return metadata;
}

// Numbers as they were, where what GGUF has of them has lost digits (1 + weight, -exp(A_log)): a
// key of ours beside the tensor.
std::string exact_key(const std::string& gguf_name) { return "alambic.exact." + gguf_name; }

bool loses_digits(const GgufTensorMatch& place) {
  return place.row->change == GgufTransform::plus_one || place.row->change == GgufTransform::decay;
}

void add_exact(const Plan& plan, const GgufHeads& heads, const std::string& where,
               GgufMetadata& metadata) {
  if (!loses_digits(plan.place)) return;
  const TensorView& source = *plan.sources[0];
  const GgufTransform change = plan.place.row->change;
  const TransformedTensor there = change_tensor(source, change, /*to_gguf=*/true, heads, where);
  const TransformedTensor back = change_tensor(view_of(there), change, false, heads, where);
  std::vector<float> numbers = floats_of(source, where);
  if (std::ranges::equal(back.bytes, encode(Dtype::F32, numbers))) return;
  metadata.add(exact_key(plan.place.gguf_name()), GgufArray(std::move(numbers)));
}

// The numbers of that key where the tensor is still what they become, else `back`, which the tensor
// makes.
TensorBytes exact_bytes(const TensorView& tensor, GgufTransform change, const GgufHeads& heads,
                        const GgufMetadata& metadata, const TransformedTensor& back) {
  const std::vector<double> exact = metadata.numbers(exact_key(tensor.name));
  if (tensor.dtype != Dtype::F32 || std::ssize(exact) != count_of(tensor.shape)) return back.bytes;
  const std::vector<float> numbers(exact.begin(), exact.end());
  return {back.bytes.size(), [=] {
            std::vector<std::byte> kept = encode(Dtype::F32, numbers);
            const TensorView floats = view_of({Dtype::F32, back.shape, kept});
            const TransformedTensor there = change_tensor(floats, change, true, heads, "");
            if (std::ranges::equal(there.bytes, tensor.bytes)) return kept;
            return std::vector(back.bytes.begin(), back.bytes.end());
          }};
}

void add_tensor(GgufModel& model, const TensorView& tensor, const GgufTensorMatch& place,
                const GgufHeads& heads, const std::string& where) {
  TensorView view = tensor;
  view.name = place.hf_name();
  if (place.row->change != GgufTransform::none) {
    const GgufTransform change = place.row->change;
    const TransformedTensor changed =
        change_tensor(tensor, change, /*to_gguf=*/false, heads, where);
    view.dtype = changed.dtype;
    view.shape = changed.shape;
    view.bytes = loses_digits(place)
                     ? exact_bytes(tensor, change, heads, model.file.metadata(), changed)
                     : changed.bytes;
  }
  model.tensors.push_back(std::move(view));
}

// A tensor an expert, each a part of the bytes.
void add_experts(GgufModel& model, const TensorView& tensor, GgufTensorMatch place,
                 const std::string& where) {
  if (tensor.shape.size() != 3 || tensor.shape[0] < 1) {
    throw input_error("cannot load {}: tensor {} should have three dimensions, experts first",
                      where, printable(tensor.name));
  }
  const size_t bytes = tensor.bytes.size() / static_cast<size_t>(tensor.shape[0]);
  for (place.expert = 0; place.expert < tensor.shape[0]; ++place.expert) {
    if (bytes == 0) break;  // no bytes, whatever the number of experts
    model.tensors.push_back(
        {.name = place.hf_name(),
         .dtype = tensor.dtype,
         .shape = {tensor.shape[1], tensor.shape[2]},
         .bytes = tensor.bytes.subspan(static_cast<size_t>(place.expert) * bytes, bytes)});
  }
}

// Tensors that the file has in parts; some files have kv_b_proj whole and in parts.
void add_wholes(GgufModel& model, const GgufArchitecture& family,
                const std::map<std::string, std::vector<GgufPart>>& parts, const GgufHeads& heads,
                const std::string& where) {
  for (const auto& [name, found] : parts) {
    if (std::ranges::find(model.tensors, name, &TensorView::name) != model.tensors.end()) continue;
    for (const GgufTensorMatch& place : places_of_hf(family, name)) {
      const std::string part = place.gguf_name();
      const auto is_it = [&](const GgufPart& other) { return other.tensor.name == part; };
      if (std::ranges::any_of(found, is_it)) continue;
      throw input_error("cannot load {}: it has no tensor {}, but {}", where, part,
                        printable(found[0].tensor.name));
    }
    const WholeTensor whole = whole_of(found, heads, where);
    TensorView view = view_of(whole.tensor, name);
    view.tiles = {whole.scales, 1, whole.scaled};
    model.tensors.push_back(std::move(view));
  }
}

}  // namespace

std::optional<GgufType> gguf_type_named(std::string_view name) {
  const auto* found = std::ranges::find(types, name, &NamedType::name);
  if (found == std::end(types)) return std::nullopt;
  return found->type;
}

std::vector<std::string> gguf_type_names() {
  std::vector<std::string> names;
  for (const NamedType& type : types) names.emplace_back(type.name);
  return names;
}

GgufModel open_gguf_model(const fs::path& path) {
  GgufModel model{.file = GgufFile::open(path), .config = {}, .tensors = {}};
  const GgufMetadata& metadata = model.file.metadata();
  const std::string kind = metadata.text("general.type").value_or("model");
  if (kind != "model") {
    throw input_error("cannot load {}: its general.type is \"{}\", not \"model\"", path.string(),
                      printable(kind))
        .with_hint("an adapter or a projector for images is no model of its own");
  }
  const auto name = metadata.text("general.architecture");
  if (!name) throw input_error("cannot load {}: it has no general.architecture", path.string());
  const GgufArchitecture& family = gguf_architecture(*name, path.string());
  model.config = config_of_gguf(family, metadata, model.file.tensors());
  // Of those with one name in GGUF, the one that the file's metadata make it.
  const GgufArchitecture& made = gguf_architecture_of(model.config, path.string());
  const GgufHeads heads = heads_of(model.config);
  const int64_t next =
      metadata.integer(std::string(family.name) + ".nextn_predict_layers").value_or(0);
  std::map<std::string, std::vector<GgufPart>> parts;  // by the name of the whole
  for (const TensorView& tensor : model.file.tensors()) {
    if (is_gguf_frequencies(tensor.name) || is_beyond(tensor.name, "blk.", next, model.config))
      continue;
    const auto place = place_of_gguf(family, tensor.name);
    if (!place) {
      throw input_error("cannot load {}: tensor {} is not part of the architecture {}",
                        path.string(), printable(tensor.name), family.name);
    }
    if (place->suffix == ".bias" &&
        is_switched_off(made, model.config, place->hf_name(), path.string())) {
      throw input_error("cannot load {}: tensor {} is a bias that {} has not", path.string(),
                        printable(tensor.name), made.architecture);
    }
    if (is_part(place->row->change)) {
      parts[place->hf_name()].push_back({place->row->change, tensor});
    } else if (place->has_experts()) {
      add_experts(model, tensor, *place, path.string());
    } else {
      add_tensor(model, tensor, *place, heads, path.string());
    }
  }
  add_wholes(model, family, parts, heads, path.string());
  return model;
}

GgufWritten write_gguf_model(const GgufPlace& place, const Json& whole_config,
                             const std::string& where, const std::vector<TensorView>& all_tensors,
                             const GgufType& type, const GgufMetadata& tokenizer) {
  std::vector<std::string> notes;
  const Json config = complete_config(whole_config, where, limits_of(all_tensors), 0, &notes);
  for (const std::string& note : notes) warn(note);
  const GgufArchitecture& family = gguf_architecture_of(config, where);
  if (family.whole.empty() && text_config(whole_config, where) != whole_config) {
    gguf_architecture_of(whole_config, where);  // which refuses it
  }
  const std::vector<TensorView> tensors = text_tensors(family, all_tensors);
  check_is_whole(family, config, tensors, where);
  GgufMetadata settings;
  const GgufFrequencies factors =
      add_gguf_config(family, config, limits_of(tensors), where, settings);
  const std::vector<Plan> plans = plan_tensors(family, config, where, tensors, type);
  const bool fits = std::ranges::any_of(plans, [&](const Plan& plan) {
    return type.dtype != Dtype::MXFP4 || plan.dtype == type.dtype;
  });
  if (!fits) {
    throw input_error("cannot convert {}: MXFP4 is for experts, and it has none in whole blocks",
                      where)
        .with_hint("--type q4_k or q4_0 take as much room");
  }
  const GgufHeads heads = heads_of(config);
  std::vector<GgufTensor> written;
  for (const Plan& plan : plans) {
    add_exact(plan, heads, where, settings);
    written.push_back(
        {.name = plan.place.gguf_name(), .dtype = plan.dtype, .shape = plan.shape, .bytes = [&] {
           return bytes_of(plan, heads, where);
         }});
  }
  for (const auto& [name, numbers] : factors) {
    written.insert(written.begin(),
                   {.name = name,
                    .dtype = Dtype::F32,
                    .shape = {std::ssize(numbers)},
                    .bytes = [&numbers = numbers] { return encode(Dtype::F32, numbers); }});
  }
  GgufWritten result;
  result.files = write_gguf(place, header_of(family, type, tokenizer, settings), written);
  for (const GgufTensor& tensor : written) ++result.counts[tensor.dtype];
  return result;
}

}  // namespace alambic
