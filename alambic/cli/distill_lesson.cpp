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
  Objective objective = objective_of(options.loss);
  objective.policy.temperature = options.sampling.temperature;
  return {.divergence = std::move(objective.divergence),
          .policy = std::move(objective.policy),
          .ce_weight = options.loss.ce_weight,
          .lmbda = options.lmbda,
          .batch_size = options.training.batch_size,
          .num_generations = options.num_generations,
          .num_iterations = options.loss.num_iterations,
          .micro_batch_size = options.training.micro_batch_size,
          .seed = static_cast<uint64_t>(options.training.seed),
          .engine = engine_of(options, student)};
}

}  // namespace alambic
