#include "alambic/cli/generate_options.h"

#include <cstdio>
#include <iostream>
#include <iterator>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/stopwatch.h"
#include "alambic/cli/model_pair.h"
#include "alambic/text/continuation.h"
#include "alambic/text/dataset.h"
#include "alambic/text/stream_decoder.h"

namespace alambic {

namespace {

std::vector<std::string> prompts_of(const GenerateOptions& options) {
  if (!options.prompts.empty() && !options.data.empty()) {
    throw input_error("--prompt and --data were both given").with_hint("choose one");
  }
  if (!options.prompts.empty()) return options.prompts;
  std::vector<std::string> prompts;
  if (options.data.empty()) {
    prompts.emplace_back(std::istreambuf_iterator<char>(std::cin),
                         std::istreambuf_iterator<char>());
    return prompts;
  }
  for (const Example& example : read_examples(options.data, {{"prompt"}}))
    prompts.push_back(example.prompt);
  return prompts;
}

// A single answer appears as it is written.
struct Typist {
  StreamDecoder decoder;
  Typist(const Tokenizer& tokenizer, const Request& request) : decoder(tokenizer) {
    for (const int32_t id : request.prompt) decoder.push(id);
  }
  void operator()(size_t, int32_t token) {
    const std::string text = decoder.push(token);
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
};

void print_json(const Request& request, const Answer& answer, const Tokenizer& tokenizer) {
  const Json row = {{"prompt", tokenizer.decode(request.prompt, true)},
                    {"completion", continuation(tokenizer, request.prompt, answer.tokens)},
                    {"tokens", answer.tokens},
                    {"logp", answer.logp},
                    {"ending", answer.ending == Ending::stop_token ? "stop" : "length"}};
  std::puts(row.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

}  // namespace

int run(const GenerateOptions& options) {
  const std::vector<std::string> prompts = prompts_of(options);
  LoadOptions load = prepare_machine(options.machine);
  load.adapter = options.adapter;
  const LoadedModel loaded = load_with_tokenizer(options.model, load);
  std::vector<Request> requests;
  for (const std::string& prompt : prompts) {
    for (int64_t g = 0; g < options.num_generations; ++g) {
      requests.push_back({.prompt = loaded.tokenizer.encode(prompt), .id = requests.size()});
    }
  }
  EngineOptions engine{.sampling = options.sampling,
                       .stop_tokens = loaded.stop_tokens,
                       .vocabulary = loaded.vocabulary,
                       .batch = options.batch,
                       .seed = static_cast<uint64_t>(options.seed)};
  engine.sampling.max_new_tokens = options.max_new_tokens;

  const bool streams = requests.size() == 1 && !options.json;
  Typist typist(loaded.tokenizer, requests.front());
  Stopwatch watch;
  std::vector<Answer> answers;
  if (streams) {
    std::fputs(prompts.front().c_str(), stdout);
    answers = generate(*loaded.model, requests, engine, std::ref(typist));
    std::puts(typist.decoder.finish().c_str());
  } else {
    answers = generate(*loaded.model, requests, engine);
  }
  int64_t tokens = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    tokens += static_cast<int64_t>(answers[i].tokens.size());
    if (options.json) {
      print_json(requests[i], answers[i], loaded.tokenizer);
    } else if (!streams) {
      std::puts((prompts[i / options.num_generations] +
                 continuation(loaded.tokenizer, requests[i].prompt, answers[i].tokens) + "\n")
                    .c_str());
    }
  }
  say("{} tokens in {:.2f} s, {:.0f} tokens/s", tokens, watch.seconds(),
      static_cast<double>(tokens) / watch.seconds());
  return 0;
}

}  // namespace alambic
