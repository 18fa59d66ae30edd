#include "alambic/cli/template_check.h"

#include <optional>

#include "alambic/base/error.h"
#include "alambic/text/chat_template.h"

namespace alambic {

namespace {

// "Hello" of a user, as the folder's template writes it; nothing where it has none. Throws what the
// template throws.
std::optional<std::string> greeting(const std::string& folder, bool add_generation_prompt) {
  if (!ChatTemplate::exists(folder)) return std::nullopt;
  const jinja::Value messages =
      jinja::parse_json("greeting", R"([{"role": "user", "content": "Hello"}])");
  return ChatTemplate::load(folder)
      .render({.messages = messages, .add_generation_prompt = add_generation_prompt})
      .text;
}

}  // namespace

Findings check_templates(const Outlines& models) {
  Findings findings;
  const auto warn_of = [&](const std::string& text, const std::string& hint) {
    findings.push_back({Level::warning, "template", text, hint});
  };
  try {
    const auto open = greeting(models.student.folder, true);
    if (open && open == greeting(models.student.folder, false)) {
      warn_of(
          "the student's chat template has no generation prompt: add_generation_prompt changes "
          "nothing, so an answer does not begin as the assistant's",
          "take the template of a newer release of the model");
    }
    bool any = open.has_value();
    for (const Outline& teacher : models.teachers) {
      const auto other = greeting(teacher.folder, true);
      any |= other.has_value();
      if (other == open) continue;
      warn_of(other && open ? "the chat templates of the student and of " + teacher.folder +
                                  " write the same conversation differently"
                            : fmt::format("only {} has a chat template",
                                          open ? "the student" : "the teacher " + teacher.folder),
              "the teacher grades prompts written in the student's form");
    }
    if (any && findings.empty()) {
      findings.push_back(
          {Level::good, "template", "the models' chat templates write the same text", ""});
    }
  } catch (const Error& error) {
    warn_of(fmt::format("a chat template fails: {}", error.what()), error.hint());
  }
  return findings;
}

}  // namespace alambic
