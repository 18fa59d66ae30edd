#include "alambic/train/distillation.h"

#include "alambic/base/error.h"
#include "alambic/base/random.h"
#include "alambic/base/stopwatch.h"
#include "alambic/nn/recompute.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/objective/returns.h"
#include "alambic/train/data_order.h"
#include "alambic/train/group_scores.h"

namespace alambic {

bool on_policy(uint64_t seed, int64_t step, double lmbda) {
  return uniform({.seed = seed, .stream = Stream::mixture, .step = static_cast<uint64_t>(step)}) <
         lmbda;
}

namespace {

/// The loss of one micro-batch as its terms come in.
struct MicroLoss {
  StepReport& report;
  Tensor value;

  void add(const Loss& loss, double weight) {
    const Tensor part = weight == 1 ? loss.value : loss.value * weight;
    value = value.defined() ? value + part : part;
  }
  void report_sums(const Loss& loss, double weight) const {
    for (const auto& [name, sum] : loss.sums) {
      report.means[name] += weight * sum / static_cast<double>(report.tokens);
    }
  }
};

struct DistillationTask : TrainingTask {
  Model& student;
  TeacherMixture teachers;
  std::vector<TokenizedExample> examples;
  const Tokenizer& tokenizer;
  DistillationSettings options;
  AuxiliaryModels auxiliary;
  HiddenMatch hidden;
  DataOrder order;
  CompletionSource source;
  // Of the present round: num_iterations steps learn from the same completions.
  StepBatch completions;
  int64_t round = -1;
  bool own = true;
  DroppedScores dropped;

  DistillationTask(Model& student, TeacherMixture teachers_of_rows,
                   std::vector<TokenizedExample> rows, const Tokenizer& tokenizer,
                   const DistillationSettings& options, AuxiliaryModels others)
      : student(student),
        teachers(std::move(teachers_of_rows)),
        examples(std::move(rows)),
        tokenizer(tokenizer),
        options(options),
        auxiliary(std::move(others)),
        hidden(options.hidden, student.options().device()),
        order(options.seed, static_cast<int64_t>(examples.size())),
        source{.examples = examples,
               .teachers = teachers,
               .micro_batch_size = static_cast<size_t>(options.micro_batch_size),
               .device = student.options().device()} {
    check(!this->options.policy.has(PolicyKind::grpo) || auxiliary.reward,
          "nobody scores the answers");
    check(this->options.policy.kl_weight == 0 || auxiliary.reference, "there is no reference");
  }

  NamedTensors extra_parameters() const override { return hidden.projections(); }

  bool can_checkpoint_after(int64_t steps) const override {
    return steps % options.num_iterations == 0;
  }

  StepReport forward_backward(int64_t step, const PhaseCallback& phase) override {
    StepReport report;
    if (step / options.num_iterations != round) begin_round(step, phase, report);
    report.tokens = completions.tokens;
    double grade_seconds = 0, learn_seconds = 0;
    int64_t number = 0;
    for (MicroBatch& batch : completions.micro_batches) {
      Stopwatch watch;
      MicroLoss loss{.report = report};
      const Tensor loss_positions_M = batch.rollouts.loss_positions_M();
      Tensor hidden_MD;
      LayerOutputs outputs{.layers = hidden.layers()};
      const auto look = [&] {
        if (hidden_MD.defined()) return;
        student.seed_dropout(step, number++);
        const RecomputeLayers recompute(options.recompute_layers);
        Pass pass(batch.rollouts.sequences);
        pass.outputs = &outputs;
        hidden_MD = student.hidden(pass).index_select(0, loss_positions_M);
      };
      const bool ask = options.policy.reads_teacher() && !batch.teacher_logp_M.defined();
      for (const WeightedTeacher& teacher : teachers_of(batch)) {
        phase("grade");
        const TeacherOutput teacher_output = teacher.teacher->evaluate(batch.rollouts);
        if (ask) remember(batch, logp_M(batch.rollouts, teacher_output), teacher.weight);
        grade_seconds += watch.lap();
        if (options.divergence.terms.empty() && !hidden.on()) continue;
        phase("learn");
        look();
        if (!options.divergence.terms.empty()) {
          add_divergence(hidden_MD, teacher_output, teacher.weight, loss);
        }
        if (hidden.on()) add_hidden(outputs, loss_positions_M, teacher_output, loss);
        learn_seconds += watch.lap();
      }
      if (options.policy.kl_weight > 0 && !batch.reference_logp_M.defined()) {
        phase("grade");
        batch.reference_logp_M =
            logp_M(batch.rollouts, auxiliary.reference->evaluate(batch.rollouts));
        grade_seconds += watch.lap();
      }
      phase("learn");
      look();
      if (!options.policy.terms.empty()) add_policy(hidden_MD, batch, loss);
      if (options.ce_weight > 0 && !own) add_cross_entropy(hidden_MD, batch.rollouts, loss);
      loss.value.backward();
      report.loss += loss.value.item<double>();
      learn_seconds += watch.lap();
    }
    if (grade_seconds > 0) report.seconds.emplace_back("grade_seconds", grade_seconds);
    report.seconds.emplace_back("learn_seconds", learn_seconds);
    return report;
  }

  void begin_round(int64_t step, const PhaseCallback& phase, StepReport& report) {
    check(can_checkpoint_after(step), "step {} learns from completions that are not there", step);
    round = step / options.num_iterations;
    const std::vector<int64_t> rows = teachers.by_group(order.batch(round, options.batch_size));
    own = on_policy(options.seed, round, options.lmbda);
    if (!own) {
      completions = source.given(rows);
      return;
    }
    phase("generate");
    EngineOptions engine = options.engine;
    engine.step = static_cast<uint64_t>(step);
    completions = write_completions(source, student, tokenizer, rows, options.num_generations,
                                    engine, options.samples_per_step, report);
    if (!auxiliary.reward) return;
    phase("score");
    score_completions(*auxiliary.reward, dropped, options.num_generations, options.advantage,
                      completions, report);
  }

