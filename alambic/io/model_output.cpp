#include "alambic/io/model_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "alambic/base/file_system.h"
#include "alambic/base/files.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/io/model_file_names.h"

namespace alambic {

namespace {

constexpr std::string_view config_name = "config.json";

constexpr std::string_view other_names[] = {config_name, "generation_config.json",
                                            "adapter_config.json", "adapter_model.safetensors",
                                            "adapter_model.bin"};

struct Pattern {
  std::string_view start, end;
};

constexpr Pattern patterns[] = {{"model-", ".safetensors"},
                                {"pytorch_model-", ".bin"},
                                {"additional_chat_templates/", ".jinja"},
                                {"", ".tiktoken"}};

// Files in a folder, relative to it, and those of the one folder below it in which a model has any.
std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> files;
  for (const fs::path start : {"", "additional_chat_templates"}) {
    if (!is_folder(folder / start)) continue;
    for (const fs::path& entry : list_folder(folder / start)) {
      if (!is_folder(entry)) files.push_back(start / entry.filename());
    }
  }
  return files;
}

void put(const fs::path& from, const fs::path& to) {
  make_folder(to.parent_path());
  std::error_code error;
  const fs::perms mode = fs::status(to, error).permissions();
  if (is_file(to)) fs::permissions(from, mode, error);  // as a file that is written anew keeps them
  move_path(from, to);
}

}  // namespace

bool is_of_model(std::string_view name) {
  const auto is_one = [&](std::string_view other) { return name == other; };
  return std::ranges::any_of(tokenizer_file_names, is_one) ||
         std::ranges::any_of(weight_file_names, is_one) ||
         std::ranges::any_of(other_names, is_one) ||
         std::ranges::any_of(patterns, [&](const Pattern& pattern) {
           return name.starts_with(pattern.start) && name.ends_with(pattern.end) &&
                  (pattern.start.ends_with('/') || name.find('/') == name.npos);
         });
}

ModelOutput::ModelOutput(const fs::path& folder)
    : folder_(folder), path_(folder / fmt::format(".writing-{}", getpid())) {
  is_new_ = !path_exists(folder);
  make_folder(path_);
}

ModelOutput::~ModelOutput() {
  std::error_code error;
  fs::remove_all(path_, error);
  if (is_new_) fs::remove(folder_, error);  // where it is empty
}

void ModelOutput::commit() {
  const std::vector<std::string> written = files_in(path_);
  std::vector<std::string> left = files_in(folder_);
  std::erase_if(left, [&](const std::string& name) {
    return std::ranges::find(written, name) != written.end() || !is_of_model(name);
  });
  // Without a configuration there is no model, rather than one of old and new files.
  remove_file(folder_ / config_name);
  for (const std::string& name : left) remove_file(folder_ / name);
  for (const std::string& name : written) {
    if (name != config_name) put(path_ / name, folder_ / name);
  }
  if (path_exists(path_ / config_name)) put(path_ / config_name, folder_ / config_name);
  remove_path(path_);
  sync_folder(folder_);
  is_new_ = false;
  if (!left.empty()) {
    say("{}: removed what was left of the model before: {}", folder_.string(), join(left));
  }
}

}  // namespace alambic
