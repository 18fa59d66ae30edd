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

struct DistillationLesson : Lesson {
  Model& student;
  Teachers teachers;
  std::vector<TokenizedExample> examples;
  const Tokenizer& tokenizer;
  DistillationOptions options;
  Onlookers onlookers;
  HiddenMatch hidden;
  DataOrder order;
  AnswerSource source;
  // Of the present round: num_iterations steps learn from the same answers.
  StepAnswers answers;
  int64_t round = -1;
  bool own = true;

  DistillationLesson(Model& student, Teachers teachers_of_rows, std::vector<TokenizedExample> rows,
                     const Tokenizer& tokenizer, const DistillationOptions& options,
                     Onlookers others)
      : student(student),
        teachers(std::move(teachers_of_rows)),
        examples(std::move(rows)),
        tokenizer(tokenizer),
        options(options),
        onlookers(std::move(others)),
        hidden(options.hidden, student.options().device()),
        order(options.seed, static_cast<int64_t>(examples.size())),
        source{.examples = examples,
               .teachers = teachers,
               .micro_batch_size = static_cast<size_t>(options.micro_batch_size),
               .device = student.options().device()} {
    check(!this->options.policy.has(PolicyKind::grpo) || onlookers.scorer,
          "nobody scores the answers");
    check(this->options.policy.kl_weight == 0 || onlookers.reference, "there is no reference");
  }

  NamedTensors learns_beside() const override { return hidden.projections(); }

  bool rests_after(int64_t steps) const override { return steps % options.num_iterations == 0; }

