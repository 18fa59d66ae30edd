// What a client asks for: completions of prompts, or the answer to a conversation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alambic/serve/refused_fields.h"
#include "alambic/serve/sequence_job.h"
#include "alambic/serve/served_model.h"
#include "alambic/serve/tool_calls.h"

namespace alambic {

/// OpenAI's fields, and those that vLLM adds under its names.
struct TextRequest {
  TextForm form = TextForm::completion;
  std::vector<std::vector<int32_t>> prompts;
  int64_t max_tokens = 16;  ///< 0: nothing is written, the prompts are graded
  int64_t n = 1;            ///< choices per prompt
  DrawSettings draws;
  std::vector<std::string> stops;
  std::vector<int32_t> stop_token_ids;
  bool ignore_eos = false;
  bool skip_special_tokens = true;
  bool echo = false;
  int64_t logprobs = -1;         ///< of written tokens (and with echo, the prompt's); −1: none
  int64_t prompt_logprobs = -1;  ///< vLLM's; −1: none
  bool stream = false;
  bool include_usage = false;  ///< a last chunk of a stream with the numbers of tokens
  /// How calls of the offered tools stand in the answer; none: as text.
  ToolCallForm tool_calls = ToolCallForm::none;
  std::vector<std::string> tools;
  bool one_call = false;  ///< further calls are left out
  bool return_token_ids = false;
  bool return_tokens_as_token_ids = false;

  /// Most likely tokens that each row of a prompt's grades has; −1: prompts are not graded.
  int64_t graded_top() const;
};

/// Of a body to /v1/completions. ApiErrors 400 name the field.
TextRequest read_completion_request(const RequestFields& fields, const ServedModel& model);
/// Of a body to /v1/chat/completions, which the model's chat template writes as a prompt.
TextRequest read_chat_request(const RequestFields& fields, const ServedModel& model);
/// The conversation of a body as its template writes it, up to the assistant's turn.
std::string chat_prompt(const RequestFields& fields, const ServedModel& model);

}  // namespace alambic
