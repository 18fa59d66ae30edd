#include "alambic/model/adapter_tensors.h"

#include <array>
#include <string_view>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"

namespace alambic {

namespace {

constexpr const char* torch_name = "adapter_model.bin";

// `name` without `end`; nothing where it does not end so.
std::optional<std::string> without(const std::string& name, std::string_view end) {
  if (!name.ends_with(end) || name.size() == end.size()) return std::nullopt;
  return name.substr(0, name.size() - end.size());
}

// `name` without `part` in its middle; nothing where it has none.
std::optional<std::string> without_part(const std::string& name, std::string_view part) {
  const size_t at = name.rfind(part);
  if (at == std::string::npos || at == 0) return std::nullopt;
  return name.substr(0, at) + "." + name.substr(at + part.size());
}

}  // namespace

AdapterTensors AdapterTensors::open(const fs::path& folder) {
  AdapterTensors adapter;
  const bool old = !path_exists(folder / kAdapterWeights) && path_exists(folder / torch_name);
  adapter.path_ = folder / (old ? torch_name : kAdapterWeights);
  if (old) {
    adapter.torch_file_ = TorchFile::open(adapter.path_);
    for (const TensorView& view : adapter.torch_file_->tensors()) adapter.sort(view);
  } else {
    adapter.file_ = SafetensorsFile::open(adapter.path_);
    for (const TensorView& view : adapter.file_->tensors()) adapter.sort(view);
  }
  return adapter;
}

void AdapterTensors::sort(const TensorView& view) {
  if (view.name.starts_with(kAdapterPrefix)) {
    sort_named(view, view.name.substr(kAdapterPrefix.size()));
  } else {
    others_.push_back(view.name);
  }
}

void AdapterTensors::sort_named(const TensorView& view, const std::string& name) {
  struct Part {
    std::string_view end;
    const TensorView* LoraViews::*place;
    bool of_rows;
  };
  constexpr std::array parts = {
      Part{".lora_A.weight", &LoraViews::a, false},
      Part{".lora_B.weight", &LoraViews::b, false},
      Part{".lora_embedding_A", &LoraViews::a, true},
      Part{".lora_embedding_B", &LoraViews::b, true},
      Part{".lora_magnitude_vector", &LoraViews::magnitude, false},
      Part{".lora_magnitude_vector.weight", &LoraViews::magnitude, false}};
  for (const Part& part : parts) {
    const auto module = without(name, part.end);
    if (!module) continue;
    LoraViews& views = loras_[*module];
    views.*part.place = &view;
    views.of_rows |= part.of_rows;
    return;
  }
  if (const auto module = without(name, ".token_adapter.trainable_tokens_delta")) {
    rows_[*module] = &view;
    return;
  }
  for (const std::string_view below : {".token_adapter.base_layer.", ".base_layer."}) {
    const auto whole = without_part(name, below);
    if (!whole) continue;
    wholes_[*whole] = {&view, true};
    return;
  }
  // Beside a module that modules_to_save names PEFT may save copies that it does not load.
  for (const std::string_view copy : {".modules_to_save.", ".original_module."}) {
    if (without_part(name, copy)) return;
  }
  if (name.find(".lora_") != std::string::npos || wholes_.contains(name)) {
    others_.push_back(view.name);
  } else {
    wholes_[name].view = &view;
  }
}

}  // namespace alambic
