#pragma once

#include "alambic/options/options.h"

namespace alambic {

/// Who writes the completions that steps outside --lmbda's share learn from.
struct TeacherCompletionsOptions {
  std::string by = "data", file;
  double temperature = 1, top_p = 1;
  int64_t top_k = 0;

  bool by_teacher() const { return by == "teacher"; }

  void visit(OptionVisitor& v) {
    v.choice("completions-by", by, {"data", "teacher"},
             "whose completions the steps outside --lmbda's share learn from; teacher: sequence-"
             "level distillation, as --objective cross_entropy --lmbda 0");
    v.text("teacher-completions", file,
           "jsonl file that keeps the teacher's completions: each prompt is answered once, for all "
           "epochs and runs");
    v.number("teacher-temperature", temperature,
             "sampling temperature of the teacher's completions; 0 takes the most likely token",
             {.min = 0});
    v.integer("teacher-top-k", top_k, "--top-k of the teacher's answers", {.min = 0});
    v.number("teacher-top-p", top_p, "--top-p of the teacher's answers", {.min = 0, .max = 1});
  }
};

}  // namespace alambic
