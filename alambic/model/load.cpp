#include "alambic/model/load.h"

#include <map>
#include <optional>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/printable.h"
#include "alambic/base/units.h"
#include "alambic/dist/layer_weights.h"
#include "alambic/io/beside_model.h"
#include "alambic/io/count_limits.h"
#include "alambic/io/model_folder.h"
#include "alambic/io/split_experts.h"
#include "alambic/io/tied_head.h"
#include "alambic/kernels/device_fp8.h"
#include "alambic/kernels/device_packed.h"
#include "alambic/model/adapter.h"
#include "alambic/model/adapter_fit.h"
#include "alambic/model/divided_experts.h"
#include "alambic/model/families.h"
#include "alambic/model/side_by_side.h"
#include "alambic/nn/layer_of_name.h"
#include "alambic/tensor/packed_view.h"
#include "alambic/tensor/view.h"

namespace alambic {

namespace {

// The files' tensors under the names that the model uses, which may have experts one by one that
// are stacked in the files.
std::map<std::string, TensorView> canonical(Model& model, const std::vector<TensorView>& views) {
  std::set<std::string> names;
  model.visit([&](const std::string& name, const Weight&) { names.insert(name); });
  std::map<std::string, TensorView> by_name;
  for (const TensorView& view : views) {
    if (!model.ignored_reason(view.name).empty()) continue;
    const std::string name = model.canonical_name(view.name);
    if (name.empty()) continue;
    const std::vector<TensorView> parts =
        names.contains(name) ? std::vector<TensorView>() : split_experts(view);
    for (const TensorView& part : parts) by_name[model.canonical_name(part.name)] = part;
    if (parts.empty()) by_name[name] = view;
  }
  return by_name;
}

void tell_left_out(const Model& model, const std::vector<TensorView>& views,
                   const std::string& folder) {
  std::map<std::string, int64_t> counts;
  for (const TensorView& view : views) ++counts[model.ignored_reason(view.name)];
  for (const auto& [what, count] : counts) {
    if (!what.empty()) say("{}: {} tensors are left out: {}", folder, count, what);
  }
}

// ModelFolder takes away what it has read.
void check_quantization(const ModelFolder& files) {
  const Json setting = files.config().value("quantization_config", Json());
  if (setting.is_null()) return;
  const Json method = setting.is_object() ? setting.value("quant_method", Json()) : Json();
  throw input_error(
      "cannot load the model of {}: its weights are quantized by \"quant_method\" {}, but only "
      "\"fp8\" with weight_block_size and \"mxfp4\" are read",
      files.config_name(), method.dump())
      .with_hint("take the model's unquantized weights, or a GGUF file of it");
}

// The tensors that the files hold beside the model: overlays, heads for values, scales of caches.
// llama.cpp computes with all that a GGUF file has, and does not load others.
void tell_unused(const std::set<std::string>& names, const std::string& folder) {
  if (names.empty()) return;
  if (is_file(folder)) {
    throw input_error("cannot load {}: {} of its tensors have no place in the model: {}", folder,
                      names.size(), some_names({names.begin(), names.end()}))
        .with_hint("llama.cpp computes with every tensor of a file");
  }
  warn("{}: {} of its tensors are no part of the model and not used: {}", folder, names.size(),
       some_names({names.begin(), names.end()}));
}

// Says where the context ends before config.json's.
void tell_context(const Model& model, const ModelFolder& files) {
  const auto found = files.config().find("max_position_embeddings");
  if (found == files.config().end() || !found->is_number()) return;
  const int64_t positions = model.shape().positions;
  if (positions >= found->get<int64_t>()) return;
  warn(
      "{}: with longrope the angles of a longer sequence are others, so the context ends at "
      "original_max_position_embeddings, {} of {} tokens",
      files.config_name(), positions, found->get<int64_t>());
}

// Matrices that a CPU would keep packed and the device cannot.
struct Decoded {
  std::set<std::string> formats;
  double in_file = 0, in_memory = 0;

