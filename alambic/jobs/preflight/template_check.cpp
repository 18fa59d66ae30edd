#include "alambic/jobs/preflight/template_check.h"

#include <algorithm>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

namespace {

constexpr size_t max_rows = 16;

// A conversation of the data, or a greeting (no place) where it has none.
struct Trial {
  std::string place;
  std::shared_ptr<const Chat> chat;

  std::string name() const {
    return place.empty() ? "a greeting" : fmt::format("the conversation of {}", place);
  }
};

std::vector<Trial> trials_of(const DistillPlan& plan) {
  std::vector<Trial> trials;
  for (size_t r = 0; r < plan.rows.size() && trials.size() < max_rows; ++r) {
    if (!plan.chats.used()) break;
    const Example row = plan.rows[r];
    if (row.chat) trials.push_back({row.place, row.chat});
  }
  if (trials.empty()) {
    trials.push_back({"", std::make_shared<Chat>(user_chat("", "Hello"))});
  }
  return trials;
}

std::string prompt_of(const ChatTemplate& chat_template, const Trial& trial) {
  return write_chat(chat_template, *trial.chat, ChatUse::prompts).prompt;
}

// Whether a completion begins as the assistant's.
bool opens_completions(const ChatTemplate& chat_template, const Trial& trial) {
  Conversation closed;
  const auto end =
      trial.chat->messages.begin() + static_cast<std::ptrdiff_t>(trial.chat->completion);
  closed.messages = jinja::make_list({trial.chat->messages.begin(), end});
  closed.tools = trial.chat->tools;
  closed.more = trial.chat->more;
  return chat_template.render(closed).text != prompt_of(chat_template, trial);
}

// How the teacher's template differs from the student's; "" where they write the same.
std::string difference(const ChatTemplate& student, const ChatTemplate& teacher,
                       const std::vector<Trial>& trials) {
  for (const Trial& trial : trials) {
    const std::string of_student = prompt_of(student, trial),
                      of_teacher = prompt_of(teacher, trial);
    if (of_student == of_teacher) continue;
    const auto [a, b] = first_difference(of_student, of_teacher);
    return fmt::format("{}: {} and {}", trial.name(), a, b);
  }
  return "";
}

struct Check {
  const DistillPlan& plan;
  Findings findings = {};

  void warn(const std::string& text, const std::string& hint) {
    findings.push_back({Level::warning, "template", text, hint});
  }

  void run() {
    const std::vector<Trial> trials = trials_of(plan);
    std::optional<ChatTemplate> student;
    if (plan.chats.used()) {
      student = plan.chats.chat_template();
    } else {
      student = find_chat_template(plan.student.folder);
    }
    if (student) check_student(*student, trials.front());
    bool any = student.has_value();
    for (const MetaModel* teacher_model : plan.alike_models()) {
      const auto teacher = find_chat_template(teacher_model->folder);
      any |= teacher.has_value();
      if (!teacher && !student) continue;
      if (!teacher || !student) {
        warn(fmt::format("only {} has a chat template",
                         student ? "the student" : "the teacher " + teacher_model->folder),
             "the teacher grades prompts written in the student's form");
      } else if (const auto found = difference(*student, *teacher, trials); !found.empty()) {
        warn("the chat templates of the student and of " + teacher_model->folder +
                 " write the same conversation differently: " + found,
             "the teacher grades prompts written in the student's form");
      }
    }
    if (!any || !findings.empty()) return;
    findings.push_back(
        {Level::good, "template",
         fmt::format("the models' chat templates write the same text of {}",
                     trials.front().place.empty() ? trials.front().name()
                                                  : fmt::format("{} conversations", trials.size())),
         ""});
  }

  void check_student(const ChatTemplate& student, const Trial& trial) {
    if (!opens_completions(student, trial)) {
      warn(
          "the student's chat template has no generation prompt: add_generation_prompt changes "
          "nothing, so a completion does not begin as the assistant's",
          "take the template of a newer release of the model");
    }
    if (plan.chats.used() && !end_of_turn(student, plan.student.model.tokenizer)) {
      warn(
          "the student's chat template ends a completion with no special token, so completions "
          "that follow it do not end",
          "a template ends the assistant's turn with eos_token or a token of its own");
    }
  }
};

}  // namespace

Findings check_templates(const DistillPlan& plan) {
  Check check{plan};
  try {
    check.run();
  } catch (const Error& error) {
    check.warn(fmt::format("a chat template fails: {}", error.what()), error.hint());
  }
  return check.findings;
}

}  // namespace alambic
