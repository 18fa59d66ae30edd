#include "alambic/jobs/train.h"

#include <cmath>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/hub/hub_models.h"
#include "alambic/jobs/model_card.h"
#include "alambic/jobs/policy_gate.h"
#include "alambic/jobs/rank_observer.h"
#include "alambic/jobs/ranks.h"
#include "alambic/jobs/run_duties.h"
#include "alambic/jobs/run_folder.h"
#include "alambic/jobs/run_length.h"
#include "alambic/jobs/run_provenance.h"
#include "alambic/jobs/run_recorder.h"
#include "alambic/jobs/same_inputs.h"
#include "alambic/jobs/sharding.h"
#include "alambic/jobs/student.h"
#include "alambic/jobs/text_data.h"
#include "alambic/jobs/validation.h"
#include "alambic/options/config_toml.h"
#include "alambic/text/chat/chat_source.h"
#include "alambic/train/next_token.h"
#include "alambic/train/trainer.h"
#include "alambic/train/turn_counts.h"

namespace alambic {

namespace {

ChatUse use_of(const TrainOptions& options) {
  return options.split_turns == SplitTurns::never ? ChatUse::whole_conversations
                                                  : ChatUse::all_completions;
}

// The batches of a data set: windows of a text, or examples with a completion.
std::unique_ptr<BatchSource> source_of(const Dataset& data, const Pretrained& student,
                                       const ChatSource& chats, const TrainOptions& options,
                                       const BatchOptions& batch) {
  const int64_t positions = student.model->shape().positions;
  const int64_t sequence_length = options.sequence_length;
  if (data.holds_text()) {
    const int64_t length = sequence_length > 0 ? sequence_length : positions;
    if (length > positions) {
      throw input_error("--sequence-length {} is longer than the model's context of {}", length,
                        positions);
    }
    if (options.long_rows.on_long_row != OnLongRow::error) {
      throw input_error("--on-long-row has no effect: {} holds text, which is read in windows",
                        data.name());
    }
    std::vector<WeightedText> texts;
    for (TokenSpool& tokens : read_tokens_by_source(data, student.tokenizer)) {
      require_same_text(*batch.world, tokens);
      const double weight = data.rows.shares()[texts.size()].weight;
      texts.push_back({std::move(tokens), weight > 0 ? weight : 1});
    }
    return windows_source(std::move(texts), length, batch);
  }
  if (sequence_length > 0) {
    throw input_error("--sequence-length has no effect: {} holds prompts and completions",
                      data.name());
  }
  const Examples rows(data, {{"prompt", "completion"}, {"messages"}},
                      chats.reader(use_of(options)));
  RowFit fit{.positions = positions, .on_long_row = options.long_rows.on_long_row};
  TurnCounts turns;
  TokenizedRows tokenized = TokenizedRows::of(rows, student.tokenizer, fit, &turns);
  if (const std::string told = turns.sentences(data.name()); !told.empty()) say("{}", told);
  fit.report(data.name());
  require_same_rows(*batch.world, tokenized);
  const std::vector<RowShare> shares = tokenized.shares(data.rows.shares());
  return examples_source(std::move(tokenized), batch, shares);
}

Validation validation_of(const TrainOptions& options, const Pretrained& student,
                         const std::shared_ptr<LayerWeights>& layers, const ChatSource& chats,
                         const BatchOptions& batch) {
  if (options.valid_data.empty()) return {};
  EngineOptions engine{.stop_tokens = student.stop_tokens,
                       .vocabulary = student.vocabulary,
                       .ranks = writing_ranks(*batch.world, options.sharding, *student.model)};
  engine.sampling.max_new_tokens = options.max_completion_length;
  chats.add_end_of_turn(student.tokenizer, engine.stop_tokens);
  BatchOptions held_out = batch;
  held_out.seed = 0;  // the same rows whatever the run's seed
  held_out.micro_batch_size = 0;
  held_out.world = std::make_shared<World>();  // rank 0 alone validates
  const Dataset data = Dataset::open(options.valid_data, parse_columns(options.data_form.columns));
  const auto source = source_of(data, student, chats, options, held_out);
  std::vector<TokenBatch> batches;
  for (int64_t i = 0; i < options.valid_batches; ++i) {
    for (TokenBatch& part : source->step(i)) batches.push_back(std::move(part));
  }
  const std::vector<Example> rows =
      Examples(data, {{"prompt"}, {"text"}, {"messages"}}, chats.reader(ChatUse::prompts))
          .first(static_cast<size_t>(options.valid_samples));
  const auto writing =
      std::make_shared<ValidationWriting>(*student.model, layers.get(), batch.world);
  const auto matches = exact_match(student, rows, engine, writing);
  const auto figures_of = [&student, batches, matches](int64_t) {
    Metrics figures = matches();
    const double loss = mean_cross_entropy(*student.model, batches, student.vocabulary);
    figures.emplace_back("valid_loss", loss);
    figures.emplace_back("valid_perplexity", std::exp(loss));
    return figures;
  };
  return {figures_of, write_together(writing, engine)};
}

}  // namespace

RunResult jobs::train(const TrainOptions& options, Recorder* observer) {
  const std::shared_ptr<const World> world =
      join_ranks("train", options, options.sharding.rank_timeout);
  RankObserver observes(world, options.sharding);
  const nlohmann::json policy = ask_policy(options.policy, {.student = options.model,
                                                            .data = options.data,
                                                            .held_out = options.valid_data,
                                                            .out = options.run.out,
                                                            .device = options.machine.device});
  MachineOptions machine = options.machine;
  machine.threads = threads_of_rank(*world, machine.threads);
  LoadOptions load = prepare_machine(machine);
  std::shared_ptr<LayerWeights> layers;
  if (options.sharding.shards_layers() || options.sharding.expert_parallel_size > 1) {
    const std::unique_ptr<Model> outline = load_model(options.model, {.on_meta = true});
    check_expert_parallel(*outline, {}, options.sharding);
    layers = student_layers(*outline, *world, options.sharding);
  }
  load.layers = layers.get();
  Pretrained student = load_student(options.model, load, options.trainable,
                                    static_cast<uint64_t>(options.training.seed));
  require_same_weights(*world, *student.model, layers.get(), "the model");
  take_over(*student.model, layers.get());
  const BatchOptions batch{.batch_size = options.training.batch_size,
                           .micro_batch_size = options.training.micro_batch_size,
                           .seed = static_cast<uint64_t>(options.training.seed),
                           .device = load.device,
                           .world = world};
  const ChatSource chats(options.model, student.tokenizer, options.chat);
  const Dataset data =
      Dataset::open(parse_data_sources(options.data), parse_columns(options.data_form.columns));
  auto source = source_of(data, student, chats, options, batch);
  const TrainingOptions training = with_steps(options.training, source->sequences_per_epoch());
  const std::unique_ptr<TrainingTask> task =
      next_token_task(*student.model, std::move(source),
                      {.vocabulary = student.vocabulary,
                       .recompute_layers = options.training.activation_checkpointing,
                       .world = world,
                       .layers = layers});
  chats.check_effect(data.name());
  const Validation validation = validation_of(options, student, layers, chats, batch);

  const RunFolder folder("train", options, options.run, *world);
  const nlohmann::json machines = hardware_of_ranks(rank_roles(world, /*teacher_ranks=*/0));
  std::optional<RunProvenance> provenance;
  const auto parameters = static_cast<double>(whole_parameters(*student.model, layers.get()));
  if (folder.writes()) {
    provenance.emplace(folder,
                       RunIngredients{.command = "train",
                                      .options = options,
                                      .hardware = machines,
                                      .student = options.model,
                                      .lora = options.trainable.lora,
                                      .data = options.data,
                                      .rows = static_cast<int64_t>(data.rows.size()),
                                      .shares = data.rows.shares(),
                                      .held_out = options.valid_data,
                                      .seed = options.training.seed,
                                      .on_cpu = load.device.is_cpu(),
                                      .precision = at::toString(load.dtype),
                                      .parameters = parameters,
                                      .policy = policy,
                                      .run = options.run},
                       observer);
  }
  const std::unique_ptr<Recorder> recorder =
      run_recorder(folder, provenance ? &*provenance : observer);
  RunResult result = run_result(alambic::train(training,
                                               {.student = *student.model,
                                                .task = *task,
                                                .recorder = *recorder,
                                                .validate = validation.figures,
                                                .write_validation = validation.write,
                                                .checkpoints = folder.checkpoints(),
                                                .world = world,
                                                .layers = layers,
                                                .on_phase = observes.on_phase()},
                                               folder.resumes()));
  observes.write(folder.path());
  if (result.ending != RunEnding::finished) {
    if (provenance) provenance->finish(result);
    return result;
  }
  if (!provenance) {  // rank 0 writes the model
    accompany_export(layers.get(), options.trainable);
    return result;
  }
  const ModelCard card{.title = folder.path().filename().string() + ", trained",
                       .base_model = options.model,
                       .tags = {"alambic"},
                       .facts = {{"data", join(options.data)}},
                       .figures = result.validation,
                       .duties = duties_of(policy),
                       .config = config_toml("train", options, as_hub_name)};
  export_student(student, options.model, options.trainable, folder.path(), card,
                 options.run.save_dtype, layers.get());
  chats.save_to(folder.model());
  provenance->finish(result);
  result.model = folder.model();
  return result;
}

}  // namespace alambic
