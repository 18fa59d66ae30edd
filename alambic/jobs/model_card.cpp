#include "alambic/jobs/model_card.h"

#include <fmt/core.h>

namespace alambic {

std::string model_card(const ModelCard& card) {
  std::string text =
      fmt::format("---\nlibrary_name: {}\npipeline_tag: text-generation\ntags:\n", card.library);
  for (const std::string& tag : card.tags) text += "- " + tag + "\n";
  text += fmt::format("base_model: {}\n---\n\n# {}\n\n", card.base_model, card.title);
  text += fmt::format("Trained with Alambic, starting from `{}`", card.base_model);
  text += card.teacher.empty() ? ".\n\n" : fmt::format(", taught by `{}`.\n\n", card.teacher);
  text += "| | |\n|---|---|\n";
  for (const auto& [name, value] : card.facts) text += fmt::format("| {} | {} |\n", name, value);
  for (const auto& [name, value] : card.figures) {
    text += fmt::format("| {} | {:.6g} |\n", name, value);
  }
  text +=
      "\nLicenses and terms of the starting model, the teacher and the data apply to this model; "
      "what "
      "is known of them is in provenance/record.json.\n";
  if (!card.duties.empty()) text += "\n## Duties of those who pass it on\n\n";
  for (const std::string& duty : card.duties) text += fmt::format("- {}\n", duty);
  text += "\n## How it was made\n\n```toml\n" + card.config + "```\n";
  return text;
}

}  // namespace alambic
