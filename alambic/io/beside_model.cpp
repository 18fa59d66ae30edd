#include "alambic/io/beside_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"

namespace alambic {

bool is_beside_model(std::string_view name) {
  for (const std::string_view head : {"v_head.", "value_head.", "score.", "classifier."}) {
    if (name.starts_with(head)) return true;
  }
  return name.ends_with(".k_scale") || name.ends_with(".v_scale") || name.ends_with(".q_scale");
}

std::string adapter_of(const std::string& model, const std::string& adapter) {
  const fs::path own = fs::path(model) / "adapter_config.json";
  if (!is_folder(model) || !path_exists(own)) return adapter;
  if (adapter.empty() || full_path(adapter) == full_path(model)) return model;
  throw input_error("cannot load {} with the adapter of {}: it holds an adapter of its own, {}",
                    model, adapter, own.string())
      .with_hint("take that file out of the folder if the adapter is merged or not wanted");
}

std::string some_names(const std::vector<std::string>& names) {
  constexpr size_t most = 3;
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(names.size(), most); ++i) shown.push_back(printable(names[i]));
  if (names.size() > most) shown.push_back(fmt::format("and {} more", names.size() - most));
  return join(shown);
}

std::string left_beside(const std::vector<TensorView>& tensors, const std::string& where) {
  std::vector<std::string> names;
  for (const TensorView& tensor : tensors) {
    if (is_beside_model(tensor.name)) names.push_back(tensor.name);
  }
  if (names.empty()) return "";
  return fmt::format("{}: {} of its tensors are no part of the model and left out: {}", where,
                     names.size(), some_names(names));
}

}  // namespace alambic
