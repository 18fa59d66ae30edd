#pragma once

#include "alambic/options/options.h"

namespace alambic {

enum class CompletionsBy { data, teacher };

/// Source of the completions that steps outside --lmbda's share learn from.
struct TeacherCompletionsOptions {
  CompletionsBy by = CompletionsBy::data;
  std::string file;
  double temperature = 1, top_p = 1;
  int64_t top_k = 0;

  bool by_teacher() const { return by == CompletionsBy::teacher; }

  void visit(OptionVisitor& v) {
    v.choice("completions-by", by,
             {{"data", CompletionsBy::data}, {"teacher", CompletionsBy::teacher}},
             "whose completions the steps outside --lmbda's share learn from; teacher: sequence-"
             "level distillation, as --objective cross_entropy --lmbda 0")
        .formerly("answers-by")
        .not_with("lmbda 1", {.reason = "every step takes the student's own completions",
                              .hint = "--lmbda 0 learns from the teacher's completions only"});
    v.text("teacher-completions", file,
           "jsonl file that keeps the teacher's completions: each prompt is answered once, for all "
           "epochs and runs")
        .path()
        .formerly("teacher-answers")
        .only_with("completions-by teacher");
    v.number("teacher-temperature", temperature,
             "sampling temperature of the teacher's completions; 0 takes the most likely token",
             {.min = 0})
        .only_with("completions-by teacher");
    v.integer("teacher-top-k", top_k, "--top-k of the teacher's completions", {.min = 0})
        .only_with("completions-by teacher");
    v.number("teacher-top-p", top_p, "--top-p of the teacher's completions", {.min = 0, .max = 1})
        .only_with("completions-by teacher");
  }
};

}  // namespace alambic