  void add(const TensorView& view, at::ScalarType type) {
    if (view.dtype == Dtype::BF16 || view.dtype == Dtype::F16) return;  // widened, as asked for
    formats.insert(name_of(view.dtype));
    in_file += static_cast<double>(view.bytes.size());
    in_memory +=
        static_cast<double>(count_of(view.shape)) * static_cast<double>(c10::elementSize(type));
  }

  // What costs memory.
  void tell(const std::string& folder, at::Device device) const {
    if (in_memory <= 1.5 * in_file) return;
    warn(
        "{}: device {} has no kernels for weights in {}: they are decoded as they are loaded, {} "
        "instead of {}",
        folder, device.str(), some_names({formats.begin(), formats.end()}), human_bytes(in_memory),
        human_bytes(in_file));
  }
};

// Gives the places of a model what its files have; what they lack is an error.
class Loader {
 public:
  Loader(Model& model, std::shared_ptr<const ModelFolder> files, const LoadOptions& options,
         std::string folder, std::optional<std::set<std::string>> written)
      : model_(model),
        files_(std::move(files)),
        options_(options),
        folder_(std::move(folder)),
        written_(std::move(written)),
        trained_(options.lora ? tensors_saved_whole(model, *options.lora)
                              : std::set<std::string>()),
        head_(model.head()),
        found_(canonical(model, files_->tensors())) {}

  // Leaves those tensors without numbers, which others bring.
  void leave_out(const std::map<std::string, TensorView>& names) {
    for (const auto& [name, view] : names) {
      left_out_.insert(name);
      found_.erase(name);
    }
  }

  // Gives a head that the files lack the embedding's numbers.
  void part_head() {
    const std::string embedding = model_.embedding_names().front();
    model_.visit([&](const std::string& name, const Weight& place) {
      if (place.is_same(head_.weight_VD) && !found_.contains(name) && found_.contains(embedding)) {
        // One of them alone will change: not in pages that both see.
        if (!is_only_read(name) || !is_only_read(embedding)) copied_.insert(name);
        found_[name] = found_.at(embedding);
      }
    });
  }

  // torch.compile saves a model's names behind "_orig_mod.", DistributedDataParallel behind
  // "module.".
  std::string where_they_may_be() const {
    const std::string end = "." + missing_.front();
    const auto wrapped = std::ranges::find_if(
        found_, [&](const auto& tensor) { return tensor.first.ends_with(end); });
    if (wrapped == found_.end())
      return "an incomplete download, or weights of another architecture";
    const std::string& name = wrapped->first;
    return fmt::format(
        "{} is there, as a wrapper of the model saves it: save the model inside of it, or take "
        "\"{}\" off the names",
        printable(name), printable(name.substr(0, name.size() - missing_.front().size())));
  }

  // The names of tensors that no place has taken.
  std::set<std::string> run() {
    model_.visit({[this](const std::string& name, Tensor& place) { fill(name, place); },
                  [this](const std::string& name, Weight& place) { fill(name, place); }});
    hand_over();
    if (!missing_.empty()) {
      throw input_error("cannot load {}: {} tensors are missing, the first is {}{}", folder_,
                        missing_.size(), missing_.front(), beside())
          .with_hint(where_they_may_be());
    }
    std::set<std::string> unused;
    for (const auto& [name, view] : found_) unused.insert(name);
    return unused;
  }

  const Decoded& decoded() const { return decoded_; }
  /// Matrices whose products are FP8.
  int64_t fp8_products() const { return fp8_products_; }

 private:
  void fill(const std::string& name, Tensor& place) {
    if (const auto view = take(name, place)) fill(name, *view, place);
  }

  void fill(const std::string& name, Weight& place) {
    const auto view = take(name, place);
    if (!view) return;
    const at::ScalarType type = model_.type_of(name, options_.dtype);
    const bool stays = options_.layers == nullptr || layer_of_name(name) < 0;
    if (stays && is_only_read(name) && stays_packed(*view, type) && needs_numbers(place)) {
      if (kernels::stays_packed(*view, type, options_.device)) {
        place = Weight(packed(*view, type));
        return;
      }
      decoded_.add(*view, type);
    }
    fill(name, *view, place.dense());
  }

