// An adapter's tensors laid over those of a model: what each is for, and what the model must be
// like to take them.
#pragma once

#include <map>
#include <set>

#include "alambic/io/count_limits.h"
#include "alambic/model/adapter_config.h"
#include "alambic/model/adapter_tensors.h"
#include "alambic/model/model.h"

namespace alambic {

/// The name behind the last dot: what PEFT's target_modules name.
std::string last_part(const std::string& module);

/// Module that makes the logits, in PEFT's names of models whose head is tied: no tensor of ours.
bool is_head_module(const std::string& module);

/// Whether the head is the embedding.
bool has_tied_head(Model& model);

struct Linear;

class AdapterFit {
 public:
  /// Opens the folder. Input errors: those of read_adapter_config and of the weights' file.
  explicit AdapterFit(const fs::path& folder);

  /// Makes `config` that of the model that the adapter needs: with a head of its own where
  /// `model`'s is tied and PEFT changes one of the two alone, and with as many tokens as embeddings
  /// saved beside the adapter have. True: the model must be made anew.
  bool change(Json& config, CountLimits& limits, Model& model);

  /// Sorts the tensors by `model`'s names. Input errors name a tensor that PEFT would use and the
  /// model has no place for, and one that the configuration promises and the file lacks.
  void fit(Model& model);

  /// Names of the model's tensors whose numbers the adapter brings, after `fit`.
  const std::map<std::string, TensorView>& wholes() const { return wholes_; }
  /// Names of the model's tensors that `attach` writes to, after `fit`: they must be dense.
  std::set<std::string> changed(Model& model) const;
  /// Gives a loaded model, all of whose tensors but `wholes` have their numbers, the adapter: low-
  /// rank maps beside linear maps, those of embeddings and the head added to their weights. Warns
  /// of tensors that are not used.
  void attach(Model& model, at::Device device, at::ScalarType dtype);

 private:
  struct Low {
    std::string module;  ///< as the file calls it
    const LoraViews* views = nullptr;
  };

  std::string canonical(Model& model, const std::string& module) const;
  void read_targets(Model& model);
  void fit_wholes(Model& model, const std::set<std::string>& names);
  void share_tied(Model& model);
  void check_saved(const std::set<std::string>& names) const;
  void fit_rows(Model& model);
  const std::vector<int64_t>* tokens_of(const std::string& module, bool is_embedding) const;
  bool is_adapted(const std::string& module) const;
  bool wants_own_head(Model& model) const;

  std::shared_ptr<Lora> low_of(const std::string& module, const LoraViews& views, int64_t in,
                               int64_t out, const at::TensorOptions& type) const;
  Tensor take(const TensorView* view, const std::string& what, const std::vector<int64_t>& shape,
              const at::TensorOptions& type) const;
  void change_base(const std::string& module, Linear& linear) const;
  void attach_linears(Model& model);
  void attach_rows(Model& model);
  void tell_unused() const;

  AdapterConfig config_;
  AdapterTensors tensors_;
  bool was_tied_ = false;
  std::map<std::string, TensorView> wholes_;  // by the model's names
  std::map<std::string, Low> lows_;           // by the model's modules
  std::map<std::string, std::pair<const TensorView*, std::vector<int64_t>>> rows_;
  std::vector<std::string> missing_;  // targets without tensors
  std::set<std::string> unused_;      // names in the file
  int64_t used_ = 0;
};

}  // namespace alambic
