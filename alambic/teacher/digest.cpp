#include "alambic/teacher/digest.h"

#include <nlohmann/json.hpp>

#include <map>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"
#include "alambic/io/gguf/split.h"

namespace alambic {

std::string model_digest(const fs::path& model) {
  if (is_file(model)) {
    const std::vector<fs::path> files = gguf_files_of(model);
    if (files.size() == 1) return sha256_file(model);
    std::string parts;
    for (const fs::path& file : files) parts += sha256_file(file) + "\n";
    return sha256(parts);
  }
  std::map<std::string, std::string> digests;  // sorted by name
  for (const fs::path& entry : list_folder(model)) {
    const std::string name = entry.filename();
    const std::string kind = entry.extension();
    const bool weights = kind == ".safetensors" || kind == ".gguf" || kind == ".bin";
    if (name == "config.json" || name == "adapter_config.json" || weights) {
      digests[name] = sha256_file(entry);
    }
  }
  if (digests.empty()) throw input_error("{} holds no model", model.string());
  std::string lines;
  for (const auto& [name, digest] : digests) lines += name + " " + digest + "\n";
  return sha256(lines);
}

std::string template_digest(const fs::path& model) {
  if (is_file(model)) {
    const auto own = GgufFile::open(model).metadata().text("tokenizer.chat_template");
    return own ? sha256(*own) : "none";
  }
  if (const fs::path own = model / "chat_template.jinja"; path_exists(own)) return sha256_file(own);
  const fs::path config = model / "tokenizer_config.json";
  if (!path_exists(config)) return "none";
  const auto json = nlohmann::json::parse(read_file(config), nullptr, false);
  if (!json.is_object() || !json.contains("chat_template")) return "none";
  return sha256(json["chat_template"].dump());
}

}  // namespace alambic
