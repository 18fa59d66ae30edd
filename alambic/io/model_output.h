#pragma once

#include <filesystem>
#include <string_view>

namespace alambic {

/// Whether a file of this name, relative to a model's folder, says what the model or its tokenizer
/// is: weights, configurations, vocabularies, chat templates, an adapter.
bool is_of_model(std::string_view name);

/// A model's folder that appears whole or not at all. What is written to path(), a folder inside,
/// takes its places in it with commit(); files of a model that was there and that are not written
/// anew (a tokenizer, a chat template, an adapter, weights in another format) go then, with a word,
/// since they would be read as the new model's. Other files stay. Without commit() everything is as
/// it was before.
class ModelOutput {
 public:
  /// Environment errors name the folder.
  explicit ModelOutput(const std::filesystem::path& folder);
  ~ModelOutput();
  ModelOutput(const ModelOutput&) = delete;
  ModelOutput& operator=(const ModelOutput&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void commit();

 private:
  std::filesystem::path folder_, path_;
  bool is_new_;
};

}  // namespace alambic
