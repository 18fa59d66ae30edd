#include "alambic/jobs/evaluation.h"

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/base/output_place.h"
#include "alambic/eval/agreement.h"
#include "alambic/eval/perplexity.h"
#include "alambic/eval/task.h"
#include "alambic/jobs/left_out_settings.h"
#include "alambic/jobs/text_data.h"
#include "alambic/options/outputs.h"
#include "alambic/teacher/local.h"
#include "alambic/text/chat/chat_source.h"
#include "alambic/text/chat/chat_tokens.h"
#include "alambic/text/final_answer.h"
#include "alambic/text/tokenizer/adapter_tokenizer.h"
#include "alambic/train/examples.h"

namespace alambic {

namespace {

void write_completions(const std::string& file, const std::vector<Example>& examples,
                       const TaskResult& result) {
  std::string lines;
  for (size_t i = 0; i < examples.size(); ++i) {
    Json row = {{"prompt", examples[i].prompt}, {"completion", result.completions[i]}};
    if (examples[i].chat) row["prompt"] = prompt_messages(*examples[i].chat);
    if (examples[i].completion) row["reference"] = *examples[i].completion;
    if (!examples[i].answers.empty()) {
      row["correct"] = answers_correctly(result.completions[i], examples[i].answers);
    }
    lines += row.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  write_file(file, lines);
}

// The teacher grades the completions that the model itself wrote.
Metrics agreement_with_teacher(const Pretrained& loaded, const TaskEvaluation& task,
                               const TaskResult& result) {
  Pretrained teacher_model = from_pretrained(task.teacher, task.load_teacher);
  check_same_vocabulary(loaded, teacher_model, task.model, task.teacher);
  const LocalTeacher teacher(std::move(teacher_model.model), loaded.vocabulary);
  std::vector<Rollouts> batches;
  constexpr size_t rows_per_pass = 64;
  const std::span requests(result.requests);
  const std::span completions(result.sampled);
  for (size_t first = 0; first < requests.size(); first += rows_per_pass) {
    const size_t count = std::min(rows_per_pass, requests.size() - first);
    batches.push_back(to_rollouts(requests.subspan(first, count), completions.subspan(first, count),
                                  0, task.load_teacher.device));
  }
  return agreement(*loaded.model, teacher, batches);
}

// The rows whose prompts leave room for a completion.
std::vector<Example> fitting(std::vector<Example> examples, const Pretrained& loaded,
                             const TaskEvaluation& task) {
  RowFit fit{.positions = loaded.model->shape().positions, .on_long_row = task.on_long_row};
  std::erase_if(examples, [&](const Example& example) {
    TokenizedExample row{.prompt = prompt_ids(loaded.tokenizer, example)};
    return !fit.fit(example.place, row);
  });
  fit.report(task.data.name());
  return examples;
}

Metrics figures_of(const TaskResult& result) {
  Metrics figures = {{"examples", static_cast<double>(result.completions.size())}};
  if (result.exact_match) figures.emplace_back("exact_match", *result.exact_match);
  if (result.rouge_l) figures.emplace_back("rouge_l", *result.rouge_l);
  figures.emplace_back("tokens", static_cast<double>(result.tokens));
  figures.emplace_back("eos_share", result.eos_share);
  figures.emplace_back("seconds", result.seconds);
  return figures;
}

void check_text_effects(const EvalOptions& options) {
  if (!options.out.empty()) {
    throw input_error("--out has no effect: {} holds text, not prompts", options.data);
  }
  if (!options.teacher.empty()) {
    throw input_error("--teacher has no effect: {} holds text, not prompts", options.data);
  }
  if (!options.chat.file.empty()) {
    throw input_error("--chat-template has no effect: {} holds text", options.data);
  }
  if (options.long_rows.on_long_row != OnLongRow::error) {
    throw input_error("--on-long-row has no effect: {} holds text, which is read in windows",
                      options.data);
  }
}

TaskEvaluation task_of(const EvalOptions& options, Dataset data, const LoadOptions& load) {
  TaskEvaluation task{
      .model = tokenizer_folder(options.model, options.adapter),  // of the chat template
      .data = std::move(data),
      .chat = options.chat,
      .on_long_row = options.long_rows.on_long_row,
      .limit = options.limit,
      .engine = {.batch = options.batch, .seed = static_cast<uint64_t>(options.seed)},
      .completions_file = options.out,
      .teacher = options.teacher,
      .load_teacher = load};
  task.engine.sampling.temperature = options.temperature;
  task.engine.sampling.max_new_tokens = options.max_new_tokens;
  return task;
}

}  // namespace

Metrics evaluate_task(const Pretrained& loaded, const TaskEvaluation& task,
                      const OnEvaluation& on_progress) {
  const ChatSource chats(task.model, loaded.tokenizer, task.chat);
  std::vector<Example> read =
      Examples(task.data, {{"prompt"}, {"messages"}}, chats.reader(ChatUse::prompts))
          .first(static_cast<size_t>(task.limit));
  chats.check_effect(task.data.name());
  const std::vector<Example> examples = fitting(std::move(read), loaded, task);
  EngineOptions engine = task.engine;
  engine.stop_tokens = loaded.stop_tokens;
  engine.vocabulary = loaded.vocabulary;
  chats.add_end_of_turn(loaded.tokenizer, engine.stop_tokens);
  say_left_out(loaded.generation_config, task.model,
               "completions are measured without them: they are the model's own");
  if (on_progress) on_progress({}, std::ssize(examples));
  const TaskResult result =
      run_task(*loaded.model, loaded.tokenizer, examples, engine, [&](const EngineProgress& done) {
        if (on_progress) on_progress(done, std::ssize(examples));
      });
  if (!task.completions_file.empty()) write_completions(task.completions_file, examples, result);
  Metrics figures = figures_of(result);
  if (!task.teacher.empty()) {
    const Metrics measured = agreement_with_teacher(loaded, task, result);
    figures.insert(figures.end(), measured.begin(), measured.end());
  }
  return figures;
}

Metrics evaluate_text(const Pretrained& loaded, const Dataset& data, int64_t window) {
  const int64_t positions = loaded.model->shape().positions;
  if (window > positions) {
    throw input_error("--sequence-length {} is longer than the model's context of {}", window,
                      positions);
  }
  const Perplexity result = perplexity(*loaded.model, read_tokens(data, loaded.tokenizer),
                                       window > 0 ? window : positions, loaded.vocabulary);
  return {{"perplexity", result.perplexity},
          {"cross_entropy", result.cross_entropy},
          {"tokens", static_cast<double>(result.tokens)}};
}

Metrics jobs::evaluate(const EvalOptions& options, const OnEvaluation& on_progress) {
  const Dataset data = Dataset::open(options.data, parse_columns(options.data_form.columns));
  const bool text = data.holds_text();
  if (text) check_text_effects(options);
  check_outputs(OptionTable(options));
  check_output_file("--out", options.out, options.overwrite);
  const LoadOptions load = prepare_machine(options.machine);
  LoadOptions load_adapted = load;
  load_adapted.adapter = options.adapter;
  const Pretrained loaded = from_pretrained(options.model, load_adapted);
  return text ? evaluate_text(loaded, data, options.sequence_length)
              : evaluate_task(loaded, task_of(options, data, load), on_progress);
}

}  // namespace alambic