  PackedMatrix packed(const TensorView& view, at::ScalarType type) {
    PackedMatrix matrix = to_packed(view, type, files_);
    if (options_.device.is_cpu()) return matrix;
    const PackedMatrix there = kernels::on_device::packed_on(
        options_.device, matrix, [&](std::span<const std::byte> part) { files_->release(part); });
    if (!options_.fp8_products || !kernels::on_device::fits_fp8_products(there)) return there;
    ++fp8_products_;
    return kernels::on_device::with_fp8_products(there);
  }

  void fill(const std::string& name, const TensorView& view, Tensor& place) {
    const at::ScalarType type = model_.type_of(name, options_.dtype);
    const int64_t layer = layer_of_name(name);
    if (options_.layers != nullptr && layer >= 0) {
      if (!waiting_.empty() && waiting_.front().layer != layer) hand_over();
      place = hollow(place.sizes(), at::device(options_.device).dtype(type));
      place.set_requires_grad(is_trained(name));
      const auto release = [&](std::span<const std::byte> part) { files_->release(part); };
      const bool divides = options_.layers->divides_experts();
      waiting_.push_back({.layer = layer,
                          .name = name,
                          .tensor = place,
                          .division = divides ? division_of(name) : LayerTensor::Division::none,
                          .numbers = to_tensor(view, type, at::kCPU, release)});
      return;
    }
    if (needs_numbers(place)) {
      place = stays_in_file(name) && in_place(view, type)
                  ? to_tensor_in_place(view, files_)
                  : to_tensor(view, type, options_.device,
                              [&](std::span<const std::byte> part) { files_->release(part); });
    }
    if (!place.is_meta() || options_.on_meta) {
      place.set_requires_grad(is_trained(name));
    }
  }

  // Gives the layer that has been read to who divides it.
  void hand_over() {
    if (!waiting_.empty()) options_.layers->add(std::exchange(waiting_, {}));
  }

  // What the files hold instead, for the error about what they lack.
  std::string beside() const {
    if (found_.empty()) return "";
    return fmt::format("; {} others are not part of the architecture, the first is {}",
                       found_.size(), printable(found_.begin()->first));
  }

  // The tensor of the files for this place; nothing where they lack it or others bring it.
  std::optional<TensorView> take(const std::string& name, const Weight& place) {
    if (left_out_.contains(name)) return std::nullopt;
    const auto node = found_.extract(name);
    if (node.empty()) {
      missing_.push_back(name);
      return std::nullopt;
    }
    if (node.mapped().shape != place.sizes()) {
      throw input_error("cannot load {}: tensor {} has shape {}, but config.json makes it {}",
                        folder_, name, shape_text(node.mapped().shape), shape_text(place.sizes()));
    }
    return node.mapped();
  }

  bool is_trained(const std::string& name) const {
    return (options_.trainable || trained_.contains(name)) && !model_.is_constant(name);
  }

  // Whether nobody will write to the tensor.
  bool is_only_read(const std::string& name) const { return written_ && !written_->contains(name); }

  bool stays_in_file(const std::string& name) const {
    if (!options_.device.is_cpu() || copied_.contains(name)) return false;
    return files_->pages() == Pages::copy_on_write || is_only_read(name);
  }

  bool needs_numbers(const Weight& place) const {
    if (options_.on_meta) return false;
    return !options_.head_only || place.is_same(head_.weight_VD) ||
           (head_.bias_V.defined() && place.is_same(head_.bias_V));
  }

