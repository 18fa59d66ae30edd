// The most likely completion of a prompt.
//   generate MODEL PROMPT
#include <cstdio>

#include "alambic/alambic.h"

int main(int argc, char** argv) try {
  using namespace alambic;
  if (argc != 3) return std::fprintf(stderr, "usage: generate MODEL PROMPT\n"), 2;
  const Pretrained model = from_pretrained(argv[1], prepare_machine({}));
  const std::vector<Request> requests = {{.prompt = model.tokenizer.encode(argv[2])}};
  const std::vector<Completion> completions =
      generate(*model.model, requests,
               {.sampling = {.temperature = 0, .max_new_tokens = 80},
                .stop_tokens = model.stop_tokens,
                .vocabulary = model.vocabulary});
  std::printf("%s\n", model.tokenizer.decode(completions.front().tokens, true).c_str());
} catch (const alambic::Error& error) {
  std::fprintf(stderr, "error: %s\n%s\n", error.what(), error.hint().c_str());
  return static_cast<int>(error.exit());
}
