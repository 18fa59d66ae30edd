#include "alambic/cli/commands/generate_options.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <iterator>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/stopwatch.h"
#include "alambic/cli/commands/chat_session.h"
#include "alambic/rollout/requests.h"
#include "alambic/text/chat/continuation.h"

namespace alambic {

namespace {

std::string read_input() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

// Prompts that are to be completed.
std::vector<Example> prompts_of(const GenerateOptions& options, const ChatSource& chats) {
  if (!options.data.empty()) {
    std::vector<Example> rows =
        read_examples(options.data, {{"prompt"}, {"messages"}}, chats.reader(ChatUse::prompts));
    chats.check_effect(options.data);
    return rows;
  }
  std::vector<std::string> texts = options.prompts;
  if (texts.empty()) {
    texts = {read_input()};
    if (options.chat && texts[0].ends_with('\n')) texts[0].pop_back();
  }
  std::vector<Example> examples;
  for (const std::string& text : texts) {
    Example& example = examples.emplace_back(Example{.prompt = text});
    if (!options.chat) continue;
    example.chat = std::make_shared<Chat>(user_chat(options.system, text));
    example.prompt = write_chat(chats.chat_template(), *example.chat, ChatUse::prompts).prompt;
  }
  return examples;
}

void print_json(const Example& example, const Request& request, const Completion& completion,
                const Tokenizer& tokenizer) {
  const Json prompt =
      example.chat ? prompt_messages(*example.chat) : Json(tokenizer.decode(request.prompt, true));
  const Json row = {{"prompt", prompt},
                    {"completion", continuation(tokenizer, request.prompt, completion.tokens)},
                    {"tokens", completion.tokens},
                    {"logp", completion.logp},
                    {"ending", completion.ending == Ending::stop_token ? "stop" : "length"}};
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

int run(const GenerateOptions& options) {
  LoadOptions load = prepare_machine(options.machine);
  load.adapter = options.adapter;
  Pretrained loaded = from_pretrained(options.model, load);
  const ChatSource chats(options.model, loaded.tokenizer, options.chat_template);
  const bool in_terminal = options.chat && options.prompts.empty() && ::isatty(STDIN_FILENO) == 1;
  std::vector<Example> examples;
  if (in_terminal) {
    check_terminal(options);
    chats.chat_template();
  } else {
    examples = prompts_of(options, chats);
  }
  chats.add_end_of_turn(loaded.tokenizer, loaded.stop_tokens);
  EngineOptions engine{.sampling = options.sampling,
                       .stop_tokens = loaded.stop_tokens,
                       .vocabulary = loaded.vocabulary,
                       .batch = options.batch,
                       .seed = static_cast<uint64_t>(options.seed)};
  engine.sampling.max_new_tokens = options.max_new_tokens;
  if (in_terminal) {
    ChatSession session(loaded, chats.chat_template(), options.system, engine);
    chat_in_terminal(session);
    return 0;
  }
  const std::vector<Request> requests =
      requests_of(loaded.tokenizer, examples, options.num_generations);
  // The text printed before a completion: none in a conversation, else the prompt.
  const auto beginning = [](const Example& example) { return example.chat ? "" : example.prompt; };
  const bool streams = requests.size() == 1 && !options.json;
  TextStream stream(loaded.tokenizer, requests.front(), print_text);
  Stopwatch watch;
  std::vector<Completion> completions;
  if (streams) {
    std::fputs(beginning(examples.front()).c_str(), stdout);
    completions = generate(*loaded.model, requests, engine, std::ref(stream));
    stream.finish();
    print_text("\n");
  } else {
    completions = generate(*loaded.model, requests, engine);
  }
  int64_t tokens = 0;
  for (size_t i = 0; i < completions.size(); ++i) {
    const Example& example = examples[i / options.num_generations];
    tokens += static_cast<int64_t>(completions[i].tokens.size());
    if (options.json) {
      print_json(example, requests[i], completions[i], loaded.tokenizer);
    } else if (!streams) {
      std::puts((beginning(example) +
                 continuation(loaded.tokenizer, requests[i].prompt, completions[i].tokens) + "\n")
                    .c_str());
    }
  }
  say("{} tokens in {:.2f} s, {:.0f} tokens/s", tokens, watch.seconds(),
      static_cast<double>(tokens) / watch.seconds());
  return 0;
}

}  // namespace alambic