  Model& model_;
  std::shared_ptr<const ModelFolder> files_;
  const LoadOptions& options_;
  std::string folder_;
  std::optional<std::set<std::string>> written_;  // tensors that are written to; nothing: all
  std::set<std::string> trained_;                 // beside an adapter
  Head head_;                                     // placeholders
  std::map<std::string, TensorView> found_;       // tensors that no place has taken yet
  std::vector<std::string> missing_;
  std::set<std::string> left_out_;  // of places that others fill
  std::set<std::string> copied_;    // of places whose numbers another place has too
  Decoded decoded_;
  std::vector<LayerTensor> waiting_;  // of one layer
  int64_t fp8_products_ = 0;
};

// Names of the tensors that will be written to; nothing: all. `adapter`: one to be attached, which
// stays beside the weights.
std::optional<std::set<std::string>> written_tensors(Model& model, const LoadOptions& options,
                                                     const std::optional<AdapterFit>& adapter,
                                                     bool merges) {
  if (!options.frozen || options.trainable || merges) return std::nullopt;
  std::set<std::string> names;
  if (options.lora) names = tensors_saved_whole(model, *options.lora);
  if (adapter) names.merge(adapter->changed(model));
  return names;
}

// What the adapter asks of the model, made anew where it must be.
std::unique_ptr<Model> model_for(const ModelFolder& files, bool own_head,
                                 std::optional<AdapterFit>& adapter) {
  Json config = files.config();
  CountLimits limits = limits_of(files.tensors());
  if (own_head) set_of_text(config, "tie_word_embeddings", false);
  std::unique_ptr<Model> model = make_model(config, files.config_name(), limits);
  if (!adapter) return model;
  if (adapter->change(config, limits, *model)) {
    model = make_model(config, files.config_name(), limits);
  }
  adapter->fit(*model);
  return model;
}

}  // namespace

namespace {

void tell_fp8_products(int64_t matrices, const std::string& folder) {
  if (matrices > 0) return say("{}: {} matrices are multiplied in FP8", folder, matrices);
  throw input_error(
      "{}: no weight is multiplied in FP8: expected F8_E4M3 with scales of 128 × 128 numbers, rows "
      "by 128 and columns by 512",
      folder)
      .with_hint("DeepSeek-V3 and its kin have them; --teacher-activation-scheme none takes all");
}

}  // namespace

std::unique_ptr<Model> load_model(const std::filesystem::path& folder, const LoadOptions& given) {
  LoadOptions options = given;
  options.adapter = adapter_of(folder.string(), given.adapter.string());
  if (!options.loads_by_layers()) options.layers = nullptr;
  const bool within = !options.adapter.empty() && given.adapter.empty();
  options.head_only &= !within;
  const bool own_head = options.lora && needs_own_head(*options.lora);
  const bool only_read =
      options.frozen && !options.trainable && options.adapter.empty() && !options.lora;
  const bool to_be_written = options.device.is_cpu() && !only_read;
  const auto files = std::make_shared<const ModelFolder>(
      ModelFolder::open(folder, to_be_written ? Pages::copy_on_write : Pages::read_only));
  check_quantization(*files);
  std::optional<AdapterFit> adapter;
  if (!options.adapter.empty()) adapter.emplace(options.adapter);
  std::unique_ptr<Model> model = model_for(*files, own_head, adapter);
  Loader loader(*model, files, options, folder.string(),
                written_tensors(*model, options, adapter, within));
  if (own_head || adapter) loader.part_head();
  if (adapter) loader.leave_out(adapter->wholes());
  const std::set<std::string> unused = loader.run();
  files->release_gguf();
  if (options.head_only && model->head().weight_VD.is_meta()) {
    throw bug("the head of {} is none of its tensors", folder.string());
  }
  if (!options.on_meta && !options.head_only) {
    if (!files->note().empty()) warn("{}", files->note());
    if (within) say("{}: the adapter in it is merged into its weights", folder.string());
    loader.decoded().tell(folder.string(), options.device);
    if (options.fp8_products) tell_fp8_products(loader.fp8_products(), folder.string());
    tell_unused(unused, folder.string());
    tell_context(*model, *files);
    tell_left_out(*model, files->tensors(), folder.string());
  }
  model->move_buffers(options.device, options.dtype);
  if (options.layers == nullptr && !options.on_meta && !options.head_only) {
    lay_side_by_side(*model);
  }
  if (adapter && !options.on_meta) adapter->attach(*model, options.device, options.dtype);
  if (within) merge_adapter(*model);
  return model;
}

}  // namespace alambic
