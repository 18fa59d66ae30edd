#include "alambic/jobs/other_tokenizer.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/text/chat/chat_tokens.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

namespace {

// Stop tokens of a model; first that by which its template ends a completion.
std::vector<int32_t> ends_of(std::vector<int32_t> stop_tokens, const Tokenizer& tokenizer,
                             const ChatTemplate* chat_template) {
  if (chat_template == nullptr) return stop_tokens;
  const auto end = end_of_turn(*chat_template, tokenizer);
  if (!end) return stop_tokens;
  std::erase(stop_tokens, *end);
  stop_tokens.insert(stop_tokens.begin(), *end);
  return stop_tokens;
}

}  // namespace

OtherTokenizer::OtherTokenizer(const DistillPlan& plan, const PlannedTeacher& teacher)
    : model_(teacher.model->model) {
  const std::string& folder = teacher.model->folder;
  const Pretrained& student = plan.student.model;
  const bool chats = plan.chats.used();
  if (chats) {
    template_ = find_chat_template(folder);
    if (!template_) {
      throw input_error("{} has no chat template to write the conversations of {} with", folder,
                        plan.rows.name())
          .with_hint("a teacher with another tokenizer reads them in its own form");
    }
  }
  const ChatTemplate* own = chats ? &plan.chats.chat_template() : nullptr;
  const AlignedTokenizer of_student{
      student.tokenizer, ends_of(plan.engine.stop_tokens, student.tokenizer, own), "the student"};
  const AlignedTokenizer of_teacher{
      model_.tokenizer,
      ends_of(model_.stop_tokens, model_.tokenizer, template_ ? &*template_ : nullptr),
      "the teacher " + folder};
  aligner_ = std::make_shared<Aligner>(of_student, of_teacher);
  back_ = std::make_shared<Aligner>(of_teacher, of_student);
  if (plan.options.teachers.cross_tokenizer == CrossTokenizer::pieces) {
    cells_ = std::make_shared<Cells>(common_cells(*aligner_));
  }
}

std::vector<int32_t> OtherTokenizer::prompt(const Example& row) const {
  const Tokenizer& tokenizer = model_.tokenizer;
  if (row.teacher_prompt) {
    if (!row.teacher_chat) return tokenizer.encode(*row.teacher_prompt);
    throw input_error(
        "{}: the student's chat template writes the messages of \"teacher_prompt\", which a "
        "teacher "
        "with another tokenizer does not read",
        row.place)
        .with_hint("a \"teacher_prompt\" of plain text, as the teacher reads it");
  }
  if (!row.chat) return prompt_ids(tokenizer, row);
  return tokenizer.encode(write_chat(*template_, *row.chat, ChatUse::prompts).prompt,
                          /*add_special=*/false);
}

std::vector<int32_t> OtherTokenizer::in_student_tokens(
    const std::vector<int32_t>& completion) const {
  return back_->align(completion).teacher;
}

}  // namespace alambic
