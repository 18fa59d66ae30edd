#include "alambic/jobs/run_duties.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/hub/hub_models.h"
#include "alambic/remote/endpoint.h"

namespace alambic {
namespace {

constexpr const char* licenses = "provenance/licenses";
constexpr uint64_t longest_text = 1 << 20;

// "meta-llama/Llama-3.1-8B@0e9e39f" as the name of a folder.
std::string folder_name(const std::string& model) {
  const std::string plain = model.substr(0, model.find('@'));
  std::string name = plain.starts_with('/') ? fs::path(plain).filename().string() : plain;
  std::ranges::replace_if(
      name, [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20; },
      '_');
  return name.starts_with('.') ? "_" + name : name;
}

bool is_license(const std::string& name) {
  constexpr std::array words = {"LICENSE", "LICENCE",    "COPYING",
                                "NOTICE",  "USE_POLICY", "USE-POLICY"};
  return std::ranges::any_of(words, [&](const char* word) { return name.starts_with(word); });
}

// Files of `from` into `to`, but for one of this name that is there already.
void copy_texts(const fs::path& from, const fs::path& to, bool all) {
  for (const fs::path& file : list_folder(from)) {
    const std::string name = file.filename().string();
    if (!is_file(file) || file_bytes(file) > longest_text) continue;
    if (!all && !is_license(name)) continue;
    make_folder(to);
    if (!path_exists(to / name)) write_file(to / name, read_file(file));
  }
}

void copy_licenses(const fs::path& model, const std::string& name, const fs::path& to) {
  copy_texts(model, to / folder_name(name), /*all=*/false);
  if (!is_folder(model / licenses)) return;
  for (const fs::path& kept : list_folder(model / licenses)) {
    if (is_folder(kept)) copy_texts(kept, to / kept.filename(), /*all=*/true);
  }
}

}  // namespace

std::vector<std::string> duties_of(const nlohmann::json& policy) {
  if (!policy.is_object()) return {};
  return policy.value("obligations", std::vector<std::string>());
}

void write_duties(const fs::path& model, const RunIngredients& of) {
  const fs::path to = model / licenses;
  const auto keep = [&](const std::string& folder) {
    if (!folder.empty() && is_folder(folder)) copy_licenses(folder, as_hub_name(folder), to);
  };
  keep(of.student);
  for (const NamedFolder& teacher : of.teachers) keep(teacher.folder);
  keep(of.reward.judge);
  const std::vector<std::string> duties = duties_of(of.policy);
  if (duties.empty()) return;
  std::string text =
      "What the licenses and terms of this model's ingredients ask of those who use it or pass it\n"
      "on, by the rules that the run was held against: facts with a source "
      "(provenance/record.json,\n"
      "policy), not legal advice.\n\n";
  for (const std::string& duty : duties) text += fmt::format("* {}\n", duty);
  if (is_folder(to)) {
    text += fmt::format("\nLicenses and notices as they lay beside those models: {}\n", licenses);
  }
  write_file(model / "NOTICE", text);
}

}  // namespace alambic
