// On-policy distillation in plain steps: what `alambic distill` does (docs/flow.md), without its
// run folder, checkpoints and checks.
//   distill STUDENT TEACHER PROMPTS.jsonl STEPS OUT
#include <cstdio>
#include <cstdlib>

#include "alambic/alambic.h"

int main(int argc, char** argv) try {
  using namespace alambic;
  if (argc != 6) return std::fprintf(stderr, "usage: distill STUDENT TEACHER DATA STEPS OUT\n"), 2;
  LoadOptions load = prepare_machine({});
  Pretrained expert = from_pretrained(argv[2], load);
  load.frozen = false;
  load.trainable = true;
  Pretrained student = from_pretrained(argv[1], load);
  check_same_vocabulary(student, expert, argv[1], argv[2]);
  const LocalTeacher teacher(std::move(expert.model), student.vocabulary);
  RowFit fit{.positions = student.model->shape().positions};
  const std::vector<TokenizedExample> examples =
      tokenize(read_examples(argv[3], {{"prompt"}}), student.tokenizer, fit);
  DataOrder order(/*seed=*/1, std::ssize(examples));
  AdamW optimizer(*student.model, {});

  for (int64_t step = 0; step < std::atoll(argv[4]); ++step) {
    std::vector<Request> requests;
    for (const int64_t row : order.batch(step, /*batch_size=*/16)) {
      requests.push_back({.prompt = examples[row].prompt, .id = static_cast<uint64_t>(row)});
    }
    const std::vector<Completion> completions = generate(*student.model, requests,
                                                         {.sampling = {.max_new_tokens = 64},
                                                          .stop_tokens = student.stop_tokens,
                                                          .vocabulary = student.vocabulary,
                                                          .step = static_cast<uint64_t>(step)});
    const Rollouts rollouts = to_rollouts(requests, completions, step, load.device);
    const TeacherOutput teacher_output = teacher.evaluate(rollouts);
    const Tensor positions_M = rollouts.loss_positions_M();
    const Tensor hidden_ND = student.model->hidden(Pass(rollouts.sequences));
    const auto tokens = static_cast<double>(positions_M.size(0));
    const Loss loss = divergence_loss(
        {.terms = {{DivergenceKind::reverse_kl}}}, hidden_ND.index_select(0, positions_M),
        student.model->head().cut(student.vocabulary), teacher_output, /*normalizer=*/tokens);
    loss.value.backward();
    const double norm = optimizer.gradient_norm();
    optimizer.step(/*learning_rate=*/1e-3, /*scale=*/norm > 1 ? 1 / norm : 1);
    std::printf("step %ld: reverse KL %.4f a token, agreement %.1f %%\n", step + 1,
                loss.sums.at("reverse_kl") / tokens, 100 * loss.sums.at("agreement") / tokens);
  }
  export_model(student, argv[5], "Distilled by examples/distill.cpp.\n", DtypeChoice::automatic);
} catch (const alambic::Error& error) {
  std::fprintf(stderr, "error: %s\n%s\n", error.what(), error.hint().c_str());
  return static_cast<int>(error.exit());
}
