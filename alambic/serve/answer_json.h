// Answers as OpenAI's clients read them, with vLLM's additions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/serve/answer_choice.h"
#include "alambic/serve/grade_job.h"
#include "alambic/serve/text_request.h"

namespace alambic {

/// What the chunks of one answer have in common.
struct AnswerHead {
  const TextRequest& request;
  const ServedModel& model;
  const std::string& id;
  int64_t created = 0;
};

/// {"id", "object", "created", "model", "choices": […]}
nlohmann::ordered_json answer_frame(const AnswerHead& head, bool chunk);
/// {"prompt_tokens", "completion_tokens", "total_tokens"}
nlohmann::ordered_json usage_json(const TextRequest& request,
                                  const std::vector<AnswerChoice>& choices);

/// An entry of `choices` of a completion: the part of the choice that begins with these tokens. Of
/// a prompt's grades, which `echo` writes before it, where they are not null.
nlohmann::ordered_json completion_choice(const AnswerHead& head, const AnswerChoice& choice,
                                         const AnswerChoice::Part& part, const Grades* grades);
/// Of a chat: with `delta`, a chunk of a stream; else with `message`.
nlohmann::ordered_json chat_choice(const AnswerHead& head, const AnswerChoice& choice,
                                   const AnswerChoice::Part& part, bool chunk);

/// vLLM's prompt_logprobs of one prompt: null, then an object of token ids for each further token.
nlohmann::ordered_json prompt_logprobs_json(const Tokenizer& tokenizer,
                                            const std::vector<int32_t>& prompt,
                                            const Grades& grades, size_t sequence, int64_t k);

}  // namespace alambic
