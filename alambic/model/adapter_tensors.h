// The tensors of a PEFT adapter's folder, sorted by what they are for.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "alambic/io/safetensors.h"
#include "alambic/io/torch_file.h"

namespace alambic {

inline constexpr const char* kAdapterWeights = "adapter_model.safetensors";

/// The low-rank tensors of one module, as the file has them; null: it has none.
struct LoraViews {
  const TensorView *a = nullptr, *b = nullptr;  ///< [rank, in], [out, rank]
  const TensorView* magnitude = nullptr;        ///< [out]
  bool of_rows = false;  ///< an embedding's: A is [rank, vocabulary], B [width, rank]
};

/// A tensor that takes the place of one of the model's.
struct WholeView {
  const TensorView* view = nullptr;
  bool below_adapter = false;  ///< PEFT has it as the layer below an adapter ("base_layer")
};

/// adapter_model.safetensors, or adapter_model.bin of older versions, in memory maps. Modules and
/// tensors are called as in the file, without PEFT's "base_model.model.".
class AdapterTensors {
 public:
  static AdapterTensors open(const fs::path& folder);

  const fs::path& path() const { return path_; }
  const std::map<std::string, LoraViews>& loras() const { return loras_; }
  const std::map<std::string, WholeView>& wholes() const { return wholes_; }
  /// New rows of embeddings ("trainable_tokens_delta"), by module.
  const std::map<std::string, const TensorView*>& rows() const { return rows_; }
  /// Names in the file of tensors that are none of these.
  const std::vector<std::string>& others() const { return others_; }

 private:
  void sort(const TensorView& view);
  void sort_named(const TensorView& view, const std::string& name);

  fs::path path_;
  std::optional<SafetensorsFile> file_;
  std::optional<TorchFile> torch_file_;
  std::map<std::string, LoraViews> loras_;
  std::map<std::string, WholeView> wholes_;
  std::map<std::string, const TensorView*> rows_;
  std::vector<std::string> others_;
};

/// What PEFT puts before the names of a model's tensors in an adapter's file.
inline constexpr std::string_view kAdapterPrefix = "base_model.model.";

}  // namespace alambic
