#include "alambic/train/distillation.h"

#include <algorithm>
#include <span>

#include "alambic/base/error.h"
#include "alambic/base/random.h"
#include "alambic/nn/recompute.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/objective/returns.h"
#include "alambic/train/accompany.h"
#include "alambic/train/data_order.h"
#include "alambic/train/drawn_logp.h"
#include "alambic/train/group_scores.h"
#include "alambic/train/halves.h"
#include "alambic/train/joint_writing.h"
#include "alambic/train/mask_watch.h"
#include "alambic/train/micro_loss.h"
#include "alambic/train/phase_clock.h"
#include "alambic/train/round.h"
#include "alambic/train/within_memory.h"

namespace alambic {

bool on_policy(uint64_t seed, int64_t step, double lmbda) {
  return uniform({.seed = seed, .stream = Stream::mixture, .step = static_cast<uint64_t>(step)}) <
         lmbda;
}

namespace {

/// The student over one micro-batch, with its graph: final hidden states of the graded positions,
/// and the layers that are compared.
struct StudentPass {
  Tensor loss_positions_M, hidden_MD;
  LayerOutputs layers;
};

struct DistillationTask : TrainingTask {
  Model& student;
  TeacherMixture teachers;
  TokenizedRows examples;
  const Tokenizer& tokenizer;
  DistillationSettings options;
  AuxiliaryModels auxiliary;
  HiddenMatch hidden;
  DataOrder order;
  CompletionSource source;
  // Needs of the objective: the teachers' outputs at every step, and log-probabilities of the
  // drawn tokens once for all steps on the same completions.
  const bool compares_outputs, reads_drawn_logp;
  Round round;         // from which this step learns
  Round ahead;         // of the next step, written by the weights before this one; number -1: none
  bool rests = false;  // the step is to leave nothing behind that was written ahead
  DroppedScores dropped;
  MaskWatch masks;

  DistillationTask(Model& student, TeacherMixture teachers_of_rows, TokenizedRows rows,
                   const Tokenizer& tokenizer, const DistillationSettings& options,
                   AuxiliaryModels others)
      : student(student),
        teachers(std::move(teachers_of_rows)),
        examples(std::move(rows)),
        tokenizer(tokenizer),
        options(options),
        auxiliary(std::move(others)),
        hidden(options.hidden, student.options().device()),
        order(options.shares.empty() ? DataOrder(options.seed, examples.size())
                                     : DataOrder(options.seed, options.shares)),
        source{.examples = examples,
               .teachers = teachers,
               .micro_batch_size = static_cast<size_t>(options.micro_batch_size),
               .device = student.options().device(),
               .world = *this->options.world},
        compares_outputs(!options.divergence.terms.empty() || hidden.on()),
        reads_drawn_logp(options.policy.reads_teacher() || options.samples_spans) {
    check(!this->options.policy.has(PolicyKind::grpo) || auxiliary.reward,
          "nothing scores the completions");
    check(this->options.policy.kl_weight == 0 || auxiliary.reference, "there is no reference");
  }

  NamedTensors extra_parameters() const override { return hidden.projections(); }

  bool can_checkpoint_after(int64_t steps) const override {
    return begins_round(steps) && ahead.number < 0;
  }
  void rest_after_next(bool wanted) override { rests = wanted; }
  bool begins_round(int64_t step) const { return step % options.num_iterations == 0; }

  StepReport forward_backward(int64_t step, const PhaseCallback& phase) override {
    StepReport report;
    PhaseClock clock(phase, source.device);
    rollout(step, clock, report);
    report.tokens = round.batch.tokens;
    const std::map<std::string, double> means = report.means;
    const auto learn_all = [&] {
      report.means = means;
      report.loss = 0;
      for (size_t i = 0; i < round.batch.micro_batches.size(); ++i) learn(step, i, clock, report);
    };
    if (passes_together()) {
      const int64_t more = more_elsewhere(*options.world, std::ssize(round.batch.micro_batches));
      learn_all();
      accompany(more, options.layers.get(),
                needs_teachers(round, step) ? options.teachers_layers
                                            : std::vector<std::shared_ptr<LayerWeights>>());
    } else {
      within_memory(student, hidden.projections(), learn_all, [&] {
        const int64_t sequences = halve_largest(round.batch.micro_batches);
        source.micro_batch_size = static_cast<size_t>(sequences);  // of later rounds too
        return sequences;
      });
    }
    const auto masked = report.means.find("masked_share");
    const double share = options.world->sum(masked == report.means.end() ? 0.0 : masked->second,
                                            "counting masked tokens");
    masks.see(share * static_cast<double>(report.tokens), report.tokens);
    report.seconds = clock.seconds();
    if (options.teacher_ranks) add_teacher_ranks(*options.world, *options.teacher_ranks, report);
    return report;
  }

