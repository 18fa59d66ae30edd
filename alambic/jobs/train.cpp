#include "alambic/jobs/train.h"

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/hub/hub_models.h"
#include "alambic/jobs/model_card.h"
#include "alambic/jobs/run_folder.h"
#include "alambic/jobs/run_length.h"
#include "alambic/jobs/run_recorder.h"
#include "alambic/jobs/student.h"
#include "alambic/jobs/text_data.h"
#include "alambic/jobs/validation.h"
#include "alambic/options/config_toml.h"
#include "alambic/text/chat/chat_source.h"
#include "alambic/train/next_token.h"
#include "alambic/train/trainer.h"

namespace alambic {

namespace {

// The batches of one file: windows of a text, or examples with a completion.
std::unique_ptr<BatchSource> source_of(const std::string& file, const Pretrained& student,
                                       const ChatSource& chats, int64_t sequence_length,
                                       const BatchOptions& options) {
  const int64_t positions = student.model->shape().positions;
  if (holds_text(file)) {
    const int64_t length = sequence_length > 0 ? sequence_length : positions;
    if (length > positions) {
      throw input_error("--sequence-length {} is longer than the model's context of {}", length,
                        positions);
    }
    return windows_source(read_tokens(file, student.tokenizer), length, options);
  }
  if (sequence_length > 0) {
    throw input_error("--sequence-length has no effect: {} holds prompts and completions", file);
  }
  const std::vector<Example> rows = read_examples(file, {{"prompt", "completion"}, {"messages"}},
                                                  chats.reader(ChatUse::all_completions));
  return examples_source(tokenize(rows, student.tokenizer, positions, file), options);
}

std::function<Metrics(int64_t)> validation_of(const TrainOptions& options,
                                              const Pretrained& student, const ChatSource& chats,
                                              const BatchOptions& batch) {
  if (options.valid_data.empty()) return {};
  EngineOptions engine{.stop_tokens = student.stop_tokens, .vocabulary = student.vocabulary};
  engine.sampling.max_new_tokens = options.max_completion_length;
  chats.add_end_of_turn(student.tokenizer, engine.stop_tokens);
  BatchOptions held_out = batch;
  held_out.seed = 0;  // the same rows whatever the run's seed
  held_out.micro_batch_size = 0;
  const auto source =
      source_of(options.valid_data, student, chats, options.sequence_length, held_out);
  std::vector<TokenBatch> batches;
  for (int64_t i = 0; i < options.valid_batches; ++i) {
    for (TokenBatch& part : source->step(i)) batches.push_back(std::move(part));
  }
  const std::vector<Example> rows = read_examples(
      options.valid_data, {{"prompt"}, {"text"}, {"messages"}}, chats.reader(ChatUse::prompts));
  const int64_t samples = options.valid_samples;
  return [&student, batches, rows, engine, samples](int64_t) {
    Metrics figures = validate_exact_match(student, rows, samples, engine);
    const double loss = mean_cross_entropy(*student.model, batches, student.vocabulary);
    figures.emplace_back("valid_loss", loss);
    figures.emplace_back("valid_perplexity", std::exp(loss));
    return figures;
  };
}

}  // namespace

RunResult jobs::train(const TrainOptions& options, Recorder* observer) {
  const LoadOptions load = prepare_machine(options.machine);
  Pretrained student = load_student(options.model, load, options.trainable,
                                    static_cast<uint64_t>(options.training.seed));
  const BatchOptions batch{.batch_size = options.training.batch_size,
                           .micro_batch_size = options.training.micro_batch_size,
                           .seed = static_cast<uint64_t>(options.training.seed),
                           .device = load.device};
  const ChatSource chats(options.model, student.tokenizer, options.chat);
  auto source = source_of(options.data, student, chats, options.sequence_length, batch);
  const TrainingOptions training = with_steps(options.training, source->sequences_per_epoch());
  const std::unique_ptr<TrainingTask> task =
      next_token_task(*student.model, std::move(source), student.vocabulary,
                      options.training.activation_checkpointing);
  chats.check_effect(options.data);
  const auto validate = validation_of(options, student, chats, batch);

  const RunFolder folder("train", options, options.run);
  const std::unique_ptr<Recorder> recorder = run_recorder(folder, observer);
  RunResult result = run_result(alambic::train(training,
                                               {.student = *student.model,
                                                .task = *task,
                                                .recorder = *recorder,
                                                .validate = validate,
                                                .checkpoints = folder.checkpoints()},
                                               folder.resumes()));
  if (result.ending != RunEnding::finished) return result;
  const ModelCard card{.title = folder.path().filename().string() + ", trained",
                       .base_model = options.model,
                       .tags = {"alambic"},
                       .facts = {{"data", options.data}},
                       .figures = result.validation,
                       .config = config_toml("train", options, as_hub_name)};
  export_student(student, options.model, options.trainable, folder.path(), card,
                 options.run.save_dtype);
  chats.save_to(folder.model());
  result.model = folder.model();
  return result;
}

}  // namespace alambic
