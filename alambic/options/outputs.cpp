#include "alambic/options/outputs.h"

#include <algorithm>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"

namespace alambic {
namespace {

// A file or folder that the command reads.
struct Input {
  std::string option;  // "--data"
  fs::path path;       // without links
  bool is_model = false;
};

// Without links; nothing where there is no file and no folder (a device may be read and written).
std::optional<fs::path> real_path(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type != fs::file_type::regular && type != fs::file_type::directory) return std::nullopt;
  fs::path real = fs::canonical(path, error);
  return error ? std::nullopt : std::optional(real);
}

// "a=b" may be a file of that name, or a name before or a weight behind the file's; "a:b" a file
// too, or a split of a folder.
std::vector<std::string> paths_in(const std::string& value) {
  std::vector<std::string> paths = {value};
  if (const size_t first = value.find('='); first != std::string::npos) {
    paths.push_back(value.substr(first + 1));
    paths.push_back(value.substr(0, value.rfind('=')));
  }
  for (size_t i = 0, all = paths.size(); i < all; ++i) {
    if (const size_t colon = paths[i].rfind(':'); colon != std::string::npos) {
      paths.push_back(paths[i].substr(0, colon));
    }
  }
  return paths;
}

std::vector<std::string> values_of(const OptionEntry& entry) {
  if (const auto text = std::get_if<std::string*>(&entry.field)) return {**text};
  if (entry.is_list()) return *std::get<std::vector<std::string>*>(entry.field);
  return {};
}

std::vector<Input> inputs_of(const OptionTable& table) {
  std::vector<Input> inputs;
  for (const OptionEntry& entry : table.entries()) {
    if (!entry.is_path || entry.name == "out") continue;
    for (const std::string& value : values_of(entry)) {
      for (const std::string& path : paths_in(value)) {
        if (const auto real = real_path(path)) {
          inputs.push_back({"--" + entry.name, *real, entry.is_model});
        }
      }
    }
  }
  return inputs;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] = std::ranges::mismatch(folder, path);
  return end == folder.end() && rest != path.end();
}

// Whether a command may read a file that lies in a folder which it is given.
bool is_read(const fs::path& file, const Input& folder) {
  const fs::path ending = file.extension();
  if (ending == ".html" || ending == ".gguf") return false;
  return !folder.is_model || ending != ".jsonl";
}

bool is_set(const OptionTable& table, const std::string& flag) {
  const OptionEntry* entry = table.find(flag);
  return entry != nullptr && !entry->is_nothing();
}

void check_beside(const std::string& out, const fs::path& real, const Input& input, bool replaces) {
  std::error_code error;
  const std::string path = input.path.string();
  if (real == input.path || fs::equivalent(real, input.path, error)) {
    throw input_error("--out {} is the {} of the same command, which would be lost", out,
                      input.option)
        .with_hint("choose another --out");
  }
  if (fs::is_regular_file(real, error) && lies_in(real, input.path) && is_read(real, input)) {
    throw input_error("--out {} is a file in {} {}, which the same command reads", out,
                      input.option, path)
        .with_hint("choose another --out");
  }
  if (replaces && lies_in(input.path, real)) {
    throw input_error("{} {} lies in --out {}, which is to be replaced", input.option, path, out)
        .with_hint("choose another --out, or move the file");
  }
}

void check_no_links(const std::string& out, const fs::path& folder) {
  for (const fs::path& entry : list_folder(folder)) {
    std::error_code error;
    if (!fs::is_symlink(entry, error) || fs::is_directory(entry, error)) continue;
    throw input_error("--out {} holds the link {}: what it points to is not overwritten", out,
                      entry.filename().string())
        .with_hint("choose another --out, or remove the link");
  }
}

}  // namespace

void check_outputs(const OptionTable& table, const fs::path& config) {
  const OptionEntry* entry = table.find("out");
  if (entry == nullptr || !std::holds_alternative<std::string*>(entry->field)) return;
  const std::string out = entry->text();
  const std::optional<fs::path> real = out.empty() ? std::nullopt : real_path(out);
  if (!real) return;
  const bool overwrite = is_set(table, "overwrite");
  for (const Input& input : inputs_of(table)) {
    check_beside(out, *real, input, overwrite || is_set(table, "resume"));
  }
  // A run's own config.toml may repeat the run in its folder.
  const auto file = config.empty() ? std::nullopt : real_path(config);
  if (file) check_beside(out, *real, {"--config", *file}, /*replaces=*/false);
  if (overwrite && is_folder(*real)) check_no_links(out, *real);
}

}  // namespace alambic