  // Whether ranks make their passes side by side, each in need of the others' part of the weights:
  // one that alone began a step again would leave them waiting.
  bool passes_together() const {
    return options.layers || !options.teachers_layers.empty() || options.teacher_ranks;
  }

  // Whether the teachers grade in this step: outputs always, drawn tokens once.
  bool needs_teachers(const Round& of, int64_t step) const {
    return compares_outputs || (of.own && reads_drawn_logp && begins_round(step));
  }

  void ask_teacher_ranks(const Round& of, int64_t step) const {
    for (const MicroBatch& batch : of.batch.micro_batches) {
      for (const auto& member : members_of(batch)) member.teacher->expect(batch.rollouts);
    }
    options.teacher_ranks->ask(step);
  }

  const std::vector<WeightedTeacher>& members_of(const MicroBatch& batch) const {
    return teachers.members(teachers.group_of(batch.rollouts.row_S.front()));
  }

  // Adds the gradients of micro-batch i.
  void learn(int64_t step, size_t i, PhaseClock& clock, StepReport& report) {
    MicroBatch& batch = round.batch.micro_batches[i];
    evaluate_reference(batch, clock);
    Evaluation teacher = evaluate_teachers(batch, clock);
    clock.begin("learn");
    const StudentPass pass = forward(step, i, batch);
    MicroLoss loss{.report = report};
    for (; !teacher.done(); teacher.next()) {
      add_divergence(pass, batch, teacher, loss);
      add_hidden_match(pass, teacher.output, loss);
    }
    add_policy(pass, batch, loss);
    add_cross_entropy(pass, batch, loss);
    loss.value.backward();
    report.loss += loss.value.item<double>();
  }

  // The completions that this step learns from; those of the step before within a round.
  void rollout(int64_t step, PhaseClock& clock, StepReport& report) {
    if (step / options.num_iterations == round.number) {
      if (options.teacher_ranks && needs_teachers(round, step)) ask_teacher_ranks(round, step);
      return;
    }
    check(begins_round(step), "step {} learns from completions that are not there", step);
    const int64_t number = step / options.num_iterations;
    round = ahead.number == number ? std::exchange(ahead, {}) : write(number, step, clock);
    report.extra = round.report.extra;
    report.samples = round.report.samples;
    if (options.max_staleness > 0 && !rests) ahead = write(number + 1, step, clock);
  }

  // A round by the weights after `version` steps; the teachers' ranks begin with it.
  Round write(int64_t number, int64_t version, PhaseClock& clock) {
    Round written{.number = number, .own = on_policy(options.seed, number, options.lmbda)};
    const int64_t step = number * options.num_iterations;
    const std::vector<int64_t> rows = teachers.by_group(order.batch(number, options.batch_size));
    if (written.own) {
      clock.begin("generate");
      EngineOptions engine = options.engine;
      engine.step = static_cast<uint64_t>(step);
      const WritingStudent writer(student, options.layers.get(), engine.ranks);
      written.batch = write_completions(source, *writer, tokenizer, rows, options.num_generations,
                                        engine, options.samples_per_step, written.report);
      for (MicroBatch& batch : written.batch.micro_batches) batch.rollouts.policy_step = version;
    } else {
      written.batch = source.given(rows);
    }
    if (written.own && auxiliary.reward) {
      clock.begin("score");
      score_completions(*auxiliary.reward, *options.world, dropped, options.num_generations,
                        options.advantage, written.batch, written.report);
    }
    if (!options.teacher_ranks) return written;
    if (written.own) written.report.extra.emplace_back("policy_version", version);
    if (needs_teachers(written, step)) ask_teacher_ranks(written, step);
    return written;
  }

  // The outputs of a micro-batch's teachers, one at a time: the next teacher is evaluated when the
  // output before has been learned from, so that one output head is needed at a time.
  struct Evaluation {
    DistillationTask& task;
    MicroBatch& batch;
    PhaseClock& clock;
    std::span<const WeightedTeacher> teachers;  // from the present one on
    bool keeps_logp;
    size_t number = 0;  // of the present one
    TeacherOutput output;

