#include "alambic/jobs/generation.h"

#include <functional>

#include "alambic/base/error.h"
#include "alambic/base/json_fields.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/stopwatch.h"
#include "alambic/io/generation_config.h"
#include "alambic/io/generation_settings.h"
#include "alambic/rollout/chat_session.h"
#include "alambic/rollout/requests.h"
#include "alambic/text/chat/continuation.h"
#include "alambic/text/tokenizer/adapter_tokenizer.h"

namespace alambic {
namespace {

// Whether an option says the same, so that there is nothing to tell.
bool says_so(const GenerateOptions& options, const std::string& key, const Json& value) {
  const Sampling& sampling = options.sampling;
  if (key == "temperature") return value == sampling.temperature;
  if (key == "top_k") return value == sampling.top_k;
  if (key == "top_p") return value == sampling.top_p;
  if (key == "min_p") return value == sampling.min_p;
  if (key == "max_new_tokens") return value == options.max_new_tokens;
  return key == "do_sample" && value == false && sampling.temperature == 0;
}

// Takes what the engine can do, and names what changes transformers' completions and not these.
void apply_generation_config(const Json& config, const GenerateOptions& options,
                             Sampling& sampling) {
  const std::string file = generation_config_name(options.model);
  GenerationSettings settings = generation_settings(config, file);
  if (options.repetition_penalty > 0) settings.repetition_penalty = options.repetition_penalty;
  sampling.repetition_penalty = settings.repetition_penalty;
  sampling.suppressed = settings.suppress_tokens;
  sampling.suppressed_at_first = settings.begin_suppress_tokens;
  if (const std::string applied = settings.processors(); !applied.empty()) {
    say("completions are drawn with {}", applied);
  }
  std::vector<std::string> ignored;
  for (const auto& [key, value] : settings.others) {
    if (!says_so(options, key, value))
      ignored.push_back(fmt::format("{} {:.60}", key, json_excerpt(value)));
  }
  if (ignored.empty()) return;
  say("{} also asks for what the options do not say, and it is not applied: {}", file,
      join(ignored));
}

// A model ready to complete what the options ask for.
struct Loaded {
  explicit Loaded(const GenerateOptions& options)
      : model(pretrained(options)),
        chats(tokenizer_folder(options.model, options.adapter), model.tokenizer,
              options.chat_template) {}

  static Pretrained pretrained(const GenerateOptions& options) {
    LoadOptions load = prepare_machine(options.machine);
    load.adapter = options.adapter;
    return from_pretrained(options.model, load);
  }

  // After the prompts are read: a template's end of turn stops conversations alone.
  EngineOptions engine(const GenerateOptions& options) {
    chats.add_end_of_turn(model.tokenizer, model.stop_tokens);
    EngineOptions engine{.sampling = options.sampling,
                         .stop_tokens = model.stop_tokens,
                         .vocabulary = model.vocabulary,
                         .batch = options.batch,
                         .seed = static_cast<uint64_t>(options.seed)};
    engine.sampling.max_new_tokens = options.max_new_tokens;
    apply_generation_config(model.generation_config, options, engine.sampling);
    return engine;
  }

  Pretrained model;
  ChatSource chats;
};

std::vector<Example> prompts_of(const GenerateOptions& options, const ChatSource& chats) {
  if (!options.data.empty()) {
    std::vector<Example> rows =
        Examples(Dataset::open(options.data, parse_columns(options.data_form.columns)),
                 {{"prompt"}, {"messages"}}, chats.reader(ChatUse::prompts))
            .first(0);
    chats.check_effect(options.data);
    return rows;
  }
  std::vector<Example> examples;
  for (const std::string& text : options.prompts) {
    Example& example = examples.emplace_back(Example{.prompt = text});
    if (!options.chat) continue;
    example.chat = std::make_shared<Chat>(user_chat(options.system, text));
    example.prompt = write_chat(chats.chat_template(), *example.chat, ChatUse::prompts).prompt;
  }
  if (examples.empty()) {
    throw input_error("there is nothing to complete: neither prompts nor data were given");
  }
  return examples;
}

jobs::GeneratedCompletion with_prompt(const Tokenizer& tokenizer, const Example& example,
                                      const Request& request, Completion completion) {
  return {.prompt = example.chat ? prompt_messages(*example.chat)
                                 : Json(tokenizer.decode(request.prompt, true)),
          .beginning = example.chat ? "" : example.prompt,
          .text = continuation(tokenizer, request.prompt, completion.tokens),
          .tokens = std::move(completion.tokens),
          .logp = std::move(completion.logp),
          .ended = completion.ending == Ending::stop_token};
}

}  // namespace

jobs::Generation jobs::generate(const GenerateOptions& options, const OnText& on_text) {
  Loaded loaded(options);
  const std::vector<Example> examples = prompts_of(options, loaded.chats);
  const EngineOptions engine = loaded.engine(options);
  const Tokenizer& tokenizer = loaded.model.tokenizer;
  const std::vector<Request> requests = requests_of(tokenizer, examples, options.num_generations);
  TextStream stream(tokenizer, requests.front(), on_text);
  const bool streams = on_text && requests.size() == 1;
  if (streams && !examples.front().chat) on_text(examples.front().prompt);
  const Stopwatch watch;
  std::vector<Completion> completions = alambic::generate(
      *loaded.model.model, requests, engine, streams ? OnToken(std::ref(stream)) : OnToken());
  if (streams) stream.finish();
  Generation result{.seconds = watch.seconds()};
  for (size_t i = 0; i < completions.size(); ++i) {
    result.tokens += std::ssize(completions[i].tokens);
    result.completions.push_back(with_prompt(tokenizer, examples[i / options.num_generations],
                                             requests[i], std::move(completions[i])));
  }
  return result;
}

struct jobs::Conversation::State {
  explicit State(const GenerateOptions& options)
      : loaded(options),
        chat_template(loaded.chats.chat_template()),
        engine(loaded.engine(options)),
        session(loaded.model, chat_template, options.system, engine) {}

  Loaded loaded;
  const ChatTemplate& chat_template;
  EngineOptions engine;
  ChatSession session;
};

jobs::Conversation::Conversation(const GenerateOptions& options)
    : state_(std::make_unique<State>(options)) {}

jobs::Conversation::~Conversation() = default;

std::string jobs::Conversation::answer(const std::string& message, const OnText& on_text) {
  return state_->session.answer(message, on_text);
}

}  // namespace alambic
