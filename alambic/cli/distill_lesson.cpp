#include "alambic/cli/distill_lesson.h"

#include "alambic/cli/objective_terms.h"

namespace alambic {

EngineOptions engine_of(const DistillOptions& options, const LoadedModel& student) {
  EngineOptions engine{.sampling = options.sampling,
                       .stop_tokens = student.stop_tokens,
                       .vocabulary = student.vocabulary,
                       .batch = options.generation_batch,
                       .seed = static_cast<uint64_t>(options.training.seed)};
  engine.sampling.max_new_tokens = options.max_completion_length;
  return engine;
}

DistillationOptions lesson_options(const DistillOptions& options, const LoadedModel& student) {
  return {.divergence = divergence_of(options.loss),
          .ce_weight = options.loss.ce_weight,
          .lmbda = options.lmbda,
          .batch_size = options.training.batch_size,
          .num_generations = options.num_generations,
          .micro_batch_size = options.training.micro_batch_size,
          .seed = static_cast<uint64_t>(options.training.seed),
          .engine = engine_of(options, student)};
}

std::vector<Example> read_rows(const DistillOptions& options, const ChatSource& chats) {
  const bool completions = options.lmbda < 1;
  return read_examples(
      options.data,
      {completions ? Fields{"prompt", "completion"} : Fields{"prompt"}, Fields{"messages"}},
      chats.reader(completions ? ChatUse::answers : ChatUse::prompts));
}

}  // namespace alambic