  // Nobody where no divergence is learned and what the teachers say of the drawn tokens is known,
  // or not asked.
  std::vector<WeightedTeacher> teachers_of(const MicroBatch& batch) const {
    const bool asked = options.policy.reads_teacher() && !batch.teacher_logp_M.defined();
    if (options.divergence.terms.empty() && !hidden.on() && !asked) return {};
    return teachers.members(teachers.group_of(batch.rollouts.row_S.front()));
  }

  // The student's head over the tokenizer's tokens.
  Head head() const {
    const int64_t size = options.engine.vocabulary;
    return size > 0 ? student.head().cut(size) : student.head();
  }

  // What a teacher thinks of the drawn tokens.
  Tensor logp_M(const Rollouts& rollouts, const TeacherOutput& teacher_output) const {
    const HiddenStates& states = hidden_states(teacher_output);
    return target_log_probabilities(states.hidden_MD, states.head, rollouts.targets_M(),
                                    options.policy.temperature);
  }

  // TeacherMixture' weights sum to 1: the weighted mean of KL(q‖p_i) is that of their log p_i.
  static void remember(MicroBatch& batch, const Tensor& logp_M, double weight) {
    Tensor& known = batch.teacher_logp_M;
    known = known.defined() ? known + weight * logp_M : weight * logp_M;
  }

  void add_divergence(const Tensor& hidden_MD, const TeacherOutput& teacher_output, double weight,
                      MicroLoss& loss) const {
    const auto* whole = std::get_if<HiddenStates>(&teacher_output);  // else it has no head
    const Head own_head = whole ? student.head().cut(whole->head.vocabulary()) : head();
    const Loss part = divergence_loss(options.divergence, hidden_MD, own_head, teacher_output,
                                      static_cast<double>(loss.report.tokens) / weight);
    loss.add(part, 1);
    loss.report_sums(part, weight);
  }

  void add_hidden(const LayerOutputs& outputs, const Tensor& loss_positions_M,
                  const TeacherOutput& teacher_output, MicroLoss& loss) const {
    const Loss part = hidden.loss(outputs, loss_positions_M, hidden_states(teacher_output),
                                  static_cast<double>(loss.report.tokens));
    loss.add(part, options.hidden.weight);
    loss.report_sums(part, 1);
  }

  void add_policy(const Tensor& hidden_MD, const MicroBatch& batch, MicroLoss& loss) const {
    const Rollouts& rollouts = batch.rollouts;
    const Tensor place_M = rollouts.loss_positions_M() + 1;
    DrawnTokens drawn{.token_M = rollouts.targets_M(),
                      .sampler_logp_M = rollouts.logp_N.index_select(0, place_M),
                      .teacher_logp_M = batch.teacher_logp_M,
                      .reference_logp_M = batch.reference_logp_M,
                      .advantage_M = batch.advantage_M};
    if (rollouts.weight_N.defined()) drawn.weight_M = rollouts.weight_N.index_select(0, place_M);
    if (options.policy.has(PolicyKind::long_term_kl)) {
      drawn.return_M = returns_M(batch.teacher_logp_M - drawn.sampler_logp_M, lengths_of(rollouts));
    }
    const Loss part = policy_loss(scaled_policy(), hidden_MD, head(), drawn,
                                  static_cast<double>(loss.report.tokens));
    loss.add(part, 1);
    loss.report_sums(part, 1);
  }

  // Graded tokens of every completion.
  static std::vector<int64_t> lengths_of(const Rollouts& rollouts) {
    const Tensor completion_mask_N = rollouts.completion_mask_N.cpu();
    const auto& offsets = rollouts.sequences.offsets;
    std::vector<int64_t> lengths;
    for (int64_t s = 0; s < rollouts.sequences.sequences(); ++s) {
      const Tensor part = completion_mask_N.narrow(0, offsets[s], rollouts.sequences.length(s));
      lengths.push_back(part.sum().item<int64_t>());
    }
    return lengths;
  }

  // Dr. GRPO divides by a length that no completion can change: the longest one.
  Policy scaled_policy() const {
    Policy policy = options.policy;
    if (options.advantage != AdvantageKind::dr_grpo) return policy;
    const auto tokens = static_cast<double>(completions.tokens);
    const auto longest = static_cast<double>(options.engine.sampling.max_new_tokens);
    for (PolicyTerm& term : policy.terms) {
      if (term.kind == PolicyKind::grpo) {
        term.weight *= tokens / (static_cast<double>(completions.sequences()) * longest);
      }
    }
    return policy;
  }

  void add_cross_entropy(const Tensor& hidden_MD, const Rollouts& rollouts, MicroLoss& loss) const {
    const Loss part = cross_entropy_loss(hidden_MD, head(), rollouts.targets_M(),
                                         static_cast<double>(loss.report.tokens));
    loss.add(part, options.ce_weight);
    loss.report.means["cross_entropy"] +=
        part.sums.at("cross_entropy") / static_cast<double>(loss.report.tokens);
  }
};

}  // namespace

std::unique_ptr<TrainingTask> distillation_task(Model& student, TeacherMixture teachers,
                                                std::vector<TokenizedExample> examples,
                                                const Tokenizer& tokenizer,
                                                const DistillationSettings& options,
                                                AuxiliaryModels auxiliary) {
  return std::make_unique<DistillationTask>(student, std::move(teachers), std::move(examples),
                                            tokenizer, options, std::move(auxiliary));
}

}  // namespace alambic
