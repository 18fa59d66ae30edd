#include "alambic/cli/commands/eval_options.h"

#include <cstdio>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/base/progress.h"
#include "alambic/eval/agreement.h"
#include "alambic/eval/perplexity.h"
#include "alambic/eval/task.h"
#include "alambic/jobs/text_data.h"
#include "alambic/model/pretrained.h"
#include "alambic/teacher/local.h"
#include "alambic/text/chat/chat_source.h"
#include "alambic/text/chat/chat_tokens.h"
#include "alambic/text/final_answer.h"

namespace alambic {

namespace {

// The teacher grades the completions that the model itself writes.
Metrics agreement_with(const EvalOptions& options, const Pretrained& loaded,
                       const LoadOptions& load, const std::vector<Example>& examples,
                       const EngineOptions& engine) {
  Pretrained teacher_model = from_pretrained(options.teacher, load);
  check_same_vocabulary(loaded, teacher_model, options.model, options.teacher);
  const LocalTeacher teacher(std::move(teacher_model.model), loaded.vocabulary);
  std::vector<Rollouts> batches;
  constexpr size_t rows_per_pass = 64;
  std::vector<Request> requests;
  for (const Example& example : examples) {
    requests.push_back({.prompt = prompt_ids(loaded.tokenizer, example), .id = requests.size()});
  }
  const std::vector<Completion> completions = generate(*loaded.model, requests, engine);
  for (size_t first = 0; first < requests.size(); first += rows_per_pass) {
    const size_t count = std::min(rows_per_pass, requests.size() - first);
    batches.push_back(to_rollouts(std::span(requests).subspan(first, count),
                                  std::span(completions).subspan(first, count), 0, load.device));
  }
  return agreement(*loaded.model, teacher, batches);
}

void write_completions(const std::string& file, const std::vector<Example>& examples,
                       const TaskResult& result) {
  std::string lines;
  for (size_t i = 0; i < examples.size(); ++i) {
    Json row = {{"prompt", examples[i].prompt}, {"completion", result.completions[i]}};
    if (examples[i].chat) row["prompt"] = prompt_messages(*examples[i].chat);
    if (examples[i].completion) row["reference"] = *examples[i].completion;
    if (examples[i].answer) {
      row["correct"] = answers_correctly(result.completions[i], *examples[i].answer);
    }
    lines += row.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  write_file(file, lines);
}

Metrics task_figures(const EvalOptions& options, Pretrained& loaded, const LoadOptions& load) {
  const ChatSource chats(options.model, loaded.tokenizer, options.chat);
  std::vector<Example> examples =
      read_examples(options.data, {{"prompt"}, {"messages"}}, chats.reader(ChatUse::prompts));
  chats.check_effect(options.data);
  chats.add_end_of_turn(loaded.tokenizer, loaded.stop_tokens);
  if (options.limit > 0 && static_cast<int64_t>(examples.size()) > options.limit) {
    examples.resize(options.limit);
  }
  EngineOptions engine{.stop_tokens = loaded.stop_tokens,
                       .vocabulary = loaded.vocabulary,
                       .batch = options.batch,
                       .seed = static_cast<uint64_t>(options.seed)};
  engine.sampling.temperature = options.temperature;
  engine.sampling.max_new_tokens = options.max_new_tokens;
  Progress progress("eval", static_cast<int64_t>(examples.size()));
  const TaskResult result =
      run_task(*loaded.model, loaded.tokenizer, examples, engine, [&](const EngineProgress& done) {
        progress.update(done.completions_done, "generate", fmt::format("{} tokens", done.tokens));
      });
  progress.finish();
  if (!options.out.empty()) write_completions(options.out, examples, result);
  Metrics figures = {{"examples", static_cast<double>(examples.size())}};
  if (result.exact_match) figures.emplace_back("exact_match", *result.exact_match);
  if (result.rouge_l) figures.emplace_back("rouge_l", *result.rouge_l);
  figures.emplace_back("tokens", static_cast<double>(result.tokens));
  figures.emplace_back("eos_share", result.eos_share);
  figures.emplace_back("seconds", result.seconds);
  if (!options.teacher.empty()) {
    const Metrics measured = agreement_with(options, loaded, load, examples, engine);
    figures.insert(figures.end(), measured.begin(), measured.end());
  }
  return figures;
}

Metrics text_figures(const EvalOptions& options, const Pretrained& loaded) {
  if (!options.out.empty()) {
    throw input_error("--out has no effect: {} holds text, not prompts", options.data);
  }
  if (!options.teacher.empty()) {
    throw input_error("--teacher has no effect: {} holds text, not prompts", options.data);
  }
  if (!options.chat.file.empty()) {
    throw input_error("--chat-template has no effect: {} holds text", options.data);
  }
  const int64_t positions = loaded.model->shape().positions;
  const int64_t window = options.sequence_length > 0 ? options.sequence_length : positions;
  if (window > positions) {
    throw input_error("--sequence-length {} is longer than the model's context of {}", window,
                      positions);
  }
  const Perplexity result = perplexity(*loaded.model, read_tokens(options.data, loaded.tokenizer),
                                       window, loaded.vocabulary);
  return {{"perplexity", result.perplexity},
          {"cross_entropy", result.cross_entropy},
          {"tokens", static_cast<double>(result.tokens)}};
}

}  // namespace

int run(const EvalOptions& options) {
  const LoadOptions load = prepare_machine(options.machine);
  LoadOptions load_adapted = load;
  load_adapted.adapter = options.adapter;
  Pretrained loaded = from_pretrained(options.model, load_adapted);
  const Metrics figures = holds_text(options.data) ? text_figures(options, loaded)
                                                   : task_figures(options, loaded, load);
  if (options.json) {
    Json json;
    for (const auto& [name, value] : figures) json[name] = value;
    std::puts(json.dump().c_str());
    return 0;
  }
  for (const auto& [name, value] : figures) std::printf("%-16s %.6g\n", name.c_str(), value);
  return 0;
}

}  // namespace alambic
