#include "alambic/jobs/teacher_completions.h"

#include <algorithm>
#include <charconv>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/progress.h"
#include "alambic/base/sha256.h"
#include "alambic/base/stopwatch.h"
#include "alambic/jobs/completion_file.h"
#include "alambic/jobs/other_tokenizer.h"
#include "alambic/jobs/remote_completions.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/digest.h"
#include "alambic/text/chat/chat_tokens.h"
#include "alambic/text/chat/continuation.h"

namespace alambic {

namespace {

/// Prompt for a teacher, and the number of that teacher.
struct Task {
  size_t teacher = 0;
  std::vector<int32_t> prompt;
};

const std::string& name_of(const PlannedTeacher& teacher) { return teacher.source.name; }

/// Of every teacher; null: it has the student's tokenizer, or a server writes text.
using OtherTokenizers = std::vector<std::unique_ptr<const OtherTokenizer>>;

OtherTokenizers other_tokenizers(const DistillPlan& plan) {
  OtherTokenizers others;
  for (const PlannedTeacher& teacher : plan.teachers) {
    const bool other = teacher.model && !teacher.difference.empty();
    others.push_back(other ? std::make_unique<const OtherTokenizer>(plan, teacher) : nullptr);
  }
  return others;
}

std::vector<Task> tasks_of(const DistillPlan& plan, const OtherTokenizers& others,
                           const TokenizedRows& examples) {
  std::vector<Task> tasks;
  for (int64_t r = 0; r < examples.size(); ++r) {
    const Example row = plan.rows[r];
    Task task;
    if (plan.teachers.size() > 1) {
      const std::string name = row.teacher.value_or("");
      const auto place = std::ranges::find(plan.teachers, name, name_of);
      if (place == plan.teachers.end()) {
        throw input_error("{}: the field \"teacher\" names no teacher that writes the completion",
                          row.place);
      }
      task.teacher = place - plan.teachers.begin();
    }
    if (const auto& other = others[task.teacher]) {
      task.prompt = other->prompt(row);
    } else {
      task.prompt = row.teacher_prompt ? teacher_prompt_ids(plan.student.model.tokenizer, row)
                                       : examples[r].prompt;
    }
    tasks.push_back(std::move(task));
  }
  return tasks;
}

nlohmann::ordered_json made_by(const DistillPlan& plan) {
  const DistillOptions& options = plan.options;
  nlohmann::ordered_json digests = nlohmann::ordered_json::object();
  for (const PlannedTeacher& teacher : plan.teachers) {
    digests[teacher.source.name] =
        teacher.endpoint ? teacher.endpoint->name() : model_digest(teacher.source.folder);
  }
  const TeacherCompletionsOptions& completions = options.completions;
  return {{"form", "teacher answers"},
          {"teachers", digests},
          {"temperature", completions.temperature},
          {"top_k", completions.top_k},
          {"top_p", completions.top_p},
          {"max_new_tokens", options.max_completion_length},
          {"seed", options.training.seed}};
}

/// Names the draws of a completion: 64 bits of the prompt's digest, so that neither its row nor its
/// neighbors decide what is written.
uint64_t id_of(const std::vector<int32_t>& prompt) {
  const std::string digest = sha256(
      {reinterpret_cast<const char*>(prompt.data()), prompt.size() * sizeof(prompt.front())});
  uint64_t id = 0;
  std::from_chars(digest.data(), digest.data() + 16, id, 16);
  return id;
}

/// Writes the completions of one teacher that the file lacks, some batches at a time.
void write_missing(const DistillPlan& plan, const PlannedTeacher& teacher,
                   std::vector<std::vector<int32_t>> prompts, CompletionFile& file) {
  Stopwatch watch;
  const DistillOptions& options = plan.options;
  const NamedFolder& source = teacher.source;
  check(teacher.model.has_value(), "the student as its own teacher writes no completions");
  const Pretrained& about = teacher.model->model;
  const auto model = load_model(source.folder, teacher_load(options.teachers, plan.load));
  std::vector<int32_t> stop_tokens = about.stop_tokens;
  if (teacher.difference.empty()) {
    const std::vector<int32_t>& more = plan.engine.stop_tokens;
    stop_tokens.insert(stop_tokens.end(), more.begin(), more.end());
  } else {
    const OtherTokenizer other(plan, teacher);
    stop_tokens = other.aligner()->teacher().ends;
  }
  EngineOptions engine{.sampling = {.temperature = options.completions.temperature,
                                    .top_k = options.completions.top_k,
                                    .top_p = options.completions.top_p,
                                    .max_new_tokens = options.max_completion_length},
                       .stop_tokens = std::move(stop_tokens),
                       .vocabulary = about.vocabulary,
                       .batch = options.generation_batch,
                       .seed = static_cast<uint64_t>(options.training.seed),
                       .step = UINT64_MAX - 1};  // not a step of the training's
  const auto batch = static_cast<size_t>(4 * options.generation_batch);
  Progress progress("teacher's answers", std::ssize(prompts));
  int64_t tokens = 0, ended = 0;
  for (size_t first = 0; first < prompts.size(); first += batch) {
    std::vector<Request> requests;
    for (size_t i = first; i < std::min(first + batch, prompts.size()); ++i) {
      requests.push_back({.prompt = prompts[i], .id = id_of(prompts[i])});
    }
    const std::vector<Completion> completions =
        generate(*model, requests, engine, {}, [&](const EngineProgress& state) {
          progress.update(static_cast<int64_t>(first) + state.completions_done, "generate", "");
        });
    for (size_t i = 0; i < completions.size(); ++i) {
      const Completion& completion = completions[i];
      tokens += std::ssize(completion.tokens);
      ended += completion.ending == Ending::stop_token;
      file.add(source.name, requests[i].prompt, about.tokenizer.decode(requests[i].prompt, true),
               continuation(about.tokenizer, requests[i].prompt, completion.tokens),
               {.tokens = completion.tokens, .ended = completion.ending == Ending::stop_token});
    }
  }
  progress.finish();
  const auto count = static_cast<double>(prompts.size());
  say("{} wrote {} completions of {:.0f} tokens on average in {:.1f} s; {:.0f} % ended by "
      "themselves",
      source.folder, prompts.size(), static_cast<double>(tokens) / count, watch.seconds(),
      100 * static_cast<double>(ended) / count);
}

/// Has a server write the completions that the file lacks, but for rows that it finds too long.
LongPrompts ask_missing(const DistillPlan& plan, const PlannedTeacher& teacher,
                        const std::vector<std::vector<int32_t>>& prompts,
                        const std::vector<Task>& tasks, CompletionFile& file) {
  std::map<std::vector<int32_t>, size_t> row_of;
  for (size_t r = 0; r < tasks.size(); ++r) row_of.emplace(tasks[r].prompt, r);
  std::vector<RemotePrompt> asked;
  for (const std::vector<int32_t>& prompt : prompts) {
    asked.push_back({.tokens = prompt, .row = row_of.at(prompt)});
  }
  return ask_completions(plan, teacher, asked, file);
}

std::string context_of(const PlannedTeacher& teacher, const LongPrompts& refused) {
  return fmt::format("the context of {}{}", teacher.endpoint->name(),
                     refused.context > 0 ? fmt::format(", {} tokens", refused.context) : "");
}

/// As --on-long-row says, when everything else is written.
void tell_of_long(const DistillPlan& plan, const PlannedTeacher& teacher, LongPrompts refused) {
  if (refused.rows.empty()) return;
  std::ranges::sort(refused.rows);
  const std::string place = plan.rows[refused.rows.front()].place;
  const std::string context = context_of(teacher, refused);
  if (plan.options.long_rows.on_long_row == OnLongRow::error) {
    throw input_error("{}: the prompt is longer than {}", place, context)
        .with_hint(
            "shorten or remove this row; --on-long-row skip leaves out all such rows. The other "
            "completions are kept");
  }
  say("{} prompts are longer than {}, and their rows are left out; the first is {}",
      refused.rows.size(), context, place);
}

// A file may have been edited.
void check_tokens(const KeptCompletion& completion, int64_t vocabulary,
                  const DistillOptions& options, const std::string& place) {
  const bool known = std::ranges::all_of(
      completion.tokens, [&](int32_t token) { return token >= 0 && token < vocabulary; });
  if (known && !completion.tokens.empty()) return;
  throw input_error("{}: the completion to {} {}", options.completions.file, place,
                    known ? "is empty" : "has a token that the vocabulary has not")
      .with_hint("remove this line, and the completion is written again");
}

}  // namespace

FilledCompletions fill_completions(const DistillPlan& plan, int64_t positions,
                                   TokenizedRows& examples) {
  FilledCompletions result;
  const OtherTokenizers others = other_tokenizers(plan);
  const std::vector<Task> tasks = tasks_of(plan, others, examples);
  CompletionFile file(plan.options.completions.file, made_by(plan));
  for (size_t t = 0; t < plan.teachers.size(); ++t) {
    const PlannedTeacher& teacher = plan.teachers[t];
    std::vector<std::vector<int32_t>> missing;
    for (const Task& task : tasks) {
      if (task.teacher == t && !file.find(name_of(teacher), task.prompt)) {
        missing.push_back(task.prompt);
      }
    }
    std::ranges::sort(missing);
    missing.erase(std::ranges::unique(missing).begin(), missing.end());
    if (!missing.empty() && teacher.endpoint) {
      tell_of_long(plan, teacher, ask_missing(plan, teacher, missing, tasks, file));
    } else if (!missing.empty()) {
      write_missing(plan, teacher, std::move(missing), file);
    }
    if (teacher.endpoint) result.spent[name_of(teacher)] = file.spent(name_of(teacher));
  }
  TokenizedRows filled = examples.emptied();
  for (int64_t r = 0; r < examples.size(); ++r) {
    const PlannedTeacher& teacher = plan.teachers[tasks[r].teacher];
    const KeptCompletion* const found = file.find(name_of(teacher), tasks[r].prompt);
    if (found == nullptr) continue;  // too long
    const KeptCompletion& completion = *found;
    result.rows.push_back(static_cast<uint32_t>(r));
    const int64_t vocabulary =
        teacher.model ? teacher.model->model.vocabulary : plan.student.model.vocabulary;
    check_tokens(completion, vocabulary, plan.options, plan.rows[r].place);
    TokenizedExample example = examples[r];
    const auto& other = others[tasks[r].teacher];
    example.completion = other ? other->in_student_tokens(completion.tokens) : completion.tokens;
    const auto room = static_cast<size_t>(positions) - example.prompt.size();
    if (example.completion->size() > room) example.completion->resize(room);
    filled.add(example, examples.row(r));
  }
  if (filled.empty() && !examples.empty()) {
    throw input_error("{}: no row has a prompt that fits into its teacher's context",
                      plan.rows.name());
  }
  examples = std::move(filled);
  return result;
}

}  // namespace alambic
