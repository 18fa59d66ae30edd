// The whole job of `alambic distill` without a command line: checks, run folder, checkpoints.
//   run STUDENT TEACHER PROMPTS.jsonl OUT
#include <cstdio>

#include "alambic/base/error.h"
#include "alambic/jobs/distill.h"

int main(int argc, char** argv) try {
  if (argc != 5) return std::fprintf(stderr, "usage: run STUDENT TEACHER DATA OUT\n"), 2;
  alambic::DistillOptions options;
  options.student = argv[1];
  options.teachers.teacher = {argv[2]};
  options.data = {argv[3]};
  options.run.out = argv[4];
  options.max_completion_length = 64;
  options.training.learning_rate = 1e-3;
  options.training.max_steps = 2;
  options.training.batch_size = 2;
  const alambic::RunResult result = alambic::jobs::distill(options);
  std::printf("%s after %ld steps\n", result.model.c_str(), result.steps);
} catch (const alambic::Error& error) {
  std::fprintf(stderr, "error: %s\n%s\n", error.what(), error.hint().c_str());
  return static_cast<int>(error.exit());
}
