#include "alambic/jobs/distill_checks.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/jobs/remote_teachers.h"
#include "alambic/objective/parse.h"
#include "alambic/options/conditions.h"
#include "alambic/train/collapse.h"

namespace alambic {

namespace {

void check_cache(const DistillOptions& options, const Objective& objective) {
  const TeacherOptions& teachers = options.teachers;
  if (teachers.cache_topk > 0 && options.loss.kd_topk > teachers.cache_topk) {
    throw input_error("--kd-topk {} needs more tokens than --teacher-cache-topk {} keeps",
                      options.loss.kd_topk, teachers.cache_topk);
  }
  if (!teachers.cache.empty() && !objective.asks_teachers()) {
    throw input_error("--teacher-cache has no effect with --objective {}: no teacher grades",
                      options.loss.objective);
  }
}

// A completion that the data gives was not drawn from the student: nothing weights it.
void check_drawn(const DistillOptions& options, const Objective& objective) {
  if (objective.policy.terms.empty() || options.lmbda == 1) return;
  throw input_error(
      "--objective {} learns from tokens that the student drew, but with --lmbda {} some steps "
      "take given completions",
      options.loss.objective, options.lmbda)
      .with_hint("--lmbda 1, or a divergence over the vocabulary such as --objective reverse_kl");
}

// Steps on the student's own completions would have nothing to learn.
void check_cross_entropy(const DistillOptions& options, const Objective& objective) {
  if (objective.cross_entropy == 0) return;
  const std::string& name = options.loss.objective;
  if (options.loss.ce_weight > 0) {
    throw input_error("--ce-weight has no effect with --objective {}, which weights it itself",
                      name);
  }
  const bool alone = objective.divergence.terms.empty();
  if (alone ? options.lmbda == 0 : options.lmbda < 1) return;
  throw input_error("--objective {}: cross-entropy is of given completions, but with --lmbda {} {}",
                    name, options.lmbda,
                    alone ? "some steps take the student's own completions" : "no step has any")
      .with_hint("--lmbda 0 learns from given completions only");
}

void check_completions(const DistillOptions& options) {
  if (!options.completions.by_teacher()) return;
  if (options.completions.file.empty()) {
    throw input_error(
        "--completions-by teacher keeps the completions in a file: --teacher-completions is "
        "missing")
        .with_hint(
            "--teacher-completions completions.jsonl; other runs with the same teacher can use it");
  }
  for (const NamedFolder& teacher : parse_teachers(options.teachers.teacher)) {
    if (teacher.folder == "self") {
      throw input_error(
          "--completions-by teacher: with --teacher self the student would write them")
          .with_hint("--lmbda 1 learns from its own completions");
    }
  }
}

void check_teachers(const DistillOptions& options, const Objective& objective) {
  const bool given = !options.teachers.teacher.empty();
  if (!given && options.completions.by_teacher()) {
    throw input_error(
        "--teacher is missing: --completions-by teacher lets one write the completions");
  }
  if ((objective.asks_teachers() || options.completions.by_teacher()) == given) return;
  if (!given) {
    throw input_error("--teacher is missing: --objective {} compares with one",
                      options.loss.objective)
        .with_hint("--objective grpo learns from scores alone, cross_entropy from completions");
  }
  throw input_error("--teacher has no effect with --objective {}", options.loss.objective)
      .with_hint("a sum takes both, as 0.5*grpo+0.5*reverse_kl");
}

void check_scores(const DistillOptions& options, const Objective& objective) {
  const bool learns = objective.policy.has(PolicyKind::grpo);
  const std::string& name = options.loss.objective;
  if (!learns && options.reward.any()) {
    throw input_error("--{} has no effect with --objective {}",
                      options.reward.reward.empty() ? "judge" : "reward", name)
        .with_hint("--objective grpo, or a sum as 0.5*grpo+0.5*reverse_kl, learns from scores");
  }
  if (learns && !options.reward.any()) {
    throw input_error("--objective {} learns from scores: --reward or --judge is missing", name)
        .with_hint("--reward exact_match, number, regex:PATTERN or command:COMMAND");
  }
  if (learns && options.num_generations < 2) {
    throw input_error(
        "--objective {} compares the completions to a prompt with each other, but "
        "--num-generations is "
        "{}",
        name, options.num_generations)
        .with_hint("--num-generations 8, with as many fewer prompts in --batch-size");
  }
}

// A projection is of one teacher.
void check_hidden(const DistillOptions& options, const Objective& objective) {
  if (!objective.hidden || options.teachers.teacher.size() <= 1) return;
  throw input_error("--hidden-weight needs one teacher, found {}", options.teachers.teacher.size());
}

// Spans have a policy gradient of the reverse KL alone.
void check_spans(const DistillOptions& options, const Objective& objective) {
  const bool only_reverse = std::ranges::all_of(
      objective.divergence.terms,
      [](const DivergenceTerm& term) { return term.kind == DivergenceKind::reverse_kl; });
  const bool twice =
      objective.policy.has(PolicyKind::sampled_reverse_kl) && !objective.divergence.terms.empty();
  if (!twice && (options.lmbda == 0 || only_reverse)) return;
  throw input_error(
      "--cross-tokenizer span learns from the student's own completions by the policy gradient of "
      "reverse_kl, found --objective {} with --lmbda {}",
      options.loss.objective, options.lmbda)
      .with_hint(
          "--objective reverse_kl; --lmbda 0 for a divergence on given completions; or "
          "--cross-tokenizer pieces");
}

// What grades on ranks of its own is a model, and not the student.
void check_teacher_ranks(const DistillOptions& options) {
  const TeacherOptions& teachers = options.teachers;
  if (teachers.ranks == 0) return;
  if (teachers.max_staleness > 0 && options.loss.num_iterations > 1) {
    throw input_error(
        "--max-staleness {} does not go with --num-iterations {}: both learn from completions of "
        "older weights",
        teachers.max_staleness, options.loss.num_iterations);
  }
  if (teachers.max_staleness > 0 && options.training.save_every == 1) {
    throw input_error(
        "--max-staleness has no effect with --save-every 1: a checkpoint is of weights that have "
        "written nothing ahead")
        .with_hint("--save-every 10 writes ahead in nine steps of ten");
  }
  for (const NamedFolder& teacher : parse_teachers(teachers.teacher)) {
    if (teacher.folder == "self") {
      throw input_error("--teacher-ranks has no effect with --teacher self: the student grades");
    }
    if (is_endpoint(teacher.folder)) {
      throw input_error("--teacher-ranks has no effect on {}: its server grades",
                        parse_endpoint(teacher.folder).name())
          .with_hint("every rank asks the server; without --teacher-ranks");
    }
  }
}

// Which tokens of another vocabulary are compared: a server's own most likely ones alone.
void check_listed_pieces(const DistillOptions& options) {
  if (options.loss.kd_topk == 0) return;
  if (options.loss.kd_topk_by != TopKBy::teacher) {
    throw input_error("--cross-tokenizer pieces with --kd-topk takes the teacher's tokens")
        .with_hint("--kd-topk-by teacher");
  }
  for (const NamedFolder& teacher : parse_teachers(options.teachers.teacher)) {
    if (is_endpoint(teacher.folder)) continue;
    throw input_error(
        "--kd-topk {} with --cross-tokenizer pieces is for teachers behind an address; the "
        "distributions of {} are here",
        options.loss.kd_topk, teacher.folder)
        .with_hint("without --kd-topk all of its tokens are compared");
  }
}

// Ranks write together where the student writes at all.
void check_writing(const DistillOptions& options) {
  const int64_t ranks = options.sharding.tensor_parallel_size;
  if (ranks == 1 || options.lmbda > 0 || !options.valid_data.empty()) return;
  throw input_error(
      "--tensor-parallel-size {} has no effect with --lmbda 0: the student writes no completions",
      ranks)
      .with_hint("--valid-data lets it write some");
}

void check_cross_tokenizer(const DistillOptions& options, const Objective& objective) {
  if (options.teachers.cross_tokenizer == CrossTokenizer::none) return;
  if (!objective.compares_tokens()) {
    throw input_error("--cross-tokenizer has no effect with --objective {}: no teacher grades",
                      options.loss.objective)
        .with_hint("completions of a teacher and a judge's scores need no alignment");
  }
  if (options.loss.teacher_mix > 0) {
    throw input_error(
        "--teacher-mix draws token by token with the teacher, whose tokens --cross-tokenizer says "
        "are others")
        .with_hint("without --teacher-mix");
  }
  if (options.teachers.cache_topk > 0) {
    throw input_error(
        "--cross-tokenizer has no effect with --teacher-cache-topk: spans need the "
        "probabilities of all of the teacher's tokens")
        .with_hint("a cache of hidden states, without --teacher-cache-topk");
  }
  if (options.teachers.cross_tokenizer == CrossTokenizer::pieces) {
    // minillm's long-term term has its returns by spans.
    if (!objective.policy.has(PolicyKind::sampled_reverse_kl)) return check_listed_pieces(options);
    throw input_error(
        "--cross-tokenizer pieces compares distributions, but --objective {} learns from the drawn "
        "tokens' probabilities",
        options.loss.objective)
        .with_hint("a divergence, as --objective reverse_kl, or --cross-tokenizer span");
  }
  check_spans(options, objective);
}

// A mixed-in teacher must be one model that reads the student's own prompt.
void check_mix(const DistillOptions& options) {
  if (options.loss.teacher_mix == 0) return;
  const std::vector<std::string>& teachers = options.teachers.teacher;
  if (teachers.size() == 1 && parse_teacher(teachers.front()).folder != "self") return;
  throw input_error("--teacher-mix needs one teacher, found {}",
                    teachers.size() == 1 ? "--teacher self" : std::to_string(teachers.size()));
}

void check_rollback(const DistillOptions& options) {
  const TrainingOptions& training = options.training;
  const int64_t window = CollapseWatch(0).window();
  if (options.on_collapse != OnCollapse::rollback) return;
  if ((training.keep_checkpoints - 1) * training.save_every >= window) return;
  throw input_error(
      "--on-collapse rollback goes back {} steps or more, but --save-every {} with "
      "--keep-checkpoints {} keeps no checkpoint from so long ago",
      window, training.save_every, training.keep_checkpoints)
      .with_hint(fmt::format("--save-every {}", window));
}

}  // namespace

Objective check_options(const DistillOptions& options) {
  check_conditions(options, DistillOptions());
  Objective objective = objective_of(options.loss);
  check_cache(options, objective);
  check_drawn(options, objective);
  check_cross_entropy(options, objective);
  check_completions(options);
  check_teachers(options, objective);
  check_scores(options, objective);
  check_hidden(options, objective);
  check_mix(options);
  check_teacher_ranks(options);
  check_writing(options);
  check_cross_tokenizer(options, objective);
  check_rollback(options);
  check_remote(options, objective);
  return objective;
}

}  // namespace alambic