  StepReport learn(int64_t step, const PhaseCallback& phase) override {
    StepReport report;
    if (step / options.num_iterations != round) begin_round(step, phase, report);
    report.tokens = answers.tokens;
    double grade_seconds = 0, learn_seconds = 0;
    int64_t number = 0;
    for (MicroBatch& batch : answers.micro_batches) {
      Stopwatch watch;
      MicroLoss loss{.report = report};
      const Tensor graded_M = batch.rollouts.graded_M();
      Tensor hidden_MD;
      LayerOutputs outputs{.layers = hidden.layers()};
      const auto look = [&] {
        if (hidden_MD.defined()) return;
        student.place_dropout(step, number++);
        const RecomputeLayers recompute(options.recompute_layers);
        Pass pass(batch.rollouts.sequences);
        pass.outputs = &outputs;
        hidden_MD = student.hidden(pass).index_select(0, graded_M);
      };
      const bool ask = options.policy.reads_teacher() && !batch.teacher_logp_M.defined();
      for (const Grader& grader : graders_of(batch)) {
        phase("grade");
        const Judgement judgement = grader.teacher->grade(batch.rollouts);
        if (ask) remember(batch, logp_M(batch.rollouts, judgement), grader.weight);
        grade_seconds += watch.lap();
        if (options.divergence.terms.empty() && !hidden.on()) continue;
        phase("learn");
        look();
        if (!options.divergence.terms.empty()) {
          add_divergence(hidden_MD, judgement, grader.weight, loss);
        }
        if (hidden.on()) add_hidden(outputs, graded_M, judgement, loss);
        learn_seconds += watch.lap();
      }
      if (options.policy.kl_weight > 0 && !batch.reference_logp_M.defined()) {
        phase("grade");
        batch.reference_logp_M = logp_M(batch.rollouts, onlookers.reference->grade(batch.rollouts));
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
    check(rests_after(step), "step {} learns from answers that are not there", step);
    round = step / options.num_iterations;
    const std::vector<int64_t> rows = teachers.by_group(order.batch(round, options.batch_size));
    own = on_policy(options.seed, round, options.lmbda);
    if (!own) {
      answers = source.given(rows);
      return;
    }
    phase("generate");
    EngineOptions engine = options.engine;
    engine.step = static_cast<uint64_t>(step);
    answers = write_answers(source, student, tokenizer, rows, options.num_generations, engine,
                            options.samples_per_step, report);
    if (!onlookers.scorer) return;
    phase("score");
    score_answers(*onlookers.scorer, options.num_generations, options.advantage, answers, report);
  }

  // Nobody where no divergence is learnt and what the teachers say of the drawn tokens is known, or
  // not asked.
  std::vector<Grader> graders_of(const MicroBatch& batch) const {
    const bool asked = options.policy.reads_teacher() && !batch.teacher_logp_M.defined();
    if (options.divergence.terms.empty() && !hidden.on() && !asked) return {};
    return teachers.graders(teachers.group_of(batch.rollouts.row_S.front()));
  }

  // The student's head over the tokenizer's tokens.
  Head head() const {
    const int64_t size = options.engine.vocabulary;
    return size > 0 ? student.head().cut(size) : student.head();
  }

  // What a teacher thinks of the drawn tokens.
  Tensor logp_M(const Rollouts& rollouts, const Judgement& judgement) const {
    check(judgement.hidden_MD.defined(), "a teacher without hidden states");
    return target_log_probabilities(judgement.hidden_MD, judgement.head, rollouts.targets_M(),
                                    options.policy.temperature);
  }

  // Teachers' weights sum to 1: the weighted mean of KL(q‖p_i) is that of their log p_i.
  static void remember(MicroBatch& batch, const Tensor& logp_M, double weight) {
    Tensor& known = batch.teacher_logp_M;
    known = known.defined() ? known + weight * logp_M : weight * logp_M;
  }

  void add_divergence(const Tensor& hidden_MD, const Judgement& judgement, double weight,
                      MicroLoss& loss) const {
    const bool whole = judgement.hidden_MD.defined();  // else it has no head
    const Head own_head = whole ? student.head().cut(judgement.head.vocabulary()) : head();
    const Loss part = divergence_loss(options.divergence, hidden_MD, own_head, judgement,
                                      static_cast<double>(loss.report.tokens) / weight);
    loss.add(part, 1);
    loss.report_sums(part, weight);
  }

  void add_hidden(const LayerOutputs& outputs, const Tensor& graded_M, const Judgement& judgement,
                  MicroLoss& loss) const {
    const Loss part =
        hidden.loss(outputs, graded_M, judgement, static_cast<double>(loss.report.tokens));
    loss.add(part, options.hidden.weight);
    loss.report_sums(part, 1);
  }

  void add_policy(const Tensor& hidden_MD, const MicroBatch& batch, MicroLoss& loss) const {
    const Rollouts& rollouts = batch.rollouts;
    const Tensor place_M = rollouts.graded_M() + 1;
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

  // Graded tokens of every answer.
  static std::vector<int64_t> lengths_of(const Rollouts& rollouts) {
    const Tensor answer_N = rollouts.answer_N.cpu();
    const auto& offsets = rollouts.sequences.offsets;
    std::vector<int64_t> lengths;
    for (int64_t s = 0; s < rollouts.sequences.sequences(); ++s) {
      const Tensor part = answer_N.narrow(0, offsets[s], rollouts.sequences.length(s));
      lengths.push_back(part.sum().item<int64_t>());
    }
    return lengths;
  }

  // Dr. GRPO divides by a length that no answer can change: the longest one.
  Policy scaled_policy() const {
    Policy policy = options.policy;
    if (options.advantage != AdvantageKind::dr_grpo) return policy;
    const auto tokens = static_cast<double>(answers.tokens);
    const auto longest = static_cast<double>(options.engine.sampling.max_new_tokens);
    for (PolicyTerm& term : policy.terms) {
      if (term.kind == PolicyKind::grpo) {
        term.weight *= tokens / (static_cast<double>(answers.sequences()) * longest);
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

std::unique_ptr<Lesson> distillation_lesson(Model& student, Teachers teachers,
                                            std::vector<TokenizedExample> examples,
                                            const Tokenizer& tokenizer,
                                            const DistillationOptions& options,
                                            Onlookers onlookers) {
  return std::make_unique<DistillationLesson>(student, std::move(teachers), std::move(examples),
                                              tokenizer, options, std::move(onlookers));
}

}  // namespace alambic