    bool done() const { return teachers.empty(); }
    double weight() const { return teachers.front().weight; }
    double graded() const {
      return std::max(1.0, static_cast<double>(task.round.batch.graded.at(number)));
    }
    void next() {
      teachers = teachers.subspan(1);
      ++number;
      evaluate();
    }
    void evaluate() {
      output = {};  // its head goes before the next one comes
      if (done()) return;
      clock.begin("grade");
      output = teachers.front().teacher->evaluate(batch.rollouts);
      if (keeps_logp) task.keep_logp(batch, *this);
      clock.begin("learn");
    }
  };

  Evaluation evaluate_teachers(MicroBatch& batch, PhaseClock& clock) {
    const bool known = batch.teacher_logp_M.defined() || !batch.spans.empty();
    const bool keeps_logp = round.own && reads_drawn_logp && !known;
    Evaluation first{.task = *this, .batch = batch, .clock = clock, .keeps_logp = keeps_logp};
    if (compares_outputs || keeps_logp) {
      first.teachers = members_of(batch);
    }
    first.evaluate();
    return first;
  }

  void evaluate_reference(MicroBatch& batch, PhaseClock& clock) const {
    if (options.policy.kl_weight == 0 || batch.reference_logp_M.defined()) return;
    clock.begin("grade");
    batch.reference_logp_M = drawn_logp_M(
        batch.rollouts, auxiliary.reference->evaluate(batch.rollouts), options.policy.temperature);
  }

  // Teachers' weights sum to 1: the weighted mean of KL(q‖p_i) is that of their log p_i.
  void keep_logp(MicroBatch& batch, const Evaluation& teacher) const {
    if (const auto* aligned = std::get_if<AlignedStates>(&teacher.output)) {
      SpanGrades& grades =
          batch.spans.emplace_back(SpanGrades::of(*aligned, options.policy.temperature));
      // Returns look ahead by themselves.
      grades.lookahead = options.policy.has(PolicyKind::long_term_kl) ? 0 : options.span_lookahead;
      grades.weight = teacher.weight();
      grades.share = grades.weight * static_cast<double>(round.batch.tokens) / teacher.graded();
      return;
    }
    if (!options.policy.reads_teacher()) return;
    const double weight = teacher.weight();
    const Tensor logp_M = drawn_logp_M(batch.rollouts, teacher.output, options.policy.temperature);
    Tensor& known = batch.teacher_logp_M;
    known = known.defined() ? known + weight * logp_M : weight * logp_M;
    batch.teacher_share += weight;
  }

  StudentPass forward(int64_t step, size_t number, const MicroBatch& batch) {
    StudentPass seen{.loss_positions_M = batch.rollouts.loss_positions_M(),
                     .layers = {.layers = hidden.layers()}};
    // A number of its own on every rank.
    student.seed_dropout(
        step, static_cast<int64_t>(number) * options.world->size() + options.world->rank());
    const RecomputeLayers recompute(options.recompute_layers);
    const WithWeights scope(options.layers.get());
    Pass pass(batch.rollouts.sequences);
    pass.outputs = &seen.layers;
    seen.hidden_MD = student.hidden(pass).index_select(0, seen.loss_positions_M);
    return seen;
  }

  // The student's head over the tokenizer's tokens.
  Head head() const {
    const int64_t size = options.engine.vocabulary;
    return size > 0 ? student.head().cut(size) : student.head();
  }
  // … and over a teacher's where it has a head.
  Head head_beside(const TeacherOutput& output) const {
    const auto* whole = std::get_if<HiddenStates>(&output);
    return whole == nullptr ? head() : student.head().cut(whole->head.vocabulary());
  }

  void add_divergence(const StudentPass& pass, const MicroBatch& batch, const Evaluation& teacher,
                      MicroLoss& loss) const {
    if (options.divergence.terms.empty()) return;
    const bool aligned = std::holds_alternative<AlignedStates>(teacher.output);
    if (aligned && round.own && options.samples_spans) return;  // add_policy
    const double normalizer = teacher.graded() / teacher.weight();
    const Loss part =
        divergence_loss(options.divergence, pass.hidden_MD, head_beside(teacher.output),
                        teacher.output, normalizer, {}, batch.rollouts.targets_M());
    loss.add(part, 1);
    loss.report_sums(part.sums, normalizer);
    if (!aligned) return;
    const Tensor& span_M = std::get<AlignedStates>(teacher.output).map.span_M;
    const auto masked = static_cast<double>((span_M < 0).sum().item<int64_t>());
    loss.report_sums({{"masked_share", masked}}, loss.normalizer() / teacher.weight());
  }

