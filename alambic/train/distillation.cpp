#include "alambic/train/distillation.h"

#include <algorithm>

#include "alambic/base/random.h"
#include "alambic/base/stopwatch.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/text/continuation.h"
#include "alambic/train/data_order.h"

namespace alambic {

bool on_policy(uint64_t seed, int64_t step, double lmbda) {
  return uniform({.seed = seed, .stream = Stream::mixture, .step = static_cast<uint64_t>(step)}) <
         lmbda;
}

Rollouts given_rollouts(const std::vector<const TokenizedExample*>& examples, at::Device device) {
  std::vector<Request> requests;
  std::vector<Answer> answers;
  for (const TokenizedExample* example : examples) {
    requests.push_back({.prompt = example->prompt});
    answers.push_back({.tokens = *example->completion,
                       .logp = std::vector<float>(example->completion->size(), 0.0f),
                       .ending = Ending::stop_token});
  }
  return to_rollouts(requests, answers, 0, device);
}

namespace {

double mean_length(const std::vector<Answer>& answers) {
  double tokens = 0;
  for (const Answer& answer : answers) tokens += static_cast<double>(answer.tokens.size());
  return tokens / static_cast<double>(answers.size());
}

double eos_share(const std::vector<Answer>& answers) {
  const auto ended = std::ranges::count(answers, Ending::stop_token, &Answer::ending);
  return static_cast<double>(ended) / static_cast<double>(answers.size());
}

struct DistillationLesson : Lesson {
  Model& student;
  Teachers teachers;
  std::vector<TokenizedExample> examples;
  const Tokenizer& tokenizer;
  DistillationOptions options;
  DataOrder order;
  at::Device device;

  DistillationLesson(Model& student, Teachers teachers, std::vector<TokenizedExample> rows,
                     const Tokenizer& tokenizer, const DistillationOptions& options)
      : student(student),
        teachers(std::move(teachers)),
        examples(std::move(rows)),
        tokenizer(tokenizer),
        options(options),
        order(options.seed, static_cast<int64_t>(examples.size())),
        device(student.options().device()) {}

  StepReport learn(int64_t step, const PhaseCallback& phase) override {
    StepReport report;
    const std::vector<int64_t> indices = teachers.by_group(order.batch(step, options.batch_size));
    const bool own = on_policy(options.seed, step, options.lmbda);
    const std::vector<Rollouts> micro_batches =
        own ? answer(indices, step, phase, report) : given(indices);
    for (const Rollouts& rollouts : micro_batches) {
      report.tokens += rollouts.answer_N.sum().item<int64_t>();
    }
    double grade_seconds = 0, learn_seconds = 0;
    int64_t micro_batch = 0;
    for (const Rollouts& rollouts : micro_batches) {
      Stopwatch watch;
      Tensor hidden_MD, value;
      Head vocabulary_head;
      for (const Grader& grader : teachers.graders(teachers.group_of(rollouts.row_S.front()))) {
        phase("grade");
        const Judgement judgement = grader.teacher->grade(rollouts);
        grade_seconds += watch.lap();
        phase("learn");
        if (!hidden_MD.defined()) {
          student.place_dropout(step, micro_batch++);
          hidden_MD = answer_states(rollouts);
        }
        vocabulary_head = student.head().cut(judgement.head.vocabulary());
        const Loss loss = divergence_loss(options.divergence, hidden_MD, vocabulary_head, judgement,
                                          static_cast<double>(report.tokens) / grader.weight);
        value = value.defined() ? value + loss.value : loss.value;
        for (const auto& [name, sum] : loss.sums) {
          report.means[name] += grader.weight * sum / static_cast<double>(report.tokens);
        }
        learn_seconds += watch.lap();
      }
      if (options.ce_weight > 0 && !own) {
        const Loss loss = cross_entropy_loss(hidden_MD, vocabulary_head, rollouts.targets_M(),
                                             static_cast<double>(report.tokens));
        value = value + options.ce_weight * loss.value;
        report.means["cross_entropy"] +=
            loss.sums.at("cross_entropy") / static_cast<double>(report.tokens);
      }
      value.backward();
      report.loss += value.item<double>();
      learn_seconds += watch.lap();
    }
    report.seconds.emplace_back("grade_seconds", grade_seconds);
    report.seconds.emplace_back("learn_seconds", learn_seconds);
    return report;
  }

  // The student's own hidden states at the graded positions, with their graph.
  Tensor answer_states(const Rollouts& rollouts) const {
    return student.hidden(Pass(rollouts.sequences)).index_select(0, rollouts.graded_M());
  }

  // What a reader wants to see: a conversation as messages, not as its template writes it.
  nlohmann::ordered_json shown_prompt(const TokenizedExample& example) const {
    if (example.chat) return prompt_messages(*example.chat);
    return tokenizer.decode(example.prompt, true);
  }

  // The student writes its answers; every prompt and generation has its own random stream.
  std::vector<Rollouts> answer(const std::vector<int64_t>& indices, int64_t step,
                               const PhaseCallback& phase, StepReport& report) {
    phase("generate");
    Stopwatch watch;
    std::vector<Request> requests;
    std::vector<int64_t> rows;
    for (const int64_t index : indices) {
      for (int64_t g = 0; g < options.num_generations; ++g) {
        requests.push_back({.prompt = examples[index].prompt, .id = requests.size()});
        rows.push_back(index);
      }
    }
    EngineOptions engine = options.engine;
    engine.step = static_cast<uint64_t>(step);
    const std::vector<Answer> answers = generate(student, requests, engine);
    report.seconds.emplace_back("generate_seconds", watch.seconds());
    report.extra = {{"completion_length", mean_length(answers)}, {"eos_share", eos_share(answers)}};
    const size_t kept = std::min<size_t>(answers.size(), options.samples_per_step);
    for (size_t i = 0; i < kept; ++i) {
      report.samples.push_back(
          {{"step", step},
           {"prompt", shown_prompt(examples[rows[i]])},
           {"completion", continuation(tokenizer, requests[i].prompt, answers[i].tokens)}});
    }
    std::vector<Rollouts> batches;
    for (const auto& [first, count, group] : teachers.pieces(rows, options.micro_batch_size)) {
      batches.push_back(to_rollouts(std::span(requests).subspan(first, count),
                                    std::span(answers).subspan(first, count), step, device));
      batches.back().row_S.assign(rows.begin() + first, rows.begin() + first + count);
    }
    return batches;
  }

  std::vector<Rollouts> given(const std::vector<int64_t>& rows) {
    std::vector<Rollouts> batches;
    for (const auto& [first, count, group] : teachers.pieces(rows, options.micro_batch_size)) {
      std::vector<const TokenizedExample*> chosen;
      for (size_t i = first; i < first + count; ++i) chosen.push_back(&examples[rows[i]]);
      batches.push_back(given_rollouts(chosen, device));
      batches.back().row_S.assign(rows.begin() + first, rows.begin() + first + count);
    }
    return batches;
  }
};

}  // namespace

std::unique_ptr<Lesson> distillation_lesson(Model& student, Teachers teachers,
                                            std::vector<TokenizedExample> examples,
                                            const Tokenizer& tokenizer,
                                            const DistillationOptions& options) {
  return std::make_unique<DistillationLesson>(student, std::move(teachers), std::move(examples),
                                              tokenizer, options);
}

}  // namespace alambic
