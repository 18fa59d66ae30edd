#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <iterator>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/cli/commands/chat_in_terminal.h"
#include "alambic/cli/run.h"
#include "alambic/jobs/generation.h"

namespace alambic {

namespace {

std::string read_input() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

void print_json(const jobs::GeneratedCompletion& completion) {
  const Json row = {{"prompt", completion.prompt},
                    {"completion", completion.text},
                    {"tokens", completion.tokens},
                    {"logp", completion.logp},
                    {"ending", completion.ended ? "stop" : "length"}};
  std::puts(row.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

void check_terminal(const GenerateOptions& options) {
  if (options.json || options.num_generations > 1) {
    throw input_error("--{} has no effect on a conversation in the terminal",
                      options.json ? "json" : "num-generations")
        .with_hint("give the message with --prompt");
  }
}

}  // namespace

int run(const GenerateOptions& given) {
  GenerateOptions options = given;
  if (options.prompts.empty() && options.data.empty()) {
    if (options.chat && ::isatty(STDIN_FILENO) == 1) {
      check_terminal(options);
      jobs::Conversation conversation(options);
      chat_in_terminal(conversation);
      return 0;
    }
    options.prompts = {read_input()};
    if (options.chat && options.prompts[0].ends_with('\n')) options.prompts[0].pop_back();
  }
  const jobs::Generation result = jobs::generate(options, options.json ? OnText() : print_text);
  if (!options.json && result.completions.size() == 1) {
    print_text("\n");
  } else {
    for (const jobs::GeneratedCompletion& completion : result.completions) {
      if (options.json) {
        print_json(completion);
      } else {
        std::puts((completion.beginning + completion.text + "\n").c_str());
      }
    }
  }
  say("{} tokens in {:.2f} s, {:.0f} tokens/s", result.tokens, result.seconds,
      static_cast<double>(result.tokens) / result.seconds);
  return 0;
}

}  // namespace alambic
