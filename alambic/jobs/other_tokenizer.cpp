#include "alambic/jobs/other_tokenizer.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_object.h"
#include "alambic/io/generation_config.h"
#include "alambic/text/align/cells_file.h"
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

// What a folder that may have no model says of the ends of its completions, as from_pretrained
// does.
std::vector<int32_t> stop_tokens_in(const fs::path& folder, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids = eos_token_ids(read_generation_config(folder));
  const fs::path config = folder / "config.json";
  if (ids.empty() && path_exists(config)) ids = eos_token_ids(read_json_object(config));
  if (tokenizer.eos()) ids.push_back(*tokenizer.eos());
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids;
}

// The folder of its tokenizer and template.
const std::string& folder_of(const DistillPlan& plan, const PlannedTeacher& teacher) {
  return teacher.model ? teacher.model->folder : plan.options.teachers.remote.tokenizer;
}

std::unique_ptr<const Tokenizer> read_tokenizer(const DistillPlan& plan,
                                                const PlannedTeacher& teacher) {
  if (teacher.model) return nullptr;
  return std::make_unique<Tokenizer>(load_tokenizer(folder_of(plan, teacher)));
}

// Pairs of fewer tokens are made as fast as they are read.
constexpr int64_t worth_a_file = 20'000;

Cells cells_of(const Aligner& aligner) {
  const int64_t tokens = aligner.student_bytes().size() + aligner.teacher_bytes().size();
  const auto folder = tokens < worth_a_file ? std::nullopt : cells_folder();
  return folder ? kept_cells(aligner, *folder) : common_cells(aligner);
}

// Two teachers with one tokenizer share them.
std::shared_ptr<const Cells> shared_cells(const Aligner& aligner) {
  const AlignedTokenizer &a = aligner.student(), &b = aligner.teacher();
  const std::tuple key(a.tokenizer.digest(), a.ends, b.tokenizer.digest(), b.ends);
  static std::mutex mutex;
  static std::map<std::remove_const_t<decltype(key)>, std::weak_ptr<const Cells>> kept;
  const std::lock_guard lock(mutex);
  std::weak_ptr<const Cells>& place = kept[key];
  std::shared_ptr<const Cells> cells = place.lock();
  if (!cells) place = cells = std::make_shared<Cells>(cells_of(aligner));
  return cells;
}

}  // namespace

OtherTokenizer::OtherTokenizer(const DistillPlan& plan, const PlannedTeacher& teacher)
    : read_(read_tokenizer(plan, teacher)),
      tokenizer_(read_ ? *read_ : teacher.model->model.tokenizer),
      compares_pieces_(plan.options.teachers.cross_tokenizer == CrossTokenizer::pieces) {
  const std::string& folder = folder_of(plan, teacher);
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
      tokenizer_,
      ends_of(teacher.model ? teacher.model->model.stop_tokens : stop_tokens_in(folder, tokenizer_),
              tokenizer_, template_ ? &*template_ : nullptr),
      "the teacher " + teacher.source.folder};
  aligner_ = std::make_shared<Aligner>(of_student, of_teacher);
  back_ = std::make_shared<Aligner>(of_teacher, of_student);
}

std::shared_ptr<const Cells> OtherTokenizer::cells() const {
  return compares_pieces_ ? shared_cells(*aligner_) : nullptr;
}

std::vector<int32_t> OtherTokenizer::prompt(const Example& row) const {
  if (row.teacher_prompt) {
    if (!row.teacher_chat) return tokenizer_.encode(*row.teacher_prompt);
    throw input_error(
        "{}: the student's chat template writes the messages of \"teacher_prompt\", which a "
        "teacher "
        "with another tokenizer does not read",
        row.place)
        .with_hint("a \"teacher_prompt\" of plain text, as the teacher reads it");
  }
  if (!row.chat) return prompt_ids(tokenizer_, row);
  return tokenizer_.encode(write_chat(*template_, *row.chat, ChatUse::prompts).prompt,
                           /*add_special=*/false);
}

std::vector<int32_t> OtherTokenizer::in_student_tokens(
    const std::vector<int32_t>& completion) const {
  return back_->align(completion).teacher;
}

}  // namespace alambic
