// Completions of a model, for people and programs to read.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/jobs/generate_options.h"
#include "alambic/rollout/text_stream.h"

namespace alambic::jobs {

/// A completion with what it completes.
struct GeneratedCompletion {
  nlohmann::ordered_json prompt;  ///< text, or the messages of a conversation
  std::string beginning;          ///< text that goes before the completion; none in a conversation
  std::string text;               ///< the completion alone
  std::vector<int32_t> tokens;    ///< with the stop token where it ended
  std::vector<float> logp;        ///< nats, one a token, at the sampling's temperature
  bool ended = false;             ///< by a stop token; else at options.max_new_tokens
};

struct Generation {
  std::vector<GeneratedCompletion> completions;  ///< options.num_generations a prompt, in a row
  int64_t tokens = 0;                            ///< of all completions
  double seconds = 0;                            ///< of writing them, without loading the model
};

/// Completions of options.prompts (with options.chat: messages of a user), or of the rows of
/// options.data. `on_text`, null or not, gets the text of an only completion as it is written, its
/// beginning before it. repetition_penalty, suppress_tokens and begin_suppress_tokens of the
/// model's generation_config.json are applied; what else it asks for and the options do not say is
/// named. Errors: those of from_pretrained, of generation_settings, of reading the rows, and of a
/// model without a chat template for conversations.
Generation generate(const GenerateOptions& options, const OnText& on_text = {});

/// A conversation with a model, which answers each message with all that was said before.
class Conversation {
 public:
  /// Loads options.model; options.prompts and options.data are not looked at. Errors: those of
  /// from_pretrained, and of a model without a chat template.
  explicit Conversation(const GenerateOptions& options);
  ~Conversation();

  /// Answers a user's message, which `on_text` gets part by part as it is written. An input error
  /// when the conversation has filled the model's context.
  std::string answer(const std::string& message, const OnText& on_text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace alambic::jobs
