#pragma once

#include "alambic/options/options.h"

namespace alambic {

struct TeacherOptions {
  std::vector<std::string> teacher, weight;
  std::string dtype = "auto";
  std::string cache, cache_dtype = "bfloat16";
  int64_t cache_topk = 0;

  void visit(OptionVisitor& v) {
    v.list("teacher", teacher,
           "model folder that grades; NAME=FOLDER several times: each row is graded by the one "
           "that its `teacher` field names; self: the student as it is, which then needs rows with "
           "`teacher_prompt`");
    v.model("teacher");
    v.list("teacher-weight", weight,
           "NAME=SHARE for every teacher: all of them grade every row, and the loss is the "
           "weighted mean of the divergences; shares sum to 1");
    v.choice("teacher-dtype", dtype, {"auto", "float32", "bfloat16"},
             "type of the teachers' weights in memory; auto: as --dtype");
    v.text(
        "teacher-cache", cache,
        "folder that keeps the teachers' grades of the given completions (--lmbda 0): filled once, "
        "then replayed without running the teachers");
    v.choice("teacher-cache-dtype", cache_dtype, {"float32", "bfloat16"},
             "type of the kept hidden states");
    v.integer("teacher-cache-topk", cache_topk,
              "keep this many most likely tokens with their log-probabilities in place of hidden "
              "states, 8 bytes each: for runs with --kd-topk up to it and the same "
              "--kd-temperature; 0: hidden states, for any objective",
              {.min = 0});
  }
};

/// "math=models/m" is {"math", "models/m"}; a folder alone, even one with a '=' in its name, has no
/// name.
struct NamedFolder {
  std::string name, folder;
};
NamedFolder parse_teacher(const std::string& text);
/// Errors: several teachers of which one has no name, a name twice.
std::vector<NamedFolder> parse_teachers(const std::vector<std::string>& texts);

/// Shares of the teachers in their order; empty when there are none. Errors: a teacher without a
/// share, a share without a teacher, shares that do not sum to one.
std::vector<double> parse_shares(const std::vector<std::string>& shares,
                                 const std::vector<NamedFolder>& teachers);

}  // namespace alambic
