#include "alambic/jobs/preflight/template_check.h"

#include <algorithm>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

namespace {

constexpr size_t max_rows = 16;

// A conversation of the data, or a greeting (line 0) where it has none.
struct Trial {
  int64_t line = 0;
  std::shared_ptr<const Chat> chat;

  std::string name() const {
    return line == 0 ? "a greeting" : fmt::format("the conversation of line {}", line);
  }
};

std::vector<Trial> trials_of(const DistillPlan& plan) {
  std::vector<Trial> trials;
  for (const Example& row : plan.rows) {
    if (row.chat && trials.size() < max_rows) {
      trials.push_back({row.line, row.chat});
    }
  }
  if (trials.empty()) {
    trials.push_back({0, std::make_shared<Chat>(user_chat("", "Hello"))});
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
    for (const MetaModel* teacher_model : plan.teacher_models()) {
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
                     trials.front().line == 0 ? trials.front().name()
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