  void add_hidden_match(const StudentPass& pass, const TeacherOutput& output,
                        MicroLoss& loss) const {
    if (!hidden.on()) return;
    const Loss part =
        hidden.loss(pass.layers, pass.loss_positions_M, hidden_states(output), loss.normalizer());
    loss.add(part, options.hidden.weight);
    loss.report_sums(part.sums, loss.normalizer());
  }

  void add_policy(const StudentPass& pass, const MicroBatch& batch, MicroLoss& loss) const {
    if (!round.own || (options.policy.terms.empty() && batch.spans.empty())) return;
    const Rollouts& rollouts = batch.rollouts;
    const Tensor place_M = pass.loss_positions_M + 1;
    DrawnTokens drawn{.token_M = rollouts.targets_M(),
                      .sampler_logp_M = rollouts.logp_N.index_select(0, place_M),
                      .teacher_logp_M = batch.teacher_logp_M,
                      .reference_logp_M = batch.reference_logp_M,
                      .advantage_M = batch.advantage_M};
    if (options.policy.has(PolicyKind::long_term_kl)) add_returns(pass, batch, drawn);
    if (!batch.spans.empty()) add_spans(pass, batch, drawn, loss);
    if (rollouts.weight_N.defined()) drawn.weight_M = rollouts.weight_N.index_select(0, place_M);
    const Policy policy = policy_of(batch);
    const Loss part = policy_loss(policy, pass.hidden_MD, head(), drawn, loss.normalizer());
    loss.add(part, 1);
    loss.report_sums(part.sums, loss.normalizer());
  }

  // Of the teachers' tokens and of their spans. `drawn` knows nothing of the spans yet.
  void add_returns(const StudentPass& pass, const MicroBatch& batch, DrawnTokens& drawn) const {
    drawn.return_M = at::zeros_like(drawn.sampler_logp_M, at::kDouble);
    if (batch.teacher_logp_M.defined()) {
      const Tensor own_M = batch.teacher_share * drawn.sampler_logp_M;
      drawn.return_M = returns_M(batch.teacher_logp_M - own_M, graded_lengths(batch.rollouts));
    }
    for (const SpanGrades& grades : batch.spans) {
      drawn.return_M = drawn.return_M + span_returns_M(grades, pass.hidden_MD, head(),
                                                       options.policy.temperature, drawn);
    }
  }

  void add_spans(const StudentPass& pass, const MicroBatch& batch, DrawnTokens& drawn,
                 const MicroLoss& loss) const {
    if (drawn.teacher_logp_M.defined()) {
      drawn.teacher_share_M = at::full_like(drawn.sampler_logp_M, batch.teacher_share);
    }
    for (const SpanGrades& grades : batch.spans) {
      alambic::add_spans(grades, pass.hidden_MD, head(), options.policy.temperature, drawn);
      // Where add_divergence compared pieces, it has counted what is masked.
      const bool counts = options.samples_spans || options.divergence.terms.empty();
      loss.report_sums(span_figures(grades, drawn, counts), loss.normalizer());
    }
  }

  // Where a teacher of the batch grades spans, the reverse KL is sampled.
  Policy policy_of(const MicroBatch& batch) const {
    Policy policy = options.policy;
    if (options.advantage == AdvantageKind::dr_grpo) {
      divide_by_longest(round.batch, options.engine.sampling.max_new_tokens, policy);
    }
    if (batch.spans.empty() || !options.samples_spans) return policy;
    double weight = 0;
    for (const DivergenceTerm& term : options.divergence.terms) weight += term.weight;
    policy.terms.push_back({.kind = PolicyKind::sampled_reverse_kl, .weight = weight});
    return policy;
  }

  // On given completions alone: on its own the student would learn its mistakes.
  void add_cross_entropy(const StudentPass& pass, const MicroBatch& batch, MicroLoss& loss) const {
    if (options.ce_weight == 0 || round.own) return;
    const Loss part =
        cross_entropy_loss(pass.hidden_MD, head(), batch.rollouts.targets_M(), loss.normalizer());
    loss.add(part, options.ce_weight);
    loss.report.means["cross_entropy"] += part.sums.at("cross_entropy") / loss.normalizer();
  }
};

}  // namespace

std::unique_ptr<TrainingTask> distillation_task(Model& student, TeacherMixture teachers,
                                                TokenizedRows examples, const Tokenizer& tokenizer,
                                                const DistillationSettings& options,
                                                AuxiliaryModels auxiliary) {
  return std::make_unique<DistillationTask>(student, std::move(teachers), std::move(examples),
                                            tokenizer, options, std::move(auxiliary));
}

}  // namespace alambic
